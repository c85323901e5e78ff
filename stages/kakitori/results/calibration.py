"""How sure what ships may be of its answers, fitted to the hands of writers of no run.

A run validates with a few writers, and whoever of them writes badly decides its temperature and its
threshold: one of four, of whom 80 % is read, left a file that was sure of 73 % of a person's clean
drawings and is sure of 95 % since. Synthetic writers cost nothing, so what ships is fitted to many.
"""

from pathlib import Path

import numpy as np
import onnx
import pandas as pd

from kakitori.accuracy import scoring
from kakitori.export import export, strangers
from kakitori.learning.samples import data
from kakitori.reading import monitoring
from kakitori.reading.normalising import images as normalising
from kakitori.reading.recognizer import Recognizer
from kakitori.synthesis.handwriting import write_page
from kakitori.synthesis.synthesis import Copybooks, source_of
from kakitori.synthesis.table import StrokeTable

SEED = 4242  # of no run
WRITERS, CHARACTERS = 70, 100  # each writes so many, by lot
STRANGERS = 1000  # pictures of no character


def fit(path: Path, characters: pd.DataFrame, preset: str) -> dict[str, float]:
    """Fit an ONNX file to WRITERS hands of a preset, and write into it what follows: temperature,
    threshold, background, and the deciles that confidences are compared with.

    characters : as characters.parquet has them.

    Returns what scoring.Sureness holds, and of how many `writers` and `samples` it is.
    """
    recognizer = Recognizer(path, threads=0)
    images, labels = written(recognizer, Copybooks(characters), preset)
    logits = recognizer.logits(images)
    strange = recognizer.logits(strangers.images(STRANGERS, recognizer.size, SEED))
    sureness, confidences = scoring.fit_sureness(logits, labels, strange)
    fitted = sureness._asdict()
    told = {key: str(fitted[key]) for key in ("temperature", "threshold", "background")}
    deciles = monitoring.reference(monitoring.signals(images, confidences))
    metadata = {p.key: p.value for p in onnx.load(path).metadata_props}
    export.tell(path, metadata | told | {"deciles": deciles})
    return {"writers": WRITERS, "samples": len(labels), **fitted}


def written(
    recognizer: Recognizer, copybooks: Copybooks, preset: str
) -> tuple[np.ndarray, np.ndarray]:
    """What WRITERS write of the characters that a recogniser knows: normalised images
    uint8 (N, S, S), class indices int64 (N,)."""
    classes = recognizer.classes
    sources = list(copybooks.forms.values())
    images, labels = [], []
    for writer in range(WRITERS):
        forms = sources[source_of(writer, len(sources))]
        drawn = np.random.default_rng([SEED, writer]).permutation(len(classes))[:CHARACTERS]
        drawn = [k for k in drawn.tolist() if classes[k] in forms]
        table = StrokeTable.of(forms, [classes[k] for k in drawn])
        page = write_page(table, SEED, writer, preset=preset) * np.uint8(17)  # of 15 levels
        images.append(normalising.normalise(page, recognizer.size))
        labels += drawn
    return np.concatenate(images), np.array(labels)


def measured(root: Path, path: Path) -> dict[str, dict[str, float]]:
    """`ece` and `nll` of an ONNX file on a finished run's test part, "test", and on each corpus of
    difficult writers."""
    recognizer = Recognizer(path, threads=0)
    index = data.placed_index(root)
    figures = {}
    for part in ("test", "hard"):
        samples = data.load_part(root, index, part, list(recognizer.classes))
        labels, corpora = samples.labels.numpy(), samples.rows["corpus"].to_numpy()
        names = np.full(len(labels), "test") if part == "test" else corpora
        for name in sorted(set(names[labels >= 0])):
            rows = (names == name) & (labels >= 0)
            predictions = scoring.predict(
                recognizer.logits,
                samples.images[:, 0].numpy()[rows],
                labels[rows],
                recognizer.temperature,
                recognizer.background,
            )
            score = scoring.score(predictions)
            figures[name] = {key: score[key] for key in ("ece", "nll")}
    return figures

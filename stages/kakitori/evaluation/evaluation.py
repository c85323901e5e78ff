"""What the trained network and its exports make of parts of the data: the figures of evaluate."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from kakitori.accuracy import scoring
from kakitori.evaluation import feedback, sequences, slices
from kakitori.learning import inference, machine
from kakitori.learning.contract import Network
from kakitori.learning.samples import data
from kakitori.reading import context
from kakitori.reading.formats import FORMATS, GATED
from kakitori.reading.recognizer import Recognizer

IN_METRICS = ("script", "strokes", "corpus", "quality")  # of the slices; all are in slices.csv


class Readers:
    """The network, trained in a precision, and those of its exports in a folder that are
    evaluated, by their names."""

    def __init__(self, model: Network, trained: torch.dtype, exports: Path) -> None:
        self.model = model
        self.precision = machine.reading_precision(trained, torch.device("cpu"))
        paths = {
            name: exports / Path(each.file).name
            for name, each in FORMATS.items()
            if each.evaluated and name != "torch"
        }
        self.exports = {
            name: Recognizer(path, threads=0)
            for name, path in paths.items()
            if FORMATS[name].gated or path.is_file()
        }
        self.classes = list(self.exports["fp32"].classes)
        self.alike = context.alike("".join(self.classes))

    def predict(
        self, images: np.ndarray, labels: np.ndarray, names: tuple[str, ...] = GATED
    ) -> dict[str, scoring.Predictions]:
        """What each makes of images uint8 (N, S, S)."""
        predictions = {}
        for name in names:
            export = self.exports.get(name, self.exports["fp32"])  # whose calibration torch has
            logits = export.logits if name in self.exports else self.logits_of(self.model)
            predictions[name] = scoring.predict(
                logits, images, labels, export.temperature, export.background
            )
        return predictions

    def logits_of(self, model: torch.nn.Module) -> Callable[[np.ndarray], np.ndarray]:
        """Of images uint8 (N, S, S), in the precision that the network was trained in. What its
        float32 says, fp32.onnx computes; quantize compares them."""
        return lambda images: inference.logits_of(
            model, torch.from_numpy(images)[:, None], self.precision
        ).numpy()


def figures_of(
    readers: Readers,
    predictions: dict[str, scoring.Predictions],
    parts: dict[str, data.Part],
    characters: pd.DataFrame,
    written: Path,
) -> dict:
    """What metrics/evaluate.json says but for what the run is.

    predictions : of the test part, of each that reads it.
    parts : test, hard, external and zero_shot.
    characters : by code point, every one that a part holds.
    written : what synthesis/slips.py wrote, for a model that gives feedback.
    """
    test, reference = parts["test"], predictions["torch"]
    groups = test.rows["writer_group"].to_numpy()
    sliced = slices.sliced(reference.right, test.rows, characters)
    return {
        "classes": len(readers.classes),
        "test_samples": len(test.labels),
        "test_writer_groups": len({*groups} - {""}),
        **{
            name: scoring.score(p, readers.alike) | scoring.interval(p.right, groups)
            for name, p in predictions.items()
        },
        "accepted": {
            name: scoring.accepted(predictions[name], export.threshold)
            for name, export in readers.exports.items()
        },
        "hard": own_sets(readers, parts["hard"], ("int8",)),
        "external": own_sets(readers, parts["external"]),
        **zero_shot(readers, parts["zero_shot"]),
        **written_sequences(readers, test, parts["zero_shot"], predictions, characters),
        **feedback_of(readers.exports["int8"], written),
        "by_writer": slices.by_writer(reference.right, groups),
        **{f"by_{name}": sliced[name] for name in IN_METRICS},
    }


def feedback_of(export: Recognizer, written: Path) -> dict:
    """What a model that knows strokes finds missing or too many: `feedback` of INT8, or nothing
    where it does not know them, or no characters were written for it."""
    if not export.stroke_counts or not written.is_file():
        return {}
    return {"feedback": {"int8": feedback.measure(export, written)}}


def own_sets(readers: Readers, part: data.Part, names: tuple[str, ...] = GATED) -> dict[str, dict]:
    """Scores of each corpus of a part; characters that are no class of ours are only counted."""
    result = {}
    for corpus, rows in part.rows.reset_index(drop=True).groupby("corpus"):
        labels = part.labels.numpy()[rows.index]
        known = rows.index[labels >= 0]
        result[corpus] = {
            "samples": len(known),
            "samples_of_other_characters": len(rows) - len(known),
            "other_characters": _some(rows["codepoint"][labels < 0]),
            "writer_groups": int(rows.loc[rows["writer_group"] != "", "writer_group"].nunique()),
        }
        if len(known):
            images = part.images[:, 0].numpy()[known]
            predictions = readers.predict(images, part.labels.numpy()[known], names)
            groups = rows["writer_group"].to_numpy()[labels >= 0]
            result[corpus] |= {
                name: scoring.score(p, readers.alike) | scoring.interval(p.right, groups)
                for name, p in predictions.items()
            }
    return result


def _some(codepoints: pd.Series) -> str:
    """The first fifty characters among code points, and how many more there are."""
    characters = [chr(c) for c in sorted(set(codepoints))]
    return "".join(characters[:50]) + (
        f" and {len(characters) - 50} more" if len(characters) > 50 else ""
    )


def zero_shot(readers: Readers, part: data.Part) -> dict:
    """How well characters are read that the network was never trained on, by what it knows of them:
    `zero_shot`, or nothing where there are none or it cannot."""
    model, classes = readers.model, readers.classes
    if not len(part.labels) or model.answering(classes) is None:
        return {}
    character = part.rows["codepoint"].map(chr)
    unseen = sorted(set(character))
    twins = {c for group in model.collisions for c in group}
    readable = [c for c in unseen if c not in twins]
    result: dict[str, int | float] = {
        "classes": len(readable),
        "classes_whose_codes_collide": len(unseen) - len(readable),
        "samples": int(character.isin(readable).sum()),
    }
    images = part.images[:, 0].numpy()[character.isin(readable)]
    for name, candidates in (("unseen", unseen), ("all", sorted({*classes, *unseen}))):
        place = {c: k for k, c in enumerate(candidates)}
        labels = character[character.isin(readable)].map(place).to_numpy()
        answering = readers.logits_of(model.answering(candidates))
        scores = scoring.score(scoring.predict(answering, images, labels, 1.0))
        result |= {f"top1_of_{name}": scores["top1"], f"top5_of_{name}": scores["top5"]}
    return {"zero_shot": result}


def written_sequences(
    readers: Readers,
    test: data.Part,
    unseen: data.Part,
    predictions: dict[str, scoring.Predictions],
    characters: pd.DataFrame,
) -> dict:
    """How right the stroke types are that the exports write down: `sequence`, or nothing where they
    do not, or nobody knows what would be right. Beside it what looking the sequence up of the class
    that was read gives; of classes never trained on there is nothing to look up."""
    exports = readers.exports["fp32"], readers.exports["int8"]
    if not all(export.stroke_types for export in exports):
        return {}
    names, known = characters["character"], characters.reset_index()
    written = sequences.looked_up(test.rows["codepoint"].map(names), known)
    unwritten = sequences.looked_up(unseen.rows["codepoint"].map(names), known)
    if not any(written):  # of characters whose strokes nobody knows
        return {}
    result: dict[str, dict] = {}
    for name, export in zip(("fp32", "int8"), exports, strict=True):
        classes = np.array(list(export.classes))
        answers = [types for types, _ in export.strokes(test.images[:, 0].numpy())]
        read = sequences.looked_up(classes[predictions[name].answers], known)
        result[name] = {
            "written": sequences.score(answers, written),
            "looked_up": sequences.score(read, written),
        }
        if any(unwritten):
            answers = [types for types, _ in export.strokes(unseen.images[:, 0].numpy())]
            result[name]["written_of_unseen_classes"] = sequences.score(answers, unwritten)
    return {"sequence": result}


def by_writer(rows: pd.DataFrame, predictions: dict[str, scoring.Predictions]) -> pd.DataFrame:
    counts = pd.DataFrame({"writer_group": rows["writer_group"].to_numpy(), "total": 1})
    for name, p in predictions.items():
        counts[name] = p.right.astype(int)
    return counts.groupby("writer_group").sum().reset_index()


def by_stroke_count(p: scoring.Predictions, strokes: pd.Series) -> pd.DataFrame:
    errors = pd.DataFrame({"strokes": strokes.to_numpy(), "error_rate": (~p.right).astype(float)})
    grouped = (
        errors[errors["strokes"] > 0]
        .groupby("strokes")["error_rate"]
        .agg(["size", "mean"])
        .reset_index()
    )
    return grouped.rename(columns={"size": "samples", "mean": "error_rate"})

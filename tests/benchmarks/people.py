"""How well a model reads what people drew, pictures in folders called after their character.

    python tests/benchmarks/people.py tomoe.zip kanjicanvas.zip
    python tests/benchmarks/people.py --candidates katakana omniglot-katakana.zip
    python tests/benchmarks/people.py --prior text tomoe.zip
    python tests/benchmarks/people.py --only hiragana tomoe.zip     # among all that may be answered
    python tests/benchmarks/people.py --strokes 令入富 --pens 0.02 0.04 0.07
    python tests/benchmarks/people.py --test 5000 --prior text    # drawn as often as in text

One row an archive: drawings, those of characters that may be answered (all figures are of these),
top-1, top-1 where any look-alike counts with its 95 % interval over drawings (Wilson 1927), top-5,
the mean negative log-likelihood, the expected calibration error, the share answered surely and what
of all drawings is wrong and sure. `--strokes` draws characters from KanjiVG's strokes instead
(data/characters.parquet), with pens of some shares of the side. `--test` draws samples of the
pipeline's test part by lot, with a prior as often as the prior says.
"""

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "stages"), str(ROOT)]

from kakitori.accuracy import scoring  # noqa: E402
from kakitori.corpora import folders  # noqa: E402
from kakitori.reading import context  # noqa: E402
from kakitori.reading.normalising.photos import prepare  # noqa: E402
from kakitori.reading.recognizer import Recognizer  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archives", nargs="*", type=Path)
    parser.add_argument("--model", type=Path, default=ROOT / "models/exports/int8.onnx")
    parser.add_argument("--candidates", default="")
    parser.add_argument("--only", default="", help="drawings of these alone, as --candidates takes")
    parser.add_argument("--prior", default="")
    parser.add_argument("--misread", type=int, default=0, help="so many of them are named")
    parser.add_argument("--strokes", default="", metavar="CHARACTERS")
    parser.add_argument("--test", type=int, default=0, metavar="COUNT")
    parser.add_argument("--pens", nargs="+", type=float, default=[0.02, 0.04, 0.07])
    options = parser.parse_args()
    recognizer = Recognizer(
        options.model, threads=0, candidates=options.candidates, prior=options.prior
    )
    for archive in options.archives:
        images, labels = read(archive, recognizer.size)
        rows = of(options.only, labels)
        labels = [labels[k] for k in rows]
        say(archive.name, recognizer, images[rows], labels, options.misread)
    for pen in options.pens if options.strokes else ():
        images = drawn(options.strokes, pen, recognizer.size)
        say(f"pen of {pen:.0%}", recognizer, images, list(options.strokes), options.misread)
    if options.test:
        allowed = context.allowed(options.candidates, recognizer.classes)
        weights = allowed * context.weights(options.prior, recognizer.classes)
        images, labels = tested(options.test, recognizer.classes, weights)
        say("test part", recognizer, images, labels, options.misread)


def read(archive: Path, size: int) -> tuple[np.ndarray, list[str]]:
    """Normalised images uint8 (N, size, size) and their characters."""
    images, labels = [], []
    for source in folders.sources(archive, archive.stem):
        samples = source.read(size)
        images += [chunk.images for chunk in samples.chunks]
        labels += [chr(point) for point in samples.codepoint]
    return np.concatenate(images), labels


def of(only: str, labels: list[str]) -> list[int]:
    """Which drawings are of characters of `only`, as Recognizer's candidates are written."""
    known = "".join(dict.fromkeys(labels))
    wanted = set(itertools.compress(known, context.allowed(only, known)))
    return [k for k, label in enumerate(labels) if label in wanted]


def tested(count: int, classes: str, weights: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """So many samples of the test part by lot, each of a class as often as `weights` (C,) says."""
    from kakitori.learning.samples import data

    index = data.placed_index(ROOT)
    test = index[index["part"] == "test"]
    number = {ord(c): k for k, c in enumerate(classes)}
    chances = weights[test["codepoint"].map(number).to_numpy()]
    rng = np.random.default_rng(0)
    rows, times = np.unique(
        rng.choice(len(test), count, p=chances / chances.sum()), return_counts=True
    )
    part = data.load_part(ROOT, test.iloc[rows], "test", list(classes))
    again = np.repeat(np.arange(len(rows)), times)
    return part.images[:, 0].numpy()[again], [classes[k] for k in part.labels.numpy()[again]]


def drawn(characters: str, pen: float, size: int) -> np.ndarray:
    """The strokes of data/characters.parquet, normalised uint8 (N, size, size)."""
    import pandas as pd
    from tests.benchmarks import photos

    table = pd.read_parquet(ROOT / "data/characters.parquet").set_index("character")["strokes"]
    lines = [[np.reshape(s, (-1, 2)) for s in table[c]] for c in characters]
    return np.stack([prepare(photos.drawn(strokes, pen), size) for strokes in lines])


def say(
    name: str, recognizer: Recognizer, images: np.ndarray, labels: list[str], misread: int = 0
) -> None:
    figures, answers = scored(recognizer, images, labels)
    count = figures["samples"]
    alike = binomtest(round(count * figures["top1_alike"]), count).proportion_ci(method="wilson")
    words = [
        f"{name}: {count:,} of {len(labels):,} drawings",
        f"top1 {figures['top1']:.2%}",
        f"top1_alike {figures['top1_alike']:.2%} ({100 * alike.low:.2f} to {100 * alike.high:.2f})",
        f"top5 {figures['top5']:.2%}",
        f"NLL {figures['nll']:.4f}",
        f"ECE {figures['ece']:.4f}",
        f"sure {figures['coverage']:.1%}",
        f"wrong and sure {figures['wrong_and_sure']:.2%}",
    ]
    print(", ".join(words))
    wrong = [f"{c}→{a}" for c, a in zip(labels, answers, strict=True) if a not in ("", c)]
    if misread and wrong:
        print("misread:", " ".join(wrong[:misread]))


def scored(
    recognizer: Recognizer, images: np.ndarray, labels: list[str]
) -> tuple[dict[str, float], list[str]]:
    """Figures as `scoring.score` gives them, of the drawings whose character may be answered, and
    the answer to each drawing, "" where its character may not."""
    number = {c: k for k, c in enumerate(recognizer.classes)}
    allowed = context.allowed(recognizer.candidates, recognizer.classes)
    rows = [k for k, c in enumerate(labels) if c in number and allowed[number[c]]]
    truth = np.array([number[labels[k]] for k in rows])
    p = recognizer.probabilities(images[rows])
    of_truth = p[np.arange(len(p)), truth]
    best = np.array([number[top[0][0]] for top in recognizer.read_normalised(images[rows], 1)])
    with np.errstate(divide="ignore"):
        predictions = scoring.Predictions(
            truth,
            best,
            (p > of_truth[:, None]).sum(1),
            p[np.arange(len(p)), best],
            np.log(of_truth),
        )
    sure = predictions.confidences >= recognizer.threshold
    figures = scoring.score(predictions, context.alike(recognizer.classes))
    figures |= {
        "samples": len(rows),
        "coverage": float(sure.mean()),
        "wrong_and_sure": float((sure & ~predictions.right).mean()),
    }
    answers = [""] * len(labels)
    for k, answer in zip(rows, best, strict=True):
        answers[k] = recognizer.classes[answer]
    return figures, answers


if __name__ == "__main__":
    main()

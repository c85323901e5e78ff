"""What a few corrected characters are worth to the hand that wrote them (`Recognizer.learn`).

    python tests/benchmarks/learning.py models/exports/int8.onnx            # memory.py's constants
    python tests/benchmarks/learning.py models/exports/int8.onnx --choose   # others too

Synthetic writers whom no run has seen write a page of characters, of which up to twenty that were
misread are corrected; then they write the page again. Errors on the corrected characters and on all
others, before and after. --choose takes other writers than the figures.
"""

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "stages"))

from kakitori.reading import memory  # noqa: E402
from kakitori.reading.normalising import images  # noqa: E402
from kakitori.reading.recognizer import Recognizer  # noqa: E402
from kakitori.synthesis import synthesis  # noqa: E402
from kakitori.synthesis.handwriting import write_page  # noqa: E402
from kakitori.synthesis.table import StrokeTable  # noqa: E402

SEED = 7919  # of no run
CORRECTED = 20
MARGINS, SHARPNESSES, SLACKS = (4, 8, 16), (3, 5, 8), (0, 1, 2, 4, 99)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("--choose", action="store_true", help="all constants, on other writers")
    parser.add_argument(
        "--characters", type=Path, default=ROOT / "data/characters.parquet", metavar="TABLE"
    )
    parser.add_argument("--writers", type=int, default=20)
    parser.add_argument("--count", type=int, default=1000, help="characters a writer")
    parser.add_argument("--preset", default="varied", choices=["plain", "varied", "hard"])
    options = parser.parse_args()
    recognizer = Recognizer(options.model, threads=0)
    first = 0 if options.choose else 1000
    table = pd.read_parquet(options.characters)
    sources = list(synthesis.glyph_forms(table).values())
    written = [
        pages(recognizer, sources, writer, options.count, options.preset)
        for writer in range(first, first + options.writers)
    ]
    own = (memory.MARGIN, memory.SHARPNESS, memory.SLACK)
    constants = itertools.product(MARGINS, SHARPNESSES, SLACKS) if options.choose else [own]
    for memory.MARGIN, memory.SHARPNESS, memory.SLACK in constants:
        counts = np.sum([errors(*readings) for readings in written], 0)
        (repeats, before, after), (others, others_before, others_after) = counts
        print(
            f"margin {memory.MARGIN}, sharpness {memory.SHARPNESS}, slack {memory.SLACK}: "
            f"{repeats} repeats of corrected characters, "
            f"errors {before} → {after} ({1 - after / max(before, 1):.0%} fewer); {others:,} "
            f"others, errors {others_before} → {others_after}"
        )


def pages(
    recognizer: Recognizer, sources: list[dict], writer: int, count: int, preset: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two pages of the same characters in one hand: logits over the temperature, (N, C) each, and
    the classes, (N,)."""
    forms = sources[synthesis.source_of(writer, len(sources))]
    rng = np.random.default_rng([SEED, writer])
    known = [c for c in recognizer.classes if c in forms]
    text = [known[k] for k in rng.permutation(len(known))[:count]]
    strokes = StrokeTable.of(forms, text)
    number = {character: k for k, character in enumerate(recognizer.classes)}
    scaled = []
    for page in (0, 1):
        levels = write_page(strokes, SEED, writer, page, preset) * np.uint8(17)  # of 15
        read = recognizer.logits(images.normalise(levels, recognizer.size))
        scaled.append(read.astype(np.float64) / recognizer.temperature)
    return *scaled, np.array([number[c] for c in text])


def errors(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of the second page, for the characters that were corrected on the first and for all others:
    how many, errors without and with the examples, int64 (2, 3)."""
    wrong = np.flatnonzero(first.argmax(1) != labels)[:CORRECTED]
    before = second.argmax(1) != labels
    after = before
    if len(wrong):
        gains = memory.Gains.of(first[wrong], labels[wrong])
        after = (second + gains.of_pictures(second)).argmax(1) != labels
    corrected = np.isin(np.arange(len(labels)), wrong)
    return np.array(
        [[of.sum(), before[of].sum(), after[of].sum()] for of in (corrected, ~corrected)]
    )


if __name__ == "__main__":
    main()

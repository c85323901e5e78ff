"""Two exports on the same writers: which is more accurate, which answers sooner.

    python tests/benchmarks/compare.py models/exports/int8.onnx OTHER.onnx

Reads the test part. Accuracy is compared paired over writer groups: a difference beyond twice its
standard error is one. Time is that of one image on one thread, the two models in turn over the same
images; a cascade leaves early for the easy ones, so its mean says more than its median.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "stages"))

from kakitori.learning.samples import data  # noqa: E402
from kakitori.reading.recognizer import Recognizer  # noqa: E402
from kakitori.results import gate  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs=2)
    parser.add_argument("--timed", type=int, default=2000, help="images, drawn from the test part")
    options = parser.parse_args()
    index = data.placed_index(ROOT)
    classes = Recognizer(options.models[0]).classes
    test = data.load_part(ROOT, index, "test", list(classes))
    images, writers = test.images[:, 0].numpy(), test.rows["writer_group"].to_numpy()

    right = []
    for path in options.models:
        recognizer = Recognizer(path, threads=0)
        if recognizer.classes != classes:
            sys.exit(f"{path}: expected the classes of {options.models[0]}, found others")
        hits = recognizer.logits(images).argmax(1) == test.labels.numpy()
        right.append(pd.Series(hits).groupby(writers).mean())
        print(f"{path}: top-1 {hits.mean():.4%} of {len(hits):,}")
    drop, error = gate.paired(*right)
    print(
        f"second less first: {-drop:+.4%}, standard error {error:.4%} over {len(right[0])} writers"
    )

    chosen = np.random.default_rng(0).choice(len(images), min(options.timed, len(images)), False)
    recognizers = [Recognizer(path, threads=1) for path in options.models]
    taken = np.empty((len(chosen), 2))
    for image, row in zip(images[chosen][:, None], taken, strict=True):
        for k, recognizer in enumerate(recognizers):
            started = time.perf_counter()
            recognizer.logits(image)
            row[k] = 1000 * (time.perf_counter() - started)
    for path, times in zip(options.models, taken.T, strict=True):
        print(f"{path}: one image in {times.mean():.3f} ms, median {np.median(times):.3f} ms")
    print(f"second by first: {taken[:, 1].mean() / taken[:, 0].mean():.3f}")


if __name__ == "__main__":
    main()

"""Where the trained network looks, and how true the strokes are by which it is told.

    python tests/benchmarks/explanation.py [COUNT]

Grad-CAM's mass on ink, and on what tells the character from the likeliest other one, of COUNT test
images (200) spread over the classes, beside the area of both; what it costs to erase the fifth of
the ink that the map ranks highest, beside a fifth around a random place; and how often placement.py
gives a pixel of ink its true stroke, on as many images of data/shards/partial.h5.
"""

import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "stages"))

from kakitori.learning.samples import data  # noqa: E402
from kakitori.reading import placement  # noqa: E402
from kakitori.reading.characters.strokes import resample  # noqa: E402
from kakitori.reading.recognizer import Recognizer  # noqa: E402
from kakitori.results import explanation  # noqa: E402

CHANCES = 5  # random places an image


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    recognizer = Recognizer(ROOT / "models/exports/fp32.onnx")
    explainer = explanation.Explainer(recognizer)
    test = data.load_part(ROOT, data.placed_index(ROOT), "test", list(recognizer.classes))
    chosen = np.linspace(0, len(test.labels) - 1, count).astype(int)
    rows, lost, by_chance = [], [], []
    rng = np.random.default_rng(0)
    for image, label in zip(test.images[chosen, 0].numpy(), test.labels[chosen], strict=True):
        character = recognizer.classes[label]
        other = next(c for c, _ in recognizer.read_normalised(image[None], 2)[0] if c != character)
        explained = explainer.explain(image, character, other)
        rows.append(explained.row())
        lost.append(fall(explainer, explained, explained.maps[0]))
        y, x = np.indices(image.shape)
        by_chance += [
            fall(explainer, explained, -np.hypot(y - at[0], x - at[1]))
            for at in rng.choice(np.argwhere(explained.ink), CHANCES)
        ]
    table = pd.DataFrame(rows).replace("", np.nan)
    print(f"{count} test images, means")
    for name in [c for c in table if c.startswith(("area", "on_"))] + ["fall"]:
        print(f"  {name:<24}{table[name].mean():8.4f}   of {table[name].count()}")
    print(f"  fall above a half       {(table['fall'] > 0.5).mean():8.4f}")
    print(f"without the fifth of the ink that the map ranks highest: a fall of {np.mean(lost):.4f}")
    print(f"without a fifth around a random place of it: {np.mean(by_chance):.4f}")
    right, total = true_strokes(count)
    print(f"pixels of ink given their true stroke: {right / total:.4f} of {total:,}")


def fall(
    explainer: explanation.Explainer, explained: explanation.Explanation, rank: np.ndarray
) -> float:
    """Of the probability of what the image shows, without the fifth of its ink of highest rank."""
    ink = np.flatnonzero(explained.ink)
    erased = explained.image.copy()
    erased.flat[ink[np.argsort(-rank.flat[ink], kind="stable")[: len(ink) // 5]]] = 0
    after = explanation.probabilities(explainer.network, erased[None], explainer.temperature)
    return explained.probabilities[0] - after[0, explainer.classes.index(explained.character)]


def true_strokes(count: int) -> tuple[int, int]:
    """Pixels of ink whose stroke is found among those that are written, and how many there are."""
    table = pd.read_parquet(ROOT / "data/characters.parquet").set_index("codepoint")["strokes"]
    right = total = 0
    with h5py.File(ROOT / "data/shards/partial.h5") as file:
        for row in np.linspace(0, len(file["images"]) - 1, count).astype(int):
            image, layers = file["images"][row], file["layers"][row]
            strokes = [np.reshape(s, (-1, 2)) for s in table[file["codepoint"][row]]]
            written = np.flatnonzero(file["presence"][row][: len(strokes)] == 1)
            points = np.stack([resample(strokes[k], placement.POINTS) for k in written])
            courses = placement.fitted(points, image)
            numbers = placement.stroke_of_pixels(courses, image)
            ink = (image >= placement.INK) & (layers > 0)
            right += int((written[numbers[ink].astype(int) - 1] + 1 == layers[ink]).sum())
            total += int(ink.sum())
    return right, total


if __name__ == "__main__":
    main()

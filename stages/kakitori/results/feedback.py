"""How right a recogniser is about which strokes are missing and which are too many: on characters
of writers that nothing was trained on, with strokes left out, and half of them with one of another
character."""

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from kakitori.corpora import partial
from kakitori.learning import data
from kakitori.recognizer import Recognizer
from kakitori.stroke_answers import Feedback

ALL = 3036  # classes; fewer where the characters are fewer
UNSEEN = 2_000_003  # added to the seed of the writers that are learned from and chosen on
WRITERS = 10  # one hand alone decides too much
SHARE = 0.5  # of the characters that get a stroke of another one
SAMPLES = 600  # characters, drawn among those of the writers
LEAST = 30  # pixels of it that show, of some 100, for it to count


class Written(NamedTuple):
    images: np.ndarray  # uint8 (N, S, S)
    labels: np.ndarray  # int64 (N,)
    presence: np.ndarray  # int8 (N, 32), 1 for strokes that were written
    slips: np.ndarray  # int64 (N,), pixels of ink of another character's stroke alone


def written(characters: pd.DataFrame, classes: list[str], size: int, seed: int) -> Written:
    """The unseen writers' characters."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "partial.h5"
        partial.write(characters, path, WRITERS, ALL, seed + UNSEEN)
        made = data.load_partial(path, classes, size)
    images, layers = made.images[:, 0].numpy(), made.layers[:, 0].numpy()
    rng = np.random.default_rng(seed)
    images, slips = with_slips(images, layers, rng)
    some = np.sort(rng.choice(len(images), min(SAMPLES, len(images)), replace=False))
    labels, presence = made.labels.numpy(), made.presence.numpy()
    return Written(images[some], labels[some], presence[some], slips[some])


def with_slips(
    images: np.ndarray, layers: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """New images, some with a stroke of the image before, and how many pixels of it show.

    images : uint8 (N, S, S). layers : uint8 (N, S, S), the number of the stroke, from 1, that a
    pixel belongs to.
    """
    others, theirs = np.roll(images, 1, 0), np.roll(layers, 1, 0)
    count = len(images)
    last = theirs.reshape(count, -1).max(1)
    stroke = 1 + (rng.random(count) * last).astype(int)
    chosen = rng.random(count) < SHARE
    added = (theirs == stroke[:, None, None]) & chosen[:, None, None]
    out = np.maximum(images, np.where(added, others, 0))
    return out, (added & (layers == 0)).sum((1, 2))


def score(found: list[Feedback], right: Written) -> dict[str, float | int]:
    """Figures over the characters.

    `missing_exact` is the fraction of characters whose missing strokes are all named and no other;
    `missing_precision` and `missing_recall` are over strokes. `extra_recall` is over characters
    with a stroke too many that shows, `extra_false` the fraction called of those without one.
    """
    missing = [
        set((np.flatnonzero(row[: len(f.presence)] == 0) + 1).tolist())
        for f, row in zip(found, right.presence, strict=True)
    ]
    named = [set(f.missing) for f in found]
    called = np.array([f.extra is not None for f in found])
    extra, none = right.slips >= LEAST, right.slips == 0
    both = sum(len(a & b) for a, b in zip(missing, named, strict=True))
    return {
        "samples": len(found),
        "missing_exact": float(np.mean([a == b for a, b in zip(missing, named, strict=True)])),
        "missing_precision": both / max(sum(map(len, named)), 1),
        "missing_recall": both / max(sum(map(len, missing)), 1),
        "extra_recall": float((extra & called).sum() / max(extra.sum(), 1)),
        "extra_false": float((none & called).sum() / max(none.sum(), 1)),
    }


def measure(export: Recognizer, characters: pd.DataFrame, seed: int) -> dict[str, float | int]:
    """`score` of an export that gives feedback."""
    right = written(characters, list(export.classes), export.size, seed)
    meant = "".join(export.classes[k] for k in right.labels)
    return score(export.feedback(right.images, meant), right)

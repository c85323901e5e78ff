"""How right a recogniser is about which strokes are missing and which are too many: on characters
of writers that nothing was trained on, with strokes left out, and half of them with one of another
character."""

from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from kakitori.errors import DataError
from kakitori.reading.recognizer import Recognizer
from kakitori.reading.stroke_answers import Feedback

LEAST = 30  # pixels of another stroke that show, of some 100, for it to count


class FeedbackSet(NamedTuple):
    images: np.ndarray  # uint8 (N, S, S)
    labels: np.ndarray  # int64 (N,)
    presence: np.ndarray  # int8 (N, 32), 1 for strokes that were written
    slips: np.ndarray  # int64 (N,), pixels of ink of another character's stroke alone


def read(path: Path, classes: list[str], size: int) -> FeedbackSet:
    """What extract wrote of the classes; DataError for images of another size."""
    with h5py.File(path) as file:
        images, codepoint, presence, slips = (
            file[name][:] for name in ("images", "codepoint", "presence", "slips")
        )
    if images.shape[-1] != size:
        raise DataError(
            f"{path}: expected images of {size} pixels (data.size), found {images.shape[-1]}; "
            "python stages/extract.py makes them anew"
        )
    number = {ord(c): k for k, c in enumerate(classes)}
    known = np.array([c in number for c in codepoint])
    labels = np.array([number[c] for c in codepoint[known]], np.int64)
    return FeedbackSet(images[known], labels, presence[known].astype(np.int8), slips[known])


def score(feedback: list[Feedback], right: FeedbackSet) -> dict[str, float | int]:
    """Figures over the characters.

    `missing_exact` is the fraction of characters whose missing strokes are all named and no other;
    `missing_precision` and `missing_recall` are over strokes. `extra_recall` is over characters
    with a stroke too many that shows, `extra_false` the fraction called of those without one.
    """
    missing = [
        set((np.flatnonzero(row[: len(f.presence)] == 0) + 1).tolist())
        for f, row in zip(feedback, right.presence, strict=True)
    ]
    named = [set(f.missing) for f in feedback]
    called = np.array([f.extra is not None for f in feedback])
    extra, none = right.slips >= LEAST, right.slips == 0
    both = sum(len(a & b) for a, b in zip(missing, named, strict=True))
    return {
        "samples": len(feedback),
        "missing_exact": float(np.mean([a == b for a, b in zip(missing, named, strict=True)])),
        "missing_precision": both / max(sum(map(len, named)), 1),
        "missing_recall": both / max(sum(map(len, missing)), 1),
        "extra_recall": float((extra & called).sum() / max(extra.sum(), 1)),
        "extra_false": float((none & called).sum() / max(none.sum(), 1)),
    }


def measure(export: Recognizer, path: Path) -> dict[str, float | int]:
    """`score` of an export that gives feedback, on what synthesis/slips.py wrote."""
    right = read(path, list(export.classes), export.size)
    meant = "".join(export.classes[k] for k in right.labels)
    return score(export.feedback(right.images, meant), right)

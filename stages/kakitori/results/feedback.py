"""How right a recogniser is about which strokes are missing and which are too many: on characters
of a writer that nothing was trained on, with strokes left out, and half of them with one of another
character."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from kakitori.archs.contract import FOREIGN
from kakitori.corpora import partial
from kakitori.learning import data
from kakitori.learning.augment import Draws, add_strokes
from kakitori.recognizer import Feedback, Recognizer

ALL = 3036  # classes; fewer where the characters are fewer
UNSEEN = 1_000_003  # added to the seed of the writers that are learned from
SHARE = 0.5  # of the characters that get a stroke of another one
LEAST = 12  # pixels of it that show for it to count


def drawn(characters: pd.DataFrame, classes: list[str], size: int, seed: int) -> data.Partial:
    """The writer's characters; layers are FOREIGN where a stroke is too many."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "partial.h5"
        partial.write(characters, path, 1, ALL, seed + UNSEEN)
        made = data.load_partial(path, classes, size)
    draws = Draws(torch.Generator().manual_seed(seed), len(made.labels))
    others, theirs = made.images.roll(1, 0), made.layers.roll(1, 0)
    images, layers = add_strokes(made.images, made.layers, others, theirs, SHARE, draws)
    return data.Partial(images, made.labels, made.presence, layers)


def score(found: list[Feedback], right: data.Partial) -> dict[str, float | int]:
    """Figures over the characters.

    `missing_exact` is the fraction of characters whose missing strokes are all named and no other;
    `missing_precision` and `missing_recall` are over strokes; `extra_precision` and `extra_recall`
    over characters with a stroke too many that shows.
    """
    missing = [
        set((np.flatnonzero(row[: len(f.presence)] == 0) + 1).tolist())
        for f, row in zip(found, right.presence.numpy(), strict=True)
    ]
    named = [set(f.missing) for f in found]
    extra = (right.layers == FOREIGN).sum((1, 2, 3)).numpy() >= LEAST
    called = np.array([f.extra for f in found])
    both = sum(len(a & b) for a, b in zip(missing, named, strict=True))
    return {
        "samples": len(found),
        "missing_exact": float(np.mean([a == b for a, b in zip(missing, named, strict=True)])),
        "missing_precision": both / max(sum(map(len, named)), 1),
        "missing_recall": both / max(sum(map(len, missing)), 1),
        "extra_precision": float((extra & called).sum() / max(called.sum(), 1)),
        "extra_recall": float((extra & called).sum() / max(extra.sum(), 1)),
    }


def measure(
    exports: dict[str, Recognizer], characters: pd.DataFrame, seed: int
) -> dict[str, dict[str, float | int]]:
    """`score` of each export that gives feedback; empty where none does."""
    able = {name: export for name, export in exports.items() if export.stroke_counts}
    if not able:
        return {}
    first = next(iter(able.values()))
    right = drawn(characters, list(first.classes), first.size, seed)
    meant = "".join(first.classes[k] for k in right.labels)
    return {
        name: score(export.feedback(right.images[:, 0].numpy(), meant), right)
        for name, export in able.items()
    }

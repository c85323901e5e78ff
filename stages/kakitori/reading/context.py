"""What a caller knows before a character is read: which it may be, and what text is made of.

Needs NumPy alone.
"""

import re

import numpy as np

from kakitori.errors import DataError
from kakitori.reading import frequency
from kakitori.reading.characters import charset

PRIORS = ("", "text")


def allowed(candidates: str, classes: str) -> np.ndarray:
    """Which classes may be answered, bool (C,).

    Parameters
    ----------
    candidates : names of alphabets (charset.alphabets), characters, or both, joined by +, such as
        "katakana+digits" or "hiragana+々〆"; all classes where it is empty.

    Raises DataError for what is neither, for a character that is no class, and for alphabets of
    which no character is one.
    """
    named = charset.alphabets()
    # A part of nothing is a + that stands for itself.
    parts = [part or "+" for part in candidates.split("+")] if candidates else []
    # Two small letters or more are a name: a misspelt one is no list of Latin letters.
    wrong = [p for p in parts if re.fullmatch(r"[a-z][a-z0-9_]+", p) and p not in named]
    if wrong:
        raise DataError(
            f"candidates: expected characters or names among {', '.join(named)}, joined by +, "
            f"found {wrong[0]!r}; Latin letters are joined by + as well"
        )
    characters = set("".join(p for p in parts if p not in named))
    if not parts:
        return np.ones(len(classes), bool)
    strange = "".join(sorted(characters - set(classes)))
    if strange:
        raise DataError(
            f"candidates: expected them among the model's {len(classes):,} classes, found {strange}"
        )
    characters = characters.union(*(named[p] for p in parts if p in named))
    chosen = np.array([c in characters for c in classes])
    if not chosen.any():
        raise DataError(
            f"candidates: expected some of the model's {len(classes):,} classes in {candidates}, "
            "found none"
        )
    return chosen


def weights(prior: str, classes: str) -> np.ndarray:
    """By how much a prior changes the probability of each class, float64 (C,): a network that saw
    every class as often says nothing of how often each is written.

    Raises DataError for a prior that there is none of.
    """
    if prior not in PRIORS:
        raise DataError(f"prior: expected text or none, found {prior!r}")
    return frequency.text_prior(classes) if prior else np.ones(len(classes))


def ranked(probabilities: np.ndarray, groups: np.ndarray, top: int) -> np.ndarray:
    """The likeliest classes, best first, int64 (N, top), with look-alikes together: groups by what
    their members have in all, members by what they have.

    Parameters
    ----------
    probabilities : float64 (N, C).
    groups : int64 (C,), equal for classes that shape does not tell apart (`alike`).
    """
    _, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    totals = _totals(probabilities, groups)
    # Whichever group these cut in two begins behind the best `top`.
    count = min(top + int(sizes.max()), len(groups))
    some = np.argpartition(-totals, count - 1, axis=1)[:, :count]
    keys = (some, -np.take_along_axis(probabilities, some, 1), number[some])
    keys = (*keys, -np.take_along_axis(totals, some, 1))
    return np.take_along_axis(some, np.lexsort(keys, axis=1)[:, :top], 1)


def parted(shape: np.ndarray, framed: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Probabilities float64 (N, C) by which the shape tells the group, and the size within the
    frame which member it is.

    A character that fills little of its frame is enlarged before its shape is read, since people
    write kanji of any size; read as small as it is, it is っ and not つ.

    Parameters
    ----------
    shape, framed : probabilities of the enlarged images and of the same in their frames.
    """
    of_shape, of_framed = _totals(shape, groups), _totals(framed, groups)
    share = np.divide(framed, of_framed, out=np.zeros_like(framed), where=of_framed > 0)
    return np.where(of_framed > 0, of_shape * share, shape)


def _totals(probabilities: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """What the group of each class has in all, (N, C)."""
    _, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.argsort(number, kind="stable")
    return np.add.reduceat(probabilities[:, order], np.cumsum(sizes) - sizes, axis=1)[:, number]


def alike(classes: str) -> np.ndarray:
    """A number for each class, int64 (C,), the same for those that look alike."""
    known = charset.look_alikes()
    first: dict[str, int] = {}
    return np.array([first.setdefault(known.get(c, c), k) for k, c in enumerate(classes)])

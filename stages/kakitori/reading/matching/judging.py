"""What is wrong with a character that someone wrote: its pen strokes beside the reference's.

A drawing is held against every right way to write the character (fitting.py): what is missing, too
much, joined, split, out of order or backwards is told by the way that explains it best; and what is
nearer to a look-alike than to what was meant is the look-alike (alikes.py).

demo/matching.js is the same in JavaScript; tests/cases/matching.json holds both to the same
answers.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from kakitori.reading.matching.alikes import difference, taken_for
from kakitori.reading.matching.fitting import Fit, Order, fitted
from kakitori.reading.matching.shapes import ROUNDING, Strokes, framed

STRICTNESS = ("shape", "count", "order", "direction")  # what can be judged
USUAL = ("shape", "order", "direction")  # what a teacher of beginners marks


class Match(NamedTuple):
    """How a drawing differs from its reference. Strokes are numbered from 1: those of the way of
    writing that was taken in writing order, those drawn in the order in which they were drawn.

    accepted : whether nothing that is judged is wrong.
    judged : what was judged, of STRICTNESS.
    way : which way of writing it is nearest to: 0 the reference, 1 the first of `ways`.
    missing : reference strokes that were not drawn.
    extra : drawn strokes that belong to none of the reference.
    joined : reference strokes that were written as one; counts only where `count` is judged.
    split : drawn strokes that are one of the reference; likewise.
    swapped : pairs of reference strokes of which each was written when the other was due.
    early, late : further reference strokes out of order, as few as explain the rest.
    reversed : reference strokes that were written from their end.
    alike : the look-alike that was written instead, None for none.
    differs : what tells the two apart, and the strokes: of two the first should be `longer`,
        `begin-on` or `end-on` the second, or clear of it (`begin-off`, `end-off`); or one stroke
        should have another `shape`. None where there is no look-alike.
    drawn : for each reference stroke the drawn one, None where it is missing.
    distances : for each reference stroke the mean distance of the drawn one, in longer sides of the
        reference; None where it is missing.
    """

    accepted: bool
    judged: list[str]
    way: int
    missing: list[int]
    extra: list[int]
    joined: list[list[int]]
    split: list[list[int]]
    swapped: list[tuple[int, int]]
    early: list[int]
    late: list[int]
    reversed: list[int]
    alike: str | None
    differs: tuple[str, list[int]] | None
    drawn: list[int | None]
    distances: list[float | None]


def match(
    drawn: Strokes,
    reference: Strokes,
    ordered: bool = True,
    ways: Sequence[Strokes | Sequence[int]] = (),
    alike: Mapping[str, Strokes] | None = None,
    judged: Collection[str] = USUAL,
) -> Match:
    """Compare pen strokes with the strokes of the character that was meant.

    Parameters
    ----------
    drawn, reference : polylines (points, 2), x and y in any units, y down, finite, in the order of
        writing and as the pen moves. No stroke is empty; a drawing may have none.
    ordered : whether the reference's order and direction are known; not of strokes traced from a
        font, whose order and direction are not judged.
    ways : other right ways to write it: strokes, or another order of those of the form before, as
        numbers from 0, ~k for one that runs from its end.
    alike : the characters that look most like it, as `look_alikes` gives them.
    judged : of STRICTNESS. What is not judged is not said, but for `joined` and `split`.

    The distance between two strokes is that of dynamic time warping (Sakoe and Chiba 1978, the
    symmetric form), strokes are paired by the Hungarian method (Kuhn 1955).
    """
    wanted = {what for what in judged if ordered or what not in ("order", "direction")}
    drawing = framed(drawn)
    best: tuple[Match, Fit] | None = None
    for target, orders in _forms(reference, ways):
        fit = fitted(drawing, target, orders, wanted)
        candidate = _told(fit, len(drawn), len(target), wanted), fit
        if best is None or _better(candidate, best):
            best = candidate
        if candidate[0].accepted:
            break
    judgement, fit = best
    if not (judgement.accepted and "shape" in wanted):
        return judgement
    other = taken_for(fit, drawing, alike or {})
    if other is None:
        return judgement
    what, strokes = difference(fit, alike[other])
    numbers = [fit.faults.order.places[fit.columns[j][0]] + 1 for j in strokes]
    return judgement._replace(accepted=False, alike=other, differs=(what, numbers))


def _better(candidate: tuple[Match, Fit], other: tuple[Match, Fit]) -> bool:
    if candidate[0].accepted != other[0].accepted:
        return candidate[0].accepted
    return candidate[1].cost < other[1].cost - ROUNDING


def _forms(
    reference: Strokes, ways: Sequence[Strokes | Sequence[int]]
) -> list[tuple[np.ndarray, list[Order]]]:
    """The shapes that a character may have, each with the orders in which its strokes may come."""
    forms: list[tuple[np.ndarray, list[Order]]] = []
    for way, given in enumerate((reference, *ways)):
        if isinstance(given[0], int):
            order = list(given)
        else:
            order = list(range(len(given)))
            forms.append((framed(given), []))
        places, flipped = [0] * len(order), [False] * len(order)
        for place, k in enumerate(order):
            stroke = ~k if k < 0 else k
            places[stroke], flipped[stroke] = place, k < 0
        forms[-1][1].append(Order(way, places, flipped))
    return forms


def _told(fit: Fit, drawn_count: int, count: int, wanted: set[str]) -> Match:
    """What a fit says of the strokes, by their numbers."""
    drawn: list[int | None] = [None] * count
    distances: list[float | None] = [None] * count
    way, places, _ = fit.faults.order
    used = set()
    for i, j in fit.pairs:
        used.update(fit.rows[i])
        for k in fit.columns[j]:
            drawn[places[k]] = fit.rows[i][0] + 1
            distances[places[k]] = float(fit.distances[i, j])
    joined = [[places[k] + 1 for k in numbers] for numbers in fit.columns if len(numbers) > 1]
    split = [[k + 1 for k in numbers] for numbers in fit.rows if len(numbers) > 1]
    wrong = {
        "missing": [k + 1 for k, number in enumerate(drawn) if number is None],
        "extra": [k + 1 for k in range(drawn_count) if k not in used],
        "swapped": [(a + 1, b + 1) for a, b in fit.faults.swapped],
        "early": [k + 1 for k in fit.faults.early],
        "late": [k + 1 for k in fit.faults.late],
        "reversed": sorted(places[k] + 1 for j in fit.faults.backwards for k in fit.columns[j]),
    }
    return Match(
        accepted=not (any(wrong.values()) or ("count" in wanted and (joined or split))),
        judged=[what for what in STRICTNESS if what in wanted],
        way=way,
        joined=joined,
        split=split,
        alike=None,
        differs=None,
        drawn=drawn,
        distances=distances,
        **wrong,
    )

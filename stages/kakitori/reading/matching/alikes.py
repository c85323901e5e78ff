"""Look-alikes: what else a drawing may be, and what tells two characters apart.
demo/alikes.js is the same.
"""

import itertools
from collections.abc import Collection, Mapping

import numpy as np

from kakitori.reading.matching.fitting import Fit, search
from kakitori.reading.matching.pairing import freely
from kakitori.reading.matching.shapes import (
    POINTS,
    ROUNDING,
    Strokes,
    between,
    framed,
    lengths,
    moved,
    off_line,
    warped_distance,
)

SAME = 0.01  # look-alikes nearer than this cannot be told apart
ALIKE = 8  # look-alikes of a character
CELLS = 6  # along a side, of the ink by which they are found
TOUCHING = 0.05  # from this distance on an end does not lie on a stroke
STRETCHING = 0.02  # what a map that stretches costs beside the squares of the distances


class Looks:
    """The strokes of characters as `look_alikes` compares them, kept between calls."""

    def __init__(self, table: Mapping[str, Strokes]) -> None:
        self.table = table
        self._known: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def of(self, character: str) -> tuple[np.ndarray, np.ndarray]:
        """Its strokes, `framed`, and their ink."""
        if character not in self._known:
            shape = framed(self.table[character])
            self._known[character] = shape, _inked(shape)
        return self._known[character]


def look_alikes(
    character: str,
    table: Mapping[str, Strokes] | Looks,
    same: Collection[str] = (),
    confused: Collection[str] = (),
) -> dict[str, Strokes]:
    """The characters of `table` that look most like one, of as many strokes: those that people
    confuse with it, and in turns the nearest stroke by stroke and the nearest by ink.

    same : groups of characters that no shape tells apart; those are not each other's.
    confused : groups of which each is.
    """
    looks = table if isinstance(table, Looks) else Looks(table)
    excused = {character, *"".join(group for group in same if character in group)}
    own, ink = looks.of(character)
    strokes = looks.table
    others = [n for n in strokes if len(strokes[n]) == len(own) and n not in excused]
    by_ink = sorted(others, key=lambda n: float(((looks.of(n)[1] - ink) ** 2).sum()))
    by_stroke = sorted(others, key=lambda n: in_turn(looks.of(n)[0], own))
    confusables = set("".join(group for group in confused if character in group))
    kept = [name for name in others if name in confusables]
    for name in itertools.chain.from_iterable(zip(by_stroke, by_ink, strict=True)):
        if len(kept) >= ALIKE:
            break
        if name not in kept and residual(own, looks.of(name)[0])[0] > SAME:
            kept.append(name)
    return {name: strokes[name] for name in kept}


def in_turn(drawing: np.ndarray, target: np.ndarray) -> float:
    """Mean distance of strokes, the first from the first and so on, where the drawing lies best."""
    count = len(target)
    pairs = [(k, k) for k in range(count)]
    placed, _ = moved(drawing, target, pairs, np.zeros((count, count), int))
    return float(warped_distance(placed[:, :POINTS], target[:, :POINTS]).mean())


def taken_for(fit: Fit, drawn: np.ndarray, alike: Mapping[str, Strokes]) -> str | None:
    """The look-alike that a drawing (`framed`) is nearer to than to what was meant, if any.

    What both differ from in the same way, a hand's shakiness, weighs in neither: on the line from
    the one to the other the drawing is at the nearer.
    """
    nearest, name = residual(fit.drawn, fit.target)[0], None
    for other, strokes in alike.items():
        if len(strokes) != len(drawn):
            continue
        error, _ = residual(drawn, framed(strokes))  # what was taken as joined may be another's
        if error < nearest - ROUNDING:
            nearest, name = error, other
    return name


def residual(drawn: np.ndarray, target: np.ndarray) -> tuple[float, Fit]:
    """How far a drawing is from a reference when each stroke is laid onto its own as well as can
    be: the square root of the mean square of the distances of all points and of what it takes to
    stretch the drawing; infinite where a stroke is left."""
    fit = search(drawn, target, freely)
    if len(fit.pairs) < max(len(drawn), len(target)):
        return np.inf, fit
    fit.placed, fit.linear = moved(drawn, target, fit.pairs, fit.turned)
    strokes = _counterparts(fit)
    squares = ((strokes - target)[:, :POINTS] ** 2).sum() / (len(target) * POINTS)
    return float(np.sqrt(squares + STRETCHING * ((fit.linear - np.eye(2)) ** 2).sum())), fit


def _counterparts(fit: Fit) -> np.ndarray:
    """For each stroke of the target the drawn one, in its place and direction."""
    strokes = np.empty_like(fit.target)
    for i, j in fit.pairs:
        strokes[j] = fit.placed[i]
        if fit.turned[i, j]:
            strokes[j, :POINTS] = fit.placed[i, :POINTS][::-1]
    return strokes


def difference(fit: Fit, other: Strokes) -> tuple[str, list[int]]:
    """What tells a character from its look-alike and was drawn as in that, by the columns of the
    fit: the clearest of who is longer than whom, whose end lies on whom, and which stroke has
    another shape."""
    model = fit.target
    residuals = [residual(strokes, model) for strokes in (framed(other), fit.drawn)]
    if not all(np.isfinite(error) for error, _ in residuals):
        return "shape", []
    theirs, drawn = (_counterparts(f) for _, f in residuals)
    long = [lengths(strokes) for strokes in (model, theirs, drawn)]
    best: tuple[float, str, list[int]] = (0.0, "shape", [])

    def offer(clear: float, what: str, *strokes: int) -> None:
        nonlocal best
        if clear > best[0]:
            best = clear, what, list(strokes)

    for j in range(len(model)):
        offer(0.5 * between(model[j, :POINTS], theirs[j, :POINTS]).mean(), "shape", j)
        for k in range(len(model)):
            if j == k:
                continue
            own, its, here = (stroke_lengths[j] - stroke_lengths[k] for stroke_lengths in long)
            # Longer in the one, shorter in the other, and drawn as in the other.
            if own > 0 and its < 0 and here < (own + its) / 2:
                offer(own - its, "longer", j, k)
            for at, end in ((0, "begin"), (POINTS - 1, "end")):
                own, its, here = (off_line(s[j, at], s[k]) for s in (model, theirs, drawn))
                if min(own, its) > TOUCHING:
                    continue
                if own < its and here > (own + its) / 2:
                    offer(its - own, f"{end}-on", j, k)
                if its < own and here < (own + its) / 2:
                    offer(own - its, f"{end}-off", j, k)
    return best[1], best[2]


def _inked(strokes: np.ndarray) -> np.ndarray:
    """Ink by place and direction, which knows no strokes: a cell holds length that runs across,
    down, and along either diagonal. Float64 (CELLS, CELLS, 4)."""
    lines = strokes[:, :POINTS]
    step, twice = (
        np.diff(lines, axis=1).reshape(-1, 2),
        (lines[:, 1:] + lines[:, :-1]).reshape(-1, 2),
    )
    long = np.sqrt((step**2).sum(1))
    step, twice, long = step[long > 0], twice[long > 0], long[long > 0]
    # Twice the angle, so that a stroke and its reverse are the same; both spread over neighbours.
    c = (step[:, 0] ** 2 - step[:, 1] ** 2) / long
    d = 2 * step[:, 0] * step[:, 1] / long
    parts = np.stack([c, -c, d, -d], axis=1).clip(0)
    at = ((twice / 2 + 0.5) * (CELLS - 1)).clip(0, CELLS - 1)
    low = np.floor(at).astype(int).clip(0, CELLS - 2)
    share = np.stack([low + 1 - at, at - low])
    ink = np.zeros((CELLS, CELLS, 4))
    for a, b in itertools.product((0, 1), repeat=2):
        weight = share[a, :, 0] * share[b, :, 1]
        np.add.at(ink, (low[:, 0] + a, low[:, 1] + b), weight[:, None] * parts)
    return ink

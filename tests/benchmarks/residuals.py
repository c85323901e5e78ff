"""What is left of a drawing once an affine map has laid it onto its reference.

Lengths are in hundredths of the reference's square, angles in degrees, ratios in percent (a hundred
times their logarithm). x runs right and y down, so a positive turn is clockwise. People's strokes
and ours go through the same functions: resampled by arc length to POINTS, or to FEW where hooks and
corners are measured, since our writers draw few more.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kakitori.reading.characters.radicals import Component
from kakitori.reading.characters.strokes import Form, Strokes, resample
from kakitori.reading.matching import fitting, pairing, shapes

POINTS = 32
FEW = 16  # what our writers drew when this was first measured; kept, so that figures compare
TOUCH = 0.03  # of the square: an end so near to another stroke is meant to touch it
END = 0.07  # of the square: so near to its end a stroke is at its end
STRAIGHT = 0.95  # chord over length from which on a stroke is straight
LONG = 0.2  # of the square: shorter ones are too short to tell of smoothness
BENT = 30  # degrees between a stroke's last bit and the rest from which on it is a hook
WIDE = 0.05  # of the square: spread from which on a group's size along an axis is measured


class Joints(NamedTuple):
    """Where strokes touch or cross: int (J,) each.

    stroke, point : the stroke that touches, and its point there, 0 or POINTS - 1 for an end.
    other, there : the stroke that it touches, and that one's nearest point.
    kind : "tee" where the first stroke ends on the other, "corner" where both end, as in 口,
        "crossing" where neither does.
    """

    stroke: np.ndarray
    point: np.ndarray
    other: np.ndarray
    there: np.ndarray
    kind: np.ndarray


class Reference(NamedTuple):
    """A character as it is laid under drawings of it.

    strokes : float64 (n, POINTS, 2) in the unit square. types : their symbols.
    members : of each stroke the smallest part that it belongs to, where that stands, and which of
        its strokes it is: the same in every character with that part.
    parts : numbers of the strokes of each part of the first division, of those of two or more.
    """

    character: str
    strokes: np.ndarray
    types: tuple[str, ...]
    members: tuple[tuple[str, str, int], ...]
    parts: tuple[np.ndarray, ...]
    joints: Joints


def reference_of(character: str, form: Form, tree: Component) -> Reference:
    strokes = np.stack([resample(s, POINTS) for s in form.strokes])
    members = [(character, "", k) for k in range(len(strokes))]
    for leaf in tree.leaves():
        for k, number in enumerate(leaf.strokes):
            if tree.parts:
                members[number] = leaf.element, leaf.position, k
    parts = tuple(np.array(p.strokes) for p in tree.parts if len(p.strokes) > 1)
    return Reference(character, strokes, form.types, tuple(members), parts, joints(strokes))


# ---------------------------------------------------------------------------------------------
# Laying


class Pairing(NamedTuple):
    """A drawing's strokes, one for one those of a reference.

    lines : float64 (n, POINTS, 2), in the reference's order and direction.
    order : int (n,), which of the drawn strokes each is. backwards : bool (n,), clearly.
    """

    lines: np.ndarray
    order: np.ndarray
    backwards: np.ndarray


def paired(drawn: Strokes, reference: Reference) -> Pairing | None:
    """None where the strokes are not the reference's one for one."""
    target = reference.strokes
    if len(drawn) != len(target):
        return None
    fit = fitting.search(shapes.framed(drawn), shapes.framed(list(target)), pairing.freely)
    if len(fit.pairs) != len(target):
        return None
    lines, order, backwards = np.empty_like(target), *np.zeros((2, len(target)), int)
    for i, j in fit.pairs:
        lines[j] = resample(drawn[i][::-1] if fit.turned[i, j] else drawn[i], POINTS)
        order[j], backwards[j] = i, fit.turned[i, j] == 2
    return Pairing(lines, order, backwards.astype(bool))


def affine(points: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The matrix (2, 2) and the shift (2,) for which `points @ matrix + shift` is nearest to
    `goal`, both (…, 2), in least squares."""
    x, y = points.reshape(-1, 2), goal.reshape(-1, 2)
    middle, aim = x.mean(0), y.mean(0)
    matrix = np.linalg.lstsq(x - middle, y - aim, rcond=1e-6)[0]
    return matrix, aim - middle @ matrix


def laid(lines: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Strokes (n, POINTS, 2) where they lie best on the target's, and how the whole was drawn: its
    slant, rise, proportions, size, and where its middle is, the last two in units of the drawing.
    """
    matrix, shift = affine(lines, target)
    # The way back: what the hand did to the reference.
    (a, b), (c, d) = np.linalg.pinv(matrix).T
    middle = (target.mean((0, 1)) - 0.5) @ np.linalg.pinv(matrix)
    x, y = lines.mean((0, 1)) - middle
    whole = {
        "slant": -np.degrees(np.arctan2(b, d)),
        "rise": -np.degrees(np.arctan2(c, a)),
        "aspect": 100 * np.log(np.hypot(a, c) / np.hypot(b, d)),
        "size": 50 * np.log(abs(a * d - b * c)),
        "x": x,
        "y": y,
    }
    return lines @ matrix + shift, whole


# ---------------------------------------------------------------------------------------------
# Strokes


def of_strokes(drawn: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """Measures (T,) of strokes (T, POINTS, 2) beside their references; NaN where one does not apply
    to a stroke."""
    shift = (drawn - target).mean(1)
    strokes, other = (s - s.mean(1, keepdims=True) for s in (drawn, target))
    turn = np.arctan2(_cross(other, strokes).sum(1), (strokes * other).sum((1, 2)))
    cosine, sine = np.cos(turn)[:, None], np.sin(turn)[:, None]
    back = np.stack(
        [
            strokes[..., 0] * cosine + strokes[..., 1] * sine,
            strokes[..., 1] * cosine - strokes[..., 0] * sine,
        ],
        2,
    )
    scale = (back * other).sum((1, 2)) / np.maximum((back**2).sum((1, 2)), 1e-12)
    left = back * scale[:, None, None] - other
    long, due = _lengths(drawn), _lengths(target)
    straight = np.linalg.norm(target[:, -1] - target[:, 0], axis=1) > STRAIGHT * due
    measures = {
        "x": 100 * shift[:, 0],
        "y": 100 * shift[:, 1],
        "length": 100 * np.log(np.maximum(long, 1e-3) / due),
        "turn": np.degrees(turn),
        "bow": np.where(straight & (due > LONG / 2), 100 * (_bow(drawn) - _bow(target)), np.nan),
        "shape": 100 * np.sqrt((left**2).sum(2).mean(1)),
    }
    second, rest = _orders(drawn)
    measures["s-bend"] = np.where(straight & (due > LONG), second - _orders(target)[0], np.nan)
    measures["shake"] = np.where(straight & (due > LONG), rest, np.nan)
    few, fine = (np.stack([resample(s, FEW) for s in lines]) for lines in (drawn, target))
    return measures | _bends(few, fine, due > LONG)


def _bends(few: np.ndarray, fine: np.ndarray, long: np.ndarray) -> dict[str, np.ndarray]:
    """Of strokes (T, FEW, 2) that are long, bool (T,): flicks that the reference lacks, what is
    left out of those that it has (both 0 or 100), and by how much the sharpest corner of bent ones
    is sharper than the reference's."""
    measures = {}
    for name, side in (("start", -1), ("end", 1)):
        own, due = (np.abs(_flick(s[:, ::side])) for s in (few, fine))
        added, left_out = long & (due < BENT / 2), long & (due > BENT)
        measures[f"hook at the {name}"] = np.where(added, 100.0 * (own > BENT), np.nan)
        measures[f"no hook at the {name}"] = np.where(left_out, 100.0 * (own < BENT / 2), np.nan)
    own, due = (np.abs(t[:, 1:] + t[:, :-1]).max(1) for t in map(_turning, (few, fine)))
    measures["corner"] = np.where(long & (due > 60), own - due, np.nan)
    return measures


def _cross(vector: np.ndarray, other: np.ndarray) -> np.ndarray:
    return vector[..., 0] * other[..., 1] - vector[..., 1] * other[..., 0]


def _lengths(lines: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(lines, axis=1), axis=2).sum(1)


def _bow(lines: np.ndarray) -> np.ndarray:
    """Signed distance of a line's middle from its chord, in chords; positive to the right."""
    chord = lines[:, -1] - lines[:, 0]
    middle = lines[:, [POINTS // 2 - 1, POINTS // 2]].mean(1) - lines[:, 0]
    return _cross(chord, middle) / np.maximum((chord**2).sum(1), 1e-6)


def _turning(lines: np.ndarray) -> np.ndarray:
    """Degrees (T, FEW - 2) by which a line turns at each inner point."""
    step = np.diff(lines, axis=1)
    cosine = (step[:, 1:] * step[:, :-1]).sum(2)
    return np.degrees(np.arctan2(_cross(step[:, :-1], step[:, 1:]), cosine))


def _orders(lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How lines (T, P, 2), their ends left out, leave a parabola: what a cubic takes of it, signed,
    and the root mean square of what polynomials of the orders 4 to 7 take. Higher orders would tell
    of the grid that points lie on."""
    inner = lines[:, 2:-2]
    basis, _ = np.linalg.qr(np.vander(np.linspace(-1, 1, inner.shape[1]), 8, increasing=True))
    parts = basis.T @ inner / np.sqrt(inner.shape[1])
    chord = lines[:, -1] - lines[:, 0]
    chord /= np.maximum(np.linalg.norm(chord, axis=1, keepdims=True), 1e-6)
    cubic = 100 * _cross(chord, parts[:, 3]) * np.sign(basis[-1, 3])
    return cubic, 100 * np.sqrt(_cross(chord[:, None], parts[:, 4:]) ** 2 @ np.ones(4))


def _flick(lines: np.ndarray) -> np.ndarray:
    """Degrees between the last step of lines and the course before it."""
    before, last = lines[:, -3] - lines[:, -6], lines[:, -1] - lines[:, -2]
    return np.degrees(np.arctan2(_cross(before, last), (before * last).sum(1)))


# ---------------------------------------------------------------------------------------------
# Joints


def joints(strokes: np.ndarray) -> Joints:
    """Of a reference's strokes (n, POINTS, 2)."""
    last, rows = POINTS - 1, []
    for a, b in itertools.permutations(range(len(strokes)), 2):
        apart = np.linalg.norm(strokes[a][:, None] - strokes[b][None], axis=2)
        if apart.min() > 2 * TOUCH:  # points lie closer than that
            continue
        for end in (0, last):
            foot = nearest(strokes[a, [end]], strokes[[b]])[0][0]
            if np.linalg.norm(foot - strokes[a, end]) < TOUCH:
                kind = "corner" if apart[end, [0, last]].min() < END else "tee"
                rows.append((a, end, b, int(apart[end].argmin()), kind))
        point, other = np.unravel_index(apart.argmin(), apart.shape)
        ends = apart[[0, last]].min(), apart[:, [0, last]].min()
        if a < b and apart[point, other] < TOUCH and min(ends) > END:
            rows.append((a, int(point), b, int(other), "crossing"))
    columns = [np.array(column, int) for column in zip(*(f[:4] for f in rows), strict=True)]
    kinds = np.array([f[4] for f in rows], object)
    return Joints(*(columns or [np.zeros(0, int)] * 4), kinds)


def nearest(places: np.ndarray, lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The point of each line (J, P, 2) that is nearest to its place (J, 2), and the line's
    direction there, both (J, 2)."""
    start, step = lines[:, :-1], np.diff(lines, axis=1)
    squared = np.maximum((step**2).sum(2), 1e-12)
    along = np.clip(((places[:, None] - start) * step).sum(2) / squared, 0, 1)
    feet = start + along[..., None] * step
    best = np.linalg.norm(feet - places[:, None], axis=2).argmin(1)
    row = np.arange(len(lines))
    way = step[row, best]
    return feet[row, best], way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)


def past(lines: np.ndarray, contacts: Joints) -> np.ndarray:
    """How far strokes (n, P, 2) end past the stroke that they should end on, (J,) in lines' units;
    negative where a gap is left. Of corners the distance of the end, and of crossings that of the
    two points that should meet."""
    if not len(contacts.stroke):
        return np.zeros(0)
    place = lines[contacts.stroke, contacts.point]
    inward = lines[contacts.stroke, np.where(contacts.point, POINTS * 3 // 4, POINTS // 4)]
    foot, way = nearest(place, lines[contacts.other])
    far = np.linalg.norm(place - foot, axis=1)
    short = _cross(way, place - foot) * _cross(way, inward - foot) > 0
    slip = np.linalg.norm(place - lines[contacts.other, contacts.there], axis=1)
    signed = np.where((contacts.kind == "tee") & short, -far, far)
    return np.where(contacts.kind == "crossing", slip, signed)


# ---------------------------------------------------------------------------------------------
# Parts


def of_parts(drawn: np.ndarray, target: np.ndarray, parts: Sequence[np.ndarray]) -> list[dict]:
    """How each part lies on the whole: its shift, size, lean and rise beside what the reference
    gives it."""
    measures = []
    for numbers in parts:
        if len(numbers) == len(target):
            continue
        due = target[numbers]
        if due.std((0, 1)).min() < WIDE:
            continue
        matrix, _ = affine(due, drawn[numbers])
        (a, b), (c, d) = matrix.T
        x, y = (drawn[numbers] - due).mean((0, 1))
        measures.append(
            {
                "x": 100 * x,
                "y": 100 * y,
                "width": 100 * np.log(np.hypot(a, c)),
                "height": 100 * np.log(np.hypot(b, d)),
                "lean": -np.degrees(np.arctan2(b, d)),
                "rise": -np.degrees(np.arctan2(c, a)),
            }
        )
    return measures


def within_parts(drawn: np.ndarray, target: np.ndarray, parts: Sequence[np.ndarray]) -> np.ndarray:
    """Shifts (n, 2) of strokes that are left when each part is laid by a map of its own; NaN for
    those of no part."""
    left = np.full((len(target), 2), np.nan)
    for numbers in parts:
        if len(numbers) < len(target) and target[numbers].std((0, 1)).min() >= WIDE:
            matrix, shift = affine(drawn[numbers], target[numbers])
            left[numbers] = 100 * (drawn[numbers] @ matrix + shift - target[numbers]).mean(1)
    return left

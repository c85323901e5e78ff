"""From a binary glyph to the strokes of a pen along the middle of its ink."""

import itertools

import cv2
import numpy as np

from kakitori.reading.characters.strokes import Strokes, writing_order
from kakitori.writing.skeleton import (
    find_spurs,
    join_through_junctions,
    polyline_length,
    skeleton_graph,
)

SPUR = 0.02  # of an em: shorter side branches of the skeleton are noise of the outline's corners
LEG = 0.13  # of an em: how much of the path before and after a corner tells its angle
HOOK = 0.28  # of an em: a pen may jerk back along a shorter free leg
TIP = 0.13  # of an em: a corner's second leg may stick out by less beyond the first
CORNER = np.cos(np.radians(55))  # a sharper turn between two long legs is a corner


def trace(ink: np.ndarray) -> Strokes:
    """Centre-line strokes of a binary glyph.

    The glyph is thinned (Guo and Hall 1989); the skeleton becomes a graph whose short side
    branches are pruned and whose junctions, torn apart where thick strokes cross, are merged;
    branches that go straight on through a junction are one stroke; strokes are cut where no pen
    turns, joined where one does, and put in the order of writing. tests/benchmarks/strokes.py
    measures what comes out.

    Parameters
    ----------
    ink : bool (R, R), True = ink.
    """
    size = ink.shape[0]
    thickness = cv2.distanceTransform(np.pad(ink, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    skeleton = _thinned(ink)
    for _ in range(4):  # pruning one spur can bare another
        branches, nodes = skeleton_graph(skeleton)
        spurs = find_spurs(branches, nodes, thickness, SPUR * size)
        if not spurs:
            break
        for branch in spurs:
            x, y = branch.points.astype(int).T
            skeleton[y, x] = False
        skeleton = _thinned(skeleton)
    else:
        branches, nodes = skeleton_graph(skeleton)
    paths = join_through_junctions(branches, nodes, thickness)
    strokes = []
    for points, closed, free in paths:
        points = _smooth(points, closed)
        points = _extend_to_outline(points, free, ink)
        strokes += _cut_where_no_pen_turns(points, closed, free, LEG * size, HOOK * size)
    strokes = _cut_combs(_join_overshoots(strokes, TIP * size), TIP * size)
    strokes = [((_simplify(s) + 0.5) / size).astype(np.float32) for s in strokes]
    return [strokes[i] for i in writing_order(strokes)]


def _thinned(ink: np.ndarray) -> np.ndarray:
    """The skeleton of ink, bool (R, R), looked for where there is some alone."""
    x, y, width, height = cv2.boundingRect(ink.view(np.uint8))
    here = np.s_[max(y - 1, 0) : y + height + 1, max(x - 1, 0) : x + width + 1]
    skeleton = np.zeros_like(ink)
    skeleton[here] = cv2.ximgproc.thinning(
        255 * ink[here].astype(np.uint8), thinningType=cv2.ximgproc.THINNING_GUOHALL
    )
    return skeleton


def _resample(points: np.ndarray, spacing: float) -> np.ndarray:
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    count = max(round(along[-1] / spacing), 1) + 1
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, points[:, k]) for k in (0, 1)], axis=1)


def _smooth(points: np.ndarray, closed: bool) -> np.ndarray:
    """Even steps of two pixels, then a short binomial filter over the pixels' staircase."""
    points = _resample(np.concatenate([points, points[:1]]) if closed else points, 2.0)
    if len(points) < 4:
        return points
    for _ in range(2):
        if closed:
            ring = points[:-1]
            ring = (np.roll(ring, 1, 0) + 2 * ring + np.roll(ring, -1, 0)) / 4
            points = np.concatenate([ring, ring[:1]])
        else:
            points[1:-1] = (points[:-2] + 2 * points[1:-1] + points[2:]) / 4
    return points


def _extend_to_outline(points: np.ndarray, free: tuple[bool, bool], ink: np.ndarray) -> np.ndarray:
    """Thinning eats half a pen width off free ends: give most of it back."""
    for end in (0, 1):
        if not free[end]:
            continue
        ordered = points if end else points[::-1]
        back = ordered[max(len(ordered) - 5, 0)]
        direction = ordered[-1] - back
        norm = np.linalg.norm(direction)
        if norm < 0.5:
            continue
        reach, p = 0, ordered[-1]
        while reach < 20:
            x, y = np.round(p + (reach + 1) * direction / norm).astype(int)
            if not (0 <= x < ink.shape[1] and 0 <= y < ink.shape[0] and ink[y, x]):
                break
            reach += 1
        ordered = np.concatenate([ordered, (p + 0.6 * reach * direction / norm)[None]])
        points = ordered if end else ordered[::-1]
    return points


def _hook(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether a stroke that comes down or from the left may end in a jerk up or to the left."""
    return (before[1] > 0.3 or before[0] > 0.7) and (
        after[1] < -0.3 or (after[0] < -0.5 and after[1] < 0.6)
    )


def _natural_turn(before: np.ndarray, after: np.ndarray, ring: bool) -> bool:
    """Whether a pen that moves along `before` may turn sharply into `after` (unit vectors).

    It turns from right to down or down-left (㇕ ㇇), from down to right (㇄), and from down-left
    to the right (㇜); it does not go back to the left or upward along a long leg. A ring is a box:
    its left side and its bottom are strokes of their own.
    """
    right_to_down = before[0] > 0.7 and after[1] > 0.4
    down_to_right = before[1] > 0.7 and after[0] > 0.7 and after[1] > -0.5
    fall_to_right = before[0] < -0.2 and before[1] > 0.3 and after[0] > 0.7
    return right_to_down or (not ring and (down_to_right or fall_to_right))


def _cut_where_no_pen_turns(
    points: np.ndarray, closed: bool, free: tuple[bool, bool], leg: float, hook: float
) -> Strokes:
    """Cut a path at its sharp corners, then join the pieces whose corner a pen can write."""
    steps = max(int(leg / 2 / 2), 2)
    ring = points[:-1] if closed else points
    n = len(ring)
    if n < 2 * steps + 1:
        return [_orient(points)]
    index = np.arange(n) if closed else np.arange(steps, n - steps)
    before = ring[index] - ring[(index - steps) % n]
    after = ring[(index + steps) % n] - ring[index]
    before /= np.linalg.norm(before, axis=1, keepdims=True) + 1e-9
    after /= np.linalg.norm(after, axis=1, keepdims=True) + 1e-9
    cosine = (before * after).sum(1)
    corners = []
    for k in np.argsort(cosine, kind="stable"):
        if cosine[k] > CORNER:
            break
        if all(min(abs(index[k] - c), n - abs(index[k] - c)) > steps for c in corners):
            corners.append(int(index[k]))
    corners.sort()
    if closed:
        if not corners:  # a smooth ring (の's bowl, ゜) starts at its top
            start = int(ring[:, 1].argmin())
            return [np.concatenate([ring[start:], ring[: start + 1]])]
        pieces = []
        for a, b in zip(corners, [*corners[1:], corners[0] + n], strict=True):
            pieces.append(ring[np.arange(a, b + 1) % n])
    else:
        bounds = [0, *corners, n - 1]
        pieces = [points[i : j + 1] for i, j in itertools.pairwise(bounds)]
    hooked = [False] * len(pieces)
    for end in (0, -1):
        # A hook at a free end stays with what it ends, and tells which way the pen went.
        if closed or len(pieces) < 2 or not free[end] or polyline_length(pieces[end]) > hook:
            continue
        body, tip = (pieces[-2], pieces[-1]) if end else (pieces[1][::-1], pieces[0][::-1])
        if _hook(_heading(body, steps)[1], _heading(tip, steps)[0]):
            del pieces[end], hooked[end]
            pieces[end], hooked[end] = np.concatenate([body, tip[1:]]), True
    pieces = [p if h else _orient(p) for p, h in zip(pieces, hooked, strict=True)]
    joined = True
    while joined:
        joined = False
        for a, b in itertools.permutations(range(len(pieces)), 2):
            if np.linalg.norm(pieces[a][-1] - pieces[b][0]) > 3.0:
                continue
            if _natural_turn(_heading(pieces[a], steps)[1], _heading(pieces[b], steps)[0], closed):
                merged = np.concatenate([pieces[a], pieces[b][1:]])
                pieces = [p for k, p in enumerate(pieces) if k not in (a, b)] + [merged]
                joined = True
                break
    return pieces


def _join_overshoots(strokes: Strokes, tip: float) -> Strokes:
    """Join ム's first stroke, whose legs a font draws as two bars of which one sticks out.

    A stroke that falls to the left and meets another, close to where that one sets out to the
    right, turns into it; so does one that comes down to a rising one; the tip goes. Where more
    strokes meet at the tip it is a corner (白's, 口's) and not a tip.
    """
    steps = int(tip / 4)  # points lie two pixels apart
    strokes = list(strokes)
    rightward = [_heading(s, steps)[0][0] > 0.3 for s in strokes]
    for a, first in enumerate(strokes):
        x, y = _heading(first, steps)[1]
        if y < 0.3 or (x > -0.2 and y < 0.9):
            continue  # neither falls to the left nor comes down
        for b, second in enumerate(strokes):
            if a == b or not rightward[b] or not len(second):
                continue
            # Where the first ends on the second, or, as in 女, the second sets out from the first.
            onto = np.linalg.norm(second - first[-1], axis=1)
            from_ = np.linalg.norm(first - second[0], axis=1)
            meet, leave = int(onto.argmin()), len(first) - 1
            sets_out = from_.min() < onto.min()
            if sets_out:
                meet, leave = 0, int(from_.argmin())
            if min(onto.min(), from_.min()) > tip / 4 or leave < steps:
                continue
            over = polyline_length(second[: meet + 1]) + polyline_length(first[leave:])
            before = _heading(first[: leave + 1], steps)[1]
            after = _heading(second[meet:], steps)[0]
            falls = before[0] < -0.2 and before[1] > 0.3 and after[0] > 0.5
            if sets_out:  # steeper it is 夂's last stroke, leveller 金's second bar
                falls = falls and 0.35 < after[1] < 0.6
            rises = before[1] > 0.9 and after[0] > 0.7 and after[1] < -0.15 and over < tip / 3
            if over > tip or not (falls or rises):
                continue
            ends = [s[[0, -1]] for i, s in enumerate(strokes) if i not in (a, b) and len(s)]
            near = np.linalg.norm(np.concatenate([*ends, [[np.inf, 0]]]) - second[0], axis=1)
            if near.min() > 0.3 * tip:
                strokes[b] = np.concatenate([first[: leave + 1], second[meet:]])
                strokes[a], rightward[b] = first[:0], False
                break
    return [s for s in strokes if len(s)]


def _cut_combs(strokes: Strokes, tip: float) -> Strokes:
    """Cut 隹's bottom bar off its left side: ㇄ carries no bars, as the side of a comb does."""
    steps, parted = int(tip / 4), []
    for number, stroke in enumerate(strokes):
        corner = int((stroke[:, 1] - stroke[:, 0]).argmax())
        side, base = stroke[: corner + 1], stroke[corner:]
        if min(polyline_length(side), polyline_length(base)) > tip:
            down, (right, end) = _heading(side, steps)[1], _heading(base, steps)
            upper = side[steps:-steps]  # without its ends
            if (
                down[1] > 0.9
                and right[0] > 0.9
                and end[1] > -0.5  # 匕 ends in a hook
                and len(upper)
                and any(
                    np.linalg.norm(upper - other[0], axis=1).min() < tip / 4
                    and _heading(other, steps)[0][0] > 0.9
                    for k, other in enumerate(strokes)
                    if k != number
                )
            ):
                parted += [side, base]
                continue
        parted.append(stroke)
    return parted


def _heading(points: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors in which a polyline starts and ends, each over `steps` points."""
    first = points[min(steps, len(points) - 1)] - points[0]
    last = points[-1] - points[max(len(points) - 1 - steps, 0)]
    return first / (np.linalg.norm(first) + 1e-9), last / (np.linalg.norm(last) + 1e-9)


def _orient(points: np.ndarray) -> np.ndarray:
    """Strokes run downward, and rightward where they rise by less than 25° (㇀ rises, ㇒ falls)."""
    dx, dy = points[-1] - points[0]
    return points if 0.42 * dx + 0.91 * dy >= 0 else points[::-1]


def _simplify(points: np.ndarray) -> np.ndarray:
    """Ramer–Douglas–Peucker with a tolerance of 0.5 pixels."""
    return cv2.approxPolyDP(points.astype(np.float32)[:, None], 0.5, False)[:, 0]

"""Strokes as points, and how far they are from each other.

A stroke is POINTS points, evenly spaced, and the two places where the parts of a merged one meet:
float64 (POINTS + 2, 2). demo/shapes.js is the same. Needs NumPy alone.
"""

from collections.abc import Sequence

import numpy as np

from kakitori.reading.characters.strokes import resample

POINTS = 8  # of a stroke, enough for a bend or two; more tell no more
STIFFNESS = 0.015  # variance per point that keeps the drawing's proportions, beside a common 0.08
NARROWEST = 1 / 3  # no axis of a drawing is stretched or shrunk further, nor mirrored
CLEARLY = 0.5  # by this much of both strokes' size, in the mean square, it runs backwards for sure
ROUNDING = 1e-9  # what two ways of adding up the same may differ by; nothing is nearer by less

Strokes = Sequence[np.ndarray]
Pairs = list[tuple[int, int]]


def framed(strokes: Strokes) -> np.ndarray:
    """Polylines as float64 (strokes, POINTS + 2, 2), moved and scaled so that the longer side of
    their bounding box is 1 and its middle 0."""
    if not len(strokes):
        return np.zeros((0, POINTS + 2, 2))
    lines = [np.asarray(stroke, np.float64) for stroke in strokes]
    points = np.stack([np.concatenate([resample(s, POINTS), s[-1:], s[:1]]) for s in lines])
    low, high = points.min((0, 1)), points.max((0, 1))
    return (points - (low + high) / 2) / (float((high - low).max()) or 1.0)  # 1: a single dot


def joined(stroke: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Two strokes as one, and where they meet."""
    line = resample(np.concatenate([stroke[:POINTS], other[:POINTS]]), POINTS)
    return np.concatenate([line, stroke[POINTS - 1 : POINTS], other[:1]])


def lengths(strokes: np.ndarray) -> np.ndarray:
    return between(strokes[..., 1:POINTS, :], strokes[..., : POINTS - 1, :]).sum(-1)


def between(places: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Distances of places (…, 2), float64 (…)."""
    return np.sqrt(((places - other) ** 2).sum(-1))


def run_against(drawn: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """How strokes (m, P, 2) run to strokes (n, P, 2), int (m, n): 0 along each other, 1 rather
    against, 2 clearly against.

    Each is laid onto the other's middle and walked forwards and backwards, and the scalar products
    are compared. A ring, a dot or a check mark runs neither way for sure.
    """
    centred = drawn - drawn.mean(1, keepdims=True)
    other = reference - reference.mean(1, keepdims=True)
    along = np.einsum("ipk,jpk->ij", centred, other)
    against = np.einsum("ipk,jpk->ij", centred, other[:, ::-1])
    size = np.sqrt(np.outer((centred**2).sum((1, 2)), (other**2).sum((1, 2))))
    return (against > along + ROUNDING) * (1 + (against - along > CLEARLY * size))


def warped_distance(polylines: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean distance of polylines (…, P, 2) along the best warping path, float64 (…).

    Cells of one antidiagonal depend on the two before alone, so each is computed whole.
    """
    distance = np.sqrt(((polylines[..., :, None, :] - other[..., None, :, :]) ** 2).sum(-1))
    upright = distance[..., ::-1]  # antidiagonals are diagonals here
    count = distance.shape[-1]
    # A column more on the left, so that every cell has one above it.
    last = np.full((*distance.shape[:-2], count + 1), np.inf)
    cells, before = last.copy(), last
    cells[..., 1] = 2 * distance[..., 0, 0]
    for k in range(1, 2 * count - 1):
        low, high = max(0, k - count + 1), min(k, count - 1) + 1
        step = np.diagonal(upright, count - 1 - k, -2, -1)
        here, above = slice(low + 1, high + 1), slice(low, high)
        now = np.full_like(cells, np.inf)
        straight = np.minimum(cells[..., here], cells[..., above]) + step
        now[..., here] = np.minimum(straight, before[..., above] + 2 * step)
        cells, before = now, cells
    return cells[..., count] / (2 * count)


def distances(drawn: np.ndarray, target: np.ndarray, turned: np.ndarray, far: float) -> np.ndarray:
    """Warped distances of all strokes of a drawing from all of a target, each walked as it runs;
    `far` where their bounding boxes are further apart."""
    here, there = drawn[:, :POINTS], target[:, :POINTS]
    low, high = (here.min(1)[:, None], here.max(1)[:, None])
    gaps = np.maximum(low - there.max(1), there.min(1) - high).max(2)
    warped_distances = np.full(turned.shape, far)
    i, j = np.nonzero(gaps < far)
    back = turned[i, j].astype(bool)[:, None, None]
    warped_distances[i, j] = warped_distance(here[i], np.where(back, there[j, ::-1], there[j]))
    return warped_distances


def moved(
    drawing: np.ndarray, target: np.ndarray, pairs: Pairs, turned: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """`drawing` under the affine map that brings its strokes nearest to their counterparts, in
    least squares with a ridge towards what only shifts; and the map's matrix."""
    i, j = np.array(pairs).T
    points = drawing[i, :POINTS].reshape(-1, 2)
    facing = target[j, :POINTS]
    back = turned[i, j].astype(bool)[:, None, None]
    targets = np.where(back, facing[:, ::-1], facing).reshape(-1, 2)
    middle, goal = points.mean(0), targets.mean(0)
    x, y = points - middle, targets - goal
    ridge = STIFFNESS * len(points) * np.eye(2)
    linear = np.linalg.solve(x.T @ x + ridge, x.T @ y + ridge)
    if linear.diagonal().min() < NARROWEST:
        linear = np.eye(2)
    return (drawing - middle) @ linear + goal, linear


def off_line(place: np.ndarray, stroke: np.ndarray) -> float:
    """Distance of a place from the nearest of a stroke's lines."""
    start, step = stroke[: POINTS - 1], np.diff(stroke[:POINTS], axis=0)
    squared = (step**2).sum(1)
    along = ((place - start) * step).sum(1) / np.where(squared, squared, 1)
    nearest = start + np.clip(along, 0, 1)[:, None] * step
    return float(between(nearest, place).min())

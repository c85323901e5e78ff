"""What is wrong with a character that someone wrote: its pen strokes beside the reference's.

Strokes lie in time and in space, and the two may disagree. So they are paired twice, once in the
order in which they were drawn and once in whichever order suits, each time in turns with moving the
drawing onto the reference; the pairing that explains the drawing with the least distance and the
fewest faults tells what is missing, too much, out of order or backwards.

demo/matching.js is the same in JavaScript; tests/cases/matching.json holds both to the same
answers. Needs NumPy alone.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

POINTS = 8  # of a stroke, enough for a bend or two; more tell no more
ROUNDS = 4  # of moving the drawing and pairing its strokes anew

# Lengths are in longer sides of the reference. tests/benchmarks/matching.py measures what these
# give; they were chosen on other writers than it draws.
LEFT = 0.25  # from this mean distance on, two strokes are not each other's
BACKWARDS = 0.03  # what it takes for a stroke written backwards to be the one that is meant
MISPLACED = 0.03  # what it takes for a stroke to be out of order
STIFFNESS = 0.015  # variance per point that keeps the drawing's proportions, beside a common 0.08
NARROWEST = 1 / 3  # no axis of a drawing is stretched or shrunk further, nor mirrored

Strokes = Sequence[np.ndarray]
Pairs = list[tuple[int, int]]


class Match(NamedTuple):
    """How a drawing differs from its reference. Strokes are numbered from 1: those of the reference
    in writing order, those drawn in the order in which they were drawn.

    accepted : whether nothing below is wrong.
    ordered : whether order and direction were judged.
    missing : reference strokes that were not drawn.
    extra : drawn strokes that belong to none of the reference.
    swapped : pairs of reference strokes of which each was written when the other was due.
    early, late : further reference strokes out of order, as few as explain the rest.
    reversed : reference strokes that were written from their end.
    drawn : for each reference stroke the drawn one, None where it is missing.
    distances : for each reference stroke the mean distance of the drawn one, in longer sides of the
        reference; None where it is missing.
    """

    accepted: bool
    ordered: bool
    missing: list[int]
    extra: list[int]
    swapped: list[tuple[int, int]]
    early: list[int]
    late: list[int]
    reversed: list[int]
    drawn: list[int | None]
    distances: list[float | None]


def match(drawn: Strokes, reference: Strokes, ordered: bool = True) -> Match:
    """Compare pen strokes with the strokes of the character that was meant.

    Parameters
    ----------
    drawn, reference : polylines (points, 2), x and y in any units, y down, finite, in the order of
        writing and as the pen moves. No stroke is empty; a drawing may have none.
    ordered : whether order and direction are judged; not where the reference's are unknown, as of
        strokes traced from a font.

    The distance between two strokes is that of dynamic time warping (Sakoe and Chiba 1978, the
    symmetric form), strokes are paired by the Hungarian method (Kuhn 1955).
    """
    if not len(drawn):
        none = np.zeros((0, len(reference)))
        return _judged([], none, none > 0, ordered)
    one, other = framed(drawn), framed(reference)
    found = [_search(one, other, ordered, pairing) for pairing in (in_order, freely)[not ordered :]]
    _, pairs, distances, turned = min(found, key=lambda f: f[0])  # the first of equals
    return _judged(pairs, distances, turned, ordered)


def _search(
    drawn: np.ndarray, reference: np.ndarray, ordered: bool, pairing: Callable
) -> tuple[float, Pairs, np.ndarray, np.ndarray]:
    """Pair strokes and move the drawing in turns, until the pairs stay as they are.

    Returns
    -------
    What the pairing costs, the pairs (drawn, reference), and of all strokes drawn (rows) and of the
    reference (columns) the distances and whether they run against each other.
    """
    placed, before = drawn, None
    for _ in range(ROUNDS):
        turned = run_against(placed, reference)
        facing = np.where(turned[..., None, None], reference[None, :, ::-1], reference[None])
        distances = warped_distance(placed[:, None], facing)
        costs = distances + BACKWARDS * turned * ordered
        pairs = pairing(costs)
        now = [(i, j, bool(turned[i, j])) for i, j in pairs]
        if now == before or not pairs:
            break
        before = now
        rows, columns = np.array(pairs).T
        placed = _moved(drawn, drawn[rows].reshape(-1, 2), facing[rows, columns].reshape(-1, 2))
    cost = sum(costs[i, j] for i, j in pairs) + LEFT / 2 * (sum(costs.shape) - 2 * len(pairs))
    if ordered:
        swapped, early, late = out_of_order([j for _, j in pairs])
        cost += MISPLACED * (2 * len(swapped) + len(early) + len(late))
    return cost, pairs, distances, turned


def _judged(pairs: Pairs, distances: np.ndarray, turned: np.ndarray, ordered: bool) -> Match:
    rows, columns = distances.shape
    drawn_as = {j: i for i, j in pairs}
    used = set(drawn_as.values())
    missing = [j + 1 for j in range(columns) if j not in drawn_as]
    extra = [i + 1 for i in range(rows) if i not in used]
    swapped, early, late = out_of_order([j for _, j in pairs]) if ordered else ([], [], [])
    backwards = [j + 1 for j in sorted(drawn_as) if ordered and turned[drawn_as[j], j]]
    return Match(
        accepted=not (missing or extra or swapped or early or late or backwards),
        ordered=ordered,
        missing=missing,
        extra=extra,
        swapped=[(a + 1, b + 1) for a, b in swapped],
        early=[j + 1 for j in early],
        late=[j + 1 for j in late],
        reversed=backwards,
        drawn=[drawn_as[j] + 1 if j in drawn_as else None for j in range(columns)],
        distances=[
            float(distances[drawn_as[j], j]) if j in drawn_as else None for j in range(columns)
        ],
    )


def in_words(found: Match) -> str:
    """What is wrong, such as "stroke 2 of 4 is missing; strokes 3 and 4 are swapped"."""
    count = len(found.drawn)
    said = [
        f"{these(numbers, of)} {what}"
        for numbers, of, what in (
            (found.missing, f" of {count}", "missing"),
            (found.extra, " of those drawn", "too many"),
            *((pair, "", "swapped") for pair in found.swapped),
            (found.early, "", "too early"),
            (found.late, "", "too late"),
            (found.reversed, "", "written backwards"),
        )
        if numbers
    ]
    right = f"all {count} strokes are {'right' if found.ordered else 'there'}"
    if count == 1:
        right = f"its stroke is {'right' if found.ordered else 'there'}"
    words = "; ".join(said) or right
    if not found.ordered:
        words += " (order and direction not judged: the reference was traced from a font)"
    return words


def these(numbers: Sequence[int], of: str = "") -> str:
    """Strokes as the subject of a sentence: "stroke 2 is", "strokes 1, 2 and 4 of 5 are"."""
    *before, last = map(str, numbers)
    named = " and ".join(filter(None, [", ".join(before), last]))
    return f"strokes {named}{of} are" if before else f"stroke {named}{of} is"


# ---------------------------------------------------------------------------------------------
# Shapes


def framed(strokes: Strokes) -> np.ndarray:
    """Strokes as float64 (strokes, POINTS, 2), evenly spaced, moved and scaled so that the longer
    side of their bounding box is 1 and its middle 0."""
    points = np.stack([_resampled(np.asarray(stroke, np.float64)) for stroke in strokes])
    low, high = points.min((0, 1)), points.max((0, 1))
    return (points - (low + high) / 2) / (float((high - low).max()) or 1.0)  # 1: a single dot


def _resampled(stroke: np.ndarray) -> np.ndarray:
    steps = np.sqrt((np.diff(stroke, axis=0) ** 2).sum(1))
    along = np.concatenate([[0.0], np.cumsum(steps)])
    at = along[-1] * np.arange(POINTS) / (POINTS - 1)
    return np.stack([np.interp(at, along, stroke[:, k]) for k in (0, 1)], axis=1)


def run_against(drawn: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Whether strokes (m, P, 2) run against strokes (n, P, 2), bool (m, n): each laid onto the
    other's middle, their points are nearer (in the mean square) when one is walked backwards."""
    one = drawn - drawn.mean(1, keepdims=True)
    other = reference - reference.mean(1, keepdims=True)
    along = np.einsum("ipk,jpk->ij", one, other)
    against = np.einsum("ipk,jpk->ij", one, other[:, ::-1])
    return against > along + 1e-9  # a dot runs neither way


def warped_distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean distance of polylines (…, P, 2) along the best warping path, float64 (…).

    Cells of one antidiagonal depend on the two before alone, so each is computed whole.
    """
    distance = np.sqrt(((one[..., :, None, :] - other[..., None, :, :]) ** 2).sum(-1))
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


def _moved(drawing: np.ndarray, points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """`drawing` under the affine map that brings `points` (N, 2) nearest to `targets` (N, 2), in
    least squares with a ridge towards what only shifts."""
    middle, goal = points.mean(0), targets.mean(0)
    x, y = points - middle, targets - goal
    ridge = STIFFNESS * len(points) * np.eye(2)
    linear = np.linalg.solve(x.T @ x + ridge, x.T @ y + ridge)
    if linear.diagonal().min() < NARROWEST:
        linear = np.eye(2)
    return (drawing - middle) @ linear + goal


# ---------------------------------------------------------------------------------------------
# Pairs


def in_order(costs: np.ndarray) -> Pairs:
    """The cheapest pairs (row, column) that keep the order of both; to leave out a row or a column
    costs LEFT / 2."""
    rows, columns = costs.shape
    cost = costs.tolist()
    total = [[LEFT / 2 * (i + j) for j in range(columns + 1)] for i in range(rows + 1)]
    for i in range(rows):
        for j in range(columns):
            left = min(total[i][j + 1], total[i + 1][j]) + LEFT / 2
            total[i + 1][j + 1] = min(total[i][j] + cost[i][j], left)
    pairs, i, j = [], rows, columns
    while i and j:
        if total[i][j] == total[i - 1][j - 1] + cost[i - 1][j - 1]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif total[i - 1][j] <= total[i][j - 1]:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def freely(costs: np.ndarray) -> Pairs:
    """The cheapest pairs (row, column) in any order, at the same prices."""
    rows, columns = costs.shape
    # To leave out a row is to pair it with a column of its own; it spares no other column.
    whole = np.concatenate([costs, np.full((rows, rows), LEFT)], axis=1)
    return [(i, j) for i, j in enumerate(assignment(whole)) if j < columns]


def assignment(costs: np.ndarray) -> list[int]:
    """A column for each row, all different, with the least sum of costs (rows <= columns).

    The Hungarian method with potentials: each row is brought in by a shortest path over reduced
    costs.
    """
    rows, columns = costs.shape
    of_rows, of_columns = np.zeros(rows), np.zeros(columns)  # potentials
    taken_by = np.full(columns, -1)
    for row in range(rows):
        reach, way = np.full(columns, np.inf), np.full(columns, -1)
        visited = np.zeros(columns, bool)
        i, j = row, -1
        while i >= 0:
            length = costs[i] - of_rows[i] - of_columns
            nearer = ~visited & (length < reach)
            reach[nearer], way[nearer] = length[nearer], j
            j = int(np.where(visited, np.inf, reach).argmin())
            step = reach[j]
            of_rows[row] += step
            of_rows[taken_by[visited]] += step
            of_columns[visited] -= step
            reach[~visited] -= step
            visited[j] = True
            i = int(taken_by[j])
        while j >= 0:  # all along the path, each column goes to the row of the one before
            before = int(way[j])
            taken_by[j] = taken_by[before] if before >= 0 else row
            j = before
    column_of = {int(i): j for j, i in enumerate(taken_by) if i >= 0}
    return [column_of[i] for i in range(rows)]


def out_of_order(sequence: list[int]) -> tuple[Pairs, list[int], list[int]]:
    """Which of different numbers are out of place: pairs that stand each in the other's place, and
    of the rest those that came too early and too late, all but a longest increasing subsequence."""
    ranks = sorted(sequence)
    places = [ranks.index(number) for number in sequence]
    swapped = [(a, b) for a, b in enumerate(places) if a < b and places[b] == a]
    rest = [(k, place) for k, place in enumerate(places) if place == k or places[place] != k]
    length, before = [1] * len(rest), [-1] * len(rest)
    for k, (_, place) in enumerate(rest):
        for earlier in range(k):
            if rest[earlier][1] < place and length[earlier] >= length[k]:
                length[k], before[k] = length[earlier] + 1, earlier
    last = length.index(max(length)) if length else -1
    kept = set()
    while last >= 0:
        kept.add(last)
        last = before[last]
    astray = [pair for k, pair in enumerate(rest) if k not in kept]
    early = sorted(ranks[place] for k, place in astray if place > k)
    late = sorted(ranks[place] for k, place in astray if place <= k)
    return [(ranks[a], ranks[b]) for a, b in swapped], early, late

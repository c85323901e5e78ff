"""A drawing laid onto one form of a character: which stroke is which, and what that costs.

Strokes lie in time and in space, and the two may disagree. So they are paired twice, once in the
order in which they were drawn and once in whichever order suits, each time in turns with moving
the drawing onto the reference; the pairing that explains the drawing with the least distance and
the fewest faults counts. Strokes that are left over may be parts of others. demo/fitting.js is the
same.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from kakitori.reading.matching import pairing
from kakitori.reading.matching.pairing import LEFT
from kakitori.reading.matching.shapes import (
    POINTS,
    ROUNDING,
    Pairs,
    between,
    distances,
    joined,
    lengths,
    moved,
    run_against,
    warped_distance,
)

ROUNDS = 4  # of moving the drawing and pairing its strokes anew

# Lengths are in longer sides of the reference. tests/benchmarks/matching.py measures what these
# give; they were chosen on other writers than it draws.
BACKWARDS = 0.03  # what it takes for a stroke written backwards to be the one that is meant
MISPLACED = 0.03  # what it takes for a stroke to be out of order
OTHER = 0.04  # what it takes for faults to be told by another way than the first
JOINED = 0.03  # what it takes for two strokes to be one, or one to be two
JOINED_FAR = 0.12  # from this mean distance on they are not
NEARER = 0.01  # by so much all strokes together may be further away once two are one
LONGER = 1.2  # a stroke longer than the longer part by this is more than that part
MERGES = 3  # so many at most
TRIED = 2  # of the ways to merge two
MEETING = 0.1  # from this distance on one stroke does not begin where another ends
SHORT = 0.25  # a stroke longer than this is not drawn by one shorter than this part of it


class Order(NamedTuple):
    """An order of a form's strokes.

    way : which way of writing it is.
    places : of each stroke its place in it, from 0.
    flipped : of each stroke whether it runs from its end.
    """

    way: int
    places: list[int]
    flipped: list[bool]


class Faults(NamedTuple):
    """What is out of order and backwards in the right order that explains most: places in it, and
    columns."""

    order: Order
    price: float
    swapped: Pairs
    early: list[int]
    late: list[int]
    backwards: list[int]


@dataclasses.dataclass
class Fit:
    """Strokes of a drawing (rows) paired with those of a reference (columns).

    drawn, target : as `framed` gives them, merged strokes in the place of the earlier.
    rows, columns : the numbers of the strokes that each is made of.
    placed, linear : the drawing where it lies best on the target; the map's matrix.
    distances, turned : of all strokes from all, and how they run (`run_against`).
    far, left : the pairs' distances together; the price of what is left over.
    cost : of all, with that of the faults and of merging.
    """

    drawn: np.ndarray
    target: np.ndarray
    rows: list[list[int]]
    columns: list[list[int]]
    placed: np.ndarray
    linear: np.ndarray
    costs: np.ndarray
    distances: np.ndarray
    turned: np.ndarray
    pairs: Pairs
    far: float = 0.0
    left: float = 0.0
    cost: float = 0.0
    faults: Faults | None = None


class Merge(NamedTuple):
    """Two strokes, one the next of the other, of the reference (`columns`) or of the drawing."""

    first: int
    second: int
    columns: bool


def fitted(drawn: np.ndarray, target: np.ndarray, orders: list[Order], wanted: set[str]) -> Fit:
    """The drawing beside one form, with strokes that are left over tried as parts of others."""
    rows, columns = ([[k] for k in range(len(strokes))] for strokes in (drawn, target))
    best = _paired(drawn, target, rows, columns, orders, wanted)
    for merges in range(1, MERGES + 1):
        better = None
        for merge in _merges(best, wanted)[:TRIED]:
            tried = _paired(*_merged(best, merge), orders, wanted)
            tried.cost += JOINED * merges
            if tried.cost < (better or best).cost - ROUNDING and _wholly(best, tried, merge):
                better = tried
        if better is None:
            break
        best = better
    return best


# ---------------------------------------------------------------------------------------------
# Strokes as parts of others


def _merges(fit: Fit, wanted: set[str]) -> list[Merge]:
    """The ways to take strokes as parts of one where some are left over, the cheapest first as far
    as that can be told from where the drawing lies."""
    pair = pairing.in_order if "order" in wanted else pairing.freely
    candidates = []
    for columns, strokes, others in (
        (True, fit.target, fit.placed),
        (False, fit.placed, fit.target),
    ):
        if len(fit.pairs) == len(strokes) or not len(others):
            continue
        seams = list(_seams(strokes, {p[columns] for p in fit.pairs}))
        if not seams:
            continue
        whole = np.stack([joined(strokes[a], strokes[b]) for a, b in seams])
        far = warped_distance(whole[:, None, :POINTS], others[None, :, :POINTS])
        costs = fit.costs.T if columns else fit.costs
        for (a, b), row in zip(seams, far, strict=True):
            table = _glued(costs, a, b, row)
            candidates.append((_price(table.T if columns else table, pair), Merge(a, b, columns)))
    return [merge for _, merge in sorted(candidates, key=lambda candidate: candidate[0])]


def _price(costs: np.ndarray, pair: Callable) -> float:
    pairs = pair(costs)
    return sum(costs[p] for p in pairs) + LEFT / 2 * (sum(costs.shape) - 2 * len(pairs))


def _seams(strokes: np.ndarray, used: set[int]) -> Iterator[tuple[int, int]]:
    """Pairs of strokes that may be one: neighbours in time, and of those left over what begins
    where another ends."""
    meet = between(strokes[:, None, POINTS - 1], strokes[None, :, 0]) < MEETING
    for a in range(len(strokes)):
        for b in range(len(strokes)):
            if b == a + 1 or (a != b and meet[a, b] and not {a, b} <= used):
                yield a, b


def _merged(fit: Fit, merge: Merge) -> tuple:
    """The strokes of a fit, and their numbers, with two of them as one."""
    a, b, columns = merge
    strokes, numbers = (fit.target, fit.columns) if columns else (fit.drawn, fit.rows)
    strokes = _glued(strokes, a, b, joined(strokes[a], strokes[b]))
    numbers = [list(k) for k in numbers]
    numbers[min(a, b)] = numbers[a] + numbers[b]
    del numbers[max(a, b)]
    if columns:
        return fit.drawn, strokes, fit.rows, numbers
    return strokes, fit.target, numbers, fit.columns


def _glued(table: np.ndarray, a: int, b: int, both: np.ndarray) -> np.ndarray:
    """A table in which one row stands for two, in the place of the earlier."""
    left = table.copy()
    left[min(a, b)] = both
    return np.delete(left, max(a, b), axis=0)


def _wholly(before: Fit, fit: Fit, merge: Merge) -> bool:
    """Whether a merged stroke is its counterpart: near it, and beginning and ending where that does
    and nearer to its length than to its parts'; where one of the three fails, the strokes must lie
    no worse than before."""
    a, b, columns = merge
    pair = next((p for p in fit.pairs if p[columns] == min(a, b)), None)
    if pair is None or fit.turned[pair] or fit.distances[pair] > JOINED_FAR:
        return False
    counterpart, whole = fit.placed[pair[0]], fit.target[pair[1]]
    parts = before.target if columns else before.placed
    if not columns:
        counterpart, whole = whole, counterpart
    longest = max(lengths(parts[a]), lengths(parts[b]))
    begins = between(counterpart[0], whole[0]) < between(counterpart[0], whole[POINTS + 1])
    ends = between(counterpart[POINTS - 1], whole[POINTS - 1]) < between(
        counterpart[POINTS - 1], whole[POINTS]
    )
    long = lengths(counterpart) > min(LONGER * longest, np.sqrt(longest * lengths(whole)))
    agreeing = int(begins) + int(ends) + int(long)
    return agreeing == 3 or (agreeing == 2 and fit.far < before.far + NEARER)


# ---------------------------------------------------------------------------------------------
# Which stroke is which


def _paired(
    drawn: np.ndarray,
    target: np.ndarray,
    rows: list[list[int]],
    columns: list[list[int]],
    orders: Sequence[Order],
    wanted: set[str],
) -> Fit:
    """Strokes paired in order or freely, whichever costs less."""
    if not len(drawn):
        none = np.zeros((0, len(target)))
        fit = Fit(drawn, target, rows, columns, drawn, np.eye(2), none, none, none, [])
        fit.faults, fit.cost = _faults(fit, orders, wanted), LEFT / 2 * len(target)
        return fit
    price = BACKWARDS if "direction" in wanted else 0.0

    def priced(pair: Callable, start: np.ndarray) -> Fit:
        fit = search(drawn, target, pair, price, start)
        fit.rows, fit.columns = rows, columns
        fit.faults = _faults(fit, orders, wanted)
        fit.cost = fit.left + fit.far + fit.faults.price
        return fit

    best = None
    if "order" in wanted:
        best = priced(pairing.in_order, drawn)
        if abs(len(drawn) - len(target)) == 1:
            best = _cheaper(best, priced(pairing.in_order, _without_one(drawn, target)))
        whole = len(best.pairs) == max(best.costs.shape)
        if whole and pairing.freely(best.costs) == best.pairs:
            return best
    return _cheaper(best, priced(pairing.freely, drawn))


def _cheaper(fit: Fit | None, other: Fit) -> Fit:
    return other if fit is None or other.cost < fit.cost - ROUNDING else fit


def search(
    drawn: np.ndarray,
    target: np.ndarray,
    pair: Callable,
    price: float = 0.0,
    start: np.ndarray | None = None,
) -> Fit:
    """Pair strokes and move the drawing in turns, until the pairs stay as they are.

    pair : pairs rows and columns of costs.
    price : of a stroke that runs backwards.
    start : where the drawing lies first; as it is by default.
    """
    placed, before = drawn if start is None else start, None
    linear, long = np.eye(2), lengths(target)
    for _ in range(ROUNDS):
        turned = run_against(placed[:, :POINTS], target[:, :POINTS])
        far = distances(placed, target, turned, LEFT)
        costs = far + price * (turned == 2)
        costs[(long > SHORT) & (lengths(placed)[:, None] < SHORT * long)] = 2 * LEFT  # a dot
        pairs = pair(costs)
        now = [(i, j, bool(turned[i, j])) for i, j in pairs]
        if now == before or not pairs:
            break
        before = now
        placed, linear = moved(drawn, target, pairs, turned)
    left = LEFT / 2 * (sum(costs.shape) - 2 * len(pairs))
    total = float(sum(far[p] for p in pairs))
    return Fit(
        *(drawn, target, [], [], placed, linear, costs, far, turned, pairs), far=total, left=left
    )


def _without_one(drawn: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Where a drawing of one stroke more or fewer than the target lies when all but one are paired
    in order: the place of the least distance."""
    more, count = len(drawn) > len(target), max(len(drawn), len(target))
    if count == 1:
        return drawn
    turned = np.zeros((len(drawn), len(target)), int)
    few = list(range(count - 1))
    every = []
    for without in range(count):
        many = [k for k in range(count) if k != without]
        pairs = list(zip(many, few, strict=True) if more else zip(few, many, strict=True))
        every.append((pairs, moved(drawn, target, pairs, turned)[0]))
    here = np.stack([placed[[i for i, _ in pairs], :POINTS] for pairs, placed in every])
    there = np.stack([target[[j for _, j in pairs], :POINTS] for pairs, _ in every])
    far = warped_distance(here, there).sum(1)
    best = 0
    for k in range(1, count):
        if far[k] < far[best] - ROUNDING:
            best = k
    return every[best][1]


def _faults(fit: Fit, orders: Sequence[Order], wanted: set[str]) -> Faults:
    """The order that explains the pairs with the fewest faults, and these. A merged stroke was
    written when either of its parts was."""
    best: Faults | None = None
    several = any(len(numbers) > 1 for numbers in (*fit.rows, *fit.columns))
    for order in orders:
        backwards = []
        for i, j in fit.pairs if "direction" in wanted else ():
            stroke, *others = fit.columns[j]
            flipped = order.flipped[stroke] and not others
            if fit.turned[i, j] == 0 if flipped else fit.turned[i, j] == 2:
                backwards.append(j)
        for at in ((0, -1) if several else (0,)) if "order" in wanted else (None,):
            wrong: tuple[Pairs, list[int], list[int]] = ([], [], [])
            if at is not None:
                timely = sorted(fit.pairs, key=lambda p: fit.rows[p[0]][at])
                wrong = pairing.out_of_order([order.places[fit.columns[j][at]] for _, j in timely])
            swapped, early, late = wrong
            price = MISPLACED * (2 * len(swapped) + len(early) + len(late))
            price += BACKWARDS * len(backwards)
            if price and order.way:
                price += OTHER
            if best is None or price < best.price - ROUNDING:
                best = Faults(order, price, swapped, early, late, backwards)
        if not best.price:
            break
    return best

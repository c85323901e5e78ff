"""What is wrong with a character that someone wrote: its pen strokes beside the reference's.

Strokes lie in time and in space, and the two may disagree. So they are paired twice, once in the
order in which they were drawn and once in whichever order suits, each time in turns with moving the
drawing onto the reference; the pairing that explains the drawing with the least distance and the
fewest faults tells what is missing, too much, out of order or backwards. A stroke that is missing
may be part of its neighbour; a character may have several right ways; and what is nearer to a
look-alike than to what was meant is the look-alike.

demo/matching.js is the same in JavaScript; tests/cases/matching.json holds both to the same
answers. Needs NumPy alone.
"""

import dataclasses
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
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
JOINED = 0.03  # what it takes for two strokes to be one, or one to be two
JOINED_FAR = 0.12  # from this mean distance on they are not
MERGES = 3  # so many at most
MEETING = 0.1  # from this distance on one stroke does not begin where another ends
SHORT = 0.25  # a stroke longer than this is not drawn by one shorter than this part of it
SAME = 0.01  # look-alikes nearer than this cannot be told apart
ALIKE = 8  # look-alikes of a character
CELLS = 6  # along a side, of the ink by which they are found
TOUCHING = 0.05  # from this distance on an end does not lie on a stroke
ROUNDING = 1e-9  # what two ways of adding up the same may differ by; nothing is nearer by less

STRICTNESS = ("shape", "count", "order", "direction")  # what can be judged
USUAL = ("shape", "order", "direction")  # what a teacher of beginners marks

Strokes = Sequence[np.ndarray]
Pairs = list[tuple[int, int]]


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
    ways: Sequence[Strokes] = (),
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
    ways : other right ways to write it.
    alike : the characters that look most like it, as `look_alikes` gives them.
    judged : of STRICTNESS. What is not judged is not said, but for `joined` and `split`.

    The distance between two strokes is that of dynamic time warping (Sakoe and Chiba 1978, the
    symmetric form), strokes are paired by the Hungarian method (Kuhn 1955).
    """
    wanted = {what for what in judged if ordered or what not in ("order", "direction")}
    best: tuple[Match, _Fit] | None = None
    for way, strokes in enumerate((reference, *ways)):
        found = _compare(drawn, strokes, wanted, way)
        if best is None or _rank(found) < _rank(best):
            best = found
        if found[0].accepted:
            break
    found, fit = best
    if not (found.accepted and "shape" in wanted):
        return found
    other = _taken_for(fit, drawn, alike or {})
    if other is None:
        return found
    differs = _difference(fit, (reference, *ways)[found.way], alike[other])
    return found._replace(accepted=False, alike=other, differs=differs)


def _rank(found: "tuple[Match, _Fit]") -> tuple[bool, float]:
    return not found[0].accepted, found[1].cost


# ---------------------------------------------------------------------------------------------
# One way of writing


class _Part(NamedTuple):
    """A stroke, or several taken as one."""

    numbers: tuple[int, ...]
    line: np.ndarray
    seam: np.ndarray  # (2, 2): where the first of two ends and where the second begins


@dataclasses.dataclass
class _Fit:
    """Strokes of a drawing (rows) paired with those of a reference (columns).

    `drawn`, `target` and `placed`, the drawing where it lies best on the target, are as `_framed`
    gives them; `distances` and `turned`, whether two strokes run against each other, are of all
    strokes with all.
    """

    cost: float
    costs: np.ndarray
    pairs: Pairs
    distances: np.ndarray
    turned: np.ndarray
    drawn: np.ndarray
    target: np.ndarray
    placed: np.ndarray
    rows: list[_Part] = dataclasses.field(default_factory=list)
    columns: list[_Part] = dataclasses.field(default_factory=list)


def _compare(drawn: Strokes, reference: Strokes, wanted: set[str], way: int) -> tuple[Match, _Fit]:
    """The drawing beside one way of writing. Strokes that are left over are tried as parts of the
    strokes before and after them."""
    order, direction = "order" in wanted, "direction" in wanted
    fit = _fit(_singly(drawn), _singly(reference), order, direction)
    for merges in range(1, MERGES + 1):
        better = None
        for rows, columns in _merged(fit):
            tried = _fit(rows, columns, order, direction)
            tried.cost += JOINED * merges
            if tried.cost < (better or fit).cost and _wholly(tried):
                better = tried
        if better is None:
            break
        fit = better
    return _told(fit, len(drawn), len(reference), wanted, way), fit


def _singly(strokes: Strokes) -> list[_Part]:
    lines = [np.asarray(stroke, np.float64) for stroke in strokes]
    return [_Part((k,), line, np.stack([line[-1], line[0]])) for k, line in enumerate(lines)]


def _merged(fit: _Fit) -> Iterator[tuple[list[_Part], list[_Part]]]:
    """The ways to take a missing stroke, or one too many, as a part of another: of the one before
    or after it, or of one that ends where it begins or begins where it ends."""
    if not fit.pairs:
        return
    rows, columns = (set(numbers) for numbers in zip(*fit.pairs, strict=True))
    for a, b in _seams(fit.target, columns):
        yield fit.rows, _glued(fit.columns, a, b)
    for a, b in _seams(fit.drawn, rows):
        yield _glued(fit.rows, a, b), fit.columns


def _seams(strokes: np.ndarray, used: set[int]) -> Pairs:
    meet = _between(strokes[:, None, POINTS - 1], strokes[None, :, 0]) < MEETING
    return [
        (a, b)
        for a, b in itertools.permutations(range(len(strokes)), 2)
        if not {a, b} <= used and (b == a + 1 or meet[a, b])
    ]


def _glued(parts: list[_Part], a: int, b: int) -> list[_Part]:
    """Parts of which one is the next of another, in the place of the earlier."""
    one, other = parts[a], parts[b]
    line, seam = np.concatenate([one.line, other.line]), np.stack([one.line[-1], other.line[0]])
    both = _Part(one.numbers + other.numbers, line, seam)
    left = [both if k == min(a, b) else part for k, part in enumerate(parts)]
    return left[: max(a, b)] + left[max(a, b) + 1 :]


def _wholly(fit: _Fit) -> bool:
    """Whether each merged stroke is near its counterpart, and begins and ends where that does:
    nearer to its ends than to those of the other part."""
    of_row, of_column = dict(fit.pairs), {j: i for i, j in fit.pairs}

    def near(i: int | None, j: int | None, drawn_is_merged: bool) -> bool:
        if i is None or j is None or fit.turned[i, j] or fit.distances[i, j] > JOINED_FAR:
            return False
        one, merged = fit.placed[i], fit.target[j]
        if drawn_is_merged:
            one, merged = merged, one
        first, last = one[0], one[POINTS - 1]
        begins = _between(first, merged[0]) < _between(first, merged[POINTS + 1])
        return bool(begins and _between(last, merged[POINTS - 1]) < _between(last, merged[POINTS]))

    several = [
        *((of_column.get(j), j, False) for j, p in enumerate(fit.columns) if len(p.numbers) > 1),
        *((i, of_row.get(i), True) for i, p in enumerate(fit.rows) if len(p.numbers) > 1),
    ]
    return all(near(*one) for one in several)


def _fit(rows: list[_Part], columns: list[_Part], order: bool, direction: bool) -> _Fit:
    """Parts of a drawing paired with parts of the reference, in order or freely, whichever costs
    less."""
    if not rows:
        none, table = np.zeros((0, POINTS + 2, 2)), np.zeros((0, len(columns)))
        fit = _Fit(LEFT / 2 * len(columns), table, [], table, table > 0, none, none, none)
    else:
        drawn, target = _framed(rows), _framed(columns)
        fit = _search(drawn, target, order, direction, in_order) if order else None
        if fit is None or not _same_as_free(fit):
            free = _search(drawn, target, order, direction, freely)
            if fit is None or free.cost < fit.cost:
                fit = free
    fit.rows, fit.columns = rows, columns
    return fit


def _same_as_free(fit: _Fit) -> bool:
    """Whether all strokes are paired, and the cheapest pairs in any order are the same."""
    return len(fit.pairs) == max(fit.costs.shape) and freely(fit.costs) == fit.pairs


def _search(
    drawn: np.ndarray, target: np.ndarray, order: bool, direction: bool, pairing: Callable
) -> _Fit:
    """Pair strokes and move the drawing in turns, until the pairs stay as they are."""
    placed, before = drawn, None
    lengths = _lengths(target)
    for _ in range(ROUNDS):
        here, there = placed[:, :POINTS], target[:, :POINTS]
        turned = run_against(here, there)
        facing = np.where(turned[..., None, None], there[None, :, ::-1], there[None])
        distances = warped_distance(here[:, None], facing)
        costs = distances + BACKWARDS * turned * direction
        dots = (lengths > SHORT) & (_lengths(placed)[:, None] < SHORT * lengths)
        costs[dots] = 2 * LEFT  # a dot is no stroke
        pairs = pairing(costs)
        now = [(i, j, bool(turned[i, j])) for i, j in pairs]
        if now == before or not pairs:
            break
        before = now
        placed = _moved(drawn, target, pairs, turned)
    cost = sum(costs[i, j] for i, j in pairs) + LEFT / 2 * (sum(costs.shape) - 2 * len(pairs))
    if order:
        swapped, early, late = out_of_order([j for _, j in pairs])
        cost += MISPLACED * (2 * len(swapped) + len(early) + len(late))
    return _Fit(float(cost), costs, pairs, distances, turned, drawn, target, placed)


def _told(fit: _Fit, drawn_count: int, count: int, wanted: set[str], way: int) -> Match:
    """What a fit says of the strokes, by their numbers."""
    drawn: list[int | None] = [None] * count
    distances: list[float | None] = [None] * count
    used, backwards = set(), []
    for i, j in fit.pairs:
        used.update(fit.rows[i].numbers)
        for k in fit.columns[j].numbers:
            drawn[k] = fit.rows[i].numbers[0] + 1
            distances[k] = float(fit.distances[i, j])
            if fit.turned[i, j] and "direction" in wanted:
                backwards.append(k + 1)
    orderly = out_of_order([j for _, j in fit.pairs]) if "order" in wanted else ([], [], [])
    first = [part.numbers[0] + 1 for part in fit.columns]
    joined, split = (
        [[k + 1 for k in part.numbers] for part in parts if len(part.numbers) > 1]
        for parts in (fit.columns, fit.rows)
    )
    wrong = {
        "missing": [k + 1 for k, number in enumerate(drawn) if number is None],
        "extra": [k + 1 for k in range(drawn_count) if k not in used],
        "swapped": [(first[a], first[b]) for a, b in orderly[0]],
        "early": [first[j] for j in orderly[1]],
        "late": [first[j] for j in orderly[2]],
        "reversed": sorted(backwards),
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


# ---------------------------------------------------------------------------------------------
# Look-alikes


def look_alikes(
    character: str, table: Mapping[str, Strokes], same: Collection[str] = ()
) -> dict[str, Strokes]:
    """The characters of `table` that look most like one, nearest first: of as many strokes, by ink
    and then by the distance that `match` goes by.

    same : groups of characters that no shape tells apart; those are not each other's.
    """
    strokes = table[character]
    excused = {character, *"".join(group for group in same if character in group)}
    own = _framed(_singly(strokes))
    ink = _inked(own)
    others = [
        (name, _framed(_singly(other)))
        for name, other in table.items()
        if len(other) == len(strokes) and name not in excused
    ]
    apart = [((ink - _inked(other)) ** 2).sum() for _, other in others]
    ranked = [others[k] for k in np.argsort(apart, kind="stable")[: 3 * ALIKE]]
    errors = [(_residual(own, other)[0], name) for name, other in ranked]
    near = sorted((e for e in errors if e[0] > SAME), key=lambda e: min(e[0], LEFT))
    return {name: table[name] for _, name in near[:ALIKE]}


def _taken_for(fit: _Fit, drawn: Strokes, alike: Mapping[str, Strokes]) -> str | None:
    """The look-alike that a drawing is nearer to than to what was meant, if any.

    What both differ from in the same way, a hand's shakiness, weighs in neither: on the line from
    the one to the other the drawing is at the nearer.
    """
    nearest, name = _residual(fit.drawn, fit.target)[0], None
    singly = _framed(_singly(drawn))  # what was taken as joined may be strokes of another
    for other, strokes in alike.items():
        if len(strokes) != len(drawn):
            continue
        error = _residual(singly, _framed(_singly(strokes)))[0]
        if error < nearest - ROUNDING:
            nearest, name = error, other
    return name


def _residual(drawn: np.ndarray, target: np.ndarray) -> tuple[float, _Fit]:
    """How far a drawing is from a reference when each stroke is laid onto its own as well as can
    be: the square root of the mean square of the distances of all points; infinite where a stroke
    is left."""
    fit = _search(drawn, target, False, False, freely)
    if len(fit.pairs) < max(len(drawn), len(target)):
        return np.inf, fit
    fit.placed = _moved(drawn, target, fit.pairs, fit.turned)
    strokes = _counterparts(fit)
    return float(
        np.sqrt(((strokes - target)[:, :POINTS] ** 2).sum() / strokes[:, :POINTS, 0].size)
    ), fit


def _counterparts(fit: _Fit) -> np.ndarray:
    """For each stroke of the target the drawn one, in its place and direction."""
    strokes = np.empty_like(fit.target)
    for i, j in fit.pairs:
        strokes[j] = fit.placed[i]
        if fit.turned[i, j]:
            strokes[j, :POINTS] = fit.placed[i, :POINTS][::-1]
    return strokes


def _difference(fit: _Fit, reference: Strokes, other: Strokes) -> tuple[str, list[int]]:
    """What tells a character from its look-alike and was drawn as in that: the clearest of who is
    longer than whom, whose end lies on whom, and which stroke has another shape."""
    model = _framed(_singly(reference))
    found = [_residual(strokes, model) for strokes in (_framed(_singly(other)), fit.drawn)]
    if not all(np.isfinite(error) for error, _ in found):
        return "shape", []
    theirs, drawn = (_counterparts(f) for _, f in found)
    lengths = [_lengths(strokes) for strokes in (model, theirs, drawn)]
    best: tuple[float, str, list[int]] = (0.0, "shape", [])

    def offer(clear: float, what: str, *strokes: int) -> None:
        nonlocal best
        if clear > best[0]:
            best = clear, what, [k + 1 for k in strokes]

    for j in range(len(model)):
        offer(0.5 * _between(model[j, :POINTS], theirs[j, :POINTS]).mean(), "shape", j)
        for k in range(len(model)):
            if j == k:
                continue
            own, its, here = (long[j] - long[k] for long in lengths)
            # Longer in the one, shorter in the other, and drawn as in the other.
            if own > 0 and its < 0 and here < (own + its) / 2:
                offer(own - its, "longer", j, k)
            for at, end in ((0, "begin"), (POINTS - 1, "end")):
                own, its, here = (_off_line(s[j, at], s[k]) for s in (model, theirs, drawn))
                if min(own, its) > TOUCHING:
                    continue
                if own < its and here > (own + its) / 2:
                    offer(its - own, f"{end}-on", j, k)
                if its < own and here < (own + its) / 2:
                    offer(own - its, f"{end}-off", j, k)
    return best[1], best[2]


def _off_line(place: np.ndarray, stroke: np.ndarray) -> float:
    """Distance of a place from the nearest of a stroke's lines."""
    start, step = stroke[: POINTS - 1], np.diff(stroke[:POINTS], axis=0)
    squared = (step**2).sum(1)
    along = ((place - start) * step).sum(1) / np.where(squared, squared, 1)
    nearest = start + np.clip(along, 0, 1)[:, None] * step
    return float(_between(nearest, place).min())


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


# ---------------------------------------------------------------------------------------------
# Words


def in_words(found: Match) -> str:
    """What is wrong, such as "stroke 2 of 4 is missing; strokes 3 and 4 are swapped"."""
    count = len(found.drawn)
    said = [
        f"{these(numbers, of)} {what}"
        for numbers, of, what in (
            (found.missing, f" of {count}", "missing"),
            (found.extra, " of those drawn", "too many"),
            *((numbers, "", "joined") for numbers in found.joined),
            *((numbers, " of those drawn", "one stroke") for numbers in found.split),
            *((pair, "", "swapped") for pair in found.swapped),
            (found.early, "", "too early"),
            (found.late, "", "too late"),
            (found.reversed, "", "written backwards"),
        )
        if numbers
    ]
    if found.alike:
        said.append(f"it looks like {found.alike}{_what_differs(*found.differs)}")
    ordered = {"order", "direction"} <= set(found.judged)
    right = f"all {count} strokes are {'right' if ordered else 'there'}"
    if count == 1:
        right = f"its stroke is {'right' if ordered else 'there'}"
    words = "; ".join(said) or right
    if not {"order", "direction"} & set(found.judged):
        words += " (order and direction not judged)"
    return words


def _what_differs(what: str, strokes: list[int]) -> str:
    if not strokes:
        return ""
    should = {
        "longer": "should be longer than",
        "begin-on": "should begin on",
        "end-on": "should end on",
        "begin-off": "should begin clear of",
        "end-off": "should end clear of",
        "shape": "should have another shape",
    }[what]
    second = f" stroke {strokes[1]}" if len(strokes) > 1 else ""
    return f": stroke {strokes[0]} {should}{second}"


def these(numbers: Sequence[int], of: str = "") -> str:
    """Strokes as the subject of a sentence: "stroke 2 is", "strokes 1, 2 and 4 of 5 are"."""
    *before, last = map(str, numbers)
    named = " and ".join(filter(None, [", ".join(before), last]))
    return f"strokes {named}{of} are" if before else f"stroke {named}{of} is"


# ---------------------------------------------------------------------------------------------
# Shapes: a stroke is POINTS points and the two of its seam


def _framed(parts: Sequence[_Part]) -> np.ndarray:
    """Strokes as float64 (strokes, POINTS + 2, 2), evenly spaced, moved and scaled so that the
    longer side of their bounding box is 1 and its middle 0."""
    points = np.stack([np.concatenate([_resampled(p.line), p.seam]) for p in parts])
    low, high = points[:, :POINTS].min((0, 1)), points[:, :POINTS].max((0, 1))
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
    return against > along + ROUNDING  # a dot runs neither way


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


def _between(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Distances of places (…, 2), float64 (…)."""
    return np.sqrt(((one - other) ** 2).sum(-1))


def _lengths(strokes: np.ndarray) -> np.ndarray:
    return _between(strokes[:, 1:POINTS], strokes[:, : POINTS - 1]).sum(1)


def _moved(drawing: np.ndarray, target: np.ndarray, pairs: Pairs, turned: np.ndarray) -> np.ndarray:
    """`drawing` under the affine map that brings its strokes nearest to their counterparts, in
    least squares with a ridge towards what only shifts."""
    points = np.concatenate([drawing[i, :POINTS] for i, _ in pairs])
    targets = np.concatenate([target[j, :POINTS][:: -1 if turned[i, j] else 1] for i, j in pairs])
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

"""Strokes: what kinds there are, which kind a polyline is, and how two readings of one compare."""

import dataclasses

import numpy as np

Strokes = list[np.ndarray]
MOST = 32  # strokes of a character that samples tell of: 30 in KanjiVG, more where fonts are traced


@dataclasses.dataclass(frozen=True)
class Form:
    """One way to write a character.

    strokes : float32 polylines (points, 2) in the unit square, in writing order.
    types : per stroke its symbol in TYPES.
    components : per stroke the number of the component that it belongs to.
    widths : per stroke, float32 (points,), how wide it is there beside the character's mean; none
        where a source knows nothing of pens.
    """

    strokes: Strokes
    types: tuple[str, ...]
    components: tuple[int, ...]
    widths: Strokes = ()


APART = 0.2  # of the frame: strokes further from each other are not the same stroke


def resample(stroke: np.ndarray, count: int) -> np.ndarray:
    """`count` points evenly along a polyline of shape (points, 2)."""
    along = np.zeros(len(stroke))
    np.hypot(*(stroke[1:] - stroke[:-1]).T).cumsum(dtype=float, out=along[1:])
    at = np.arange(count) * (along[-1] / (count - 1))
    points = np.empty((count, 2))
    points[:, 0], points[:, 1] = (np.interp(at, along, axis) for axis in stroke.T)
    return points


def framed(strokes: Strokes, count: int = 12) -> np.ndarray:
    """Strokes resampled, (strokes, count, 2), moved and scaled to fill the unit square."""
    return _fill(np.stack([resample(s, count) for s in strokes]))


def _fill(points: np.ndarray) -> np.ndarray:
    low, high = points.min((0, 1)), points.max((0, 1))
    # A character that is one level line has no height to scale.
    return (points - low) / np.maximum(high - low, 0.25 * (high - low).max() + 1e-9)


def paired(strokes: Strokes, others: Strokes) -> list[tuple[int, int]]:
    """Which stroke of one drawing is which of another of the same character.

    The pairing with the least sum of mean distances (Kuhn 1955), of strokes scaled to fill the
    same square and walked in whichever direction suits; pairs too far apart are left out.

    Returns
    -------
    Pairs of numbers (stroke, other), by stroke.
    """
    # Only here: importing it takes longer than a worker of synthesize needs to start.
    from scipy.optimize import linear_sum_assignment

    a, b = framed(strokes), framed(others)
    both = np.stack([b, b[:, ::-1]])
    cost = np.linalg.norm(a[None, :, None] - both[:, None], axis=-1).mean(-1).min(0)
    pairs = zip(*linear_sum_assignment(cost), strict=True)
    return [(int(i), int(j)) for i, j in pairs if cost[i, j] < APART]


# ---------------------------------------------------------------------------------------------
# Types

# The 27 base symbols of KanjiVG's stroke types, each with the courses that a pen takes for it:
# eight equal steps, their directions counted clockwise in 32nds of a turn (0 right, 8 down,
# g left, o up), and the length in frames. Centres of clusters among the strokes of every second
# kanji of KanjiVG, the sixty that tell most strokes apart; tests/benchmarks/strokes.py measures it.
TYPES = {
    "㇐": "0vvvvv00:0.31 0vvvvvv0:0.28",
    "㇑": "68888888:0.28 78888888:0.45 57888888:0.12",
    "㇒": "9abbbccc:0.30 78899aab:0.56 78999abc:0.55",
    "㇔": "44555566:0.13 23333445:0.24 655430sq:0.10 45556667:0.12",
    "㇕": "vv003799:0.50 vv588888:0.63 0vvv006a:0.53",
    "㇏": "34443332:0.42 12222211:0.57 45544443:0.43",
    "㇀": "1ttttttt:0.26 1vvvvuuu:0.32",
    "㇆": "0026899g:0.75 0vvv29af:0.69 v048899g:0.77 v488888g:0.82",
    "㇇": "0v38abcc:0.58 0vvv2bcc:0.49 v09bbccd:0.68",
    "㇚": "788888aj:0.55 68888aik:0.22",
    "㇟": "788631vr:0.55 7888720s:0.62 7874100v:0.27 7888830v:0.40 786100vq:0.54",
    "㇜": "abba9100:0.46 abc6vvvv:0.53",
    "㇖": "0vvv013c:0.55 vvvvv06c:0.43 0vvv1acc:0.41",
    "㇁": "456789ci:0.45 567889ai:0.65",
    "㇙": "788861tt:0.52 7887vttt:0.34 788883tt:0.56",
    "㇛": "9aa85234:0.60 9aa41223:0.69",
    "㇄": "88410vv0:0.54 7887vvvv:0.54",
    "㇂": "7776654q:0.79",
    "㇓": "788899ab:0.65",
    "㇈": "v058851r:0.74 vv27876u:1.07",
    "㇋": "vu6b66cd:0.51",
    "㇃": "543210vl:0.60",
    "㇗": "88730000:0.69 88880000:1.05",
    "㇉": "95v158ag:0.82",
    "㇞": "783v0179:0.60",
    "㇡": "0v2907af:0.91",
    "㇅": "vv588600:0.68",
}

_STEPS = 8
_COMPASS = "0123456789abcdefghijklmnopqrstuv"
_SIZE_WEIGHT = 0.05  # of a squared log ratio of lengths, against 1 for opposite directions


def _prototypes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Their types (P,), unit steps (P, steps × 2) and lengths (P,)."""
    rows = [(name, *course.split(":")) for name, row in TYPES.items() for course in row.split()]
    turns = np.array([[_COMPASS.index(step) for step in steps] for _, steps, _ in rows])
    angles = 2 * np.pi * turns / len(_COMPASS)
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=-1).reshape(len(rows), -1)
    return np.array([r[0] for r in rows]), steps, np.array([float(r[2]) for r in rows])


_PROTOTYPES = _prototypes()


def classify(strokes: Strokes) -> list[str]:
    """The type of each stroke: the symbol in TYPES whose course is nearest to its own.

    Strokes run as the pen moves, in the unit square of the whole character. The distance is one
    less the mean cosine between steps, and grows with the ratio of the lengths.
    """
    if not strokes:
        return []
    types, steps, lengths = _PROTOTYPES
    walked = np.diff(np.stack([resample(s, _STEPS + 1) for s in strokes]), axis=1)
    step = np.linalg.norm(walked, axis=-1, keepdims=True)
    course = (walked / (step + 1e-9)).reshape(len(strokes), -1)
    # 0.02 frames: a dot may be of any size.
    ratio = np.log(step.sum((1, 2)) + 0.02)[:, None] - np.log(lengths + 0.02)
    distance = 1 - course @ steps.T / _STEPS + _SIZE_WEIGHT * ratio**2
    return types[distance.argmin(1)].tolist()


# ---------------------------------------------------------------------------------------------
# Order

OVERLAP = 0.06  # of the frame: groups may reach into each other by less and still be two groups
TOUCH = 0.06  # of the group's frame: strokes closer than this touch

# How strongly each rule says that one stroke comes before another (log-odds). A logistic
# regression over pairs of KanjiVG's strokes and of traced ones gave the sizes; of 28 rules tried,
# these eight carry the order. tests/benchmarks/strokes.py measures what they reach.
RULES = {
    "starts further left": 3.3,  # times the distance, as in the next two
    "lies higher": 6.7,
    "ends further left": 2.5,
    "more level, and they cross": 0.7,  # 十: times the difference of levelness, as in the next
    "more upright, and they touch": 1.2,  # 口: sides before the bar that closes them
    "the other sets out from it": 1.1,
    "longer": 1.4,  # times the difference
    "above it in the same column": 1.7,
}


def writing_order(strokes: Strokes) -> list[int]:
    """Numbers of the strokes in the order in which a hand would probably write them.

    Groups that stand apart come left to right or top to bottom, the widest gap first, and so on
    within each (a recursive X-Y cut, Nagy and Seth 1984); what 辶 carries comes before 辶; what
    hangs together is sorted pair by pair by RULES. Strokes must run as the pen moves.
    """
    if len(strokes) < 2:
        return list(range(len(strokes)))
    return _ordered(framed(strokes, 16), np.arange(len(strokes)))


def halves(strokes: Strokes) -> tuple[int, ...]:
    """On which side of the widest gap each stroke is: 0 left, 1 right, 2 above, 3 below; -1 for all
    where no gap goes through."""
    points = framed(strokes, 16)
    groups = _apart(points) if len(strokes) > 1 else None
    if not groups:
        return (-1,) * len(strokes)
    first, second = (points[group].mean((0, 1)) for group in groups)
    below = abs(second[1] - first[1]) > abs(second[0] - first[0])
    sides = np.zeros(len(strokes), int)
    sides[groups[0]], sides[groups[1]] = 2 * below, 2 * below + 1
    return tuple(sides.tolist())


def components(strokes: Strokes) -> tuple[int, ...]:
    """Which component each stroke belongs to: groups that stand apart, cut again and again."""
    points = framed(strokes, 16)
    numbers = np.zeros(len(strokes), int)
    queue = [np.arange(len(strokes))]
    number = 0
    while queue:
        here = queue.pop(0)
        groups = _apart(points[here]) if len(here) > 1 else None
        if groups:
            queue += [here[group] for group in groups]
        else:
            numbers[here] = number
            number += 1
    return tuple(numbers.tolist())


def _ordered(points: np.ndarray, numbers: np.ndarray) -> list[int]:
    """`numbers` of the strokes in `points` (all strokes, n, 2), in writing order."""
    if len(numbers) == 1:
        return [int(numbers[0])]
    here = points[numbers]
    groups = _carried_and_carrier(_fill(here)) or _apart(here)
    if groups:
        return [n for group in groups for n in _ordered(points, numbers[group])]
    evidence = _evidence(_fill(here))
    before = -np.logaddexp(0, -evidence)  # log-probability that row comes before column
    left, order = list(range(len(numbers))), []
    while left:
        rows = before[np.ix_(left, left)]
        first = left[int((rows.sum(1) - rows.sum(0)).argmax())]
        order.append(int(numbers[first]))
        left.remove(first)
    return order


def _apart(points: np.ndarray) -> list[np.ndarray] | None:
    """Two groups of strokes with the widest gap between them, the first to write first."""
    low, high = points.min(1), points.max(1)
    best, groups = -OVERLAP, None
    for axis in (0, 1):
        order = np.argsort(low[:, axis] + high[:, axis], kind="stable")
        reached = np.maximum.accumulate(high[order, axis])[:-1]
        begins = np.minimum.accumulate(low[order[::-1], axis])[::-1][1:]
        k = int((begins - reached).argmax())
        if (begins - reached)[k] > best:
            best, groups = (begins - reached)[k], [order[: k + 1], order[k + 1 :]]
    return groups


def _carried_and_carrier(points: np.ndarray) -> list[np.ndarray] | None:
    """What 辶 or 廴 carries, its upper left, and its sweep along the bottom; None without one."""
    low, high, middle = points.min(1), points.max(1), points.mean(1)
    chord = np.linalg.norm(points[:, -1] - points[:, 0], axis=1)
    bent = _lengths(points) > 1.05 * (chord + 0.01)
    for sweep in range(len(points)):
        start, end = points[sweep, 0], points[sweep, -1]
        if not (start[0] < 0.3 and end[0] > 0.8 and low[sweep, 1] > 0.55):
            continue
        beside = (high[:, 0] < 0.42) & (middle[:, 0] < 0.3)
        beside[sweep] = False
        corner = beside & bent & (np.linalg.norm(points[:, -1] - start, axis=1) < 0.12)
        carried = ~beside
        carried[sweep] = False
        # 皿 and 止 have more beside the sweep, or something beneath what would be carried.
        if (
            corner.any()
            and carried.any()
            and beside.sum() <= 4
            and low[carried, 0].min() >= middle[corner][0, 0]
        ):
            return [np.flatnonzero(carried), np.flatnonzero(beside), np.array([sweep])]
    return None


def _evidence(points: np.ndarray) -> np.ndarray:
    """Log-odds, (strokes, strokes), that the row's stroke comes before the column's."""
    low, high = points.min(1), points.max(1)
    start, end, middle = points[:, 0], points[:, -1], points.mean(1)
    last = points.shape[1] - 1

    def later(value: np.ndarray) -> np.ndarray:
        return value[None] - value[:, None]

    extent = np.abs(end - start)
    level = (extent[:, 0] - extent[:, 1]) / (extent.sum(1) + 1e-6)  # 1 level, -1 upright
    distance = np.linalg.norm(points[:, None, :, None] - points[None, :, None], axis=-1)
    nearest = distance.reshape(*distance.shape[:2], -1)
    own, other = np.divmod(nearest.argmin(-1), last + 1)  # the points that are nearest
    touch = nearest.min(-1) < TOUCH
    within_own, within_other = [(at > 1) & (at < last - 1) for at in (own, other)]
    cross = touch & within_own & within_other
    sets_out = (touch & within_own & (other <= 1)).astype(float)
    shared = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None]) > 0.02
    column = shared[..., 0] & ~shared[..., 1]
    signs = (
        later(start[:, 0]),
        later(middle[:, 1]),
        later(end[:, 0]),
        cross * -later(level),
        (touch & ~cross) * later(level),
        sets_out - sets_out.T,
        -later(_lengths(points)),
        column * np.sign(later(middle[:, 1])),
    )
    return sum(weight * sign for weight, sign in zip(RULES.values(), signs, strict=True))


def _lengths(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(points, axis=1), axis=-1).sum(1)

"""Where a writer's pen goes: the strokes of a table as one hand shapes, joins and places them."""

import dataclasses

import numpy as np

from kakitori.reading.characters.strokes import TYPES
from kakitori.synthesis.hand import Hand
from kakitori.synthesis.running import NEVER, redrawn
from kakitori.synthesis.table import POINTS, StrokeTable

PAST = 0.3  # of a stroke's length, or a corner's side: no further does anybody write past an end
WIDEST = 2.2  # a soft brush beside its mean
SHORTEST = 0.1  # of the square: shorter strokes are no less steady than such

# How the pen leaves a stroke of each type: -1 runs out thin, 1 stops with pressure.
_LEAVING = dict.fromkeys(TYPES, 0.4) | dict.fromkeys("㇒㇀㇓㇇㇋㇙㇖", -1.0)
_LEAVING |= dict.fromkeys("㇆㇚㇟㇁㇂㇃㇈㇉", -0.8) | {"㇏": -0.3, "㇔": 0.8, "㇑": 0.2}
_LEAVING_OF = np.array([_LEAVING[t] for t in TYPES], np.float32)


@dataclasses.dataclass(frozen=True)
class Paths:
    """Where the pen goes and how wide it writes, sorted by character.

    points : (T, POINTS, 2) around the frame's centre, in frame widths.
    widths : (T, POINTS) in pixels of the scan; 0 where the pen is lifted on the way to the next.
    number : int (T,), the stroke's number in its character, from 1; 0 for a link between two.
    first : (C + 1,), the first path of each character.
    """

    points: np.ndarray
    widths: np.ndarray
    number: np.ndarray
    first: np.ndarray


def pen_paths(table: StrokeTable, hand: Hand, rng: np.random.Generator) -> Paths:
    """The writer's paths for every character of the table."""
    of, kind, runs_on = table.character, table.kind, table.runs_on & hand.runs_on
    model = table.widths
    total, count = len(of), table.characters

    def noise(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    p = _shaped(table, hand, rng, noise)
    number, order = table.number, np.arange(total)
    if hand.running:
        run = rng.spawn(1)[0]  # a generator of its own: other hands stay as they were
        p, linked, lifted = redrawn(p, table.running, hand.running, run)
    if hand.swaps:
        # Order alone changes, and with it which strokes flow into each other.
        first = np.flatnonzero((of[1:] == of[:-1]) & (rng.random(total - 1) < hand.swaps))
        for k in first.tolist():
            order[k], order[k + 1] = order[k + 1], order[k]
        p, kind, runs_on, number = p[order], kind[order], runs_on[order], number[order]
        model = model[order]
    if hand.flow:
        p = _flowing(p, of, hand.flow)
    p = _rounded(p, hand.rounding)
    if hand.serifs:
        p = _with_serifs(p, hand.serifs, rng.spawn(1)[0])

    pressure = hand.pressure * (0.7 * noise(total, 1) + 0.5 * noise(count)[of][:, None])
    widths = _widths(p, kind, hand) * np.exp(pressure)
    widths = widths * np.clip(model, 0.25, 3) ** np.float32(hand.brushwork)
    if hand.pulse:
        widths = widths * _pulse(total, hand.pulse, rng.spawn(1)[0])
    if hand.contrast > 1:
        pressed = widths ** np.float32(hand.contrast)
        widths = np.minimum(pressed * (widths.mean() / pressed.mean()), WIDEST)
    if hand.lifted:
        widths[widths < hand.lifted * widths.max(1, keepdims=True)] = 0
    if hand.breaks:
        p, widths = _broken(p, widths, hand.breaks, rng.spawn(1)[0])
    stays = _stays_down(p, of, runs_on, hand, rng)
    if hand.running:
        widths[lifted[order]] = 0
        link = table.running.link[order]
        led = linked[order[:-1]] | hand.running.stays(p, link, hand.reach, run)
        stays |= led & (of[1:] == of[:-1]) & (np.diff(order) == 1)
        stays &= link[:-1] != NEVER
    p, widths, of, number = _join(p, widths, of, number, stays, hand)

    first = np.searchsorted(of, np.arange(count + 1))
    p = _on_paper(p, of, first, table, hand, noise)
    if hand.steps:
        p = np.rint(p / np.float32(hand.steps)) * np.float32(hand.steps)
    # Where strokes crowd, people write a little finer.
    crowding = (np.diff(first) / 10).clip(1) ** -0.2
    widths = widths * hand.pen * crowding.astype(np.float32)[of][:, None]
    return Paths(p, widths, number, first)


def _on_paper(
    p: np.ndarray, of: np.ndarray, first: np.ndarray, table: StrokeTable, hand: Hand, noise
) -> np.ndarray:
    """Warp, lean, turn, proportions, size and place, per character and per writer."""
    count = table.characters
    grid = hand.warp + hand.looseness * noise(count, 4, 4, 2)
    p = p + _displacement(grid, of, p)
    loose = np.where(table.kana, 2.0, 1.0)  # what has few strokes leans on nothing
    slant = hand.slant + 0.045 * loose * noise(count)
    rise = hand.rise + 0.03 * loose * noise(count)
    turn = hand.rotation + 0.025 * loose * noise(count)
    aspect = hand.aspect + 0.055 * loose * noise(count)
    size = hand.size * np.where(table.kana, hand.kana_size, 1) * np.exp(0.04 * noise(count))
    shear = np.empty((count, 2, 2), np.float32)
    shear[:, 0, 0], shear[:, 0, 1] = np.exp(aspect / 2), -slant
    shear[:, 1, 0], shear[:, 1, 1] = -rise, np.exp(-aspect / 2)
    rotate = np.empty((count, 2, 2), np.float32)
    rotate[:, 0, 0] = rotate[:, 1, 1] = np.cos(turn)
    rotate[:, 0, 1], rotate[:, 1, 0] = -np.sin(turn), np.sin(turn)
    linear = size[:, None, None] * (rotate @ shear)
    shift = hand.centre + 0.012 * noise(count, 2)
    p = p @ linear[of].transpose(0, 2, 1)
    return _into_frame(p, shift[of], of, first)


def _shaped(table: StrokeTable, hand: Hand, rng: np.random.Generator, noise) -> np.ndarray:
    """The strokes as this writer shapes them, each about its own middle, then the components."""
    of = table.character
    total, count = len(of), table.characters
    begun = (rng.random(total, np.float32) < hand.bare)[:, None, None]
    p = np.where(begun, table.bare, table.points) - np.float32(0.5)
    habit = hand.kinds.astype(np.float32)[table.kind]  # turn, two log scales, bow
    # Kana are all curves, and everyone's are their own.
    loose = np.where(table.kana, 1.25, 1.0)
    effort = (hand.unsteadiness * loose * np.exp(0.3 * noise(count)))[of][:, None]
    middle = p.mean(1, keepdims=True)
    local = p - middle
    length = _lengths(p)[:, None]
    # The hand misses a place by as much, however far it is: short strokes turn and shrink most.
    short = effort / np.maximum(length, SHORTEST)
    angle = (0.5 * short * noise(total, 1))[..., None]
    angle = angle + habit[:, :1, None] * (0.7 + 0.07 / np.maximum(length, SHORTEST))[..., None]
    stretch = hand.brevity + 0.9 * short * noise(total, 1)
    local = local * np.exp(
        stretch[..., None] + 1.0 * effort[..., None] * noise(total, 1, 2) + habit[:, None, 1:3]
    )
    local = np.concatenate(
        [
            local[..., :1] * np.cos(angle) - local[..., 1:] * np.sin(angle),
            local[..., :1] * np.sin(angle) + local[..., 1:] * np.cos(angle),
        ],
        axis=2,
    )
    chord = local[:, -1] - local[:, 0]
    normal = np.stack([-chord[:, 1], chord[:, 0]], 1)
    along = np.linspace(-1, 1, POINTS, dtype=np.float32)
    bend = (hand.bow + habit[:, 3:] + 1.0 * effort * noise(total, 1)) * (1 - along**2)
    local = local + bend[..., None] * normal[:, None]
    # A little further than the model, or not quite as far.
    step = local[:, -1] - local[:, -3]
    step /= np.linalg.norm(step, axis=1, keepdims=True) + 1e-6
    over = (hand.overshoot + 0.5 * effort * noise(total, 1)) * np.minimum(length * 2, 1)
    ramp = np.clip((along - 0.4) / 0.6, 0, 1)[None, :, None]
    local = local + ramp * (over * step)[:, None]
    # A flick where the stroke ends, up to the left after verticals, down-left elsewhere.
    flick = (rng.random(total, np.float32) < hand.hook)[:, None] * np.abs(
        0.05 + 0.02 * noise(total, 1)
    )
    side = np.where(step[:, 1:] > 0.8, [[-0.8, -0.6]], [[-0.5, 0.7]])
    tail = np.clip((along - 0.8) / 0.2, 0, 1)[None, :, None]
    local = local + tail * (flick * side * np.minimum(length * 3, 1))[:, None]
    stray = 0.8 * effort * np.minimum(np.sqrt(length / 0.3), 1)  # dots stay near their place
    p = middle + local + (stray * noise(total, 2))[:, None]

    parts = hand.parts[table.part] * (1 + 0.5 * noise(len(table.part), 4))
    p = _resized(p, table.group, parts)
    side = 5 * table.character + table.side
    habits = np.tile(hand.sides, (count, 1)) * (1 + 0.5 * noise(5 * count, 4))
    habits[4::5] = 0  # those that have no halves
    p = _resized(p, side, habits)
    return _closed(p, table, hand, noise) if hand.closing else p


def _closed(p: np.ndarray, table: StrokeTable, hand: Hand, noise) -> np.ndarray:
    """Strokes whose ends go along with the stroke that they should end on, or stay short of it."""
    stroke, point, onto = table.joints.T
    if not len(stroke):
        return p
    before = np.minimum(table.meets.astype(int), POINTS - 2)
    share = (table.meets - before)[:, None]

    def foot(lines: np.ndarray) -> np.ndarray:
        return lines[onto, before] * (1 - share) + lines[onto, before + 1] * share

    way = p[stroke, point] - p[stroke, np.where(point > 0, POINTS - 4, 3)]
    way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-6
    # Who can write leaves a gap or none, and hardly ever writes past the other stroke.
    short = hand.gap * np.abs(1 + 0.7 * noise(len(stroke), 1)) + 0.008 * noise(len(stroke), 1)
    if hand.gap < 0:
        short = np.maximum(short, -PAST * _lengths(p)[stroke, None])
    due = table.points[stroke, point] - foot(table.points) - short * way
    end = 2 * stroke + (point > 0)
    count = np.bincount(end, minlength=2 * len(p)).clip(1)
    t = np.linspace(0, 1, POINTS, dtype=np.float32)[None, :, None]
    # At a corner both ends go half way, again and again.
    for _ in range(3):
        pull = 0.6 * hand.closing * (foot(p) + due - p[stroke, point])
        ends = np.stack([np.bincount(end, pull[:, k], 2 * len(p)) / count for k in (0, 1)], 1)
        ends = ends.astype(np.float32).reshape(-1, 2, 1, 2)
        p = p + ends[:, 0] * (1 - t) + ends[:, 1] * t
    return p


def _resized(p: np.ndarray, group: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Groups of strokes scaled about their centres and moved: two log scales and a shift each."""
    sizes = np.bincount(group, minlength=len(change)).clip(1)
    middle = p.mean(1)
    centre = [np.bincount(group, middle[:, k], len(change)) / sizes for k in (0, 1)]
    centre = np.stack(centre, 1).astype(np.float32)[group][:, None]
    change = change.astype(np.float32)[group][:, None]
    return centre + (p - centre) * np.exp(change[..., :2]) + change[..., 2:]


def _flowing(p: np.ndarray, of: np.ndarray, flow: float) -> np.ndarray:
    """Strokes whose ends bend towards the next one's start, and whose starts come from there."""
    gap = p[1:, 0] - p[:-1, -1]
    near = (of[1:] == of[:-1]) * np.exp(-np.linalg.norm(gap, axis=1) / 0.3)
    pull = (flow * near)[:, None] * gap
    t = np.linspace(0, 1, POINTS, dtype=np.float32)[None, :, None]
    p = p.copy()
    p[:-1] += np.clip((t - 0.75) / 0.25, 0, 1) ** 2 * pull[:, None]
    p[1:] -= 0.3 * np.clip((0.2 - t) / 0.2, 0, 1) * pull[:, None]
    return p


def _rounded(p: np.ndarray, sigma: float) -> np.ndarray:
    """Strokes (T, POINTS, 2) smoothed along themselves, the more the quicker they are drawn: long
    ones more than short ones, which have less to lose."""
    length = _lengths(p)
    spacing = np.maximum(length, 1e-3) / (POINTS - 1)
    reach = np.minimum(sigma * (0.6 + 0.4 * length), 0.12 * length)
    # A pass of (1 2 1) / 4 has a variance of half a step.
    passes = np.minimum(2 * (reach / spacing) ** 2, 12)[:, None, None]
    for step in range(int(np.ceil(passes.max()))):
        share = np.clip(passes - step, 0, 1)
        p[:, 1:-1] += share * (p[:, :-2] - 2 * p[:, 1:-1] + p[:, 2:]) / 4
    return p


def _lengths(p: np.ndarray) -> np.ndarray:
    """Of strokes (T, POINTS, 2), along themselves: (T,)."""
    return np.linalg.norm(np.diff(p, axis=1), axis=2).sum(1)


def _widths(p: np.ndarray, kind: np.ndarray, hand: Hand) -> np.ndarray:
    """Relative pen width along strokes (T, POINTS): pressed or light where they begin and end, by
    the direction where the nib is broad."""
    t = np.linspace(0, 1, POINTS, dtype=np.float32)
    start, end = hand.taper
    profile = 1 + start * np.exp(-t / 0.15) + end * np.exp((t - 1) / 0.2)
    profile *= 1 - hand.waist * np.sin(np.pi * t) ** 2
    leaving = hand.flair * _LEAVING_OF[kind][:, None] * np.exp((t - 1) / 0.25)
    width = np.maximum(profile + leaving, 0.25)
    angle, ratio = hand.nib
    if ratio < 1:
        step = np.gradient(p, axis=1)
        step /= np.linalg.norm(step, axis=2, keepdims=True) + 1e-6
        # A stroke along the nib is as thin as the nib, one across it as wide.
        across = step[..., 1] * np.cos(angle) - step[..., 0] * np.sin(angle)
        width = width * np.sqrt(ratio**2 + (1 - ratio**2) * across**2)
    return width.astype(np.float32)


def _pulse(count: int, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Factors of the width, (count, POINTS): no two strokes of a brush are pressed alike, nor one
    all along; least of all where it is set down and lifted, where it is thinner more than wider."""
    knots = rng.standard_normal((count, 5), np.float32) * np.array([3, 1, 1, 1, 3], np.float32)
    at = np.linspace(0, 4, POINTS, dtype=np.float32)
    share = np.clip(1 - np.abs(at[None] - np.arange(5, dtype=np.float32)[:, None]), 0, 1)
    return np.exp(np.clip(scale * knots @ share, -1.2, 0.4))


def _broken(
    p: np.ndarray, widths: np.ndarray, past: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Strokes whose sharpest corner is where two lines cross: the pen is lifted there."""
    ways = p[:, 3:] - p[:, :-3]
    ways /= np.linalg.norm(ways, axis=2, keepdims=True) + 1e-6
    before, after = ways[:, :-3], ways[:, 3:]  # at all points but three at either end
    cosine = (before * after).sum(2)
    at = cosine.argmin(1)
    length = _lengths(p)
    # No small hook, nor where a stroke turns back on itself.
    row = np.flatnonzero((np.abs(cosine[np.arange(len(p)), at]) < 0.7) & (length > 0.25))
    at = at[row]
    by = past * np.abs(1 + 0.7 * rng.standard_normal((2, len(row), 1), np.float32))
    by = np.minimum(by, PAST * length[row, None] / 2)
    corner = p[row, at + 3]
    p, widths = p.copy(), widths.copy()
    p[row, at + 3] = corner + by[0] * before[row, at]
    p[row, at + 4] = corner - by[1] * after[row, at]
    widths[row, at + 3] = 0
    return p, widths


def _with_serifs(p: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Strokes (T, POINTS, 2) whose ends turn aside, as those of brush-like print: seven in ten
    begin further up or left, and half of those that end to the right end above or below, many of
    them turned back, as who draws the triangle that ends a line of print in one go."""
    count = len(p)
    along = np.linalg.norm(np.diff(p, axis=1, prepend=p[:, :1]), axis=2).cumsum(1)
    length = along[:, -1:]
    for start in (True, False):
        way = p[:, 0] - p[:, 4] if start else p[:, -1] - p[:, -5]  # out of the stroke
        way = way / (np.linalg.norm(way, axis=1, keepdims=True) + 1e-6)
        across = np.stack([way[:, 1], -way[:, 0]], 1)
        if start:
            turned = rng.random(count, np.float32) < 0.7
            across *= np.where(across.sum(1, keepdims=True) > 0, -1, 1)
        else:
            turned = (rng.random(count, np.float32) < 0.5) & (way[:, 0] > 0.8)
            across *= rng.choice([-1, 1], (count, 1))
        angle = rng.uniform(0.2, 0.5 if start else 0.8, (count, 1)) * np.pi
        by = size * np.abs(1 + 0.4 * rng.standard_normal((count, 1), np.float32))
        by = turned[:, None] * np.minimum(by, PAST * length)
        beyond = np.clip(by - (along if start else length - along), 0, None)
        aside = np.sin(angle) * across + (np.cos(angle) - 1) * way
        p = p + beyond[..., None] * aside[:, None]
    return p.astype(np.float32)


def _stays_down(
    p: np.ndarray, of: np.ndarray, runs_on: np.ndarray, hand: Hand, rng: np.random.Generator
) -> np.ndarray:
    """Whether the pen stays down between each stroke and the next, bool (T - 1,)."""
    far = np.linalg.norm(p[1:, 0] - p[:-1, -1], axis=1)
    near = np.exp(-((far / max(hand.reach, 1e-3)) ** 2))
    chance = np.maximum(hand.joining * near, 0.9 * runs_on[:-1])
    return (of[1:] == of[:-1]) & (rng.random(len(far), np.float32) < chance)


def _join(
    p: np.ndarray,
    widths: np.ndarray,
    of: np.ndarray,
    number: np.ndarray,
    stays: np.ndarray,
    hand: Hand,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where the pen stays down, a light connecting path from a stroke's end to the next's start."""
    after = np.flatnonzero(stays)
    if not len(after):
        return p, widths, of, number
    gap = p[after + 1, 0] - p[after, -1]
    t = np.linspace(0, 1, POINTS, dtype=np.float32)[None, :, None]
    link = p[after, -1][:, None] * (1 - t) + p[after + 1, 0][:, None] * t
    ends = widths[after, -1][:, None], widths[after + 1, 0][:, None]
    if hand.running:
        link = link + hand.running.curve(p[after], p[after + 1], t)
        light = hand.running.light(*ends, np.linalg.norm(gap, axis=1), t[..., 0])
    else:
        link = link + np.stack([gap[:, 1], -gap[:, 0]], 1)[:, None] * 0.15 * (4 * t * (1 - t))
        light = np.broadcast_to(hand.link * sum(ends) / 2, (len(after), POINTS))
    order = np.argsort(np.concatenate([of, of[after]]), kind="stable")
    return (
        np.concatenate([p, link])[order],
        np.concatenate([widths, light])[order],
        np.concatenate([of, of[after]])[order],
        np.concatenate([number, np.zeros_like(after)])[order],
    )


def _displacement(grid: np.ndarray, of: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Bilinear look-up of each character's (4, 4, 2) grid at its strokes' points."""
    at = np.clip((p + 0.5) * 3, 0, 2.999)
    cell = at.astype(np.int64)
    fx, fy = (at - cell)[..., :1], (at - cell)[..., 1:]
    # Smooth steps, so that a stroke does not break at a cell's border.
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    row = of[:, None]
    x, y = cell[..., 0], cell[..., 1]
    return (
        grid[row, y, x] * (1 - fx) * (1 - fy)
        + grid[row, y, x + 1] * fx * (1 - fy)
        + grid[row, y + 1, x] * (1 - fx) * fy
        + grid[row, y + 1, x + 1] * fx * fy
    ).astype(np.float32)


def _into_frame(p: np.ndarray, shift: np.ndarray, of: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Shift the characters, and pull back those that would leave the sheet's frame."""
    p = p + shift[:, None].astype(np.float32)
    low = np.minimum.reduceat(p.min(1), first[:-1])
    high = np.maximum.reduceat(p.max(1), first[:-1])
    limit = 0.475
    shrink = np.minimum(1, 2 * limit / (high - low).max(1))[:, None]
    middle = (low + high) / 2
    half = (high - low) / 2 * shrink
    centre = np.clip(middle, -limit + half, limit - half)
    return (p - middle[of][:, None]) * shrink[of][:, None] + centre[of][:, None]

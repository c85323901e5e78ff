"""A writer's hand: turns strokes into images as one person would write them.

A *writer* is a seed. Habits (slant, proportions, pen, steadiness, joined strokes, …) are drawn
once per writer; smaller noise is drawn per character and per stroke. All geometry of a writer's
page is computed as whole arrays, then each character is drawn with an anti-aliased pen.
"""

import dataclasses

import cv2
import numpy as np

from kakitori.writing.glyphs import Strokes

POINTS = 16  # per stroke: enough for three corners, few enough to draw quickly
OVERSAMPLING = 2  # strokes are drawn at twice the scan's resolution, then averaged
SCAN = (127, 128)  # rows, columns of an ETL9G image


@dataclasses.dataclass(frozen=True)
class StrokeTable:
    """Strokes of many characters as one array, sorted by character.

    points : float32 (T, POINTS, 2), evenly spaced along each stroke, unit square, y down.
    character : int32 (T,), index of the character that the stroke belongs to.
    characters : how many characters there are.
    """

    points: np.ndarray
    character: np.ndarray
    characters: int

    @classmethod
    def of(cls, strokes: list[Strokes]) -> "StrokeTable":
        points = [_evenly(stroke) for character in strokes for stroke in character]
        counts = [len(character) for character in strokes]
        return cls(
            np.stack(points).astype(np.float32),
            np.repeat(np.arange(len(strokes), dtype=np.int32), counts),
            len(strokes),
        )


def _evenly(stroke: np.ndarray) -> np.ndarray:
    steps = np.linalg.norm(np.diff(stroke, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.linspace(0, along[-1], POINTS)
    return np.stack([np.interp(at, along, stroke[:, k]) for k in (0, 1)], axis=1)


@dataclasses.dataclass(frozen=True)
class Hand:
    """One writer's habits. Lengths are fractions of the character's square, angles radians."""

    slant: float  # horizontal shear; positive leans right
    rise: float  # vertical shear: horizontals that climb to the right
    rotation: float
    aspect: float  # log of width over height
    size: float  # of the frame
    centre: np.ndarray  # (2,) shift of the character in its frame
    pen: float  # width in pixels of the scan
    pressure: float  # spread of the width from stroke to stroke
    taper: np.ndarray  # (2,) change of the width at a stroke's start and end
    unsteadiness: float  # scale of the noise per stroke
    warp: np.ndarray  # (4, 4, 2) displacements of a grid over the square, the same on every page
    looseness: float  # the same kind of warp, anew for each character
    bow: float  # common curvature of this writer's strokes
    overshoot: float  # strokes end later (or sooner) than the model's
    hook: float  # chance that a stroke ends in a flick
    rounding: int  # passes of the filter that rounds corners
    joining: float  # chance that the pen stays down between two near strokes
    darkness: float  # ink level, 0–1
    blur: float  # sigma in pixels of the scan
    noise: float  # of the scanner, in levels
    paper: float  # background, in levels

    @classmethod
    def printed(cls) -> "Hand":
        """The hand of no one: even strokes where the model has them, for printed models."""
        return cls(
            slant=0.0,
            rise=0.0,
            rotation=0.0,
            aspect=0.0,
            size=0.9,
            centre=np.zeros(2),
            pen=4.5,
            pressure=0.0,
            taper=np.zeros(2),
            unsteadiness=0.0,
            warp=np.zeros((4, 4, 2)),
            looseness=0.0,
            bow=0.0,
            overshoot=0.0,
            hook=0.0,
            rounding=0,
            joining=0.0,
            darkness=1.0,
            blur=0.0,
            noise=0.0,
            paper=0.0,
        )

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Hand":
        unsteadiness = rng.uniform(0.010, 0.045)
        return cls(
            slant=rng.normal(0.0, 0.12),
            rise=rng.normal(0.05, 0.06),
            rotation=rng.normal(0.0, 0.05),
            aspect=rng.normal(0.0, 0.10),
            size=rng.uniform(0.72, 0.98),
            centre=rng.normal(0.0, 0.02, 2),
            pen=np.exp(rng.uniform(np.log(2.6), np.log(8.0))),
            pressure=rng.uniform(0.05, 0.20),
            taper=rng.uniform([-0.35, -0.7], [0.45, 0.25]),
            unsteadiness=unsteadiness,
            warp=rng.normal(0.0, 0.025, (4, 4, 2)),
            looseness=rng.uniform(0.010, 0.030),
            bow=rng.normal(0.0, 0.025),
            overshoot=rng.normal(0.01, 0.02),
            hook=rng.choice([0.0, 0.1, 0.35], p=[0.4, 0.4, 0.2]),
            rounding=int(rng.integers(0, 4)),
            joining=rng.choice([0.0, 0.15, 0.45], p=[0.66, 0.2, 0.14]),
            darkness=rng.uniform(0.55, 1.0),
            blur=rng.uniform(0.0, 0.9),
            noise=rng.uniform(0.0, 0.6),
            paper=rng.uniform(0.0, 1.5),
        )


def write_page(
    table: StrokeTable, seed: int, writer: int | tuple[int, ...], page: int = 0
) -> np.ndarray:
    """Every character of the table in one writer's hand.

    Parameters
    ----------
    writer : any number or numbers that stand for the writer; the same hand on every `page`.

    Returns
    -------
    uint8 (characters, 127, 128), scanner levels 0–15, 0 = paper, as ETL9G stores them.
    The result depends on `seed`, `writer` and `page` alone.
    """
    key = [seed, *np.atleast_1d(writer).tolist()]
    rng = np.random.default_rng(key)
    hand = Hand.draw(rng)
    if page:
        rng = np.random.default_rng([*key, page])
    return draw_page(table, hand, rng)


def draw_page(table: StrokeTable, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Every character of the table in one hand, as `write_page` returns them."""
    points, widths, first = _pen_paths(table, hand, rng)
    blank = np.zeros((SCAN[0] * OVERSAMPLING, SCAN[1] * OVERSAMPLING), np.uint8)
    page = np.empty((table.characters, *SCAN), np.uint8)
    scale = OVERSAMPLING * 16  # cv2 takes coordinates in sixteenths
    centre = np.array(SCAN[::-1], np.float32) / 2
    fixed = np.round((points * SCAN[1] + centre) * scale - 8).astype(np.int32)
    thickness = np.maximum(np.round(widths * OVERSAMPLING), 2).astype(np.int32)
    for character in range(table.characters):
        canvas = blank.copy()
        begin, end = first[character], first[character + 1]
        _draw(canvas, fixed[begin:end], thickness[begin:end])
        page[character] = cv2.resize(canvas, SCAN[::-1], interpolation=cv2.INTER_AREA)
    return _scan(page, hand, rng)


def _pen_paths(
    table: StrokeTable, hand: Hand, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the pen goes and how wide it writes.

    Returns points (T', POINTS, 2) around the frame's centre, in frame widths; the width at each
    point (T', POINTS) in pixels of the scan; and the first path of each character (C + 1,).
    """
    p = table.points - 0.5
    of = table.character
    total, count = len(p), table.characters

    def noise(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    # Per stroke: turn, stretch, bend and shift it about its own middle.
    effort = hand.unsteadiness * np.exp(0.3 * noise(count))[of][:, None]
    middle = p.mean(1, keepdims=True)
    local = p - middle
    length = np.linalg.norm(np.diff(p, axis=1), axis=2).sum(1, keepdims=True)
    angle = (1.2 * effort * noise(total, 1) / np.sqrt(np.maximum(length, 0.25)))[..., None]
    local = local * np.exp(2.0 * effort[..., None] * noise(total, 1, 2))
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
    bend = (hand.bow + 1.2 * effort * noise(total, 1)) * (1 - along**2)
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
    for _ in range(hand.rounding):
        p[:, 1:-1] = (p[:, :-2] + 2 * p[:, 1:-1] + p[:, 2:]) / 4

    widths = np.broadcast_to(_profile(hand), (total, POINTS)) * np.exp(
        hand.pressure * (0.7 * noise(total, 1) + 0.5 * noise(count)[of][:, None])
    )
    p, widths, of = _join(p, widths, of, hand, rng)

    # Per character and per writer: warp, lean, turn, proportions, size, place.
    grid = hand.warp + hand.looseness * noise(count, 4, 4, 2)
    p = p + _displacement(grid, of, p)
    slant = hand.slant + 0.04 * noise(count)
    rise = hand.rise + 0.025 * noise(count)
    turn = hand.rotation + 0.025 * noise(count)
    aspect = hand.aspect + 0.05 * noise(count)
    size = hand.size * np.exp(0.04 * noise(count))
    shear = np.empty((count, 2, 2), np.float32)
    shear[:, 0, 0], shear[:, 0, 1] = np.exp(aspect / 2), -slant
    shear[:, 1, 0], shear[:, 1, 1] = -rise, np.exp(-aspect / 2)
    rotate = np.empty((count, 2, 2), np.float32)
    rotate[:, 0, 0] = rotate[:, 1, 1] = np.cos(turn)
    rotate[:, 0, 1], rotate[:, 1, 0] = -np.sin(turn), np.sin(turn)
    linear = size[:, None, None] * (rotate @ shear)
    shift = hand.centre + 0.012 * noise(count, 2)
    p = p @ linear[of].transpose(0, 2, 1)
    first = np.searchsorted(of, np.arange(count + 1))
    p = _into_frame(p, shift[of], of, first)
    # Where strokes crowd, people write a little finer.
    crowding = (np.diff(first) / 10).clip(1) ** -0.2
    return p, widths * hand.pen * crowding.astype(np.float32)[of][:, None], first


def _profile(hand: Hand) -> np.ndarray:
    """Relative pen width along a stroke: pressed or light where it begins and ends."""
    t = np.linspace(0, 1, POINTS, dtype=np.float32)
    start, end = hand.taper
    return np.maximum(1 + start * np.exp(-t / 0.15) + end * np.exp((t - 1) / 0.2), 0.3)


def _join(
    p: np.ndarray, widths: np.ndarray, of: np.ndarray, hand: Hand, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the pen stays down, a light connecting path from a stroke's end to the next's start."""
    gap = p[1:, 0] - p[:-1, -1]
    near = np.linalg.norm(gap, axis=1) < 0.35
    stays = rng.random(len(gap), np.float32) < hand.joining
    after = np.flatnonzero((of[1:] == of[:-1]) & near & stays)
    if not len(after):
        return p, widths, of
    t = np.linspace(0, 1, POINTS, dtype=np.float32)[None, :, None]
    link = p[after, -1][:, None] * (1 - t) + p[after + 1, 0][:, None] * t
    sag = np.stack([gap[after, 1], -gap[after, 0]], 1)[:, None] * 0.15 * (4 * t * (1 - t))
    light = 0.55 * (widths[after, -1] + widths[after + 1, 0])[:, None] / 2
    order = np.argsort(np.concatenate([of, of[after]]), kind="stable")
    return (
        np.concatenate([p, link + sag])[order],
        np.concatenate([widths, np.broadcast_to(light, (len(after), POINTS))])[order],
        np.concatenate([of, of[after]])[order],
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


def _draw(canvas: np.ndarray, points: np.ndarray, thickness: np.ndarray) -> None:
    """Strokes as runs of equal thickness, all runs of one thickness in one call."""
    segment = thickness[:, :-1]
    breaks = np.ones(segment.shape, bool)
    breaks[:, 1:] = segment[:, 1:] != segment[:, :-1]
    stroke, start = np.nonzero(breaks)
    stop = np.append(start[1:], 0)
    stop[np.append(stroke[1:] != stroke[:-1], True)] = segment.shape[1]
    runs: dict[int, list[np.ndarray]] = {}
    for s, a, b, t in zip(
        stroke.tolist(), start.tolist(), stop.tolist(), segment[stroke, start].tolist(), strict=True
    ):
        runs.setdefault(t, []).append(points[s, a : b + 1])
    for t, lines in runs.items():
        cv2.polylines(canvas, lines, False, 255, t, cv2.LINE_8, 4)


def _scan(page: np.ndarray, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """What the scanner makes of the page: blur, ink and paper levels, noise, 16 grey levels."""
    if hand.blur > 0.2:
        for image in page:
            cv2.GaussianBlur(image, (5, 5), hand.blur, dst=image)
    ink = 15 * hand.darkness * np.exp(0.08 * rng.standard_normal(len(page), np.float32))
    # One gain per character, one small table of noise rolled over the page: the scanner's noise
    # has no memory, and drawing sixteen thousand numbers a character would cost more than the pen.
    levels = (np.clip(ink, 6, 15) - hand.paper)[:, None] * np.arange(256, dtype=np.float32) / 255
    levels = levels + hand.paper
    noise = (hand.noise * rng.standard_normal(1 << 16, np.float32)).astype(np.float32)
    area = page.shape[1] * page.shape[2]
    offsets = rng.integers(0, (1 << 16) - area, len(page))
    out = np.empty_like(page)
    for i, image in enumerate(page):
        grey = cv2.LUT(image, levels[i]) + noise[offsets[i] : offsets[i] + area].reshape(SCAN)
        out[i] = np.clip(np.rint(grey), 0, 15)
    return out

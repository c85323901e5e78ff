"""A writer's hand: turns strokes into images as one person would write them.

A *writer* is a seed. Habits (slant, proportions, pen, steadiness, joined strokes, how a kind of
stroke or a component is shaped, …) are drawn once per writer; smaller noise is drawn per character
and per stroke. All geometry of a writer's page is computed as whole arrays, then each character is
drawn with an anti-aliased pen.
"""

import dataclasses
import itertools
import zlib
from collections.abc import Sequence

import cv2
import numpy as np

from kakitori.reading.characters import charset
from kakitori.reading.characters.strokes import TYPES, Form, halves

POINTS = 20  # per stroke, closer where it bends, so that no corner of kana is lost
CURVE = 0.5  # of a stroke's points, those for each half turn beside those for its whole length
TOUCH = 0.03  # of the square: an end so near to another stroke is meant to end on it
ENTRY = 0.13  # of a stroke: so much of it is the small hook with which a brush begins
HOOKED = np.cos(np.radians(30))  # where the first bit of it differs by more from what follows
SHORTEST = 0.1  # of the square: shorter strokes are no less steady than such
OVERSAMPLING = 2  # strokes are drawn at twice the scan's resolution, then averaged
SCAN = (127, 128)  # rows, columns of an ETL9G image
PARTS = 1024  # components that a writer can have habits for; further ones share them

# How the pen leaves a stroke of each type: -1 runs out thin, 1 stops with pressure.
_LEAVING = dict.fromkeys(TYPES, 0.4) | dict.fromkeys("㇒㇀㇓㇇㇋㇙㇖", -1.0)
_LEAVING |= dict.fromkeys("㇆㇚㇟㇁㇂㇃㇈㇉", -0.8) | {"㇏": -0.3, "㇔": 0.8, "㇑": 0.2}
_LEAVING_OF = np.array([_LEAVING[t] for t in TYPES], np.float32)

# Kana of so many strokes, and the one (from 0) after which many hands do not lift the pen.
_RUN_ON = {"き": (4, 2), "さ": (3, 1), "り": (2, 0), "ふ": (4, 0), "ゆ": (2, 0), "こ": (2, 0)}
_RUN_ON |= {"い": (2, 0), "け": (3, 0), "は": (3, 0), "ほ": (4, 0), "に": (3, 1), "た": (4, 2)}
_RUN_ON |= {"ぎ": (6, 2), "ざ": (5, 1), "ぶ": (6, 0), "ぷ": (5, 0), "ご": (4, 0), "だ": (6, 2)}


@dataclasses.dataclass(frozen=True)
class StrokeTable:
    """Strokes of many characters as one array, sorted by character.

    points : float32 (T, POINTS, 2) along each stroke, closer where it bends, unit square, y down.
    character : int32 (T,), index of the character that the stroke belongs to.
    kind : int16 (T,), its type, counted as in strokes.TYPES.
    group : int32 (T,), the component of its character that it belongs to, counted over the table.
    part : int32 (G,), what each of these components is: strokes of the same types in the same order
        have the same number in every character.
    side : int16 (T,), where its half of the character is (strokes.halves), 4 where it has none.
    number : int64 (T,), the stroke's number in its character, from 1.
    runs_on : bool (T,), strokes that many hands do not lift the pen after (さ, り, ふ …).
    bare : float32 (T, POINTS, 2), the strokes without the small hook that a brush begins with.
    widths : float32 (T, POINTS), how wide the model's pen is there beside its mean; 1 where the
        source knows nothing of pens.
    joints : int (J, 3), ends that lie on another stroke: the stroke, its point there (0 or the
        last), and the stroke that it lies on. meets : float32 (J,), the place on that, in points.
    kana : bool (C,), which of the C characters are kana.
    """

    points: np.ndarray
    character: np.ndarray
    kind: np.ndarray
    group: np.ndarray
    part: np.ndarray
    side: np.ndarray
    number: np.ndarray
    runs_on: np.ndarray
    bare: np.ndarray
    widths: np.ndarray
    joints: np.ndarray
    meets: np.ndarray
    kana: np.ndarray

    @property
    def characters(self) -> int:
        return len(self.kana)

    @classmethod
    def of(cls, forms: dict[str, Form], text: Sequence[str]) -> "StrokeTable":
        """The table of the characters of `text`, one entry for each time they come."""
        chosen = [forms[character] for character in text]
        group, part, runs_on = [], [], []
        for character, form in zip(text, chosen, strict=True):
            numbers = sorted(set(form.components))
            group += [len(part) + numbers.index(n) for n in form.components]
            for n in numbers:
                own = (t for t, m in zip(form.types, form.components, strict=True) if m == n)
                part.append(zlib.crc32("".join(own).encode()) % PARTS)
            strokes, after = _RUN_ON.get(character, (0, 0))
            true = len(form.strokes) == strokes  # a traced form may have them joined already
            runs_on += [true and k == after for k in range(len(form.strokes))]
        number = {name: k for k, name in enumerate(TYPES)}
        counts = [len(form.strokes) for form in chosen]
        strokes = [s for form in chosen for s in form.strokes]
        even = [[np.ones(len(s)) for s in form.strokes] for form in chosen]
        widths = [w for f, ones in zip(chosen, even, strict=True) for w in f.widths or ones]
        points, widths = _placed(strokes, widths)
        firsts = np.concatenate([[0], np.cumsum(counts)]).tolist()
        found = [_touching(points[a:b]) for a, b in itertools.pairwise(firsts)]
        shifts = zip(found, firsts[:-1], strict=True)
        return cls(
            points=points,
            bare=_bare(strokes, points),
            widths=widths,
            joints=np.concatenate([j + np.array([a, 0, a]) for (j, _), a in shifts]),
            meets=np.concatenate([at for _, at in found]).astype("f4"),
            character=np.repeat(np.arange(len(chosen), dtype=np.int32), counts),
            kind=np.array([number[t] for form in chosen for t in form.types], np.int16),
            group=np.array(group, np.int32),
            part=np.array(part, np.int32),
            side=np.array([s % 5 for form in chosen for s in halves(form.strokes)], np.int16),
            number=np.concatenate([np.arange(1, count + 1) for count in counts]),
            runs_on=np.array(runs_on),
            kana=np.array([charset.is_kana(ord(c)) for c in text]),
        )

    def only(self, kept: np.ndarray) -> "StrokeTable":
        """The table without the strokes for which `kept`, bool (T,), is false."""
        names = ("points", "bare", "widths", "character", "kind", "group", "side", "number")
        names += ("runs_on",)
        both = kept[self.joints[:, 0]] & kept[self.joints[:, 2]]
        joints = self.joints[both]
        joints[:, ::2] = (np.cumsum(kept) - 1)[joints[:, ::2]]
        return dataclasses.replace(
            self,
            joints=joints,
            meets=self.meets[both],
            **{name: getattr(self, name)[kept] for name in names},
        )


def _placed(
    strokes: Sequence[np.ndarray], widths: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """POINTS points along each polyline, the closer the more it bends there: (T, POINTS, 2); and
    the widths there, of which each polyline has one at each of its own points."""
    fine = _evenly(strokes, widths, 5 * POINTS)
    step = np.diff(fine[..., :2], axis=1)
    cross = step[:, :-1, 0] * step[:, 1:, 1] - step[:, :-1, 1] * step[:, 1:, 0]
    bend = CURVE / np.pi * np.abs(np.arctan2(cross, (step[:, 1:] * step[:, :-1]).sum(2)))
    weight = np.full(step.shape[:2], 1 / step.shape[1])
    weight[:, :-1] += bend / 2
    weight[:, 1:] += bend / 2
    at = np.concatenate([np.zeros((len(fine), 1)), np.cumsum(weight, axis=1)], axis=1)
    share = (at / at[:, -1:]).ravel()
    placed = _read_along(np.full(len(fine), at.shape[1]), share, fine.reshape(-1, 3), POINTS)
    return placed[..., :2].astype(np.float32), placed[..., 2].astype(np.float32)


def _evenly(strokes: Sequence[np.ndarray], widths: Sequence[np.ndarray], count: int) -> np.ndarray:
    """x, y and width at `count` places evenly along each polyline: (T, count, 3)."""
    length = np.array([len(stroke) for stroke in strokes])
    last = np.cumsum(length)
    flat = np.column_stack([np.concatenate(strokes), np.concatenate(widths)])
    step = np.hypot(*np.diff(flat[:, :2], axis=0).T)
    step[last[:-1] - 1] = 0  # from one polyline to the next nothing is drawn
    along = np.concatenate([[0.0], np.cumsum(step)])
    start, whole = along[last - length], along[last - 1] - along[last - length]
    share = (along - np.repeat(start, length)) / np.repeat(np.maximum(whole, 1e-12), length)
    return _read_along(length, share, flat, count)


def _read_along(
    length: np.ndarray, share: np.ndarray, values: np.ndarray, count: int
) -> np.ndarray:
    """Of T polylines with so many points each, one behind the other, the values (N, K) at `count`
    even shares of the way, (T, count, K); `share` (N,), from 0 to 1, says how far each point is."""
    # One line of all polylines, each from its own whole number to half-way to the next.
    row = np.arange(len(length))
    even = (row[:, None] + 0.5 * np.linspace(0, 1, count)).ravel()
    at = np.repeat(row, length) + 0.5 * share
    return np.stack([np.interp(even, at, v) for v in values.T], 1).reshape(len(row), count, -1)


def _bare(strokes: Sequence[np.ndarray], points: np.ndarray) -> np.ndarray:
    """`_placed` strokes (T, POINTS, 2), those that begin with a small hook without it."""
    fine = _evenly(strokes, [np.ones(len(s)) for s in strokes], 61)[..., :2]
    cut = round(60 * ENTRY)
    first, after = fine[:, cut // 2] - fine[:, 0], fine[:, 2 * cut] - fine[:, cut]
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(after, axis=1)
    hooked = np.flatnonzero((first * after).sum(1) < HOOKED * norms)
    points = points.copy()
    if len(hooked):
        rest = list(fine[hooked, cut:])
        points[hooked] = _placed(rest, [np.ones(len(s)) for s in rest])[0]
    return points


def _touching(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The joints of one character's strokes (n, POINTS, 2), int (J, 3), and where they meet."""
    ends = points[:, [0, -1]].reshape(-1, 2)
    start, step = points[:, :-1], np.diff(points, axis=1)
    squared = np.maximum((step**2).sum(2), 1e-12)
    along = ((ends[:, None, None] - start) * step).sum(3) / squared
    along = np.clip(along, 0, 1)
    far = np.linalg.norm(start + along[..., None] * step - ends[:, None, None], axis=3)
    own = np.arange(len(points))
    far.reshape(len(points), 2, len(points), -1)[own, :, own] = np.inf
    segment = far.argmin(2)
    row, onto = np.nonzero(far.min(2) < TOUCH)
    segment = segment[row, onto]
    joints = np.stack([row // 2, row % 2 * (POINTS - 1), onto], axis=1)
    return joints, segment + along[row, onto, segment]


@dataclasses.dataclass(frozen=True)
class Hand:
    """One writer's habits. Lengths are fractions of the character's square, angles radians."""

    slant: float  # horizontal shear; positive leans right
    rise: float  # vertical shear: horizontals that climb to the right
    rotation: float
    aspect: float  # log of width over height
    size: float  # of the frame
    kana_size: float  # of kana, beside that of kanji
    centre: np.ndarray  # (2,) shift of the character in its frame
    pen: float  # width in pixels of the scan
    nib: np.ndarray  # (2,) angle of a broad nib, and its thickness over its width
    pressure: float  # spread of the width from stroke to stroke
    taper: np.ndarray  # (2,) change of the width at a stroke's start and end
    flair: float  # how much thinner or thicker strokes end by their kind
    brushwork: float  # how far widths follow the model's, where it was written with a brush
    unsteadiness: float  # scale of the noise per stroke
    warp: np.ndarray  # (4, 4, 2) displacements of a grid over the square, the same on every page
    looseness: float  # the same kind of warp, anew for each character
    bow: float  # common curvature of this writer's strokes
    kinds: np.ndarray  # (types, 4) turn, two log scales and bow of each type of stroke
    parts: np.ndarray  # (PARTS, 4) two log scales and a shift of each component
    sides: np.ndarray  # (5, 4) the same of a character's left, right, upper and lower half
    overshoot: float  # strokes end later (or sooner) than the model's
    brevity: float  # log of how long strokes are, beside the size of the character
    closing: float  # how far ends follow the stroke that they should end on
    gap: float  # by how much they stay short of it
    bare: float  # chance that a stroke begins without the small hook of a brush
    hook: float  # chance that a stroke ends in a flick
    rounding: float  # sigma of the filter that rounds corners
    joining: float  # chance that the pen stays down between two near strokes
    reach: float  # how far apart these may be
    link: float  # width of the path between them, beside the strokes'
    flow: float  # how far a stroke's end bends towards the next one's start
    runs_on: bool  # さ and き in one stroke less, り and こ with a link
    swaps: float  # chance that a stroke is written after the next one
    darkness: float  # ink level, 0–1
    grain: float  # unevenness of the ink, 0–1
    bleed: float  # sigma in pixels by which ink creeps into the paper
    blur: float  # sigma in pixels of the scan
    harden: float  # how far the scanner pushes grey to paper or ink
    noise: float  # of the scanner, in levels
    specks: float  # dark specks a character
    paper: float  # background, in levels

    @classmethod
    def draw(cls, rng: np.random.Generator, preset: str = "varied") -> "Hand":
        """A writer of a preset: `plain`, who writes as taught with a fine pen; `varied`, anyone;
        `hard`, whose hand is hurried and whose pen and scanner are bad."""
        # Some write as in print, some far from it.
        far = rng.choice(
            {"plain": [0.4, 0.5], "varied": [0.6, 0.8, 1.0], "hard": [1.1, 1.4]}[preset]
        )
        kinds = {"plain": [0.6, 0.4, 0, 0], "hard": [0.2, 0.2, 0.25, 0.35]}
        shares = kinds.get(preset, [0.3, 0.2, 0.2, 0.3])
        pen = rng.choice(["ballpoint", "pencil", "felt", "brush"], p=shares)
        # One in three writes semi-cursively: strokes flow into each other and lose their corners.
        cursive = rng.random() < {"plain": 0.0, "varied": 0.35, "hard": 0.6}[preset]
        widths = {"ballpoint": (2.2, 3.8), "pencil": (2.6, 5.0), "felt": (5.5, 11.0)}
        low, high = widths.get(pen, (2.6, 7.5))
        brush, felt = bool(pen == "brush"), bool(pen == "felt")
        nib = [rng.normal(0.3, 0.35), rng.uniform(0.35, 0.8)] if brush else [0.0, 1.0]
        if felt and rng.random() < 0.5:
            nib = [rng.normal(0.2, 0.4), rng.uniform(0.7, 1.0)]
        return cls(
            slant=rng.normal(0.0, 0.09 * far),
            rise=rng.normal(0.05, 0.05 * far),
            rotation=rng.normal(0.0, 0.04 * far),
            aspect=rng.normal(-0.03, 0.10 * far),
            size=rng.uniform(0.72, 0.98),
            kana_size=rng.uniform(0.75, 1.0),
            centre=rng.normal(0.0, 0.02 * far, 2),
            pen=np.exp(rng.uniform(np.log(low), np.log(high))),
            nib=np.array(nib),
            pressure=rng.uniform(0.05, 0.20),
            taper=rng.uniform([-0.35, -0.5], [0.45, 0.25]) * (0.3 if felt else 1.0),
            flair=rng.uniform(0.3, 0.9) if brush else rng.choice([0.0, 0.15, 0.4]) * (not felt),
            brushwork=rng.uniform(0.5, 1.3) if brush else rng.uniform(0.0, 0.5 if felt else 0.3),
            unsteadiness=rng.uniform(0.010, 0.040) * far,
            warp=rng.normal(0.0, 0.025 * far, (4, 4, 2)),
            looseness=rng.uniform(0.010, 0.030) * far,
            bow=rng.normal(0.0, 0.02 * far),
            kinds=rng.normal(0.0, far * np.array([0.055, 0.08, 0.08, 0.03]), (len(TYPES), 4)),
            parts=rng.normal(0.0, far * np.array([0.08, 0.08, 0.022, 0.022]), (PARTS, 4)),
            sides=rng.normal(0.0, far * np.array([0.09, 0.10, 0.025, 0.025]), (5, 4)),
            overshoot=rng.normal(0.0, 0.015 * far),
            brevity=rng.normal(-0.06, 0.06) * far,
            closing=rng.uniform(0.4, 1.0),
            gap=rng.choice([0.0, rng.uniform(0.005, 0.045)]) * far,
            bare=rng.choice([0.2, 0.6, 1.0]),
            hook=rng.choice([0.0, 0.05], p=[0.7, 0.3]),
            rounding=rng.uniform(0.035, 0.065) if cursive else rng.uniform(0.005, 0.045),
            joining=rng.uniform(0.3, 0.75) if cursive else rng.choice([0.0, 0.15], p=[0.65, 0.35]),
            reach=rng.uniform(0.3, 0.6) if cursive else 0.3,
            link=rng.uniform(0.35, 1.0),
            flow=rng.uniform(0.15, 0.5) if cursive else rng.choice([0.0, 0.1]),
            runs_on=bool(rng.random() < {"plain": 0.3, "varied": 0.5, "hard": 0.7}[preset]),
            swaps=rng.choice([0.0, 0.03]),
            darkness=rng.uniform(0.55, 1.0),
            grain=rng.uniform(0.2, 0.6) if pen == "pencil" else rng.choice([0.0, 0.15]),
            bleed=rng.choice([0.0, 0.7], p=[0.8, 0.2]) if felt or brush else 0.0,
            blur=rng.uniform(0.0, 0.9),
            harden=rng.choice([0.0, 0.8], p=[0.8, 0.2]),
            noise=rng.uniform(0.0, 0.6) * far,
            specks=rng.choice([0.0, 0.3 * far], p=[0.85, 0.15]),
            paper=rng.uniform(0.0, 1.5),
        )

    @classmethod
    def printed(cls) -> "Hand":
        """The hand of no one: even strokes where the model has them, for printed models."""
        zeros = {
            field.name: 0.0 for field in dataclasses.fields(cls) if field.type in (float, "float")
        }
        return cls(
            **zeros
            | {
                "size": 0.9,
                "kana_size": 1.0,
                "pen": 4.5,
                "darkness": 1.0,
                "link": 1.0,
                "reach": 0.3,
            },
            centre=np.zeros(2),
            nib=np.array([0.0, 1.0]),
            taper=np.zeros(2),
            runs_on=False,
            warp=np.zeros((4, 4, 2)),
            kinds=np.zeros((len(TYPES), 4)),
            parts=np.zeros((PARTS, 4)),
            sides=np.zeros((5, 4)),
        )


def write_page(
    table: StrokeTable,
    seed: int,
    writer: int | tuple[int, ...],
    page: int = 0,
    preset: str = "varied",
) -> np.ndarray:
    """Every character of the table in one writer's hand.

    Parameters
    ----------
    writer : any number or numbers that stand for the writer; the same hand on every `page`.

    Returns
    -------
    uint8 (characters, 127, 128), scanner levels 0–15, 0 = paper, as ETL9G stores them.
    The result depends on the arguments alone.
    """
    key = [seed, *np.atleast_1d(writer).tolist()]
    rng = np.random.default_rng(key)
    hand = Hand.draw(rng, preset)
    if page:
        rng = np.random.default_rng([*key, page])
    return draw_page(table, hand, rng)


def draw_page(table: StrokeTable, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Every character of the table in one hand, as `write_page` returns them."""
    paths = _pen_paths(table, hand, rng)
    blank = np.zeros((SCAN[0] * OVERSAMPLING, SCAN[1] * OVERSAMPLING), np.uint8)
    page = np.empty((table.characters, *SCAN), np.uint8)
    fixed, thickness = paths.on_canvas()
    for character in range(table.characters):
        canvas = blank.copy()
        own = slice(paths.first[character], paths.first[character + 1])
        _draw(canvas, fixed[own], thickness[own])
        page[character] = cv2.resize(canvas, SCAN[::-1], interpolation=cv2.INTER_AREA)
    return _scan(page, hand, rng)


def draw_layers(table: StrokeTable, hand: Hand, rng: np.random.Generator) -> np.ndarray:
    """Which stroke every pixel of the page belongs to that `draw_page` draws with the same
    arguments: uint8 (characters, 127, 128), 0 for paper and for the links between strokes, else the
    stroke's number in its character, from 1; where strokes cross, the later one's."""
    paths = _pen_paths(table, hand, rng)
    layers = np.zeros((table.characters, *SCAN), np.uint8)
    fixed, thickness = paths.on_canvas(1)
    for character in range(table.characters):
        for k in range(paths.first[character], paths.first[character + 1]):
            if paths.number[k]:
                layer = np.zeros(SCAN, np.uint8)
                _draw(layer, fixed[k : k + 1], thickness[k : k + 1])
                layers[character][layer > 0] = paths.number[k]
    return layers


@dataclasses.dataclass(frozen=True)
class _Paths:
    """Where the pen goes and how wide it writes, sorted by character.

    points : (T, POINTS, 2) around the frame's centre, in frame widths.
    widths : (T, POINTS) in pixels of the scan.
    number : int (T,), the stroke's number in its character, from 1; 0 for a link between two.
    first : (C + 1,), the first path of each character.
    """

    points: np.ndarray
    widths: np.ndarray
    number: np.ndarray
    first: np.ndarray

    def on_canvas(self, oversampling: int = OVERSAMPLING) -> tuple[np.ndarray, np.ndarray]:
        """Points in sixteenths of pixels, as cv2 takes them, and thicknesses in pixels."""
        centre = np.array(SCAN[::-1], np.float32) / 2
        fixed = np.round((self.points * SCAN[1] + centre) * oversampling * 16 - 8)
        thickness = np.maximum(np.round(self.widths * oversampling), oversampling)
        return fixed.astype(np.int32), thickness.astype(np.int32)


def _pen_paths(table: StrokeTable, hand: Hand, rng: np.random.Generator) -> _Paths:
    """The writer's paths for every character of the table."""
    of, kind, runs_on = table.character, table.kind, table.runs_on & hand.runs_on
    model = table.widths
    total, count = len(of), table.characters

    def noise(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    p = _shaped(table, hand, rng, noise)
    number = table.number
    if hand.swaps:
        # Order alone changes, and with it which strokes flow into each other.
        first = np.flatnonzero((of[1:] == of[:-1]) & (rng.random(total - 1) < hand.swaps))
        order = np.arange(total)
        for k in first.tolist():
            order[k], order[k + 1] = order[k + 1], order[k]
        p, kind, runs_on, number = p[order], kind[order], runs_on[order], number[order]
        model = model[order]
    if hand.flow:
        p = _flowing(p, of, hand.flow)
    p = _rounded(p, hand.rounding)

    pressure = hand.pressure * (0.7 * noise(total, 1) + 0.5 * noise(count)[of][:, None])
    widths = _widths(p, kind, hand) * np.exp(pressure)
    widths = widths * np.clip(model, 0.25, 3) ** np.float32(hand.brushwork)
    p, widths, of, number = _join(p, widths, of, number, runs_on, hand, rng)

    # Per character and per writer: warp, lean, turn, proportions, size, place.
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
    first = np.searchsorted(of, np.arange(count + 1))
    p = _into_frame(p, shift[of], of, first)
    # Where strokes crowd, people write a little finer.
    crowding = (np.diff(first) / 10).clip(1) ** -0.2
    widths = widths * hand.pen * crowding.astype(np.float32)[of][:, None]
    return _Paths(p, widths, number, first)


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
    length = np.linalg.norm(np.diff(p, axis=1), axis=2).sum(1, keepdims=True)
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
    # People leave a gap or none; they hardly ever write past the other stroke.
    short = hand.gap * np.abs(1 + 0.7 * noise(len(stroke), 1)) + 0.008 * noise(len(stroke), 1)
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
    length = np.linalg.norm(np.diff(p, axis=1), axis=2).sum(1)
    spacing = np.maximum(length, 1e-3) / (POINTS - 1)
    reach = np.minimum(sigma * (0.6 + 0.4 * length), 0.12 * length)
    # A pass of (1 2 1) / 4 has a variance of half a step.
    passes = np.minimum(2 * (reach / spacing) ** 2, 12)[:, None, None]
    for step in range(int(np.ceil(passes.max()))):
        share = np.clip(passes - step, 0, 1)
        p[:, 1:-1] += share * (p[:, :-2] - 2 * p[:, 1:-1] + p[:, 2:]) / 4
    return p


def _widths(p: np.ndarray, kind: np.ndarray, hand: Hand) -> np.ndarray:
    """Relative pen width along strokes (T, POINTS): pressed or light where they begin and end, by
    the direction where the nib is broad."""
    t = np.linspace(0, 1, POINTS, dtype=np.float32)
    start, end = hand.taper
    profile = 1 + start * np.exp(-t / 0.15) + end * np.exp((t - 1) / 0.2)
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


def _join(
    p: np.ndarray,
    widths: np.ndarray,
    of: np.ndarray,
    number: np.ndarray,
    runs_on: np.ndarray,
    hand: Hand,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where the pen stays down, a light connecting path from a stroke's end to the next's start."""
    gap = p[1:, 0] - p[:-1, -1]
    near = np.exp(-((np.linalg.norm(gap, axis=1) / max(hand.reach, 1e-3)) ** 2))
    stays = rng.random(len(gap), np.float32) < np.maximum(hand.joining * near, 0.9 * runs_on[:-1])
    after = np.flatnonzero((of[1:] == of[:-1]) & stays)
    if not len(after):
        return p, widths, of, number
    t = np.linspace(0, 1, POINTS, dtype=np.float32)[None, :, None]
    link = p[after, -1][:, None] * (1 - t) + p[after + 1, 0][:, None] * t
    sag = np.stack([gap[after, 1], -gap[after, 0]], 1)[:, None] * 0.15 * (4 * t * (1 - t))
    light = hand.link * (widths[after, -1] + widths[after + 1, 0])[:, None] / 2
    order = np.argsort(np.concatenate([of, of[after]]), kind="stable")
    return (
        np.concatenate([p, link + sag])[order],
        np.concatenate([widths, np.broadcast_to(light, (len(after), POINTS))])[order],
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
    """What pen, paper and scanner make of the page: grain, bleed, blur, levels of ink and paper,
    noise, specks, 16 grey levels."""
    # Noise has no memory: one table of it, read from a random place for each character. Drawing
    # sixteen thousand numbers a character would cost more than the pen.
    noise = rng.standard_normal(1 << 16, np.float32)
    area = page.shape[1] * page.shape[2]
    offsets = rng.integers(0, (1 << 16) - area, len(page))
    if hand.grain:
        rough = cv2.GaussianBlur(noise.reshape(256, 256), (3, 3), 0.8).ravel()
        rough = (255 * np.clip(1 - hand.grain * np.abs(rough) * 2, 0, 1)).astype(np.uint8)
        for image, k in zip(page, offsets.tolist(), strict=True):
            cv2.multiply(image, rough[k : k + area].reshape(SCAN), image, 1 / 255)
    if hand.bleed:
        for image in page:
            soft = cv2.GaussianBlur(image, (5, 5), hand.bleed)
            np.maximum(image, cv2.convertScaleAbs(soft, alpha=1.3), out=image)
    if hand.blur > 0.2:
        for image in page:
            cv2.GaussianBlur(image, (5, 5), hand.blur, dst=image)
    level = np.arange(256, dtype=np.float32) / 255
    if hand.harden:
        level = (1 - hand.harden) * level + hand.harden / (1 + np.exp(-14 * (level - 0.45)))
    ink = 15 * hand.darkness * np.exp(0.08 * rng.standard_normal(len(page), np.float32))
    levels = (np.clip(ink, 6, 15) - hand.paper)[:, None] * level + hand.paper
    noise *= hand.noise
    out = np.empty_like(page)
    for i, image in enumerate(page):
        grey = cv2.LUT(image, levels[i]) + noise[offsets[i] : offsets[i] + area].reshape(SCAN)
        out[i] = np.clip(np.rint(grey), 0, 15)
    if hand.specks:
        count = rng.poisson(hand.specks * len(page))
        at = rng.integers(0, (len(page), SCAN[0] - 1, SCAN[1] - 1), (count, 3))
        for character, y, x in at.tolist():
            out[character, y : y + 2, x : x + 2] = 9
    return out

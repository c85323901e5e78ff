"""Strokes of many characters as arrays, which writers draw from."""

import dataclasses
import itertools
import zlib
from collections.abc import Sequence

import numpy as np

from kakitori.reading.characters import charset
from kakitori.reading.characters.strokes import TYPES, Form, halves
from kakitori.synthesis.running import Runs

POINTS = 20  # per stroke, closer where it bends, so that no corner of kana is lost
CURVE = 0.5  # of a stroke's points, those for each half turn beside those for its whole length
TOUCH = 0.03  # of the square: an end so near to another stroke is meant to end on it
ENTRY = 0.13  # of a stroke: so much of it is the small hook with which a brush begins
HOOKED = np.cos(np.radians(30))  # where the first bit of it differs by more from what follows
PARTS = 1024  # components that a writer can have habits for; further ones share them

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
    running : where the rules of running forms apply.
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
    running: Runs

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
        touches = [_touching(points[a:b]) for a, b in itertools.pairwise(firsts)]
        shifts = zip(touches, firsts[:-1], strict=True)
        return cls(
            points=points,
            bare=_bare(strokes, points),
            widths=widths,
            joints=np.concatenate([j + np.array([a, 0, a]) for (j, _), a in shifts]),
            meets=np.concatenate([at for _, at in touches]).astype("f4"),
            character=np.repeat(np.arange(len(chosen), dtype=np.int32), counts),
            kind=np.array([number[t] for form in chosen for t in form.types], np.int16),
            group=np.array(group, np.int32),
            part=np.array(part, np.int32),
            side=np.array([s % 5 for form in chosen for s in halves(form.strokes)], np.int16),
            number=np.concatenate([np.arange(1, count + 1) for count in counts]),
            runs_on=np.array(runs_on),
            kana=np.array([charset.is_kana(ord(c)) for c in text]),
            running=Runs.of(points, [t for form in chosen for t in form.types], firsts, text),
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
            running=self.running.only(kept),
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

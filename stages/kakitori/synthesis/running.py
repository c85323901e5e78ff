"""Running forms (行書) in a writer's hand: where the rules fit, who follows them, what they do."""

import dataclasses
import itertools
import re
import unicodedata
from collections.abc import Sequence

import numpy as np

from kakitori.reading.characters import charset
from kakitori.synthesis.rules import (
    ASIDE,
    CUTS,
    FORMS,
    HOOKED,
    LINKS,
    Cut,
    Pairs,
    Rule,
    curves,
)

NONE = "·"  # in place of the types of katakana and signs, which have no running forms
MARK = "゛"  # in place of those of the marks of voiced kana
VOICED = {"\u3099": 2, "\u309a": 1}  # combining marks, and with how many strokes they are written
NEVER = -2
BEND = 0.03  # of a form's box: standard deviation of the noise that bends each anew
SWEEP = 0.25  # of the square: a pen between two strokes goes on by less as it left the one
TOGETHER = 1e-3  # of the square: strokes so near are joined already


@dataclasses.dataclass(frozen=True)
class Runs:
    """Where the rules apply in a table of T strokes.

    forms, cuts : per rule the strokes of every place where it fits, int (G, n).
    link : int8 (T,), the rule of LINKS between a stroke and the one after it; -1 where none fits,
        NEVER where no pen stays down: before the marks of voiced kana.
    hook : float32 (T,), at which point the hook begins in which the stroke ends, the last one
        where it has none.
    """

    forms: tuple[np.ndarray, ...]
    cuts: tuple[np.ndarray, ...]
    link: np.ndarray
    hook: np.ndarray

    @classmethod
    def of(
        cls, points: np.ndarray, types: Sequence[str], firsts: Sequence[int], text: Sequence[str]
    ) -> "Runs":
        """Of the strokes (T, points, 2) of the characters of `text` and their types; `firsts` are
        the first stroke of every character, and T."""
        counts = np.diff(firsts)
        name = np.repeat(list(text), counts)
        for character, last in zip(text, firsts[1:], strict=True):
            marks = VOICED.get(unicodedata.normalize("NFD", character)[1:], 0)
            name[last - marks : last] = MARK
        script = np.repeat([charset.script(ord(c)) for c in text], counts)
        written = np.where(script == "kanji", types, np.where(script == "hiragana", name, NONE))
        written = "".join(written)
        forms = [_places(rule, points, written, firsts) for rule in FORMS]
        cuts = [_places(rule, points, written, firsts) for rule in CUTS]
        return cls(
            tuple(forms), tuple(cuts), _links(points, written, firsts), _hooks(points, written)
        )

    def only(self, kept: np.ndarray) -> "Runs":
        """Without the strokes for which `kept`, bool (T,), is false: what misses one of its strokes
        is written in full."""
        number = np.cumsum(kept) - 1
        forms, cuts = (
            tuple(number[rows[kept[rows].all(1)]] for rows in every)
            for every in (self.forms, self.cuts)
        )
        link = np.where(np.append(kept[1:], False), self.link, -1).astype(np.int8)
        return Runs(forms, cuts, link[kept], self.hook[kept])


def _places(rule: Rule | Cut, points: np.ndarray, types: str, firsts: Sequence[int]) -> np.ndarray:
    """Strokes of each place where a rule fits, int (G, n)."""
    places = []
    pattern = re.compile(f"(?={rule.pattern})")  # one may begin within what only looks like one
    count = len(rule.kept) if isinstance(rule, Cut) else len(curves(rule.courses[0], 2).strokes)
    for first, after in itertools.pairwise(firsts):
        for match in pattern.finditer(types[first:after]):
            rows = np.arange(count) + first + match.start()
            apart = not places or rows[0] > places[-1][-1]
            if apart and rule.lies(points[rows]):
                places.append(rows)
    return np.array(places, int).reshape(-1, count)


def _links(points: np.ndarray, types: str, firsts: Sequence[int]) -> np.ndarray:
    low, high = points.min(1), points.max(1)
    length = np.linalg.norm(np.diff(points, axis=1), axis=2).sum(1)
    pairs = Pairs(
        points[:-1, -1], points[1:, 0], low[:-1], high[:-1], low[1:], high[1:], length[:-1],
        length[1:],
    )  # fmt: skip
    kinds = np.array(list(types))
    link = np.full(len(points), -1, np.int8)
    for number in reversed(range(len(LINKS))):
        rule = LINKS[number]
        fits = np.isin(kinds[:-1], list(rule.first)) & np.isin(kinds[1:], list(rule.second))
        link[:-1][fits & rule.lies(pairs)] = number
    link[:-1][(kinds[:-1] != MARK) & (kinds[1:] == MARK)] = NEVER
    link[np.array(firsts[1:], int) - 1] = -1
    return link


def _hooks(points: np.ndarray, types: str) -> np.ndarray:
    kinds, last = np.array(list(types)), points.shape[1] - 1
    aside = 0.6 * np.isin(kinds, list(ASIDE))
    half = points[:, last // 2 :]
    tip = last // 2 + (half[..., 1] + aside[:, None] * half[..., 0]).argmax(1)
    return np.where(np.isin(kinds, list(HOOKED)), tip, last).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Running:
    """One writer's habits of running forms.

    forms, cuts, links : per rule how often this writer follows it.
    course : per rule of FORMS which of its forms.
    hooks : how often a hook is left out.
    curl : how far the pen goes on, between two strokes, as it left the one and as the other begins.
    width : of the path between them, beside the strokes'. thin : how much thinner half-way.
    """

    forms: np.ndarray
    cuts: np.ndarray
    links: np.ndarray
    course: np.ndarray
    hooks: float
    curl: float
    width: float
    thin: float

    @classmethod
    def draw(cls, rng: np.random.Generator, extent: float, brush: bool) -> "Running":
        """A writer who follows so great a share of the rules."""
        habits = []
        for rules in (FORMS, CUTS, LINKS):
            chance = np.array([rule.chance for rule in rules])
            has = rng.random(len(rules)) < np.minimum(extent * chance * 1.2, 1)
            habits.append(has * rng.uniform(0.6, 1.0, len(rules)))
        return cls(
            *habits,
            course=np.array([rng.integers(len(rule.courses)) for rule in FORMS]),
            hooks=rng.uniform(0.2, 0.9) * extent,
            curl=rng.uniform(0.4, 1.0),
            width=rng.uniform(0.35, 0.8) if brush else rng.uniform(0.5, 1.0),
            thin=rng.uniform(0.1, 0.5) if brush else 0.0,
        )

    def stays(
        self, p: np.ndarray, link: np.ndarray, reach: float, rng: np.random.Generator
    ) -> np.ndarray:
        """Whether the pen stays down between each stroke of p (T, points, 2) and the next, bool
        (T - 1,), by their rules `link` (T,); the rarer, the further they are beside `reach`."""
        far = np.linalg.norm(p[1:, 0] - p[:-1, -1], axis=1)
        chance = self.links[link[:-1]] * np.exp(-((far / reach) ** 2))
        down = (link[:-1] >= 0) & (rng.random(len(far), np.float32) < chance)
        return down & (far > TOGETHER)

    def curve(self, p: np.ndarray, after: np.ndarray, t: np.ndarray) -> np.ndarray:
        """What a path from the end of strokes p (N, points, 2) to the start of those after them
        adds to a straight line at its shares t (1, points, 1): a cubic Hermite spline's bend."""
        gap = after[:, 0] - p[:, -1]
        far = np.linalg.norm(gap, axis=1, keepdims=True)
        leaving, coming = p[:, -1] - p[:, -4], after[:, 3] - after[:, 0]
        tangents = [
            self.curl * (np.minimum(far, SWEEP) * v / (np.linalg.norm(v, axis=1)[:, None] + 1e-6))
            - self.curl * gap
            for v in (leaving, coming)
        ]
        first, last = (tangent[:, None] for tangent in tangents)
        return t * (1 - t) ** 2 * first - t**2 * (1 - t) * last

    def light(
        self, end: np.ndarray, start: np.ndarray, far: np.ndarray, t: np.ndarray
    ) -> np.ndarray:
        """How wide paths of length `far` (N,) are at their shares t (1, points), between strokes
        that are so wide where they end and start, (N, 1) each."""
        slim = self.width * (1 - 0.4 * np.minimum(far[:, None] / 0.6, 1))
        return (slim * (end + start) / 2 * (1 - self.thin * 4 * t * (1 - t))).astype("f4")


def redrawn(
    p: np.ndarray, runs: Runs, habits: Running, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The strokes p (T, points, 2) in this writer's running forms; after which of them the pen
    stays down for it, bool (T,); from which points to the next it is lifted, bool (T, points)."""
    p, claimed, stays = p.copy(), np.zeros(len(p), bool), np.zeros(len(p), bool)
    lifted = np.zeros(p.shape[:2], bool)
    for number, rows in enumerate(runs.forms):
        chosen = rng.random(len(rows)) < habits.forms[number]
        rows = rows[chosen & ~claimed[rows].any(1)]
        if len(rows):
            claimed[rows] = True
            course = FORMS[number].courses[habits.course[number]]
            shape = curves(course, p.shape[1])
            p[rows] = _fitted(shape.strokes, p[rows], rng)
            stays[rows], lifted[rows] = shape.stays, shape.lifted
    start, end = np.zeros(len(p), np.float32), np.full(len(p), p.shape[1] - 1, np.float32)
    bare = ~claimed & (rng.random(len(p)) < habits.hooks)
    end[bare] = runs.hook[bare]
    for number, rows in enumerate(runs.cuts):
        chosen = rng.random(len(rows)) < habits.cuts[number]
        rows = rows[chosen & ~claimed[rows].any(1)]
        kept = np.array(CUTS[number].kept, np.float32) * (p.shape[1] - 1)
        start[rows] = np.maximum(start[rows], kept[:, 0])
        end[rows] = np.minimum(end[rows], kept[:, 1])
    return _cut(p, start, end), stays, lifted


def _fitted(form: np.ndarray, p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A form (n, points, 2) in the boxes of the components p (G, n, points, 2), each bent anew."""
    low, high = p.min((1, 2)), p.max((1, 2))
    x, y = (form - 0.5)[..., 0], (form - 0.5)[..., 1]
    field = np.stack([x, y, 4 * x * y, 2 * x**2, 2 * y**2])
    bend = BEND * rng.standard_normal((len(p), 2, len(field)), np.float32)
    bent = form + 2 * np.moveaxis(np.tensordot(bend, field, 1), 1, -1)
    return low[:, None, None] + bent * (high - low)[:, None, None]


def _cut(p: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Strokes from their point `start` to their point `end`, (T,) each, at as many points."""
    last = p.shape[1] - 1
    rows = np.flatnonzero((start > 0) | (end < last))
    share = np.linspace(0, 1, last + 1, dtype=np.float32)
    at = start[rows, None] + (end - start)[rows, None] * share
    before = np.minimum(at.astype(int), last - 1)
    rest = (at - before)[..., None]
    own = rows[:, None]
    p[rows] = p[own, before] * (1 - rest) + p[own, before + 1] * rest
    return p

"""Where strokes come from: a font's outlines traced to centre lines, or KanjiVG's own strokes.

Both give, per character, a list of *strokes*: float32 polylines of shape (points, 2), x right
and y down in the unit square, in writing order: KanjiVG's own, or for a font the likely one.
"""

import dataclasses
import itertools
import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

from kakitori.errors import DataError
from kakitori.reading.characters.radicals import Component
from kakitori.reading.characters.strokes import (
    TYPES,
    Form,
    Strokes,
    classify,
    components,
    writing_order,
)
from kakitori.running import installing
from kakitori.running.params import ROOT
from kakitori.running.workers import spread
from kakitori.writing import kanjivg

ENOUGH = 500  # characters of KanjiVG that take longer to read than a process takes to start
RESOLUTION = 192  # pixels to an em: at half of it the strokes of 鬱-like kanji run together
SPUR = 0.02  # of an em: shorter side branches of the skeleton are noise of the outline's corners
FLARE = 1.5  # half pen widths: so long are those where a stroke's slanted end has two corners
SPAN = 1.5  # half pen widths, along which a branch tells its direction at a junction
STRAIGHT_ON = np.cos(np.radians(43))  # branches that differ by less continue through a junction
CROSSING = np.cos(np.radians(55))  # and the second pair of arms of a crossing by less than this
LEG = 0.13  # of an em: how much of the path before and after a corner tells its angle
HOOK = 0.28  # of an em: a pen may jerk back along a shorter free leg
TIP = 0.13  # of an em: a corner's second leg may stick out by less beyond the first
CORNER = np.cos(np.radians(55))  # a sharper turn between two long legs is a corner
WIDTH_EVERY = 0.04  # of an em: how often along a stroke the width of its pen is noted
FONTS = ".fonts"  # below the project's root, fonts that npm brought


def bundled_font() -> Path:
    """IPAexGothic, as the package matplotlib-fontja brings it."""
    import matplotlib_fontja

    return Path(matplotlib_fontja.__file__).parent / "fonts" / "ipaexg.ttf"


def packaged_font(package: str) -> Path:
    """The Japanese font of regular weight of an npm package, "@scope/name" with or without
    "@version"; the package is installed where it is not there yet."""
    folder = ROOT / FONTS / package.strip("@").replace("/", "-")
    installing.npm(folder, (package,))
    name = "@" + package[1:].partition("@")[0]
    files = (folder / "node_modules" / name).rglob("*")
    fonts = [path for path in files if path.suffix in (".ttf", ".otf", ".woff2")]
    if not fonts:
        raise DataError(f"{package}: expected a font inside, found none (synthesize.glyphs)")
    # Such packages bring a file for each weight, and often one for each subset of characters.
    return max(fonts, key=lambda p: ("japanese" in p.name, "400" in p.name, p.stat().st_size))


def forms_of(
    source: str, characters: Iterable[str], archive: Path, workers: int
) -> dict[str, tuple[Form, Component | None]]:
    """How `source` writes `characters`, and their decompositions where it knows them.

    Parameters
    ----------
    source : "font" (the bundled one), "kanjivg", "kaisho" (KanjiVG's brush-regular variants, which
        half of the kanji have), the path of a TTF, OTF or WOFF2 file, or a font's npm package
        ("@fontsource/yuji-boku@5.3.0"), which is installed below .fonts/ where it is not there.
    archive : where a user may have put an official release of KanjiVG; read for its two sources
        alone, and before the package of that name.
    workers : processes that read or trace; 0 takes one per core.

    Returns
    -------
    dict from character to form and tree; characters that the source lacks are absent.
    """
    characters = list(characters)
    if source in ("kanjivg", "kaisho"):
        variant = "Kaisho" if source == "kaisho" else ""
        return _read_kanjivg(kanjivg.release(archive), characters, variant, workers)
    if source.startswith("@"):
        font = packaged_font(source)
    else:
        font = bundled_font() if source == "font" else Path(source)
    if not font.is_file():
        raise DataError(
            f"{font}: expected a TTF, OTF or WOFF2 font, found no file (synthesize.glyphs)"
        )
    traced = trace_font(font, characters, workers, pens=source != "font")
    return {c: (form, None) for c, form in traced.items()}


def _form(strokes: Strokes, types: tuple[str, ...] = (), widths: Strokes = ()) -> Form:
    """With the types that the source gives, and by geometry where it gives none."""
    guessed = classify(strokes)
    known = types or ("",) * len(strokes)
    # Beyond JIS level 1 KanjiVG has a few types that are none of the vocabulary's.
    types = tuple(k if k in TYPES else g for k, g in zip(known, guessed, strict=True))
    return Form(strokes, types, components(strokes), widths)


def _read_kanjivg(
    release: Path, characters: list[str], variant: str, workers: int
) -> dict[str, tuple[Form, Component | None]]:
    workers = min(workers or os.cpu_count() or 1, len(characters) // ENOUGH + 1)
    batches = [characters[k::workers] for k in range(workers)]
    if workers == 1:
        _choose_release(release, variant)
        read = map(_read_batch, batches)
    else:
        read = spread(_read_batch, batches, workers, _choose_release, release, variant)
    found = dict(itertools.chain.from_iterable(read))
    return {c: found[c] for c in characters if c in found}


def _choose_release(release: Path, variant: str) -> None:
    global _release, _variant
    _release, _variant = release, variant


def _read_batch(characters: list[str]) -> list[tuple[str, tuple[Form, Component]]]:
    found = kanjivg.read(_release, characters, _variant)
    return [(c.character, (_form(c.strokes, c.types), c.tree)) for c in found]


# ---------------------------------------------------------------------------------------------
# Fonts


def trace_font(
    font: Path, characters: list[str], workers: int = 0, pens: bool = False
) -> dict[str, Form]:
    """The form of every character that the font has, of centre-line strokes; with `pens` as wide as
    the font draws them."""
    try:
        covered = TTFont(font, lazy=True, fontNumber=0).getBestCmap()
    except Exception as error:  # fontTools raises a dozen kinds for a file that is no font
        raise DataError(f"{font}: expected a TTF or OTF font, found: {error}") from None
    if not covered:
        raise DataError(f"{font}: expected a font with Unicode characters, found one without")
    wanted = [c for c in characters if ord(c) in covered]
    workers = workers or os.cpu_count() or 1
    traced = spread(_trace_character, wanted, workers, _open_font, str(font), pens, chunk=64)
    return {c: form for c, form in zip(wanted, traced, strict=True) if form.strokes}


def _open_font(path: str, pens: bool) -> None:
    global _font, _pens
    cv2.setNumThreads(1)
    _font, _pens = ImageFont.truetype(path, RESOLUTION), pens


def _trace_character(character: str) -> Form:
    ink = render_glyph(_font, character)
    strokes = trace(ink)
    if not _pens or not strokes:
        return _form(strokes)
    strokes = [_finer(stroke, WIDTH_EVERY) for stroke in strokes]
    return _form(strokes, (), pen_widths(ink, strokes))


def pen_widths(ink: np.ndarray, strokes: Strokes) -> Strokes:
    """How wide a binary glyph, bool (R, R), is at each point of its strokes, beside their mean."""
    thickness = cv2.distanceTransform(np.pad(ink, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    last = len(ink) - 1
    at = [np.clip(np.rint(s * len(ink) - 0.5), 0, last).astype(int).T for s in strokes]
    widths = [thickness[y, x] for x, y in at]
    mean = max(np.concatenate(widths).mean(), 0.5)
    return [(width / mean).astype(np.float32) for width in widths]


def _finer(stroke: np.ndarray, spacing: float) -> np.ndarray:
    """A polyline with further points on its segments, none longer than `spacing`."""
    steps = np.linalg.norm(np.diff(stroke, axis=0), axis=1)
    pieces = np.maximum(np.ceil(steps / spacing), 1)
    at = np.concatenate([[0.0], np.cumsum(pieces)])
    every = np.arange(at[-1] + 1)
    return np.stack([np.interp(every, at, stroke[:, k]) for k in (0, 1)], 1).astype(np.float32)


def render_glyph(font: ImageFont.FreeTypeFont, character: str) -> np.ndarray:
    """The character's em box as a bool array (RESOLUTION, RESOLUTION), True where there is ink."""
    image = Image.new("L", (RESOLUTION, RESOLUTION))
    # Ascent and descent of CJK fonts add up to more than the em; "mm" centres their middle.
    ImageDraw.Draw(image).text((RESOLUTION / 2, RESOLUTION / 2), character, 255, font, anchor="mm")
    return np.asarray(image) >= 128


@dataclasses.dataclass
class _Branch:
    points: np.ndarray  # (n, 2) x, y along the skeleton, in pixels
    ends: tuple[int, int]  # node at the first and at the last point


def trace(ink: np.ndarray) -> Strokes:
    """Centre-line strokes of a binary glyph.

    The glyph is thinned (Guo and Hall 1989); the skeleton becomes a graph whose short side
    branches are pruned and whose junctions, torn apart where thick strokes cross, are merged;
    branches that go straight on through a junction are one stroke; strokes are cut where no pen
    turns, joined where one does, and put in the order of writing. tests/benchmarks/strokes.py
    measures what comes out.

    Parameters
    ----------
    ink : bool (R, R), True = ink.
    """
    size = ink.shape[0]
    thickness = cv2.distanceTransform(np.pad(ink, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    skeleton = cv2.ximgproc.thinning(
        ink.astype(np.uint8) * 255, thinningType=cv2.ximgproc.THINNING_GUOHALL
    ).astype(bool)
    for _ in range(4):  # pruning one spur can bare another
        branches, nodes = _skeleton_graph(skeleton)
        spurs = _spurs(branches, nodes, thickness, SPUR * size)
        if not spurs:
            break
        for branch in spurs:
            x, y = branch.points.astype(int).T
            skeleton[y, x] = False
        skeleton = cv2.ximgproc.thinning(
            skeleton.astype(np.uint8) * 255, thinningType=cv2.ximgproc.THINNING_GUOHALL
        ).astype(bool)
    else:
        branches, nodes = _skeleton_graph(skeleton)
    paths = _join_through_junctions(branches, nodes, thickness)
    strokes = []
    for points, closed, free in paths:
        points = _smooth(points, closed)
        points = _extend_to_outline(points, free, ink)
        strokes += _cut_where_no_pen_turns(points, closed, free, LEG * size, HOOK * size)
    strokes = _cut_combs(_join_overshoots(strokes, TIP * size), TIP * size)
    strokes = [((_simplify(s) + 0.5) / size).astype(np.float32) for s in strokes]
    return [strokes[i] for i in writing_order(strokes)]


def _neighbours(skeleton: np.ndarray) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """8-neighbours on the skeleton; a diagonal counts only where no straight step leads round."""
    rows, columns = np.nonzero(skeleton)
    padded = np.pad(skeleton, 1)

    def there(dx: int, dy: int) -> np.ndarray:
        return padded[rows + dy + 1, columns + dx + 1]

    straight = {step: there(*step) for step in ((1, 0), (-1, 0), (0, 1), (0, -1))}
    near = straight | {
        (dx, dy): there(dx, dy) & ~straight[dx, 0] & ~straight[0, dy]
        for dx, dy in ((1, 1), (1, -1), (-1, 1), (-1, -1))
    }
    graph = {pixel: [] for pixel in zip(columns.tolist(), rows.tolist(), strict=True)}
    pixels = list(graph)
    for (dx, dy), found in near.items():
        for k in np.flatnonzero(found).tolist():
            x, y = pixels[k]
            graph[x, y].append((x + dx, y + dy))
    return graph


def _skeleton_graph(skeleton: np.ndarray) -> tuple[list[_Branch], dict[int, np.ndarray]]:
    """Branches between nodes; a node is an end, or a cluster of touching junction pixels.

    Returns the branches and, per node, its centre; a closed curve without any node is a branch
    from node -1 to node -1, and a lone pixel a branch of one point.
    """
    graph = _neighbours(skeleton)
    node_of: dict[tuple[int, int], int] = {}
    centres: dict[int, np.ndarray] = {}
    junctions = {p for p, near in graph.items() if len(near) > 2}
    for pixel in sorted(p for p, near in graph.items() if len(near) != 2):
        if pixel in node_of:
            continue
        cluster, queue = [], [pixel]
        node_of[pixel] = len(centres)
        while queue:
            p = queue.pop()
            cluster.append(p)
            if p in junctions:
                for q in graph[p]:
                    if q in junctions and q not in node_of:
                        node_of[q] = len(centres)
                        queue.append(q)
        centres[len(centres)] = np.mean(cluster, axis=0)
    branches, used = [], set()
    for start in sorted(node_of):
        if not graph[start]:
            branches.append(_Branch(np.array([start], float), (node_of[start],) * 2))
        for step in graph[start]:
            if node_of.get(step) == node_of[start] or (start, step) in used:
                continue
            path = [start, step]
            while path[-1] not in node_of:
                ahead = [p for p in graph[path[-1]] if p != path[-2]]
                path.append(ahead[0])
            used.update({(path[0], path[1]), (path[-1], path[-2])})
            branches.append(_Branch(np.array(path, float), (node_of[start], node_of[path[-1]])))
    on_branch = {tuple(p) for b in branches for p in b.points.astype(int).tolist()}
    for start in sorted(p for p in graph if p not in on_branch and p not in node_of):
        if start in on_branch:
            continue
        path = [start, graph[start][0]]
        while path[-1] != start:
            path.append(next(p for p in graph[path[-1]] if p != path[-2]))
        on_branch.update(path)
        branches.append(_Branch(np.array(path, float), (-1, -1)))
    return branches, centres


def _degrees(branches: list[_Branch]) -> dict[int, int]:
    degree: dict[int, int] = {}
    for branch in branches:
        for node in branch.ends:
            degree[node] = degree.get(node, 0) + 1
    return degree


def _length(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def _spurs(
    branches: list[_Branch], nodes: dict[int, np.ndarray], thickness: np.ndarray, limit: float
) -> list[_Branch]:
    degree = _degrees(branches)
    spurs = []
    for branch in branches:
        free = [n for n in branch.ends if degree[n] == 1]
        tied = [n for n in branch.ends if degree[n] > 2]
        if len(free) == 1 and len(tied) == 1:
            x, y = nodes[tied[0]].astype(int)
            if _length(branch.points) < max(limit, FLARE * thickness[y, x]):
                keep = tied[0] == branch.ends[0]
                points = branch.points[1:] if keep else branch.points[:-1]
                spurs.append(_Branch(points, branch.ends))
    return spurs


def _join_through_junctions(
    branches: list[_Branch], nodes: dict[int, np.ndarray], thickness: np.ndarray
) -> list[tuple[np.ndarray, bool, tuple[bool, bool]]]:
    """Strokes as (points, closed, (first end is free, last end is free))."""
    radius = {n: float(thickness[int(c[1]), int(c[0])]) for n, c in nodes.items()}
    degree = _degrees(branches)
    # Where thick strokes cross at a slant, thinning makes two junctions and a bridge: merge them.
    parent = {n: n for n in nodes}

    def root(n: int) -> int:
        while parent[n] != n:
            n = parent[n]
        return n

    bridges = set()
    for i, branch in enumerate(branches):
        a, b = branch.ends
        between_junctions = a >= 0 and a != b and degree[a] > 2 and degree[b] > 2
        if between_junctions and _length(branch.points) < 1.6 * max(radius[a], radius[b]):
            bridges.add(i)
            parent[root(a)] = root(b)
    members: dict[int, list[int]] = {}
    for n in nodes:
        members.setdefault(root(n), []).append(n)
    centre = {r: np.mean([nodes[n] for n in group], axis=0) for r, group in members.items()}
    reach = {r: max(radius[n] for n in group) for r, group in members.items()}

    ends: dict[int, list[tuple[int, int]]] = {}
    for i, branch in enumerate(branches):
        if i not in bridges and branch.ends[0] >= 0 and len(branch.points) > 1:
            for side in (0, 1):
                ends.setdefault(root(branch.ends[side]), []).append((i, side))

    def outward(i: int, side: int, node: int, span: float) -> np.ndarray:
        """Direction in which the branch leaves the junction, measured clear of its blur."""
        points = branches[i].points if side == 0 else branches[i].points[::-1]
        distance = np.linalg.norm(points - centre[node], axis=1)
        clear = np.flatnonzero(distance >= 1.2 * reach[node])
        first = clear[0] if len(clear) else len(points) - 1
        last = min(first + int(span * reach[node]) + 2, len(points) - 1)
        direction = points[last] - points[first]
        if last - first < 3:
            direction = points[last] - centre[node]
        return direction / (np.linalg.norm(direction) + 1e-9)

    partner: dict[tuple[int, int], tuple[int, int]] = {}
    for node, incident in ends.items():
        if len(incident) < 2:
            continue
        directions = [outward(i, side, node, SPAN) for i, side in incident]
        scored = sorted(
            (
                (float(-directions[a] @ directions[b]), a, b)
                for a in range(len(incident))
                for b in range(a)
            ),
            reverse=True,
        )
        taken: set[int] = set()
        for score, a, b in scored:
            # Of the four arms of a crossing the last two belong together, unless plainly not.
            crossing = len(incident) == 4 and len(taken) == 2
            if crossing:  # 書: an arm of one may turn a corner close by
                short = [outward(*incident[k], node, SPAN / 3) for k in (a, b)]
                crossing = max(score, float(-short[0] @ short[1])) > CROSSING
            straight = score > STRAIGHT_ON or len(incident) == 2 or crossing
            if straight and not {a, b} & taken:
                taken |= {a, b}
                partner[incident[a]], partner[incident[b]] = incident[b], incident[a]

    def clipped(i: int, from_side: int) -> np.ndarray:
        """A branch's points from one side to the other, with its blurred junction ends cut."""
        points = branches[i].points
        keep = np.ones(len(points), bool)
        for side in (0, 1):
            node = root(branches[i].ends[side])
            if len(ends[node]) > 1:
                distance = np.linalg.norm(points - centre[node], axis=1)
                half = np.arange(len(points)) < len(points) / 2
                keep &= (distance > 1.1 * reach[node]) | (half if side else ~half)
        points = points[keep] if keep.any() else points[len(points) // 2][None]
        return points if from_side == 0 else points[::-1]

    paths: list[tuple[np.ndarray, bool, tuple[bool, bool]]] = []
    done: set[int] = set()

    def walk(i: int, side: int) -> None:
        start = root(branches[i].ends[side])
        tied = len(ends[start]) > 1
        pieces, first, closed = [], (i, side), False
        if tied:
            pieces.append(centre[start][None])
        while True:
            done.add(i)
            pieces.append(clipped(i, side))
            far = (i, 1 - side)
            node = root(branches[i].ends[1 - side])
            if far not in partner:
                break
            if partner[far] == first:
                closed = True
                break
            i, side = partner[far]
        far_tied = len(ends[node]) > 1
        if far_tied and not closed:
            pieces.append(centre[node][None])
        if closed and tied:
            pieces = pieces[1:]
        paths.append((np.concatenate(pieces), closed, (not tied, not far_tied)))

    for i, branch in enumerate(branches):  # strokes with an end, then closed ones
        if i in bridges or branch.ends[0] < 0 or len(branch.points) == 1:
            continue
        for side in (0, 1):
            if i not in done and (i, side) not in partner:
                walk(i, side)
    for i, branch in enumerate(branches):
        if branch.ends[0] < 0:
            paths.append((branch.points[:-1], True, (False, False)))
        elif len(branch.points) == 1:
            dot = np.concatenate([branch.points, branch.points + 0.01])
            paths.append((dot, False, (True, True)))
        elif i not in done and i not in bridges:
            walk(i, 0)
    return paths


def _resample(points: np.ndarray, spacing: float) -> np.ndarray:
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    count = max(round(along[-1] / spacing), 1) + 1
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, points[:, k]) for k in (0, 1)], axis=1)


def _smooth(points: np.ndarray, closed: bool) -> np.ndarray:
    """Even steps of two pixels, then a short binomial filter over the pixels' staircase."""
    points = _resample(np.concatenate([points, points[:1]]) if closed else points, 2.0)
    if len(points) < 4:
        return points
    for _ in range(2):
        if closed:
            ring = points[:-1]
            ring = (np.roll(ring, 1, 0) + 2 * ring + np.roll(ring, -1, 0)) / 4
            points = np.concatenate([ring, ring[:1]])
        else:
            points[1:-1] = (points[:-2] + 2 * points[1:-1] + points[2:]) / 4
    return points


def _extend_to_outline(points: np.ndarray, free: tuple[bool, bool], ink: np.ndarray) -> np.ndarray:
    """Thinning eats half a pen width off free ends: give most of it back."""
    for end in (0, 1):
        if not free[end]:
            continue
        ordered = points if end else points[::-1]
        back = ordered[max(len(ordered) - 5, 0)]
        direction = ordered[-1] - back
        norm = np.linalg.norm(direction)
        if norm < 0.5:
            continue
        reach, p = 0, ordered[-1]
        while reach < 20:
            x, y = np.round(p + (reach + 1) * direction / norm).astype(int)
            if not (0 <= x < ink.shape[1] and 0 <= y < ink.shape[0] and ink[y, x]):
                break
            reach += 1
        ordered = np.concatenate([ordered, (p + 0.6 * reach * direction / norm)[None]])
        points = ordered if end else ordered[::-1]
    return points


def _hook(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether a stroke that comes down or from the left may end in a jerk up or to the left."""
    return (before[1] > 0.3 or before[0] > 0.7) and (
        after[1] < -0.3 or (after[0] < -0.5 and after[1] < 0.6)
    )


def _natural_turn(before: np.ndarray, after: np.ndarray, ring: bool) -> bool:
    """Whether a pen that moves along `before` may turn sharply into `after` (unit vectors).

    It turns from right to down or down-left (㇕ ㇇), from down to right (㇄), and from down-left
    to the right (㇜); it does not go back to the left or upward along a long leg. A ring is a box:
    its left side and its bottom are strokes of their own.
    """
    right_to_down = before[0] > 0.7 and after[1] > 0.4
    down_to_right = before[1] > 0.7 and after[0] > 0.7 and after[1] > -0.5
    fall_to_right = before[0] < -0.2 and before[1] > 0.3 and after[0] > 0.7
    return right_to_down or (not ring and (down_to_right or fall_to_right))


def _cut_where_no_pen_turns(
    points: np.ndarray, closed: bool, free: tuple[bool, bool], leg: float, hook: float
) -> Strokes:
    """Cut a path at its sharp corners, then join the pieces whose corner a pen can write."""
    steps = max(int(leg / 2 / 2), 2)
    ring = points[:-1] if closed else points
    n = len(ring)
    if n < 2 * steps + 1:
        return [_orient(points)]
    index = np.arange(n) if closed else np.arange(steps, n - steps)
    before = ring[index] - ring[(index - steps) % n]
    after = ring[(index + steps) % n] - ring[index]
    before /= np.linalg.norm(before, axis=1, keepdims=True) + 1e-9
    after /= np.linalg.norm(after, axis=1, keepdims=True) + 1e-9
    cosine = (before * after).sum(1)
    corners = []
    for k in np.argsort(cosine, kind="stable"):
        if cosine[k] > CORNER:
            break
        if all(min(abs(index[k] - c), n - abs(index[k] - c)) > steps for c in corners):
            corners.append(int(index[k]))
    corners.sort()
    if closed:
        if not corners:  # a smooth ring (の's bowl, ゜) starts at its top
            start = int(ring[:, 1].argmin())
            return [np.concatenate([ring[start:], ring[: start + 1]])]
        pieces = []
        for a, b in zip(corners, [*corners[1:], corners[0] + n], strict=True):
            pieces.append(ring[np.arange(a, b + 1) % n])
    else:
        bounds = [0, *corners, n - 1]
        pieces = [points[i : j + 1] for i, j in itertools.pairwise(bounds)]
    hooked = [False] * len(pieces)
    for end in (0, -1):
        # A hook at a free end stays with what it ends, and tells which way the pen went.
        if closed or len(pieces) < 2 or not free[end] or _length(pieces[end]) > hook:
            continue
        body, tip = (pieces[-2], pieces[-1]) if end else (pieces[1][::-1], pieces[0][::-1])
        if _hook(_heading(body, steps)[1], _heading(tip, steps)[0]):
            del pieces[end], hooked[end]
            pieces[end], hooked[end] = np.concatenate([body, tip[1:]]), True
    pieces = [p if h else _orient(p) for p, h in zip(pieces, hooked, strict=True)]
    joined = True
    while joined:
        joined = False
        for a, b in itertools.permutations(range(len(pieces)), 2):
            if np.linalg.norm(pieces[a][-1] - pieces[b][0]) > 3.0:
                continue
            if _natural_turn(_heading(pieces[a], steps)[1], _heading(pieces[b], steps)[0], closed):
                merged = np.concatenate([pieces[a], pieces[b][1:]])
                pieces = [p for k, p in enumerate(pieces) if k not in (a, b)] + [merged]
                joined = True
                break
    return pieces


def _join_overshoots(strokes: Strokes, tip: float) -> Strokes:
    """Join ム's first stroke, whose legs a font draws as two bars of which one sticks out.

    A stroke that falls to the left and meets another, close to where that one sets out to the
    right, turns into it; so does one that comes down to a rising one; the tip goes. Where more
    strokes meet at the tip it is a corner (白's, 口's) and not a tip.
    """
    steps = int(tip / 4)  # points lie two pixels apart
    strokes = list(strokes)
    rightward = [_heading(s, steps)[0][0] > 0.3 for s in strokes]
    for a, first in enumerate(strokes):
        x, y = _heading(first, steps)[1]
        if y < 0.3 or (x > -0.2 and y < 0.9):
            continue  # neither falls to the left nor comes down
        for b, second in enumerate(strokes):
            if a == b or not rightward[b] or not len(second):
                continue
            # Where the first ends on the second, or, as in 女, the second sets out from the first.
            onto = np.linalg.norm(second - first[-1], axis=1)
            from_ = np.linalg.norm(first - second[0], axis=1)
            meet, leave = int(onto.argmin()), len(first) - 1
            sets_out = from_.min() < onto.min()
            if sets_out:
                meet, leave = 0, int(from_.argmin())
            if min(onto.min(), from_.min()) > tip / 4 or leave < steps:
                continue
            over = _length(second[: meet + 1]) + _length(first[leave:])
            before = _heading(first[: leave + 1], steps)[1]
            after = _heading(second[meet:], steps)[0]
            falls = before[0] < -0.2 and before[1] > 0.3 and after[0] > 0.5
            if sets_out:  # steeper it is 夂's last stroke, leveller 金's second bar
                falls = falls and 0.35 < after[1] < 0.6
            rises = before[1] > 0.9 and after[0] > 0.7 and after[1] < -0.15 and over < tip / 3
            if over > tip or not (falls or rises):
                continue
            ends = [s[[0, -1]] for i, s in enumerate(strokes) if i not in (a, b) and len(s)]
            near = np.linalg.norm(np.concatenate([*ends, [[np.inf, 0]]]) - second[0], axis=1)
            if near.min() > 0.3 * tip:
                strokes[b] = np.concatenate([first[: leave + 1], second[meet:]])
                strokes[a], rightward[b] = first[:0], False
                break
    return [s for s in strokes if len(s)]


def _cut_combs(strokes: Strokes, tip: float) -> Strokes:
    """Cut 隹's bottom bar off its left side: ㇄ carries no bars, as the side of a comb does."""
    steps, parted = int(tip / 4), []
    for number, stroke in enumerate(strokes):
        corner = int((stroke[:, 1] - stroke[:, 0]).argmax())
        side, base = stroke[: corner + 1], stroke[corner:]
        if min(_length(side), _length(base)) > tip:
            down, (right, end) = _heading(side, steps)[1], _heading(base, steps)
            upper = side[steps:-steps]  # without its ends
            if (
                down[1] > 0.9
                and right[0] > 0.9
                and end[1] > -0.5  # 匕 ends in a hook
                and len(upper)
                and any(
                    np.linalg.norm(upper - other[0], axis=1).min() < tip / 4
                    and _heading(other, steps)[0][0] > 0.9
                    for k, other in enumerate(strokes)
                    if k != number
                )
            ):
                parted += [side, base]
                continue
        parted.append(stroke)
    return parted


def _heading(points: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors in which a polyline starts and ends, each over `steps` points."""
    first = points[min(steps, len(points) - 1)] - points[0]
    last = points[-1] - points[max(len(points) - 1 - steps, 0)]
    return first / (np.linalg.norm(first) + 1e-9), last / (np.linalg.norm(last) + 1e-9)


def _orient(points: np.ndarray) -> np.ndarray:
    """Strokes run downward, and rightward where they rise by less than 25° (㇀ rises, ㇒ falls)."""
    dx, dy = points[-1] - points[0]
    return points if 0.42 * dx + 0.91 * dy >= 0 else points[::-1]


def _simplify(points: np.ndarray) -> np.ndarray:
    """Ramer–Douglas–Peucker with a tolerance of 0.5 pixels."""
    return cv2.approxPolyDP(points.astype(np.float32)[:, None], 0.5, False)[:, 0]

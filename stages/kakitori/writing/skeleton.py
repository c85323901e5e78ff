"""The skeleton of a glyph as a graph, and the paths that go straight on through its junctions."""

import dataclasses
import itertools

import numpy as np

FLARE = 1.5  # half pen widths: so long are those where a stroke's slanted end has two corners
SPAN = 1.5  # half pen widths, along which a branch tells its direction at a junction
STRAIGHT_ON = np.cos(np.radians(43))  # branches that differ by less continue through a junction
CROSSING = np.cos(np.radians(55))  # and the second pair of arms of a crossing by less than this

# To the 8 neighbours of a pixel, straight ones first.
STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))

End = tuple[int, int]  # a branch by its number, and its side: 0 where it begins, 1 where it ends
Path = tuple[np.ndarray, bool, tuple[bool, bool]]  # points, closed, which of its ends are free


@dataclasses.dataclass
class Branch:
    points: np.ndarray  # (n, 2) x, y along the skeleton, in pixels
    ends: tuple[int, int]  # node at the first and at the last point


def _neighbours(skeleton: np.ndarray) -> tuple[np.ndarray, list[list[int]]]:
    """Pixels of the skeleton, int (N, 2), column by column, and of each the numbers of its
    8-neighbours; a diagonal counts only where no straight step leads round."""
    pixels = np.argwhere(skeleton.T)
    number = np.full((skeleton.shape[1] + 2, skeleton.shape[0] + 2), -1)
    x, y = pixels.T + 1
    number[x, y] = np.arange(len(pixels))
    near = np.stack([number[x + dx, y + dy] for dx, dy in STEPS], axis=1)
    there = near >= 0
    for diagonal, (dx, dy) in enumerate(STEPS[4:], 4):
        straight = STEPS.index((dx, 0)), STEPS.index((0, dy))
        there[:, diagonal] &= ~there[:, straight].any(1)
    flat = near[there].tolist()
    bounds = np.concatenate([[0], np.cumsum(there.sum(1))]).tolist()
    return pixels, [flat[a:b] for a, b in itertools.pairwise(bounds)]


def skeleton_graph(skeleton: np.ndarray) -> tuple[list[Branch], dict[int, np.ndarray]]:
    """Branches between nodes; a node is an end, or a cluster of touching junction pixels.

    Returns the branches and, per node, its centre; a closed curve without any node is a branch
    from node -1 to node -1, and a lone pixel a branch of one point.
    """
    pixels, near = _neighbours(skeleton)
    node_of, centres = _nodes(pixels, near)
    walked = np.zeros(len(pixels), bool)
    branches, used = [], set()

    def branch(path: list[int], ends: tuple[int, int]) -> None:
        walked[path] = True
        branches.append(Branch(pixels[path].astype(float), ends))

    for start in np.flatnonzero(np.array(node_of) >= 0).tolist():
        if not near[start]:
            branch([start], (node_of[start],) * 2)
        for step in near[start]:
            if node_of[step] == node_of[start] or (start, step) in used:
                continue
            path = [start, step]
            while node_of[path[-1]] < 0:
                path.append(_onward(near, path))
            used.update({(path[0], path[1]), (path[-1], path[-2])})
            branch(path, (node_of[start], node_of[path[-1]]))
    for start in range(len(pixels)):
        if walked[start] or node_of[start] >= 0:
            continue
        path = [start, near[start][0]]
        while path[-1] != start:
            path.append(_onward(near, path))
        branch(path, (-1, -1))
    return branches, centres


def _nodes(pixels: np.ndarray, near: list[list[int]]) -> tuple[list[int], dict[int, np.ndarray]]:
    """Of each pixel the node that it belongs to, -1 for none; and the nodes' centres."""
    node_of = [-1] * len(near)
    centres: dict[int, np.ndarray] = {}
    for pixel, beside in enumerate(near):
        if len(beside) == 2 or node_of[pixel] >= 0:
            continue
        cluster, queue = [], [pixel]
        node_of[pixel] = len(centres)
        while queue:
            p = queue.pop()
            cluster.append(p)
            if len(near[p]) > 2:
                for q in near[p]:
                    if len(near[q]) > 2 and node_of[q] < 0:
                        node_of[q] = len(centres)
                        queue.append(q)
        centres[len(centres)] = pixels[cluster].mean(0)
    return node_of, centres


def _onward(near: list[list[int]], path: list[int]) -> int:
    """The pixel after the last one of a path, which has two neighbours."""
    first, second = near[path[-1]]
    return second if first == path[-2] else first


def _degrees(branches: list[Branch]) -> dict[int, int]:
    degree: dict[int, int] = {}
    for branch in branches:
        for node in branch.ends:
            degree[node] = degree.get(node, 0) + 1
    return degree


def polyline_length(points: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def find_spurs(
    branches: list[Branch], nodes: dict[int, np.ndarray], thickness: np.ndarray, limit: float
) -> list[Branch]:
    degree = _degrees(branches)
    spurs = []
    for branch in branches:
        free = [n for n in branch.ends if degree[n] == 1]
        tied = [n for n in branch.ends if degree[n] > 2]
        if len(free) == 1 and len(tied) == 1:
            x, y = nodes[tied[0]].astype(int)
            if polyline_length(branch.points) < max(limit, FLARE * thickness[y, x]):
                keep = tied[0] == branch.ends[0]
                points = branch.points[1:] if keep else branch.points[:-1]
                spurs.append(Branch(points, branch.ends))
    return spurs


@dataclasses.dataclass(frozen=True)
class _Junctions:
    """Where branches meet, after those that lie within a pen's width have been merged.

    of : node to its junction. bridges : branches (by number) that were swallowed by the merging.
    centre, reach : of each junction its place, (2,), and half the pen's width there.
    ends : of each junction the ends of branches that meet in it, (branch, side 0 or 1).
    """

    of: dict[int, int]
    bridges: set[int]
    centre: dict[int, np.ndarray]
    reach: dict[int, float]
    ends: dict[int, list[End]]


def join_through_junctions(
    branches: list[Branch], nodes: dict[int, np.ndarray], thickness: np.ndarray
) -> list[Path]:
    """Strokes as (points, closed, (first end is free, last end is free))."""
    junctions = _merged(branches, nodes, thickness)
    partner = _partners(branches, junctions)
    paths: list[Path] = []
    done: set[int] = set()
    for i, branch in enumerate(branches):  # strokes with an end, then closed ones
        if i in junctions.bridges or branch.ends[0] < 0 or len(branch.points) == 1:
            continue
        for side in (0, 1):
            if i not in done and (i, side) not in partner:
                path, passed = _walk(branches, junctions, partner, (i, side))
                paths.append(path)
                done |= passed
    for i, branch in enumerate(branches):
        if branch.ends[0] < 0:
            paths.append((branch.points[:-1], True, (False, False)))
        elif len(branch.points) == 1:
            dot = np.concatenate([branch.points, branch.points + 0.01])
            paths.append((dot, False, (True, True)))
        elif i not in done and i not in junctions.bridges:
            path, passed = _walk(branches, junctions, partner, (i, 0))
            paths.append(path)
            done |= passed
    return paths


def _merged(
    branches: list[Branch], nodes: dict[int, np.ndarray], thickness: np.ndarray
) -> _Junctions:
    """Where thick strokes cross at a slant, thinning makes two junctions and a bridge: one."""
    radius = {n: float(thickness[int(c[1]), int(c[0])]) for n, c in nodes.items()}
    degree = _degrees(branches)
    parent = {n: n for n in nodes}

    def root(n: int) -> int:
        while parent[n] != n:
            n = parent[n]
        return n

    bridges = set()
    for i, branch in enumerate(branches):
        a, b = branch.ends
        between_junctions = a >= 0 and a != b and degree[a] > 2 and degree[b] > 2
        if between_junctions and polyline_length(branch.points) < 1.6 * max(radius[a], radius[b]):
            bridges.add(i)
            parent[root(a)] = root(b)
    of = {n: root(n) for n in nodes}
    members: dict[int, list[int]] = {}
    for n in nodes:
        members.setdefault(of[n], []).append(n)
    ends: dict[int, list[End]] = {}
    for i, branch in enumerate(branches):
        if i not in bridges and branch.ends[0] >= 0 and len(branch.points) > 1:
            for side in (0, 1):
                ends.setdefault(of[branch.ends[side]], []).append((i, side))
    return _Junctions(
        of=of,
        bridges=bridges,
        centre={r: np.mean([nodes[n] for n in group], axis=0) for r, group in members.items()},
        reach={r: max(radius[n] for n in group) for r, group in members.items()},
        ends=ends,
    )


def _partners(branches: list[Branch], junctions: _Junctions) -> dict[End, End]:
    """Which end goes straight on into which other through their junction, both ways."""
    partner: dict[End, End] = {}
    for node, incident in junctions.ends.items():
        if len(incident) < 2:
            continue
        centre, reach = junctions.centre[node], junctions.reach[node]
        directions = [_outward(branches, end, centre, reach, SPAN) for end in incident]
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
                short = [_outward(branches, incident[k], centre, reach, SPAN / 3) for k in (a, b)]
                crossing = max(score, float(-short[0] @ short[1])) > CROSSING
            straight = score > STRAIGHT_ON or len(incident) == 2 or crossing
            if straight and not {a, b} & taken:
                taken |= {a, b}
                partner[incident[a]], partner[incident[b]] = incident[b], incident[a]
    return partner


def _outward(
    branches: list[Branch], end: End, centre: np.ndarray, reach: float, span: float
) -> np.ndarray:
    """Direction in which a branch leaves the junction, measured clear of its blur."""
    i, side = end
    points = branches[i].points if side == 0 else branches[i].points[::-1]
    distance = np.linalg.norm(points - centre, axis=1)
    clear = np.flatnonzero(distance >= 1.2 * reach)
    first = clear[0] if len(clear) else len(points) - 1
    last = min(first + int(span * reach) + 2, len(points) - 1)
    direction = points[last] - points[first]
    if last - first < 3:
        direction = points[last] - centre
    return direction / (np.linalg.norm(direction) + 1e-9)


def _walk(
    branches: list[Branch],
    junctions: _Junctions,
    partner: dict[End, End],
    first: End,
) -> tuple[Path, set[int]]:
    """The path from one end of a branch through the junctions on, and the branches it passes."""
    i, side = first
    start = junctions.of[branches[i].ends[side]]
    tied = len(junctions.ends[start]) > 1
    pieces, passed, closed = [], set(), False
    if tied:
        pieces.append(junctions.centre[start][None])
    while True:
        passed.add(i)
        pieces.append(_clipped(branches[i], side, junctions))
        far = (i, 1 - side)
        node = junctions.of[branches[i].ends[1 - side]]
        if far not in partner:
            break
        if partner[far] == first:
            closed = True
            break
        i, side = partner[far]
    far_tied = len(junctions.ends[node]) > 1
    if far_tied and not closed:
        pieces.append(junctions.centre[node][None])
    if closed and tied:
        pieces = pieces[1:]
    return (np.concatenate(pieces), closed, (not tied, not far_tied)), passed


def _clipped(branch: Branch, from_side: int, junctions: _Junctions) -> np.ndarray:
    """A branch's points from one side to the other, with its blurred junction ends cut."""
    points = branch.points
    keep = np.ones(len(points), bool)
    for side in (0, 1):
        node = junctions.of[branch.ends[side]]
        if len(junctions.ends[node]) > 1:
            distance = np.linalg.norm(points - junctions.centre[node], axis=1)
            half = np.arange(len(points)) < len(points) / 2
            keep &= (distance > 1.1 * junctions.reach[node]) | (half if side else ~half)
    points = points[keep] if keep.any() else points[len(points) // 2][None]
    return points if from_side == 0 else points[::-1]

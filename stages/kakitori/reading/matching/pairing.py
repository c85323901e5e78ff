"""Rows and columns of costs paired, and numbers out of order. demo/pairing.js is the same."""

import numpy as np

from kakitori.reading.matching.shapes import Pairs

LEFT = 0.25  # from this mean distance on, two strokes are not each other's


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
    # Mostly each row's nearest column is no other's.
    nearest = costs.argmin(1).tolist()
    near = costs.min(1).tolist()
    chosen = [(i, j) for i, j in enumerate(nearest) if near[i] < LEFT]
    if len({j for _, j in chosen}) == len(chosen):
        return chosen
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
    if ranks == sequence:
        return [], [], []
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

"""What is a habit and what the moment, and where the pen stays down."""

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks import hands


def test_habits_are_told_from_the_moment():
    rng = np.random.default_rng(0)
    members, times = 400, 8

    def writer(habits: np.ndarray, quirks: np.ndarray) -> pd.DataFrame:
        turn = np.repeat(habits, times) + quirks + rng.normal(0, 3, members * times)
        place = np.arange(members * times)
        member = [("氵", "left", k) for k in np.repeat(np.arange(members), times).tolist()]
        return pd.DataFrame({"character": place, "stroke": 0, "member": member, "turn": turn})

    quirks = rng.normal(0, 1, members * times)  # of the reference: the same for both
    strokes, other = (writer(rng.normal(0, 2, members), quirks) for _ in range(2))
    variances = hands.habit(strokes, other, "turn")
    assert np.sqrt(variances) == pytest.approx([2, 3, 1], rel=0.15)


def test_components_between_writers_and_within():
    rng = np.random.default_rng(0)
    owner = pd.Series(np.repeat(np.arange(300), 10))
    values = pd.Series(rng.normal(0, 2, 300)[owner] + rng.normal(0, 3, 3000))
    deviations = {row[2]: row[6] for row in hands.components("turn", "people", values, owner)}
    assert deviations["of the writer"] == pytest.approx(2, rel=0.15)
    assert deviations["of the moment"] == pytest.approx(3, rel=0.1)


def test_strokes_between_which_the_pen_stays_down_are_one():
    lines = np.array(
        [[(0, 0), (1, 0)], [(0, 1), (1, 1)], [(0, 2), (1, 2)], [(1, 1), (0, 2)]], float
    )
    joined = hands.joined(lines, np.array([1, 2, 3, 0]))  # links come after all strokes
    assert [len(stroke) for stroke in joined] == [2, 6]
    assert joined[1].tolist() == [[0, 1], [1, 1], [1, 1], [0, 2], [0, 2], [1, 2]]

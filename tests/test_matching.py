import itertools
import json

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from kakitori.reading import matching
from kakitori.reading.matching import pairing, shapes
from tests.benchmarks import matching as benchmark
from tests.drawn_svg import OFFICIAL
from tests.pens import FILE, REFERENCES


@pytest.mark.parametrize("case", FILE["cases"], ids=[case["name"] for case in FILE["cases"]])
def test_shared_cases(case):
    reference, ordered = REFERENCES[case["reference"]], case.get("ordered", True)
    match = matching.match(case["drawn"], reference, ordered)
    assert json.loads(json.dumps(benchmark.said(match))) == case["wrong"]
    assert match.accepted == case.get("accepted", not case["wrong"])
    # The same is told once more by which stroke is which.
    assert [k + 1 for k, d in enumerate(match.drawn) if d is None] == match.missing
    others = {number for numbers in match.split for number in numbers[1:]}
    numbers = set(range(1, len(case["drawn"]) + 1)) - set(match.extra) - others
    assert set(match.drawn) - {None} == numbers
    assert [d is None for d in match.distances] == [d is None for d in match.drawn]


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("scale", [0.01, 300])
def test_the_reference_itself_anywhere_has_no_distance(name, scale):
    drawn = [scale * np.array(stroke) - 40 for stroke in REFERENCES[name]]
    match = matching.match(drawn, REFERENCES[name])
    assert match.accepted and np.allclose(match.distances, 0, atol=1e-9)


def test_distance_grows_with_what_is_wrong():
    distances = []
    for bend in (0, 5, 10, 20):
        drawn = [*REFERENCES["川"][:2], [[82, 12], [82 + bend, 50], [82, 92]]]
        distances.append(matching.match(drawn, REFERENCES["川"]).distances[2])
    assert distances == sorted(distances) and len(set(distances)) == 4


@pytest.mark.parametrize("turn", [[[-1, 0], [0, 1]], [[1, 0], [0, -1]], [[0, 1], [-1, 0]]])
def test_mirrored_or_turned_is_not_accepted(turn):
    for name in "川大口目":
        drawn = [np.array(stroke) @ turn for stroke in REFERENCES[name]]
        assert not matching.match(drawn, REFERENCES[name]).accepted, name


def test_assignment_is_as_cheap_as_scipys():
    rng = np.random.default_rng(0)
    for rows in range(1, 12):
        costs = rng.random((rows, rows + rows // 3))
        columns = pairing.assignment(costs)
        assert len(set(columns)) == rows
        best = costs[linear_sum_assignment(costs)].sum()
        assert costs[range(rows), columns].sum() == pytest.approx(best)


def test_pairs_in_order_are_the_cheapest_of_all():
    costs = np.random.default_rng(1).random((3, 4)) / 3

    def price(pairs):
        return sum(costs[p] for p in pairs) + pairing.LEFT / 2 * (7 - 2 * len(pairs))

    every = [
        list(zip(rows, columns, strict=True))
        for n in range(4)
        for rows in itertools.combinations(range(3), n)
        for columns in itertools.combinations(range(4), n)
    ]
    assert price(pairing.in_order(costs)) == pytest.approx(min(map(price, every)))


def test_warped_distance_is_that_of_the_recursion():
    rng = np.random.default_rng(2)
    lines, other = rng.random((2, 3, 6, 2))
    for a, b, distance in zip(lines, other, shapes.warped_distance(lines, other), strict=True):
        total = {(-1, -1): 0.0}
        for i, j in itertools.product(range(6), range(6)):
            d = np.hypot(*(a[i] - b[j]))
            ways = ((i - 1, j, d), (i, j - 1, d), (i - 1, j - 1, 2 * d))
            total[i, j] = min(total.get((p, q), np.inf) + w for p, q, w in ways)
        assert distance == pytest.approx(total[5, 5] / 12)


def test_as_few_strokes_as_can_be_are_out_of_order():
    """Over all orders of five: back in place, those that stay are in order; none fewer would do."""
    for order in itertools.permutations(range(5)):
        swapped, early, late = pairing.out_of_order(list(order))
        named = [*itertools.chain(*swapped), *early, *late]
        assert len(set(named)) == len(named)
        rest = [k for k in order if k not in named]
        assert rest == sorted(rest)
        for a, b in swapped:
            assert (order.index(a), order.index(b)) == (b, a)
        if not swapped:
            most = max(
                n for n in range(6) for s in itertools.combinations(order, n) if [*s] == sorted(s)
            )
            assert len(rest) == most


@pytest.mark.parametrize("count", [60, pytest.param(500, marks=pytest.mark.long)])
def test_correct_writing_is_accepted_and_faults_are_named(count):
    """Characters in 25 hands that no tolerance was chosen on."""
    made = benchmark.written(OFFICIAL, benchmark.SEED, count=count)
    tallies = benchmark.measure(made, benchmark.SEED)
    rates = {name: right / total for name, (right, total) in tallies.items()}
    assert rates.pop("correct writing accepted") >= 0.95
    assert len(rates) == 3 and min(rates.values()) >= 0.90, rates
    right, total = benchmark.taken_for_another(made)
    assert right / total < 0.03


def test_two_strokes_as_one_and_one_as_two_are_no_faults_unless_counted():
    corner = [
        [[20, 20], [80, 20]],
        [[80, 20], [80, 80]],
        [[20, 20], [20, 80]],
        [[20, 80], [80, 80]],
    ]
    whole = [[*corner[0], corner[1][1]], *corner[2:]]
    match = matching.match(whole, corner)
    assert match.accepted and match.joined == [[1, 2]] and not match.missing
    match = matching.match(corner, whole)
    assert match.accepted and match.split == [[1, 2]] and not match.extra
    assert not matching.match(corner, whole, judged=["shape", "count"]).accepted


def test_a_split_stroke_may_be_finished_later():
    """The upright of 王 in two parts, the second after the bar between."""
    upright = [[50, 20], [50, 85]]
    bars = [[[20, y], [80, y]] for y in (20, 50, 85)]
    parts = [[50, 20], [50, 52]], [[50, 52], [50, 85]]
    match = matching.match(
        [bars[0], parts[0], bars[1], parts[1], bars[2]], [bars[0], upright, *bars[1:]]
    )
    assert (match.accepted, match.split) == (True, [[2, 4]])


def test_another_order_is_a_way_and_its_numbers_are_told():
    bars = [[[20, y], [80, y]] for y in (20, 50, 85)]
    king = [bars[0], [[50, 20], [50, 85]], *bars[1:]]
    last = [king[k] for k in (0, 2, 3, 1)]
    assert not matching.match(last, king).accepted
    match = matching.match(last, king, ways=[[0, 2, 1, 3], [0, 2, 3, 1]])
    assert (match.accepted, match.way, match.drawn) == (True, 2, [1, 2, 3, 4])
    turned = [king[0][::-1], *king[1:]]
    assert matching.match(turned, king).reversed == [1]
    assert matching.match(turned, king, ways=[[~0, 1, 2, 3]]).accepted


def test_a_check_mark_is_not_backwards():
    """A dot of 冫 with a hook before it, as people write it."""
    ice = [[[20, 20], [35, 35]], [[15, 80], [40, 50]]]
    touched = [ice[0], [[12, 55], [20, 80], [40, 58]]]
    assert matching.match(touched, ice).accepted
    assert matching.match([ice[0], ice[1][::-1]], ice).reversed == [2]


def test_look_alikes_of_people_come_first():
    rng = np.random.default_rng(3)
    table = {name: rng.random((2, 5, 2)) for name in "甲乙丙丁戊己庚辛壬癸子丑"}
    assert next(iter(matching.look_alikes("甲", table, confused=["甲丑"]))) == "丑"
    assert "丑" not in matching.look_alikes("甲", table, same=["甲丑"])


def test_a_look_alike_is_not_accepted_and_what_differs_is_said():
    upright = [[0.5, 0.05], [0.5, 0.95]]
    table = {
        "未": [[[0.2, 0.3], [0.8, 0.3]], [[0.05, 0.6], [0.95, 0.6]], upright],
        "末": [[[0.05, 0.3], [0.95, 0.3]], [[0.2, 0.6], [0.8, 0.6]], upright],
    }
    alike = matching.look_alikes("未", table)
    assert list(alike) == ["末"] and not matching.look_alikes("未", table, ["未末"])
    assert matching.match(table["未"], table["未"], alike=alike).accepted
    match = matching.match(table["末"], table["未"], alike=alike)
    assert (match.accepted, match.alike, match.differs) == (False, "末", ("longer", [2, 1]))
    assert matching.in_words(match) == ("it looks like 末: stroke 2 should be longer than stroke 1")
    assert matching.match(table["末"], table["未"], alike=alike, judged=["order"]).accepted

import dataclasses

import numpy as np
import pytest

from kakitori.reading.characters.strokes import Form, classify, components, halves
from kakitori.synthesis.hand import Hand
from kakitori.synthesis.handwriting import draw_page, write_page
from kakitori.synthesis.paths import pen_paths
from kakitori.synthesis.synthesis import HARD_SEED
from kakitori.synthesis.table import StrokeTable

CROSS = [
    np.array([[0.1, 0.5], [0.9, 0.5]], np.float32),
    np.array([[0.5, 0.1], [0.5, 0.9]], np.float32),
]
LEVEL = [np.array([[0.1, 0.5], [0.9, 0.5]], np.float32)]


def form_of(strokes) -> Form:
    return Form(strokes, tuple(classify(strokes)), components(strokes))


@pytest.fixture(scope="module")
def table() -> StrokeTable:
    forms = {"十": form_of(CROSS), "一": form_of(LEVEL)}
    return StrokeTable.of(forms, "十一" * 10)


def test_a_page_is_sixteen_levels_in_an_etl9g_frame(table):
    page = write_page(table, seed=0, writer=0)
    assert page.shape == (20, 127, 128) and page.dtype == np.uint8
    assert page.max() <= 15
    assert all(image.max() >= 5 for image in page), "every character has ink"


@pytest.mark.parametrize("writer", range(12))
def test_ink_stays_in_the_frame(table, writer):
    page = write_page(table, seed=1, writer=writer).astype(int)
    border = np.concatenate([page[:, 0], page[:, -1], page[:, :, 0], page[:, :, -1]], axis=1)
    assert np.median(border) <= 2
    assert (border > 5).mean() < 0.02


def test_the_same_writer_writes_the_same_page_and_another_another(table):
    page = write_page(table, seed=0, writer=3)
    np.testing.assert_array_equal(page, write_page(table, seed=0, writer=3))
    assert (page != write_page(table, seed=0, writer=4)).mean() > 0.02
    assert (page != write_page(table, seed=1, writer=3)).mean() > 0.02


def test_a_writer_varies_from_character_to_character(table):
    page = write_page(table, seed=0, writer=3)
    assert (page[0] != page[2]).any()


def test_writers_are_as_different_as_people(table):
    """Pen, size and slant vary over writers far more than within one."""
    ink = np.array(
        [[(image > 4).mean() for image in write_page(table, 0, w)[::2]] for w in range(24)]
    )
    assert ink.mean(1).std() > 2 * ink.std(1).mean()


def test_another_page_is_the_same_hand_with_other_noise(table):
    """As ETL5 and ETL7 have it: one writer, several sheets. Told by the pen's width."""
    first, second = (write_page(table, 0, 3, page) for page in (0, 1))
    assert (first != second).any()
    ink = [
        [(p > 4).mean() for p in write_page(table, 0, w, page)[::2]]
        for w in range(12)
        for page in (0, 1)
    ]
    ink = np.mean(ink, axis=1).reshape(12, 2)
    assert np.corrcoef(ink[:, 0], ink[:, 1])[0, 1] > 0.9


# --- habits, one at a time: a printed hand with one thing changed ------------------------------


def drawn(forms: dict, text: str, **habits) -> np.ndarray:
    hand = dataclasses.replace(Hand.printed(), **habits)
    return draw_page(StrokeTable.of(forms, text), hand, np.random.default_rng(0)).astype(int)


THREE = [np.array([[0.1, y], [0.9, y]], np.float32) for y in (0.2, 0.5, 0.8)]
DOWN = [np.array([[0.5, 0.1], [0.5, 0.9]], np.float32)]
FORMS = {"三": form_of(THREE), "十": form_of(CROSS), "一": form_of(LEVEL), "｜": form_of(DOWN)}


def ink(page: np.ndarray) -> np.ndarray:
    return (page > 7).sum((1, 2))


def test_a_broad_nib_is_thick_across_and_thin_along_its_edge():
    plain = ink(drawn(FORMS, "一｜"))
    level, upright = ink(drawn(FORMS, "一｜", nib=np.array([0.0, 0.4]))) / plain
    assert level < 0.7 and upright == pytest.approx(1, abs=0.1)


def test_strokes_that_are_joined_are_drawn_joined():
    apart, joined = (drawn(FORMS, "三", joining=j, reach=9.0)[0] for j in (0.0, 1.0))
    between = slice(40, 50)  # rows between the first two strokes
    assert not (apart[between] > 7).any() and (joined[between] > 7).any()


def test_a_flowing_stroke_bends_towards_the_next():
    near = [np.array([[0.2, 0.3], [0.7, 0.3]]), np.array([[0.7, 0.6], [0.2, 0.6]])]
    forms = {"二": form_of([s.astype(np.float32) for s in near])}
    still, flowing = (drawn(forms, "二", flow=f)[0] for f in (0.0, 1.0))
    between = slice(46, 56)  # rows between the strokes, of which the first ends above them
    assert not (still[between] > 7).any() and (flowing[between] > 7).any()


def test_kana_may_be_written_smaller_than_kanji():
    forms = {"十": form_of(CROSS), "あ": form_of(CROSS)}
    small, large = (ink(drawn(forms, "あ十", kana_size=s)) for s in (0.7, 1.0))
    assert small[0] < 0.8 * large[0] and small[1] == large[1]


def test_sa_in_two_strokes():
    """さ: the pen stays down after the second of its three strokes, for those who write it so."""
    sa = [THREE[0], np.array([[0.6, 0.1], [0.7, 0.6]]), np.array([[0.3, 0.9], [0.6, 1.0]])]
    forms = {"さ": form_of([s.astype(np.float32) for s in sa])}
    counts = [ink(drawn(forms, "さ" * 20, runs_on=r)).mean() for r in (False, True)]
    assert counts[1] > 1.1 * counts[0]


def test_a_component_is_shaped_alike_wherever_it_comes():
    """Two characters with the same left side: a writer's habit of it shows in both."""
    left = [np.array([[0.15, 0.1], [0.15, 0.9]]), np.array([[0.05, 0.4], [0.3, 0.4]])]
    rights = ([[0.5, 0.3], [0.95, 0.3]], [[0.7, 0.1], [0.7, 0.9]])
    strokes = [[np.array(s, np.float32) for s in (*left, right)] for right in rights]
    forms = {c: form_of(s) for c, s in zip("休仏", strokes, strict=True)}
    assert forms["休"].components == (0, 0, 1)
    table = StrokeTable.of(forms, "休仏")
    assert table.part[0] == table.part[2] != table.part[1]
    habits = np.zeros((1024, 4))
    habits[table.part[0]] = [0.0, -0.5, 0.0, 0.1]
    usual, own = (drawn(forms, "休仏" * 30, parts=h)[:, :, :40] > 7 for h in (habits * 0, habits))
    heights = own.any(2).sum(1) / usual.any(2).sum(1)
    assert heights[::2].mean() == pytest.approx(heights[1::2].mean(), abs=0.1)
    assert heights.mean() < 0.85


def test_halves_of_a_character_are_shaped_by_their_place():
    """The left half narrower, whatever it is, and everything else as it was."""
    strokes = [np.array([[x, 0.1], [x, 0.9]], np.float32) for x in (0.1, 0.35, 0.65, 0.9)]
    forms = {"川": form_of(strokes), "一": form_of(LEVEL)}
    assert halves(strokes) == (0, 0, 1, 1) and halves(LEVEL) == (-1,)
    habit = np.zeros((5, 4))
    habit[0] = [-0.7, 0, 0, 0]
    usual, own = (drawn(forms, "川一" * 30, sides=h) > 7 for h in (habit * 0, habit))
    left, right = (
        np.mean([np.ptp(np.flatnonzero(row)) for row in half[:, 63]])
        for half in np.split(own[::2], 2, axis=2)
    )
    assert left < 0.75 * right
    assert (own[1::2] == usual[1::2]).all()


@pytest.mark.parametrize("preset", ["plain", "varied", "hard"])
def test_presets(table, preset):
    page = write_page(table, 0, 0, preset=preset)
    assert page.max() <= 15 and all(image.max() >= 5 for image in page)


def test_hard_hands_differ_more_than_plain_ones(table):
    spread = {
        preset: np.std(
            [write_page(table, 0, w, preset=preset)[::2] for w in range(16)], axis=0
        ).mean()
        for preset in ("plain", "varied", "hard")
    }
    assert spread["plain"] < spread["varied"] < spread["hard"]


def test_the_model_s_widths_are_a_brush_s_alone():
    """A bar whose right half the model's brush wrote three times as wide as its left half."""
    bar = np.array([[0.1, 0.5], [0.5, 0.5], [0.501, 0.5], [0.9, 0.5]], np.float32)
    form = Form([bar], ("㇐",), (0,), [np.array([0.5, 0.5, 1.5, 1.5], np.float32)])
    table = StrokeTable.of({"一": form}, "一")
    assert table.widths[0, 0] == 0.5 and table.widths[0, -1] == 1.5
    for brushwork, ratio in ((1.0, 3.0), (0.0, 1.0)):
        hand = dataclasses.replace(Hand.printed(), brushwork=brushwork)
        page = draw_page(table, hand, np.random.default_rng(0))[0].astype(float)
        columns = page.sum(0)
        widening = columns[80:100].mean() / columns[28:48].mean()
        assert widening == pytest.approx(ratio, rel=0.2)


def bar_columns(**habits: object) -> np.ndarray:
    """How much ink each column has of a bar whose right half a brush pressed twice as hard."""
    bar = np.array([[0.1, 0.5], [0.5, 0.5], [0.501, 0.5], [0.9, 0.5]], np.float32)
    widths = np.array([2 / 3, 2 / 3, 4 / 3, 4 / 3], np.float32)
    table = StrokeTable.of({"一": Form([bar], ("㇐",), (0,), [widths])}, "一")
    hand = dataclasses.replace(Hand.printed(), **{"pen": 8.0, "brushwork": 1.0} | habits)
    return draw_page(table, hand, np.random.default_rng(0))[0].astype(float).sum(0)


def test_a_soft_brush_is_thinner_where_it_is_thin():
    """Widths to the power of two, so 1 to 4 in place of 1 to 2, with as much ink."""
    even, soft = bar_columns(), bar_columns(contrast=2.0)
    for columns, ratio in ((even, 2.0), (soft, 4.0)):
        assert columns[80:100].mean() / columns[28:48].mean() == pytest.approx(ratio, rel=0.15)
    assert soft.sum() == pytest.approx(even.sum(), rel=0.1)


def test_a_waist_is_half_way():
    even, waisted = bar_columns(brushwork=0.0), bar_columns(brushwork=0.0, waist=0.5)
    ratio = waisted / np.maximum(even, 1)
    assert ratio[60:68].mean() == pytest.approx(0.5, abs=0.1)
    assert ratio[18] > 0.85 and ratio[109] > 0.85


def test_no_two_strokes_of_a_brush_are_pressed_alike():
    """Widths of bars beside a steady pen's: within a stroke as uneven as the habit says, thrice so
    at its ends, and there thinner more often than wider."""
    table = StrokeTable.of({"一": form_of(LEVEL)}, "一" * 2000)
    hand = dataclasses.replace(Hand.printed(), pulse=0.1)
    uneven = np.log(pen_paths(table, hand, np.random.default_rng(0)).widths / hand.pen)
    assert uneven[:, 10].std() == pytest.approx(0.09, rel=0.1)  # 0.9 of one knot, 0.1 of the next
    assert uneven[:, 0].std() == pytest.approx(0.3, rel=0.15) and uneven[:, 0].max() <= 0.41
    assert len(np.unique(uneven[:, 10])) > 1900
    steady = pen_paths(table, Hand.printed(), np.random.default_rng(0)).widths
    assert np.unique(steady).size == 1


def test_a_brush_leaves_no_ink_where_it_hardly_presses():
    """A bar that is half as wide half-way, in the hand of one who lifts the brush below 0.7."""
    even, lifted = (bar_columns(brushwork=0.0, waist=0.5, lifted=lifted) for lifted in (0.0, 0.7))
    assert even[60:68].min() > 0 and lifted[60:68].max() == 0
    assert lifted[18] == even[18] and lifted[109] == even[109]


def test_a_soft_touch_is_a_brush_s_alone():
    """And of no one who writes as taught, nor of the frozen difficult hands."""
    for preset in ("plain", "hard", "varied"):
        hands = [Hand.draw(np.random.default_rng(w), preset) for w in range(60)]
        soft = [h for h in hands if h.contrast != 1 or h.waist or h.pulse or h.lifted]
        assert len(soft) in (range(8, 30) if preset == "varied" else [0])
        assert all(hand.nib[1] < 1 and hand.flair >= 0.3 for hand in soft)


def test_learners_pass_the_stroke_that_they_should_end_on():
    """T: the upright's upper end is 0.1 above the level stroke, where others end on it or below."""
    level = np.array([[0.1, 0.2], [0.9, 0.2]], np.float32)
    upright = np.array([[0.5, 0.2], [0.5, 0.9]], np.float32)
    table = StrokeTable.of({"丁": form_of([level, upright])}, "丁" * 40)
    above = {}
    for gap in (0.0, -0.1, 0.05):
        hand = dataclasses.replace(Hand.printed(), gap=gap, closing=1.0)
        points = pen_paths(table, hand, np.random.default_rng(0)).points
        above[gap] = np.median(points[::2, :, 1].mean(1) - points[1::2, 0, 1])
    assert above[0.0] == pytest.approx(0, abs=0.01)
    assert above[-0.1] == pytest.approx(0.1 * 0.9, abs=0.03)  # of a frame in which it is 0.9 large
    assert above[0.05] == pytest.approx(-0.05 * 0.9, abs=0.02)


def test_nobody_passes_an_end_by_more_than_a_share_of_the_stroke():
    level = np.array([[0.1, 0.2], [0.9, 0.2]], np.float32)
    short = np.array([[0.5, 0.2], [0.5, 0.3]], np.float32)
    table = StrokeTable.of({"丁": form_of([level, short])}, "丁" * 40)
    hand = dataclasses.replace(Hand.printed(), gap=-0.2, closing=1.0)
    points = pen_paths(table, hand, np.random.default_rng(0)).points
    assert (points[::2, :, 1].mean(1) - points[1::2, 0, 1]).max() < 0.06


def test_a_corner_may_be_two_strokes_that_cross():
    corner = np.array([[0.1, 0.2], [0.7, 0.2], [0.7, 0.8]], np.float32)
    table = StrokeTable.of({"フ": form_of([corner]), "一": form_of(LEVEL)}, "フ一" * 10)
    whole = pen_paths(table, Hand.printed(), np.random.default_rng(0))
    hand = dataclasses.replace(Hand.printed(), breaks=0.08)
    broken = pen_paths(table, hand, np.random.default_rng(0))
    assert ((broken.widths == 0).sum(1) == [1, 0] * 10).all(), "the pen is lifted once, at corners"
    at = (broken.widths[::2] == 0).argmax(1)
    right = broken.points[range(0, 20, 2), at, 0] - whole.points[::2, :, 0].max(1)
    up = whole.points[::2, :, 1].min(1) - broken.points[range(0, 20, 2), at + 1, 1]
    for past in (right, up):  # the level half goes on to the right, the other begins further up
        assert 0.03 < np.median(past) < 0.12  # one that would leave the frame is moved


def test_serifs_stand_across_the_ends_and_nowhere_else():
    """一 and 丨 in an even hand: a level stroke begins above its line and ends off it, an upright
    one begins left of its line and ends on it."""
    upright = np.array([[0.5, 0.1], [0.5, 0.9]], np.float32)
    table = StrokeTable.of({"一": form_of(LEVEL), "丨": form_of([upright])}, "一丨" * 100)
    hand = dataclasses.replace(Hand.printed(), serifs=0.06)
    points = pen_paths(table, hand, np.random.default_rng(0)).points
    third = points.shape[1] // 3
    inner = points[:, third] - points[:, -third]
    across = np.stack([-inner[:, 1], inner[:, 0]], 1) / np.linalg.norm(inner, axis=1)[:, None]
    off = ((points - points[:, third, None]) * across[:, None]).sum(2)  # of its own line
    level, upright = off[::2], -off[1::2]
    for start in (level[:, 0], upright[:, 0]):  # above, and to the left
        assert start.min() > -0.01 and 0.5 < (start > 0.01).mean() < 0.9
        assert np.median(start[start > 0.01]) == pytest.approx(0.06 * 0.9, abs=0.015)
    ends = level[:, -1]
    assert 0.3 < (np.abs(ends) > 0.01).mean() < 0.7 and ends.min() < -0.01 < 0.01 < ends.max()
    assert np.abs(upright[:, -1]).max() < 0.01
    assert np.abs(off[:, third:-third]).max() < 0.01


def test_some_learners_write_as_varied_writers_do():
    """Of those who do not write semi-cursively half pass ends and two in five have serifs, one in
    three of all draws on a screen, and nobody of another preset; who does none of it writes as a
    varied writer."""
    drawn = {
        preset: [Hand.draw(np.random.default_rng(w), preset) for w in range(200)]
        for preset in ("plain", "varied", "learners", "hard")
    }
    for habit, share in (
        (lambda hand: hand.gap < 0, 0.65 * 0.5),
        (lambda hand: hand.serifs > 0, 0.65 * 0.4),
        (lambda hand: hand.steps > 0, 1 / 3),
    ):
        having = {preset: sum(map(habit, hands)) for preset, hands in drawn.items()}
        assert having == {"plain": 0, "varied": 0, "learners": having["learners"], "hard": 0}
        assert having["learners"] / 200 == pytest.approx(share, abs=0.1)
    for learner, varied in zip(drawn["learners"], drawn["varied"], strict=True):
        learns = learner.gap < 0 or learner.serifs > 0
        assert not (learns and varied.joining > 0.2), "who joins strokes has learned to"
        assert learner.slant == varied.slant
        assert bool(learner.steps) == (learner.pen != varied.pen)
        assert not learner.running if learns else learner.joining == varied.joining


def test_who_draws_on_a_screen_goes_from_place_to_place_in_one_width():
    """Points lie on a grid, lines are as wide at their ends, and nothing stands on the paper."""
    hands = [Hand.draw(np.random.default_rng(w), "learners") for w in range(100)]
    hands = [hand for hand in hands if hand.steps and not hand.breaks and not hand.joining]
    level = np.array([[0.2, 0.3], [0.8, 0.4]], np.float32)
    table = StrokeTable.of({"一": form_of([level]), "二": form_of([level, level + 0.2])}, "一二")
    for hand in hands:  # some of whom write with a brush elsewhere
        paths = pen_paths(table, hand, np.random.default_rng(0))
        assert np.ptp(paths.widths, axis=1) == pytest.approx(0)
    hand = hands[0]
    paths = pen_paths(table, hand, np.random.default_rng(0))
    places = paths.points / hand.steps
    assert places == pytest.approx(np.rint(places), abs=1e-3)
    assert 2 < len(np.unique(np.rint(places[0, :, 1]))) < len(places[0]), "it climbs in steps"
    page = draw_page(table, hand, np.random.default_rng(0))
    assert (page[:, :3] == 0).all() and page.max() > 12


def test_points_lie_closest_where_a_stroke_bends():
    """Of a stroke with one right corner a point lies on it, or within a hundredth."""
    corner = np.array([[0.1, 0.2], [0.83, 0.2], [0.83, 0.6]], np.float32)
    (points,) = StrokeTable.of({"フ": form_of([corner])}, "フ").points
    assert np.linalg.norm(points - corner[1], axis=1).min() < 0.01
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert steps[0] > 2 * steps.min() and points[0] == pytest.approx(corner[0])


def test_ends_that_lie_on_another_stroke_are_known():
    """T: the upright begins on the middle of the level stroke, which touches nothing itself."""
    level = np.array([[0.1, 0.2], [0.9, 0.2]], np.float32)
    upright = np.array([[0.5, 0.21], [0.5, 0.9]], np.float32)
    table = StrokeTable.of({"丁": form_of([level, upright])}, "丁丁")
    assert table.joints.tolist() == [[1, 0, 0], [3, 0, 2]]
    last = len(table.points[0]) - 1
    assert table.meets == pytest.approx([last / 2] * 2, abs=0.01)
    kept = table.only(np.array([True, False, True, True]))
    assert kept.joints.tolist() == [[2, 0, 1]], "counted anew among the strokes that are left"


def test_ends_follow_the_stroke_that_they_should_end_on():
    """With an unsteady hand T's upright begins nearer to the bar if its writer sees to it."""
    level = np.array([[0.1, 0.2], [0.9, 0.2]], np.float32)
    upright = np.array([[0.5, 0.2], [0.5, 0.9]], np.float32)
    table = StrokeTable.of({"丁": form_of([level, upright])}, "丁" * 100)
    apart = []
    for closing in (0.0, 1.0):
        hand = dataclasses.replace(Hand.printed(), unsteadiness=0.04, closing=closing)
        paths = pen_paths(table, hand, np.random.default_rng(0))
        bar, line = paths.points.reshape(100, 2, -1, 2).swapaxes(0, 1)
        across = bar[:, -1] - bar[:, 0]
        level_there = bar[:, 0, 1] + across[:, 1] / across[:, 0] * (line[:, 0, 0] - bar[:, 0, 0])
        apart.append(np.median(np.abs(line[:, 0, 1] - level_there)))
    assert apart[1] < 0.75 * apart[0], apart


def test_the_hook_with_which_a_brush_begins_is_left_out_by_some():
    hooked = np.array([[0.2, 0.1], [0.25, 0.14], [0.25, 0.9]], np.float32)
    plain = np.array([[0.2, 0.1], [0.2, 0.9]], np.float32)
    table = StrokeTable.of({"亅": form_of([hooked]), "丨": form_of([plain])}, "亅丨")
    assert np.abs(table.bare[0, :, 0] - 0.25).max() < 0.005 and table.bare[0, 0, 1] > 0.14
    np.testing.assert_array_equal(table.bare[1], table.points[1])


@pytest.mark.parametrize(
    ("writer", "expected"),
    [
        (0, [(3.589, 59.03, 59.35), (3.443, 58.43, 61.54)]),
        (9, [(2.172, 66.99, 63.78), (2.299, 62.52, 72.83)]),
    ],
)
def test_the_difficult_writers_are_frozen(writer, expected):
    """Figures of `hard` are compared over the years: what changes these writers' mean ink, or where
    it stands, has to become another preset."""
    bars = [np.array([[0.1, y], [0.9, y]]) for y in (0.2, 0.5, 0.8)]
    strokes = (*bars, np.array([[0.5, 0.1], [0.5, 0.9]]))
    form = Form(strokes, ("㇐", "㇐", "㇐", "㇑"), (0, 0, 0, 0))
    page = write_page(StrokeTable.of({"王": form}, "王王"), HARD_SEED, writer, preset="hard")
    y, x = np.mgrid[:127, :128]
    ink = page.astype(float)
    figures = [(i.mean(), (i * x).sum() / i.sum(), (i * y).sum() / i.sum()) for i in ink]
    np.testing.assert_allclose(figures, expected, rtol=5e-3)

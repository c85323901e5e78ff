"""Running forms: each rule on characters that it is for, and on those that it is not for."""

import dataclasses
import itertools

import cv2
import numpy as np
import pytest

from kakitori.reading.characters.strokes import TYPES, Form, classify, components
from kakitori.running.params import ROOT
from kakitori.synthesis import rules
from kakitori.synthesis.hand import Hand
from kakitori.synthesis.handwriting import draw_layers, draw_page, write_page
from kakitori.synthesis.paths import Paths, pen_paths
from kakitori.synthesis.running import Running
from kakitori.synthesis.table import StrokeTable
from kakitori.writing import glyphs

# Per rule a character that it is for, and one that has strokes of the same types but not its shape.
FORMS = {
    "言 on the left": ("語", "言"),
    "氵": ("池", "冷"),
    "灬": ("熱", "雨"),
    "心": ("思", "必"),
    "辶": ("道", "延"),
    "門": ("間", "田"),
    "艹": ("花", "算"),
    "口": ("品", "日"),
    "糸 on the left": ("終", "糸"),
    "金 on the left": ("針", "金"),
    "そ": ("そ", "ろ"),
    "ふ": ("ふ", "ほ"),
    "three dots of 糸": ("線", "糸"),
}
TEXT = sorted({c for pair in FORMS.values() for c in pair} | set("ぞ三木目王貝人永国心口門小"))


@pytest.fixture(scope="module")
def forms() -> dict[str, Form]:
    """KanjiVG's, or of its brush-regular variants where they have dots below 糸."""
    archive = ROOT / "data/external/kanjivg.zip"
    read = glyphs.forms_of("kanjivg", TEXT, archive, 1)
    read |= glyphs.forms_of("kaisho", "線", archive, 1)
    return {c: form for c, (form, _) in read.items()}


def hand_of(every: float, course: int = 0, **habits) -> Hand:
    """A printed hand with a fine pen that follows each rule so often, by the same form of each."""
    running = Running(
        forms=np.full(len(rules.FORMS), every),
        cuts=np.full(len(rules.CUTS), every),
        links=np.full(len(rules.LINKS), every),
        course=np.full(len(rules.FORMS), course),
        hooks=every,
        curl=0.7,
        width=1.0,
        thin=0.0,
    )
    running = dataclasses.replace(running, **habits)
    return dataclasses.replace(Hand.printed(), pen=2.5, reach=9.0, running=running)


def paths_of(forms: dict[str, Form], text: str, hand: Hand) -> Paths:
    return pen_paths(StrokeTable.of(forms, text), hand, np.random.default_rng(0))


def pieces(page: np.ndarray) -> int:
    """Connected pieces of ink."""
    return cv2.connectedComponents((page > 7).astype(np.uint8))[0] - 1


def pen_downs(paths: Paths) -> int:
    """How often a pen is set down that stays down along links and onto what begins where it is."""
    links = paths.number == 0
    strokes = paths.points[~links]
    led = {tuple(p) for p in paths.points[links][:, -1].tolist()}
    led |= {tuple(p) for p in strokes[:, -1].tolist()}
    return sum(tuple(p) not in led for p in strokes[:, 0].tolist())


def test_bars_below_each_other_are_one_line(forms):
    table = StrokeTable.of(forms, "三")
    for every, expected in ((0.0, 3), (1.0, 1)):
        page = draw_page(table, hand_of(every), np.random.default_rng(0))
        assert pieces(page[0]) == expected
    assert pen_downs(paths_of(forms, "三", hand_of(1.0))) == 1


@pytest.mark.parametrize("course", [0, 1])
def test_a_box_takes_two_strokes_of_the_pen(forms, course):
    """口: what closes it goes on from its shoulder; or is linked to it."""
    links = np.array([rule.name.startswith("a shoulder") for rule in rules.LINKS], float)
    paths = paths_of(forms, "口", hand_of(1.0, course, links=links))
    assert pen_downs(paths) == 2
    assert pen_downs(paths_of(forms, "口", hand_of(0.0))) == 3


def test_so_is_written_in_one_stroke_or_in_two(forms):
    """A form may lift the pen within what KanjiVG has as one stroke: all of it is that stroke's."""
    table = StrokeTable.of(forms, "そ")
    for course, expected in ((0, 2), (1, 1)):
        page, layers = (
            draw(table, hand_of(1.0, course), np.random.default_rng(0))[0]
            for draw in (draw_page, draw_layers)
        )
        assert pieces(page) == expected
        assert cv2.connectedComponents(layers)[0] - 1 == expected and layers.max() == 1


def test_who_follows_no_rule_writes_as_without_them(forms):
    table = StrokeTable.of(forms, TEXT)
    none = dataclasses.replace(hand_of(0.0), running=None)
    pages = [draw_page(table, h, np.random.default_rng(0)) for h in (none, hand_of(0.0))]
    np.testing.assert_array_equal(*pages)


def test_who_writes_so():
    """No one who writes as taught, and none of the frozen difficult hands; most who write
    semi-cursively."""
    for preset in ("plain", "hard"):
        hands = [Hand.draw(np.random.default_rng(w), preset) for w in range(20)]
        assert all(hand.running is None for hand in hands)
    hands = [Hand.draw(np.random.default_rng(w)) for w in range(200)]
    share = np.mean([hand.running is not None for hand in hands])
    often = np.mean([h.running is not None and (h.running.links > 0).sum() > 5 for h in hands])
    assert 0.4 < share < 0.9 and 0.1 < often < 0.4


@pytest.mark.parametrize("rule", rules.FORMS, ids=lambda rule: rule.name)
def test_a_form_is_found_where_it_belongs_alone(forms, rule):
    table = StrokeTable.of(forms, FORMS[rule.name])
    rows = table.running.forms[rules.FORMS.index(rule)]
    assert len(rows) and (table.character[rows] == 0).all()
    assert (np.diff(rows) == 1).all()


@pytest.mark.parametrize("course", [0, 1])
@pytest.mark.parametrize("rule", rules.FORMS, ids=lambda rule: rule.name)
def test_a_form_is_drawn_in_the_place_of_its_component(forms, rule, course):
    """It fills the same box, to a tenth of the square, and is another line."""
    text = FORMS[rule.name][0]
    table = StrokeTable.of(forms, text)
    only = np.array([r is rule for r in rules.FORMS], float)
    habits = {"cuts": np.zeros(len(rules.CUTS)), "links": np.zeros(len(rules.LINKS)), "hooks": 0.0}
    rows = table.running.forms[rules.FORMS.index(rule)][0]
    drawn = []
    for forms_followed in (0 * only, only):
        hand = hand_of(1.0, course, forms=forms_followed, **habits)
        paths = pen_paths(table, hand, np.random.default_rng(0))
        drawn.append(paths.points[paths.number > 0][rows])
    usual, own = drawn
    assert np.abs(usual.min((0, 1)) - own.min((0, 1))).max() < 0.1
    assert np.abs(usual.max((0, 1)) - own.max((0, 1))).max() < 0.1
    assert np.abs(usual - own).max() > 0.02


def test_strokes_that_go_on_into_each_other_make_no_corner():
    """Where one ends the direction changes by less than between the points that are given."""
    for rule in rules.FORMS:
        for course in rule.courses:
            strokes = rules.curves(course, 200).strokes
            for stroke, other in itertools.pairwise(strokes):
                if (stroke[-1] == other[0]).all():
                    before, after = stroke[-1] - stroke[-2], other[1] - other[0]
                    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
                    assert cosine > np.cos(np.radians(45)), (rule.name, course)


@pytest.mark.parametrize("course", [0, 1])
def test_all_strokes_are_told_apart_and_stay_in_the_frame(forms, course):
    table = StrokeTable.of(forms, TEXT)
    hand = hand_of(1.0, course)
    paths = pen_paths(table, hand, np.random.default_rng(0))
    assert np.abs(paths.points).max() < 0.5
    layers = draw_layers(table, hand, np.random.default_rng(0))
    count = np.bincount(table.character)
    for character, layer, strokes in zip(TEXT, layers, count, strict=True):
        assert set(np.unique(layer)) == set(range(strokes + 1)), character
    # A link is ink, and no stroke's.
    page = draw_page(table, hand, np.random.default_rng(0))
    three = TEXT.index("三")
    links = (page[three] > 7) & (cv2.dilate(layers[three], np.ones((3, 3))) == 0)
    assert links.sum() > 20


def test_no_rule_reaches_from_one_character_into_the_next():
    """Two dots, and another character that is a rising stroke: together they would be 氵."""
    dots = [np.array([[0.2, y], [0.3, y + 0.1]], np.float32) for y in (0.1, 0.4)]
    rise = [np.array([[0.15, 0.9], [0.3, 0.65]], np.float32)]
    both = [*dots, *rise]
    strokes = {"二": dots, "一": rise, "三": both}
    types = {"二": "㇔㇔", "一": "㇀", "三": "㇔㇔㇀"}
    made = {c: Form(s, tuple(types[c]), components(s)) for c, s in strokes.items()}
    water = [rule.name for rule in rules.FORMS].index("氵")
    table = StrokeTable.of(made, "二一三")
    assert table.running.forms[water].tolist() == [[3, 4, 5]]
    assert (table.running.link[[1, 2, 5]] == -1).all() and (table.running.link[[0, 3]] >= 0).all()
    paths = paths_of(made, "二一三", hand_of(1.0))
    assert np.split(paths.number, paths.first[1:-1])[1].tolist() == [1]


def test_a_component_that_misses_a_stroke_is_written_in_full(forms):
    table = StrokeTable.of(forms, "池語")
    water = [rule.name for rule in rules.FORMS].index("氵")
    speech = [rule.name for rule in rules.FORMS].index("言 on the left")
    kept = table.only(np.arange(len(table.number)) != 1)
    assert len(kept.running.forms[water]) == 0
    rows = kept.running.forms[speech]
    assert rows.shape == (1, 7) and kept.number[rows[0]].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert kept.running.link[0] == -1, "its next stroke is missing"


def test_strokes_are_cut_where_the_rules_say(forms):
    """永's last stroke stops after four fifths, its third loses its hook."""
    table = StrokeTable.of(forms, "永")
    cuts = np.array([rule.name == "㇏ that stops" for rule in rules.CUTS], float)
    nothing = {"forms": np.zeros(len(rules.FORMS)), "links": np.zeros(len(rules.LINKS))}
    usual, own = (
        pen_paths(table, hand, np.random.default_rng(0)).points
        for hand in (hand_of(0.0), hand_of(1.0, cuts=cuts, **nothing))
    )
    long = [np.linalg.norm(np.diff(p, axis=1), axis=2).sum(1) for p in (usual, own)]
    types = [list(TYPES)[k] for k in table.kind]
    assert types[-1] == "㇏" and 0.6 < long[1][-1] / long[0][-1] < 0.9
    hooked = [k for k, t in enumerate(types) if t == "㇚" or t in rules.HOOKED]
    assert hooked and all(long[1][k] < 0.97 * long[0][k] for k in hooked)


def test_kana_keep_their_shapes():
    """Katakana as they are; of hiragana the strokes as they are, some with links."""
    strokes = [
        np.array(s, np.float32) for s in ([[0.2, 0.1], [0.3, 0.2]], [[0.1, 0.4], [0.2, 0.5]])
    ]
    strokes.append(np.array([[0.1, 0.9], [0.8, 0.3]], np.float32))
    form = Form(strokes, tuple(classify(strokes)), components(strokes))
    for kana, links in (("シ", 0), ("ふ", 2)):
        paths = paths_of({kana: form}, kana, hand_of(1.0))
        plain = paths_of({kana: form}, kana, hand_of(0.0))
        own = paths.number > 0
        assert (~own).sum() == links
        spread = [np.ptp(p, axis=(0, 1)) for p in (paths.points[own], plain.points)]
        np.testing.assert_allclose(*spread, rtol=0.25)


def test_the_same_writer_writes_the_same_running_hand(forms):
    table = StrokeTable.of(forms, TEXT)
    writers = [w for w in range(20) if Hand.draw(np.random.default_rng([0, w])).running]
    for writer in writers[:3]:
        pages = [write_page(table, 0, writer) for _ in range(2)]
        np.testing.assert_array_equal(*pages)


def test_the_documentation_lists_every_rule():
    text = (ROOT / "docs/handwriting.md").read_text("utf-8")
    kinds = {"drawn anew": rules.FORMS, "cut short": rules.CUTS, "joined": rules.LINKS}
    rows = [
        f"| {kind} | {rule.name} | {round(100 * rule.chance)} % |"
        for kind, listed in kinds.items()
        for rule in listed
    ]
    lines = text.split("## Running forms", 1)[1].split("\n## ", 1)[0].splitlines()
    table = [line for line in lines if line.startswith("|")][2:]
    assert table == rows


def test_no_pen_stays_down_before_the_marks_of_voiced_kana(forms):
    """ぞ: not before its marks, whoever joins whatever is near; between them it may."""
    hand = dataclasses.replace(hand_of(1.0, forms=np.zeros(len(rules.FORMS))), joining=1.0)
    table = StrokeTable.of(forms, "ぞ")
    paths = pen_paths(table, hand, np.random.default_rng(0))
    links = paths.points[paths.number == 0]
    assert len(links) == 1
    np.testing.assert_array_equal(links[0, 0], paths.points[1, -1])

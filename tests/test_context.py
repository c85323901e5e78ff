"""What a caller knows: candidates by name, how often characters are written, the frame."""

import unicodedata

import numpy as np
import pytest
from PIL import Image, ImageDraw

from kakitori.errors import DataError
from kakitori.reading import context, frequency
from kakitori.reading.characters import charset
from kakitori.reading.normalising import rendering
from kakitori.reading.normalising.photos import prepare, within

CLASSES = "あへヘりリ0Oo〇い+二こ什け"


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ("", CLASSES),
        ("katakana", "ヘリ"),
        ("hiragana+〇", "あへり〇いこけ"),
        ("kana+digits", "あへヘりリ0いこけ"),
        ("い+あ", "あい"),
        ("0+", "0+"),
        ("O+o", "Oo"),
        ("o", "o"),
    ],
)
def test_candidates_by_name_and_by_character(candidates, expected):
    chosen = context.allowed(candidates, CLASSES)
    assert "".join(c for c, here in zip(CLASSES, chosen, strict=True) if here) == expected


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ("hirgana", r"names among etl9, .*joined by \+, found 'hirgana'"),
        ("kana+latn", "found 'latn'"),
        ("日", "among the model's 15 classes, found 日"),
        ("kana+日", "found 日"),
        ("jis2", "some of the model's 15 classes in jis2, found none"),
    ],
)
def test_candidates_that_are_none(candidates, message):
    with pytest.raises(DataError, match=message):
        context.allowed(candidates, CLASSES)


def test_look_alikes_are_answered_together():
    p = np.array([[0.3, 0.2, 0.2, 0, 0, 0.05, 0.05, 0.06, 0.04, 0.1, 0, 0, 0, 0, 0]])
    groups = context.alike(CLASSES)
    assert "".join(CLASSES[k] for k in context.ranked(p, groups, 7)[0]) == "へヘあo0O〇"
    assert [CLASSES[k] for k in context.ranked(p, groups, 1)[0]] == ["へ"]
    alone = np.arange(len(CLASSES))
    assert (context.ranked(p, alone, 15)[0] == np.argsort(-p[0], kind="stable")).all()


def test_what_text_does_not_tell_apart_is_answered_together():
    """The same character by Unicode: writing U+FA33 or 勉 into a normalised text is the same."""
    alphabet = "".join(charset.alphabet())
    groups = dict(zip(alphabet, context.alike(alphabet), strict=True))
    others = [c for c in alphabet if unicodedata.normalize("NFC", c) != c]
    assert len(others) == 57
    assert all(groups[c] == groups[unicodedata.normalize("NFC", c)] for c in others)
    assert groups["諸"] != groups["緒"]


def test_ranked_is_the_whole_order_cut():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 12, 40)
    p = rng.dirichlet(np.full(40, 0.2), 50)
    whole = context.ranked(p, groups, 40)
    for top in (1, 3, 10):
        assert (context.ranked(p, groups, top) == whole[:, :top]).all()
    for row, order in zip(p, whole, strict=True):
        of_group = [row[groups == groups[k]].sum() for k in order]
        assert (np.diff(of_group) <= 1e-12).all() and len(set(order)) == 40


def test_a_prior_tells_what_is_written_more_often():
    weights = context.weights("text", "こ二ら今け什")
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > weights[1] and weights[2] > weights[3] and weights[4] > weights[5]
    assert (context.weights("", "こ二") == 1).all()
    rare = context.weights("text", "".join(charset.alphabet()))
    assert rare.min() > 1e-5, "what is hardly ever written can still be read"
    with pytest.raises(DataError, match="expected text or none, found 'web'"):
        context.weights("web", "こ二")


def test_the_table_of_frequencies():
    levels = frequency.decibels()
    assert len(levels) == sum(map(len, frequency.DECIBELS.values()))
    assert set(levels) <= set(charset.alphabet())
    assert min(levels, key=levels.get) == "の"
    share = sum(10 ** (-level / 10) for level in levels.values())
    assert share == pytest.approx(1, abs=0.05)


def ring(side: int = 100, diameter: int = 20) -> Image.Image:
    image = Image.new("L", (side, side), 255)
    first = (side - diameter) // 2
    box = (first, first, first + diameter, first + diameter)
    ImageDraw.Draw(image).ellipse(box, outline=0, width=3)
    return image


def height(image: np.ndarray) -> int:
    return int((image > 100).any(1).sum())


def test_a_frame_keeps_small_characters_small():
    """As in training: half as large again as in the frame, and at most the whole extent."""
    whole = height(prepare(ring(), 64))
    assert height(prepare(ring(), 64, 100)) == pytest.approx(64 * 1.5 * 0.21, abs=2)
    assert height(prepare(ring(), 64, 50)) == pytest.approx(64 * 1.5 * 0.42, abs=2)
    assert height(prepare(ring(), 64, 24)) == height(prepare(ring(), 64, 30)) == whole
    large = ring().resize((1500, 1500))  # reduced on the way, and yet the same of its frame
    assert height(prepare(large, 64, 1500)) == pytest.approx(64 * 1.5 * 0.21, abs=2)


@pytest.mark.parametrize("frame", [10, 0, -5, float("nan"), float("inf")])
def test_a_frame_smaller_than_the_ink(frame):
    with pytest.raises(DataError, match="at least the ink's 21, found"):
        prepare(ring(), 64, frame)


def test_strokes_in_a_frame():
    strokes = [np.array([[0.4, 0.5], [0.6, 0.5]])]
    assert rendering.extent(strokes, 1.0) == pytest.approx(0.2 + 1 / 24)
    assert rendering.extent([strokes[0] * 5 - 2], 1.0) == pytest.approx(1)
    drawn = prepare(Image.fromarray(rendering.draw(strokes)), 64)
    small = within(drawn, rendering.extent(strokes, 1.0), 1.0)
    assert (small > 100).any(0).sum() < 0.5 * (drawn > 100).any(0).sum()
    with pytest.raises(DataError, match="frame"):
        within(drawn, rendering.extent(strokes, 0.1), 0.1)


def test_shape_tells_the_group_and_the_frame_the_member():
    groups = np.array([0, 0, 2, 3])
    shape = np.array([[0.7, 0.1, 0.15, 0.05]])
    framed = np.array([[0.1, 0.3, 0.6, 0.0]])
    probabilities = context.parted(shape, framed, groups)
    np.testing.assert_allclose(probabilities, [[0.2, 0.6, 0.15, 0.05]])

"""Characters with strokes left out, and where each stroke is."""

import h5py
import numpy as np
import pandas as pd
import pytest

from kakitori.corpora.partial import with_slips
from kakitori.corpora.partial import write as extracted
from kakitori.errors import DataError
from kakitori.evaluation import feedback
from kakitori.reading.characters.charset import etl9_characters
from kakitori.reading.characters.strokes import Form
from kakitori.synthesis import partial, slips
from kakitori.synthesis.hand import Hand
from kakitori.synthesis.handwriting import draw_layers, draw_page
from kakitori.synthesis.synthesis import Copybooks
from kakitori.synthesis.table import StrokeTable

BARS = [[0.1, y, 0.9, y] for y in (0.1, 0.4, 0.7)] + [[0.5, 0.05, 0.5, 0.95]]


@pytest.fixture(scope="module")
def characters() -> pd.DataFrame:
    """Of one to four strokes: how many follows from their place in the list."""
    names = etl9_characters()[:40]
    forms = [
        [
            {
                "source": s,
                "strokes": BARS[: k % 4 + 1],
                "stroke_types": "㇐㇐㇐㇑"[: k % 4 + 1],
                "components": [0] * (k % 4 + 1),
                "widths": [],
            }
            for s in ("font", "kanjivg")
        ]
        for k in range(len(names))
    ]
    return pd.DataFrame({"character": names, "forms": forms})


@pytest.fixture(scope="module")
def written(characters, tmp_path_factory):
    folder = tmp_path_factory.mktemp("partial")
    assert partial.write(Copybooks(characters), folder / "partial.h5", 3, 3036, seed=0) == 120
    (folder / "shards").mkdir()
    extracted(folder, folder / "shards", 64)
    assert [path.name for path in (folder / "shards").iterdir()] == ["partial.h5"]
    with h5py.File(folder / "shards/partial.h5") as file:
        return {name: data[:] for name, data in file.items()} | {"about": dict(file.attrs)}


def test_one_stroke_or_more_is_missing_but_never_all(written):
    strokes, presence = written["strokes"], written["presence"]
    np.testing.assert_array_equal(strokes, np.tile(np.arange(40) % 4 + 1, 3))
    assert written["codepoint"][:40].tolist() == [ord(c) for c in etl9_characters()[:40]]
    left = presence.sum(1)
    assert (left[strokes == 1] == 1).all() and (left >= 1).all()
    assert (left[strokes > 1] < strokes[strokes > 1]).all()
    assert set((strokes - left)[strokes == 4]) == {1, 2}
    for row, count in zip(presence, strokes, strict=True):
        assert not row[count:].any()
    assert set(written["source"]) == {0, 1} and written["about"] == {"sources": "font, kanjivg"}


def test_every_stroke_goes_missing_somewhere(written):
    four = written["presence"][written["strokes"] == 4][:, :4]
    assert (four.mean(0) < 1).all() and (four.mean(0) > 0.3).all()


def test_layers_tell_which_stroke_a_pixel_is_of(written):
    """The numbers in a layer are those of the strokes that were written, and cover the ink."""
    images, layers = written["images"], written["layers"]
    covered = []
    for image, layer, row in zip(images, layers, written["presence"], strict=True):
        assert set(np.unique(layer)) - {0} <= set(np.flatnonzero(row) + 1)
        covered.append((layer[image > 200] > 0).mean())
        assert (image[layer > 0] > 30).mean() > 0.5
    assert np.mean(covered) > 0.9


def test_layers_are_in_the_order_of_the_strokes():
    """三 with a printed hand: the bars from top to bottom are 1, 2 and 3."""
    strokes = [np.array(b, np.float32).reshape(2, 2) for b in BARS[:3]]
    table = StrokeTable.of({"三": Form(strokes, ("㇐",) * 3, (0, 1, 2))}, "三")
    layers = draw_layers(table, Hand.printed(), np.random.default_rng(0))[0]
    page = draw_page(table, Hand.printed(), np.random.default_rng(0))[0]
    rows = [np.flatnonzero((layers == n).any(1)).mean() for n in (1, 2, 3)]
    assert rows == sorted(rows) and np.unique(layers).tolist() == [0, 1, 2, 3]
    assert ((layers > 0) == (page > 7)).mean() > 0.98
    without = table.only(table.number != 2)
    assert set(np.unique(draw_layers(without, Hand.printed(), np.random.default_rng(0)))) == {
        0,
        1,
        3,
    }


@pytest.mark.parametrize("size", [64, 128])
def test_characters_with_a_stroke_too_few_or_too_many_are_read_as_written(
    characters, size, tmp_path
):
    path, known = tmp_path / "shards/feedback.h5", etl9_characters()[:40:2]
    path.parent.mkdir()
    slips.write(Copybooks(characters), tmp_path / "feedback.h5", 3036, seed=0)
    extracted(tmp_path, path.parent, size)
    samples = feedback.read(path, known, size)
    assert samples.images.shape == (10 * 20, size, size) and samples.images.any((1, 2)).all()
    assert set(samples.labels) == set(range(20))  # of the classes alone, by their numbers
    strokes = 2 * samples.labels % 4 + 1
    assert (samples.presence.sum(1) <= strokes).all() and (samples.presence.sum(1) >= 1).all()
    assert 0.2 < (samples.slips > 0).mean() < 0.8
    with pytest.raises(DataError, match=rf"expected images of 96 pixels .*found {size}"):
        feedback.read(path, known, 96)


@pytest.mark.parametrize("kind", ["damaged", "of an earlier version"])
def test_what_synthesize_does_not_write_is_named(tmp_path, kind):
    path = tmp_path / "partial.h5"
    path.write_bytes(b"no HDF5")
    if kind != "damaged":
        with h5py.File(path, "w") as file:
            file["images"] = np.zeros((1, 64, 64), np.uint8)
    with pytest.raises(
        DataError, match=r"^\S+partial\.h5: expected frames, layers, writer .*anew$"
    ):
        extracted(tmp_path, tmp_path, 64)


def test_a_stroke_is_put_in_where_it_lies():
    """Of two bars the second shows one pixel beside the ink that is there."""
    shown = np.zeros((2, 4, 4), np.uint8)
    layers = np.zeros((2, 4, 4), np.uint8)
    shown[0, 1, :3], layers[0, 1, :3] = 200, 1
    shown[0, 3, 1:], layers[0, 3, 1:] = 180, 2
    shown[1, 3, :3], layers[1, 3, :3] = 90, 1
    images, slips = with_slips(shown, layers, np.array([-1.0, 0.9]))
    assert slips.tolist() == [0, 1] and (images[0] == shown[0]).all()
    assert images[1, 3].tolist() == [90, 180, 180, 180] and not images[1, :3].any()

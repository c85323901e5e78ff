"""What is common to all corpora on their way into shards."""

import h5py
import numpy as np

from kakitori.corpora import catalog, extraction
from kakitori.learning.contract import NONE
from kakitori.learning.samples import data
from kakitori.reading.characters.strokes import TYPES
from tests.inks import CROSS, LEVEL, block

UNIPEN = ".VERSION 1.0\n.WRITER_ID w07\n.COORD X Y\n.HIERARCHY CHARACTER\n"


def test_pen_strokes_keep_their_order_in_the_shard(tmp_path):
    """十 in two strokes, 一 in one: where each begins, and which way it runs."""
    folder = tmp_path / "raw/kuchibue"
    folder.mkdir(parents=True)
    text = UNIPEN + '.SEGMENT CHARACTER 0-1 ? "十"\n' + block(CROSS)
    text += '.SEGMENT CHARACTER 2-2 ? "一"\n' + block(LEVEL)
    (folder / "a.dat").write_text(text, "utf-8")
    (tmp_path / "data/shards").mkdir(parents=True)
    sources = catalog.sources(tmp_path, "raw/kuchibue")
    index, rejects, _ = extraction.write_shards(sources, tmp_path / "data/shards", 64)
    assert "".join(map(chr, index["codepoint"])) == "十一" and not rejects
    assert set(index["writer_group"]) == {"kuchibue/w07"} and (index["sheet"] == -1).all()
    with h5py.File(tmp_path / "data/shards/shard-000.h5") as file:
        pen = {name: file[f"pen/{name}"][:] for name in ("points", "strokes", "samples")}
        images = file["images"][:]
    assert pen["samples"].tolist() == [0, 2, 3] and pen["strokes"].tolist() == [0, 2, 5, 7]
    assert pen["points"].min() >= 0 and pen["points"].max() <= 1
    level, upright, _ = np.split(pen["points"], pen["strokes"][1:-1])
    assert level[-1, 0] > level[0, 0] + 0.5 and abs(level[-1, 1] - level[0, 1]) < 0.1
    assert upright[-1, 1] > upright[0, 1] + 0.5
    # Drawn so: both arms of the cross, and for 一 a bar with nothing above or below.
    assert images[0, 32, 8] > 100 and images[0, 8, 32] > 100
    assert images[1, 28:36].max() > 200 and not images[1, :20].any()

    part = data.load_part(tmp_path, index.assign(part="train"), "train", ["一", "十"], order=True)
    types = [[list(TYPES)[n] for n in row if n != NONE] for row in part.written.tolist()]
    assert types == [["㇐", "㇑"], ["㇐"]]

    index["codepoint"], weights = list(map(ord, "十の")), {"raw/kuchibue": 2.0}
    chosen = tmp_path, index.assign(part="train"), "train", ["の", "十"], weights, False
    assert data.load_part(*chosen).weights.tolist() == [2, 2]
    assert data.load_part(*chosen, {"hiragana": 5, "latin": 9}).weights.tolist() == [2, 10]


def test_hashes_tell_equal_images_and_those_that_look_alike():
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 2, (20, 8, 8), dtype=np.uint8).repeat(8, 1).repeat(8, 2) * 255
    noisy = np.clip(drawn.astype(int) + rng.integers(-6, 7, drawn.shape), 0, 255).astype(np.uint8)
    exact, look = extraction._digests(drawn)
    again, still = extraction._digests(drawn.copy())
    np.testing.assert_array_equal(exact, again)
    np.testing.assert_array_equal(look, still)
    assert len(set(exact)) == 20
    other, near = extraction._digests(noisy)
    assert not set(other) & set(exact)
    assert np.bitwise_count(look ^ near).max() <= 4 < np.bitwise_count(look[:-1] ^ look[1:]).min()

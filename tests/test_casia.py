import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakitori.corpora import casia, pen
from kakitori.errors import DataError
from tests.bundles import drain, make_tar, make_zip
from tests.fuzzing import fuzz

# --- writers, by hand from the tables of the database's pages


def gnt(tag: bytes, bitmap: np.ndarray) -> bytes:
    height, width = bitmap.shape
    tag = tag.ljust(2, b"\0")
    return struct.pack("<I2sHH", 10 + width * height, tag, width, height) + bitmap.tobytes()


def pot(tag: bytes, strokes: list[list[tuple[int, int]]], swapped: bool = True) -> bytes:
    tag = tag.ljust(2, b"\0")
    tag = (tag[::-1] if swapped else tag) + b"\0\0"
    points = b"".join(
        b"".join(struct.pack("<hh", *p) for p in stroke) + struct.pack("<hh", -1, 0)
        for stroke in strokes
    ) + struct.pack("<hh", -1, -1)
    return struct.pack("<H4sH", 8 + len(points), tag, len(strokes)) + points


def bitmap(width: int, height: int, seed: int = 0) -> np.ndarray:
    """White with a dark block that touches the left edge, as tightly cut characters do."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width), 255, np.uint8)
    image[height // 4 : height // 2 + 1, : width // 2 + 1] = rng.integers(0, 120)
    return image


CROSS = [[(10, 50), (90, 50)], [(50, 10), (50, 60), (52, 90)]]
TEXT = "啊阿埃挨哎唉哀皑癌蔼矮艾碍爱隘鞍氨安俺按A,"


def write(path: Path, content: bytes) -> casia.CasiaFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    (source,) = casia.sources(path.parent, "raw/HWDB")
    return source


def gnt_file(path: Path) -> casia.CasiaFile:
    samples = [gnt(c.encode("gb2312"), bitmap(40 + k, 60 - k, k)) for k, c in enumerate(TEXT)]
    return write(path, b"".join(samples))


def pot_file(path: Path, swapped: bool = True) -> casia.CasiaFile:
    return write(path, b"".join(pot(c.encode("gb2312"), CROSS, swapped) for c in TEXT))


# --- reading


@pytest.mark.parametrize("make", [gnt_file, pot_file])
def test_labels_and_writers(tmp_path, make):
    suffix = "gnt" if make is gnt_file else "pot"
    source = make(tmp_path / f"HWDB1.1trn/1001-f.{suffix}")
    samples = source.read(64)
    assert "".join(map(chr, samples.codepoint)) == TEXT
    assert samples.writer_group == "CASIA/1001"
    assert source.file == f"1001-f.{suffix}" and source.corpus == "raw/HWDB"
    assert drain(samples).shape == (len(TEXT), 64, 64)
    assert not samples.rejects and not samples.errata


def test_paper_is_0_and_ink_255(tmp_path):
    images = drain(gnt_file(tmp_path / "w/1.gnt").read(64))
    assert (images[:, :3].max(), images[:, :, -3:].max()) == (0, 0)
    assert (images[:, 32, 32] > 250).all()
    blank = write(tmp_path / "b/1.gnt", gnt(b"A", np.full((30, 20), 255, np.uint8))).read(64)
    assert not drain(blank).any()


def test_the_block_keeps_its_aspect(tmp_path):
    image = np.full((100, 100), 255, np.uint8)
    image[20:80, 40:60] = 0  # 60 high, 20 wide
    ink = drain(write(tmp_path / "w/1.gnt", gnt(b"A", image)).read(64))[0] > 127
    assert ink.any(1).sum() == pytest.approx(56, abs=2)
    assert ink.any(0).sum() == pytest.approx(56 / 3, abs=2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (2500, 3), (1500, 1400)])
def test_extreme_sizes_are_read(tmp_path, shape):
    samples = write(tmp_path / "w/1.gnt", gnt(b"A", np.zeros(shape, np.uint8))).read(64)
    assert drain(samples).shape == (1, 64, 64)


def test_symbols_are_what_they_are(tmp_path):
    tags = [b"A", b"\xa3\xc1", b"\xa1\xa3", b"\xa1\xaa"]  # ASCII, full-width, stop, dash
    source = write(tmp_path / "w/1.gnt", b"".join(gnt(t, bitmap(9, 9)) for t in tags))
    assert "".join(map(chr, source.read(32).codepoint)) == "AＡ。—"


@pytest.mark.parametrize("tag", [b"\0\0", b"AB", b"\xff\xff", b"\x81\x20", b"\xaa\xa1", b" "])
def test_a_tag_that_is_no_character_is_rejected(tmp_path, tag):
    content = gnt(b"A", bitmap(9, 9)) + gnt(tag, bitmap(9, 9)) + gnt(b"B", bitmap(9, 9))
    samples = write(tmp_path / "w/1.gnt", content).read(32)
    assert samples.codepoint.tolist() == [ord("A"), ord("B")]
    (reject,) = samples.rejects
    assert reject.offset == 91 and "expected the GB code of a character" in reject.reason
    assert len(drain(samples)) == 2


def test_pot_keeps_strokes_and_their_order(tmp_path):
    samples = pot_file(tmp_path / "w/1.pot").read(64)
    strokes = pen.strokes_of(samples.pen, 3)
    assert [len(s) for s in strokes] == [2, 3]
    np.testing.assert_allclose(strokes[0], [[0, 0.5], [1, 0.5]], atol=1e-6)
    np.testing.assert_allclose(strokes[1], [[0.5, 0], [0.5, 0.625], [0.525, 1]], atol=1e-6)
    ink = drain(samples)[3]
    assert ink[32, 8:56].min() > 180 and ink[8:56, 30:36].max(1).min() > 180
    assert ink[10:20, 10:20].max() == 0


def test_a_point_is_a_dot(tmp_path):
    (image,) = drain(write(tmp_path / "w/1.pot", pot(b"A", [[(700, 900)]])).read(64))
    assert image[32, 32] == 255 and image[2, 2] == 0


def test_the_order_of_the_tags_is_found_in_the_file(tmp_path):
    swapped = pot_file(tmp_path / "a/1.pot").read(32)
    straight = pot_file(tmp_path / "b/1.pot", swapped=False).read(32)
    np.testing.assert_array_equal(swapped.codepoint, straight.codepoint)
    assert straight.errata == {"tag bytes not swapped": len(TEXT)}


def test_bad_strokes_are_rejected_alone(tmp_path):
    wrong = [
        pot(b"A", [[(1, 2)], []]),  # a stroke without points
        pot(b"A", [[(1, 2), (-1, -1), (3, 4)]]),  # an end inside
        pot(b"A", [[(1, 2), (-1, 0), (3, 4)]]),  # one stroke more than the header says
    ]
    content = b"".join(wrong) + pot(b"B", CROSS)
    samples = write(tmp_path / "w/1.pot", content).read(32)
    assert samples.codepoint.tolist() == [ord("B")] and len(drain(samples)) == 1
    lengths = np.cumsum([0] + [len(w) for w in wrong])
    assert [r.offset for r in samples.rejects] == lengths[:3].tolist()


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_archives_read_like_folders(tmp_path, make):
    plain = gnt_file(tmp_path / "trn/001.gnt")
    suffix = "zip" if make is make_zip else "tar"
    path = make(tmp_path / f"x.{suffix}", {"trn/001.GNT": plain.place.read().tobytes()})
    (zipped,) = casia.sources(path, "raw/x")
    assert zipped.writer_group == plain.writer_group
    np.testing.assert_array_equal(drain(zipped.read(32)), drain(plain.read(32)))


def test_sources_come_in_name_order_and_only_from_casia(tmp_path):
    for name in ("b/2.gnt", "b/1.pot", "a/3.gnt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "README.txt").write_text("x")
    assert [s.place.name for s in casia.sources(tmp_path, "x")] == ["a/3.gnt", "b/1.pot", "b/2.gnt"]
    with pytest.raises(DataError, match="empty file"):
        casia.sources(tmp_path, "x")[0].read(32)


# --- bad input


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ((10 + 16, b"A\0", 0, 16), "found 26 bytes and 0 x 16 pixels"),
        ((10, b"A\0", 4, 0), "found 10 bytes and 4 x 0 pixels"),
        ((10 + 16, b"A\0", 5, 4), "found 26 bytes and 5 x 4 pixels"),
        ((10 + 16, b"A\0", 65535, 65535), "found 26 bytes and 65535 x 65535 pixels"),
        ((0, b"A\0", 4, 4), "found the size 0"),
        ((1 << 31, b"A\0", 4, 4), "expected a sample of 2147483648 bytes, found 26 bytes"),
    ],
)
def test_impossible_sizes_name_their_offset(tmp_path, header, message):
    first = gnt(b"A", bitmap(9, 9))
    content = first + struct.pack("<I2sHH", *header) + bytes(16)
    with pytest.raises(DataError, match=rf"1\.gnt: offset {len(first)}: .*{message}"):
        write(tmp_path / "w/1.gnt", content).read(32)


@pytest.mark.parametrize("make", [gnt_file, pot_file])
def test_every_cut_is_noticed(tmp_path, make):
    """But those between two samples: the formats do not say how many there are."""
    source = make(tmp_path / f"w/1.{'gnt' if make is gnt_file else 'pot'}")
    path, whole = source.place.root / source.place.name, source.place.read().tobytes()
    between, offset = set(), 0
    while offset < len(whole):
        layout = "<I" if make is gnt_file else "<H"
        offset += struct.unpack_from(layout, whole, offset)[0]
        between.add(offset)
    for cut in range(0, len(whole), 1 if make is pot_file else 29):
        path.write_bytes(whole[:cut])
        if cut in between:
            assert len(drain(source.read(16))) < len(TEXT)
        else:
            with pytest.raises(DataError, match="offset"):
                source.read(16)


@pytest.mark.parametrize("make", [gnt_file, pot_file])
def test_flipped_bytes_end_in_an_error_or_in_samples(tmp_path_factory, make):
    suffix = "gnt" if make is gnt_file else "pot"
    source = make(tmp_path_factory.mktemp("flip") / f"w/1.{suffix}")
    path, whole = source.place.root / source.place.name, source.place.read().tobytes()
    if make is gnt_file:
        whole = b"".join(gnt(c.encode("gb2312"), bitmap(5, 4)) for c in TEXT)

    @fuzz(600)
    @given(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(1, 255)), min_size=1))
    def check(flips):
        raw = bytearray(whole)
        for at, value in flips:
            raw[at] ^= value
        path.write_bytes(raw)
        try:
            samples = source.read(16)
        except DataError:
            return
        assert len(drain(samples)) + len(samples.rejects) > 0

    check()


@fuzz(400)
@given(st.binary(min_size=1, max_size=200), st.sampled_from(["gnt", "pot"]))
def test_any_bytes_at_all(tmp_path_factory, content, suffix):
    source = write(tmp_path_factory.mktemp("any") / f"w/1.{suffix}", content)
    with pytest.raises(DataError):
        drain(source.read(16))
        raise DataError("read as samples, which is right too")

from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakitori.corpora import archives, catalog, pen, unipen
from kakitori.errors import DataError
from kakitori.reading.normalising import rendering
from kakitori.reading.normalising.photos import prepare_ink
from tests.bundles import drain, make_tar, make_zip
from tests.fuzzing import fuzz
from tests.inks import CROSS, HEAD, LEVEL, block

# 十 as 64 units a side, y down: strokes in the order in which they are written.


def text_of(labels: list[str], flip: bool = False) -> str:
    parts = [HEAD, ".WRITER_ID w07\n.COORD X Y\n"]
    for k, label in enumerate(labels):
        parts.append(f'.SEGMENT CHARACTER {2 * k}-{2 * k + 1} ? "{label}"\n')
        parts.append(block(CROSS, flip=flip))
    return "".join(parts)


def write(path: Path, content: str | bytes) -> unipen.UnipenFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return next(s for s in unipen.sources(path.parent, "raw/kuchibue") if s.file == path.name)


def characters(samples) -> str:
    return "".join(map(chr, samples.codepoint))


# --- reading


def test_characters_writers_and_images(tmp_path):
    samples = write(tmp_path / "a.dat", text_of(["十", "亜", "A"])).read(64)
    assert characters(samples) == "十亜A"
    assert samples.writer_group.tolist() == ["kuchibue/w07"] * 3
    images = drain(samples)
    assert images.shape == (3, 64, 64) and not samples.rejects
    assert images[0, 32, 8:56].min() > 180 and images[0, :2].max() == 0


def test_stroke_order_is_kept(tmp_path):
    content = HEAD + '.SEGMENT CHARACTER 0,1 OK "十"\n' + block(CROSS[::-1])
    samples = write(tmp_path / "a.dat", content).read(32)
    first, second = pen.strokes_of(samples.pen, 0)
    assert (len(first), len(second)) == (3, 2)
    np.testing.assert_allclose(first[0], [0.5, 0], atol=1e-6)
    np.testing.assert_allclose(second, [[0, 0.5], [1, 0.5]], atol=1e-6)


@pytest.mark.parametrize("size", [32, 64])
def test_training_sees_the_pixels_that_a_recogniser_sees(tmp_path, size):
    samples = write(tmp_path / "a.dat", text_of(["十", "亜"])).read(size)
    images = drain(samples)
    for k, image in enumerate(images):
        ink = rendering.draw(pen.strokes_of(samples.pen, k))
        np.testing.assert_array_equal(image, prepare_ink(ink, size))


@pytest.mark.parametrize("flip", [False, True])
def test_y_points_down_whatever_the_tablet_said(tmp_path, flip):
    samples = write(tmp_path / "a.dat", text_of(["十"], flip)).read(32)
    down = pen.strokes_of(samples.pen, 0)[1]
    assert down[0, 1] == 0 and down[-1, 1] == 1


def test_the_coordinates_that_coord_names_are_taken(tmp_path):
    content = HEAD + '.COORD T Y P X\n.SEGMENT CHARACTER 0-1 ? "十"\n.PEN_DOWN 1 32 500 0\n'
    content += "2 32 500 64 .PEN_UP\n".replace(" .", "\n.")
    content += ".PEN_DOWN\n9 0 1 32\n9 40 1 32\n9 64 1 34\n.PEN_UP\n"
    plain = HEAD + '.SEGMENT CHARACTER 0-1 ? "十"\n' + block(CROSS)  # X Y where nothing is said
    points = [write(tmp_path / n, c).read(32).pen.points for n, c in (("a", content), ("b", plain))]
    np.testing.assert_array_equal(*points)


def test_pen_up_streams_count_unless_they_are_empty(tmp_path):
    content = HEAD + '.SEGMENT CHARACTER 0-2 ? "十"\n.SEGMENT CHARACTER 3 ? "一"\n'
    samples = write(tmp_path / "a.dat", content + block(CROSS, up=True) + block(LEVEL)).read(32)
    assert characters(samples) == "十一" and not samples.rejects
    assert [len(pen.strokes_of(samples.pen, k)) for k in (0, 1)] == [2, 1]


def test_components_can_be_cut(tmp_path):
    line = [[(x, x % 7) for x in range(100)]]
    content = HEAD + '.SEGMENT CHARACTER 0:40-1,3:0-3:12 ? "十"\n' + block(line * 4)
    samples = write(tmp_path / "a.dat", content).read(32)
    assert [len(s) for s in pen.strokes_of(samples.pen, 0)] == [60, 100, 13]


def test_sets_and_writers_change_inside_a_file(tmp_path):
    segment = '.SEGMENT CHARACTER 0-1 ? "十"\n' + block(CROSS)
    content = HEAD + f".START_SET a\n.WRITER_ID x\n{segment}.START_SET b\n.WRITER_ID y\n{segment}"
    samples = write(tmp_path / "a.dat", content).read(32)
    assert samples.writer_group.tolist() == ["kuchibue/x", "kuchibue/y"]
    assert len(drain(samples)) == 2


def test_without_a_writer_the_file_is_one(tmp_path):
    content = HEAD + ".WRITER_ID ?\n" + '.SEGMENT CHARACTER 0-1 ? "十"\n' + block(CROSS)
    assert write(tmp_path / "m12.dat", content).read(32).writer_group.tolist() == ["kuchibue/m12"]


def test_segments_of_other_levels_are_no_samples(tmp_path):
    content = HEAD + '.SEGMENT TEXT 0-2 ? "十一"\n.SEGMENT CHARACTER 0-1 GOOD "十"\n'
    samples = write(tmp_path / "a.dat", content + block(CROSS + LEVEL)).read(32)
    assert characters(samples) == "十" and not samples.rejects
    content = HEAD + '.SEGMENT TEXT 0 ? "一"\n' + block(LEVEL)
    (tmp_path / "b.dat").write_text(content)
    assert [s.file for s in unipen.sources(tmp_path, "raw/x")] == ["a.dat"]
    (tmp_path / "a.dat").unlink()
    with pytest.raises(DataError, match=r"b\.dat: expected segments of type CHARACTER"):
        unipen.sources(tmp_path, "raw/x")


@pytest.mark.parametrize("level", ["DIGIT", "LETTER", "character"])
def test_single_characters_by_other_names(tmp_path, level):
    """UNIPEN's section 1a segments digits, and says so."""
    label = {"DIGIT": "7", "LETTER": "k"}.get(level, "十")
    content = HEAD + f'.SEGMENT {level} 0-1 OK "{label}"\n' + block(CROSS)
    assert characters(write(tmp_path / "a.dat", content).read(32)) == label


@pytest.mark.parametrize("encoding", ["utf-8", "euc_jp", "shift_jis", "iso2022_jp"])
def test_labels_in_the_encodings_of_japan(tmp_path, encoding):
    labels = "亜ソ表能あア、A々"  # the second bytes of ソ, 表 and 能 in Shift_JIS are backslashes
    content = text_of(list(labels)).encode(encoding)
    assert characters(write(tmp_path / "a.dat", content).read(16)) == labels


@pytest.mark.parametrize(
    ("label", "character"),
    [("U+4E9C", "亜"), ("3021", "亜"), ("0x3021", "亜"), ("JIS 3021", "亜"), ("JIS0x3021", "亜"),
     ("b0a1", "亜"), ("JISx889F", "亜"), ("JISx8d95_'Kuro'", "黒"), ("8d95", "黒"), ('\\"', '"'),
     ("\\\\", "\\"), ('"', '"'), ("3", "3"), ("0x2422", "あ")],
)  # fmt: skip
def test_labels_as_codes(tmp_path, label, character):
    assert characters(write(tmp_path / "a.dat", text_of([label])).read(16)) == character


@pytest.mark.parametrize(
    "label", ["", "十一", "U+D800", "0x0000", "7F7F", "0x302", " ", "\\n", "か゚"]
)
def test_labels_that_are_no_character_are_rejected(tmp_path, label):
    samples = write(tmp_path / "a.dat", text_of(["十", label])).read(16)
    assert characters(samples) == "十" and len(drain(samples)) == 1
    (reject,) = samples.rejects
    assert reject.reason.startswith("expected the label of one character")
    assert reject.offset == text_of(["十", label]).encode().rindex(b".SEGMENT")


@pytest.mark.parametrize(
    "delineation",
    [
        "2",
        "0-2",
        "0-99999999",
        "0:2-1",
        "0-1:3",
        "1-0",
        "?",
        "0-",
        "-1",
        "0:-1",
        "0;1",
        "0,,1",
        "٣",
    ],
)
def test_delineations_outside_the_components_are_rejected(tmp_path, delineation):
    content = HEAD + f'.SEGMENT CHARACTER {delineation} ? "十"\n' + block(CROSS)
    samples = write(tmp_path / "a.dat", content).read(16)
    assert len(samples.rejects) == 1 and len(drain(samples)) == 0
    assert "expected" in samples.rejects[0].reason


def test_a_character_of_the_whole_page_is_rejected(tmp_path):
    content = HEAD + '.SEGMENT CHARACTER 0-299 ? "十"\n' + block(LEVEL * 300)
    assert "at most 200 strokes" in write(tmp_path / "a.dat", content).read(16).rejects[0].reason


# --- files


def test_includes_beside_and_below_include(tmp_path):
    segments = '.VERSION 1.0\n.INCLUDE p/ink.dat\n.SEGMENT CHARACTER 0-1 ? "十"\n'
    (tmp_path / "include/p").mkdir(parents=True)
    (tmp_path / "include/p/ink.dat").write_text(".COORD X Y\n.WRITER_ID q\n" + block(CROSS))
    source = write(tmp_path / "data/1/a.dat", segments)
    sources = unipen.sources(tmp_path, "raw/x")
    assert [s.file for s in sources] == ["a.dat"], "what is included is no source"
    with pytest.raises(DataError, match="found no such file"):
        source.read(32)  # its root is too deep to see the folder `include`
    plain = sources[0].read(32)
    assert characters(plain) == "十" and plain.writer_group.tolist() == ["x/q"]
    names = ("data/1/a.dat", "include/p/ink.dat")
    for make, name in ((make_zip, "x.zip"), (make_tar, "x.tar")):
        path = make(tmp_path.parent / name, {n: (tmp_path / n).read_bytes() for n in names})
        (packed,) = unipen.sources(path, "raw/x")
        np.testing.assert_array_equal(drain(packed.read(32)), drain(sources[0].read(32)))


@pytest.mark.parametrize("name", ["../ink.dat", "/etc/passwd", "C:\\ink", "a/../../ink", "..\\ink"])
def test_includes_that_climb_out_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="climbs out"):
        write(tmp_path / "a/b.dat", HEAD + f".INCLUDE {name}\n" + block(CROSS))


def contributor(root: Path, name: str, files: dict[str, str]) -> None:
    """A folder of UNIPEN's training set: segments below data/, the ink below include/ under the
    same name, which includes the tablet's description; a `.doc` beside the segments."""
    for number, labels in files.items():
        path = f"{name}/{name}00/{number}.dat"
        segments = [f".VERSION 1.0\n.INCLUDE {name}/data/{name}00/{number}.dat\n"]
        segments += [
            f'.SEGMENT CHARACTER {2 * k}-{2 * k + 1} ? "{label}"\n'
            for k, label in enumerate(labels)
        ]
        ink = [f".INCLUDE {name}/doc/setup.doc\n.WRITER_ID {name}_{number}\n"]
        ink += [block(CROSS, extra=" 7") for _ in labels]
        for place, content in (
            (f"data/1a/{path}", segments), (f"include/{name}/data/{name}00/{number}.dat", ink),
        ):  # fmt: skip
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            (root / place).write_text("".join(content))
    about = ".VERSION 1.0\n.DATA_SOURCE a test\n.COMMENT none of the points\n"
    (root / f"data/1a/{name}/{name}.doc").write_text(about)
    (root / f"include/{name}/doc").mkdir()
    (root / f"include/{name}/doc/setup.doc").write_text(".COORD X Y P\n.HIERARCHY CHARACTER\n")


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_a_tree_as_unipen_gives_it_out(tmp_path, kind):
    """Nine characters of three writers of two contributors, of whom one leaves ink that nothing
    includes."""
    root = tmp_path / "raw/unipen"
    contributor(root, "apa", {"app0032": "0123", "app0033": "45"})
    contributor(root, "kai", {"app0032": "678"})
    (root / "include/kai/data/kai00/app0099.dat").write_text(".COORD X Y P\n" + block(CROSS))
    if kind != "folder":
        names = [p.relative_to(root).as_posix() for p in sorted(root.rglob("*")) if p.is_file()]
        make = make_zip if kind == "zip" else make_tar
        make(tmp_path / f"raw/unipen.{kind}", {n: (root / n).read_bytes() for n in names})
        root.rename(tmp_path / "elsewhere")
    sources = catalog.sources(tmp_path, "raw/unipen")
    read = [source.read(32) for source in sources]
    assert [characters(samples) for samples in read] == ["0123", "45", "678"]
    assert sum(len(drain(samples)) for samples in read) == 9
    assert not any(samples.rejects for samples in read)
    groups = {group for samples in read for group in samples.writer_group}
    assert groups == {f"unipen/{w}" for w in ("apa_app0032", "apa_app0033", "kai_app0032")}
    left = catalog.passed_over(tmp_path, "raw/unipen", sources)
    assert sorted(PurePosixPath(p.file.replace(": ", "/")).name for p in left) == [
        "apa.doc", "app0099.dat", "kai.doc",
    ]  # fmt: skip


def test_includes_that_go_round_are_refused(tmp_path):
    (tmp_path / "a.dat").write_text(HEAD + '.SEGMENT CHARACTER 0 ? "一"\n.INCLUDE b.dat\n')
    (tmp_path / "b.dat").write_text(HEAD + ".INCLUDE a.dat\n" + block(LEVEL))
    with pytest.raises(DataError, match=r"a\.dat: expected no \.INCLUDE that leads back"):
        unipen.sources(tmp_path, "raw/x")
    with pytest.raises(DataError, match="expected no file that includes itself"):
        unipen.UnipenFile("raw/x", archives.File(tmp_path, "a.dat")).read(32)


@pytest.mark.parametrize("bomb", ["many", "doubling"])
def test_includes_beyond_what_a_file_can_mean_are_refused(tmp_path, bomb):
    """20,000 of one file, or each file twice the next one: a million."""
    for k in range(20):
        (tmp_path / f"{k}.dat").write_text(HEAD + f".INCLUDE {k + 1}.dat\n" * 2)
    (tmp_path / "20.dat").write_text(HEAD + block(LEVEL))
    content = HEAD + '.SEGMENT CHARACTER 0 ? "一"\n'
    content += ".INCLUDE 20.dat\n" * 20_000 if bomb == "many" else ".INCLUDE 1.dat\n"
    (tmp_path / "0.dat").write_text(content)
    (source,) = unipen.sources(tmp_path, "raw/x")[:1]
    with pytest.raises(DataError, match="expected at most 1,000 includes, 16 of them in one"):
        source.read(32)


def test_many_characters_of_one_long_stroke_are_refused(tmp_path):
    """20,000 segments over 50,000 points would take 15 GiB."""
    points = "".join(f"{x % 997} {x % 991}\n" for x in range(50_000))
    segments = '.SEGMENT CHARACTER 0 ? "一"\n' * 20_000
    source = write(tmp_path / "a.dat", HEAD + segments + ".PEN_DOWN\n" + points + ".PEN_UP\n")
    with pytest.raises(DataError, match="share few points, 1,000,000 in all of the 50,000"):
        source.read(32)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (".COORD X T\n", "expected .COORD with X and Y"),
        (".COORD X Y T\n", "expected 3 coordinates a point, as .COORD says, found 4 numbers"),
        (".PEN_DOWN\n1 two\n", "expected numbers"),
        (".PEN_DOWN\n1 1_0\n", "expected numbers"),
        (".PEN_DOWN\n1 nan\n", "expected coordinates of a tablet"),
        (".PEN_DOWN\n1e300 0\n", "expected coordinates of a tablet"),
    ],
)
def test_damaged_coordinates_name_their_offset(tmp_path, damage, message):
    content = HEAD + damage + '.SEGMENT CHARACTER 0-1 ? "十"\n' + block(CROSS)
    with pytest.raises(DataError, match=rf"a\.dat: offset \d+: .*{message}"):
        write(tmp_path / "a.dat", content).read(32)


@pytest.mark.parametrize("name", ["nakayosi/NKY0001.TXT", "kuchibue/all.bin", "x/HANDS-d/ipdb.dat"])
def test_other_forms_of_hands_are_refused(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_bytes(b"\1\2\3 binary")
    with pytest.raises(DataError, match="use the UNIPEN version"):
        unipen.sources(tmp_path / name.partition("/")[0], "raw/hands")


def test_other_files_are_not_of_this_kind(tmp_path):
    for name, content in (("a.txt", "words"), ("b", "\0\1"), ("README", ".hidden"), ("d.dat", "")):
        (tmp_path / name).write_text(content)
    assert unipen.sources(tmp_path, "raw/x") == []


def test_pictures_of_hands_and_documentation_are_left_alone(tmp_path):
    (tmp_path / "nakayosi-png/U+3042").mkdir(parents=True)
    for name in ("README.txt", "U+3042/a.png"):
        (tmp_path / "nakayosi-png" / name).write_bytes(b"x")
    assert unipen.sources(tmp_path / "nakayosi-png", "raw/x") == []
    (tmp_path / "kuchibue").mkdir()
    (tmp_path / "kuchibue/README.txt").write_text("About HANDS")
    source = write(tmp_path / "kuchibue/a.dat", text_of(["十"]))
    assert unipen.sources(tmp_path / "kuchibue", "raw/kuchibue") == [source]


# --- damage


WHOLE = text_of(["十", "0x3021", "JISx8d95"]).encode()


def survives(source: unipen.UnipenFile, content: bytes) -> None:
    (source.place.root / source.place.name).write_bytes(content)
    try:
        samples = source.read(16)
    except DataError:
        return
    assert len(drain(samples)) + len(samples.rejects) > 0


def test_every_cut_ends_in_an_error_or_in_samples(tmp_path):
    source = write(tmp_path / "a.dat", WHOLE)
    for cut in range(len(WHOLE)):
        survives(source, WHOLE[:cut])


def test_damaged_files_end_in_an_error_or_in_samples(tmp_path_factory):
    source = write(tmp_path_factory.mktemp("flip") / "a.dat", WHOLE)

    @fuzz(800)
    @given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(1, 255)), min_size=1))
    def check(flips):
        raw = bytearray(WHOLE)
        for at, value in flips:
            raw[at] ^= value
        survives(source, bytes(raw))

    check()


WORDS = [
    "\n.SEGMENT CHARACTER", " 0-1", " 0:1-0:2", " ?", ' "十"', ' "', "\n", "\n.PEN_DOWN",
    "\n.PEN_UP", " 1 2", " 3.5 -4", " x", "\n.COORD X Y", "\n.COORD Y X T", "\n.START_SET",
    "\n.INCLUDE a.dat", " ,", "\\", " 99999999999999999999", " -", "\n.WRITER_ID w",
    "\n.COMMENT", "\0", "é",
]  # fmt: skip


@fuzz(800)
@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_any_order_of_words(tmp_path_factory, words):
    source = write(tmp_path_factory.mktemp("any") / "a.dat", WHOLE)
    survives(source, (HEAD + "".join(words)).encode())

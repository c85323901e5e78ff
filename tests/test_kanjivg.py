import importlib.metadata
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kakitori.errors import DataError
from kakitori.reading.characters import strokes
from kakitori.reading.characters.charset import etl9_characters
from kakitori.writing import kanjivg
from tests.drawn_svg import HEAD, LEVEL, OFFICIAL, UPRIGHT, archive

PATH = '<path kvg:type="㇐" d="M0,0h9"/>'


def tree(content: str):
    return kanjivg.parse((HEAD % ("", content)).encode(), "十", "here").tree


def test_strokes_in_order_with_their_types(tmp_path):
    path = archive(tmp_path, ("kanji/05341.svg", HEAD % ("", LEVEL + UPRIGHT)))
    (kanji,) = kanjivg.read(path, ["十", "無"])
    assert kanji.character == "十" and kanji.types == ("㇐", "㇑")
    level, upright = kanji.strokes
    np.testing.assert_allclose(level[[0, -1]], np.array([[10, 54.5], [100, 54.5]]) / 109, atol=1e-6)
    np.testing.assert_allclose(upright[-1], np.array([54.5, 100]) / 109, atol=1e-6)
    # At half its parameter a Bézier is at (p0 + 3 p1 + 3 p2 + p3) / 8.
    assert upright[6, 1] == pytest.approx((10 + 3 * 40 + 3 * 70 + 100) / 8 / 109)
    assert kanji.tree.element == "十" and kanji.tree.strokes == (0, 1) and not kanji.tree.parts


def test_variant_forms(tmp_path):
    path = archive(
        tmp_path,
        ("kanji/05341.svg", HEAD % ("", LEVEL + UPRIGHT)),
        ("kanji/05341-Kaisho.svg", HEAD % ("", LEVEL)),
    )
    (brush,) = kanjivg.read(path, ["十", "二"], form="Kaisho")
    assert len(brush.strokes) == 1


def test_parts_written_apart_are_one():
    """街: 行 around 圭. The two 行 of one number are joined; those of another are not."""
    root = tree(
        f'<g kvg:element="行" kvg:part="1" kvg:position="kamae">{PATH}</g>'
        f'<g kvg:element="圭">{PATH}</g>'
        f'<g kvg:element="行" kvg:part="2" kvg:position="kamae">{PATH}</g>'
        f'<g kvg:element="口" kvg:part="1" kvg:number="1">{PATH}</g>'
        f'<g kvg:element="口" kvg:part="1" kvg:number="2">{PATH}</g>'
        f'<g kvg:element="口" kvg:part="2" kvg:number="1">{PATH}</g>'
        f'<g kvg:element="口" kvg:part="2" kvg:number="2">{PATH}</g>'
    )
    assert [(p.element, p.position, p.strokes) for p in root.parts] == [
        ("行", "kamae", (0, 2)),
        ("圭", "", (1,)),
        ("口", "", (3, 5)),
        ("口", "", (4, 6)),
    ]


def test_parts_apart_within_parts_apart():
    """武: an outer part without a code point holds an inner one, both written in two goes."""
    root = tree(
        f'<g kvg:element="CDP-8CB8" kvg:part="1"><g kvg:element="弋" kvg:part="1">{PATH}</g></g>'
        f'<g kvg:element="止" kvg:position="kamaec">{PATH}</g>'
        f'<g kvg:element="CDP-8CB8" kvg:part="2"><g kvg:element="弋" kvg:part="2">{PATH}</g></g>'
    )
    outer, inner = root.parts
    assert (outer.element, outer.strokes) == ("CDP-8CB8", (0, 2))
    assert [(p.element, p.strokes) for p in outer.parts] == [("弋", (0, 2))]
    assert inner.element == "止" and root.strokes == (0, 1, 2)


def test_loose_strokes_beside_groups_and_nameless_groups():
    root = tree(
        f'{PATH}<g kvg:element="人" kvg:original="入" kvg:position="⿵A" kvg:phon="人" '
        f'kvg:variant="true" kvg:radical="general">{PATH}</g><g kvg:position="right">{PATH}</g>'
    )
    loose, named, nameless = root.parts
    assert (loose.element, loose.strokes) == ("㇐", (0,))
    assert (named.original, named.position, named.phon) == ("入", "kamae", "人")
    assert named.variant and not named.partial and named.radical == "general"
    assert (nameless.element, nameless.position) == ("", "right")
    assert [p.element for p in nameless.parts] == ["㇐"]


BOMB = "<!ENTITY a 'ha'>" + "".join(
    f"<!ENTITY {new} '{f'&{old};' * 10}'>" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<svg", "expected an SVG of KanjiVG, found: unclosed token"),
        ("", "expected an SVG of KanjiVG, found: no element"),
        ("<svg xmlns='http://www.w3.org/2000/svg'/>", "at least one <path> stroke"),
        ("<svg><path d='M0,0h9'/></svg>", "at least one <path> stroke"),  # a picture of its own
        (HEAD % ("", ""), "at least one <path> stroke"),
        (HEAD % (BOMB, PATH + "&i;"), "declaration of the entity 'a'"),
        (HEAD % ("", PATH + "<path/>"), r"stroke 2: expected a path .*found ''"),
        (HEAD % ("", "<path d='M5,5'/>"), r"stroke 1: expected a path .*found 'M5,5'"),
        (HEAD % ("", "<path d='M5,5c1,1'/>"), r"stroke 1: expected a path .*found 'M5,5c1,1'"),
        (HEAD % ("", "<path d='M0,0L1e999,0'/>"), r"stroke 1: expected a path"),
        (HEAD % ("", "<path d='nonsense'/>"), r"stroke 1: expected a path"),
        ("x" * (kanjivg.LARGEST + 1), "at most 1048576 bytes, found 1048577"),
    ],
)
def test_svg_that_is_not_kanjivg(tmp_path, content, message):
    path = archive(tmp_path, ("kanji/05341.svg", content))
    with pytest.raises(DataError, match=r"kanjivg\.zip: kanji/05341\.svg: .*" + message):
        list(kanjivg.read(path, ["十"]))


class Package:
    """What importlib.metadata says of an installed package."""

    def __init__(self, folder: Path, version: str = kanjivg.VERSION) -> None:
        self.folder, self.version = folder, version

    def locate_file(self, path: str) -> Path:
        return self.folder / path


def install(monkeypatch, package: Package) -> None:
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: package)


def test_an_archive_goes_before_the_package(tmp_path, monkeypatch):
    svg = HEAD % ("", LEVEL)
    (tmp_path / "kanji").mkdir()
    (tmp_path / "kanji/04e00.svg").write_text(svg, "utf-8")
    install(monkeypatch, Package(tmp_path))
    assert kanjivg.release(tmp_path / "kanjivg.zip") == tmp_path / "kanji"
    (kanji,) = kanjivg.read(tmp_path / "kanji", "一十")
    assert kanji.character == "一" and kanji.types == ("㇐",)
    path = archive(tmp_path, ("kanji/04e00.svg", svg))
    assert kanjivg.release(path) == path


def test_a_package_that_is_not_what_is_pinned(tmp_path, monkeypatch):
    def missing(name: str) -> Package:
        raise importlib.metadata.PackageNotFoundError(name)

    path = tmp_path / "kanjivg.zip"
    with monkeypatch.context() as patched:
        patched.setattr(importlib.metadata, "distribution", missing)
        with pytest.raises(DataError, match=rf"found none; `pip .*=={kanjivg.VERSION}` brings"):
            kanjivg.release(path)
    install(monkeypatch, Package(tmp_path, "20000101"))
    with pytest.raises(DataError, match=rf"kanjivg {kanjivg.VERSION}, found 20000101; `pip"):
        kanjivg.release(path)
    install(monkeypatch, Package(tmp_path))  # without files
    with pytest.raises(DataError, match=r"kanji: expected the files of kanjivg .*found none"):
        kanjivg.release(path)
    (tmp_path / "kanji").mkdir()
    (tmp_path / "kanji/U+4E00.svg").touch()  # of another layout
    with pytest.raises(DataError, match=r"04e00\.svg \(一\) among them, found none"):
        kanjivg.release(path)


def test_an_installed_svg_that_is_cut_short(tmp_path):
    (tmp_path / "05341.svg").write_text((HEAD % ("", LEVEL + UPRIGHT))[:-60], "utf-8")
    with pytest.raises(DataError, match=r"05341\.svg: expected an SVG of KanjiVG, found: uncl"):
        list(kanjivg.read(tmp_path, "十"))


def test_the_version_is_the_pinned_one():
    root = Path(__file__).resolve().parents[1]
    for name in ("requirements.in", "requirements.lock"):
        assert f"kanjivg=={kanjivg.VERSION}" in (root / name).read_text("utf-8").split()


def test_missing_or_broken_archive(tmp_path):
    with pytest.raises(DataError, match="found no file"):
        list(kanjivg.read(tmp_path / "kanjivg.zip", ["十"]))
    (tmp_path / "kanjivg.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="expected a zip archive"):
        list(kanjivg.read(tmp_path / "kanjivg.zip", ["十"]))


def test_truncated_or_damaged_archive(tmp_path):
    whole = archive(tmp_path, ("kanji/05341.svg", HEAD % ("", LEVEL + UPRIGHT))).read_bytes()
    path = tmp_path / "kanjivg.zip"
    path.write_bytes(whole[:-30])
    with pytest.raises(DataError, match="expected a zip archive"):
        list(kanjivg.read(path, ["十"]))
    path.write_bytes(whole[:60] + bytes(40) + whole[100:])
    with pytest.raises(DataError, match="expected a zip archive"):
        list(kanjivg.read(path, ["十"]))


def test_official_release():
    names = etl9_characters()
    characters = {c.character: c for c in kanjivg.read(OFFICIAL, names)}
    assert len(characters) == 3036 and sum(len(c.strokes) for c in characters.values()) == 32544
    assert len(characters["欝"].strokes) == 25
    used = [t for c in characters.values() for t in c.types]
    assert set(used) - {""} == set(strokes.TYPES) and used.count("") == 208
    assert used.count("㇐") == 9431 and used.count("㇀") == 784 + 1  # with the ６ of 寓
    assert characters["寓"].types[10] == "㇀"
    for c in characters.values():
        assert c.tree.element == c.character
        assert c.tree.strokes == tuple(range(len(c.strokes)))
        leaves = sorted(s for leaf in c.tree.leaves() for s in leaf.strokes)
        assert leaves == list(range(len(c.strokes)))  # each stroke in one leaf
    brush = list(kanjivg.read(OFFICIAL, names, form="Kaisho"))
    assert len(brush) == 1578
    same = sum(len(b.strokes) == len(characters[b.character].strokes) for b in brush)
    assert same == 1574


@pytest.mark.parametrize("encoding", ["nonsense", "shift_jis", "utf-16"])
def test_an_encoding_that_expat_does_not_know_is_named(encoding):
    svg = f'<?xml version="1.0" encoding="{encoding}"?><svg/>'.encode()
    with pytest.raises(DataError, match=r"^where: expected an SVG of KanjiVG, found: "):
        kanjivg.parse(svg, "木", "where")


def test_a_damaged_name_in_the_archive_is_an_error_of_the_archive(tmp_path):
    """Names that say that they are UTF-8 and are not."""
    path = tmp_path / "kanjivg.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("kanji/書.svg", b"x")
    path.write_bytes(path.read_bytes().replace("書".encode(), b"\xff\xfe\xfd"))
    with pytest.raises(DataError, match=r"kanjivg\.zip: expected a zip archive, found"):
        list(kanjivg.read(path, "木"))

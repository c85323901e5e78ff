from pathlib import Path

import numpy as np

from kakitori.reading.characters import radicals
from kakitori.reading.characters.charset import etl9_characters
from kakitori.reading.characters.radicals import Component
from kakitori.writing import kanjivg

OFFICIAL = kanjivg.release(Path("no archive"))

WOOD, MOUTH = Component("木"), Component("口")


def over(*parts: str) -> Component:
    return Component(
        "", parts=tuple(Component(p, where) for p, where in zip(parts, POSITIONS, strict=False))
    )


POSITIONS = ("top", "bottom")


def test_kradfile():
    assert sorted(radicals.kradfile("明")) == ["日", "月"]
    assert radicals.kradfile("あ") == ["あ"]  # kana are their own


def test_a_tree_comes_back_from_json():
    tree = Component(
        "休",
        strokes=(0, 1, 2, 3, 4, 5),
        parts=(
            Component("亻", "left", (0, 1), original="人", variant=True, radical="general"),
            Component("木", "right", (2, 3, 4, 5), phon="木"),
        ),
    )
    assert Component.from_json(tree.to_json()) == tree
    assert "partial" not in tree.to_json() and "休" in tree.to_json()
    assert [leaf.element for leaf in tree.leaves()] == ["亻", "木"]


def test_codes_share_radicals_and_tell_places_apart():
    apricot, stupid = over("木", "口"), over("口", "木")  # 杏, 呆
    book = radicals.codebook([apricot, stupid, WOOD, MOUTH])
    assert not book.collisions
    columns = [{book.columns[i] for i in np.flatnonzero(code)} for code in book.codes]
    assert columns == [
        {"木", "口", "木@0", "口@1", "⿱@"},
        {"木", "口", "木@1", "口@0", "⿱@"},
        {"木"},
        {"口"},
    ]
    assert book.codes.dtype == np.uint8 and set(np.unique(book.codes)) == {0, 1}


def test_three_parts_are_two_and_one():
    """a, b, c: the first part and the rest; an enclosure and what it encloses say the same."""
    three = Component(
        "", parts=(Component("彳", "left"), Component("重", "middle"), Component("亍", "right"))
    )
    gate = Component("", parts=(Component("門", "kamae"), Component("日", "kamaec")))
    book = radicals.codebook([three, gate])
    columns = [{book.columns[i] for i in np.flatnonzero(code)} for code in book.codes]
    assert columns[0] == {"彳", "重", "亍", "彳@0", "重@10", "亍@11", "⿰@", "⿰@1"}
    assert columns[1] == {"門", "日", "門@0", "日@1", "⿴@"}


def test_equal_decompositions_are_told_apart_and_counted():
    book = radicals.codebook([["一", "十"], over("日", "日"), ["十", "一"], ["十", "一"], ["口"]])
    assert book.collisions == ((0, 2, 3),)
    assert len(np.unique(book.codes, axis=0)) == 5
    assert [c for c in book.columns if c.startswith("#")] == ["#1", "#2"]
    # Trees that differ below the depth asked for are the same at that depth.
    assert radicals.codebook([over("木", "口"), over("口", "木")], depth=0).collisions == ((0, 1),)


def test_every_class_has_a_code_of_its_own():
    names = etl9_characters()
    book = radicals.codebook([radicals.kradfile(c) for c in names])
    assert len(np.unique(book.codes, axis=0)) == len(names)
    # FACTS.md: 147 kanji share their component set with another.
    assert sum(len(group) for group in book.collisions) == 147


def test_codes_of_kanjivg_trees():
    names = etl9_characters()
    trees = {c.character: c.tree for c in kanjivg.read(OFFICIAL, names)}
    book = radicals.codebook([trees[c] for c in names])
    assert len(np.unique(book.codes, axis=0)) == len(names)
    groups = {"".join(names[i] for i in group) for group in book.collisions}
    assert groups == {"押抽", "己巳", "甲申由", "紳紬", "末未"}  # the same strokes, placed alike

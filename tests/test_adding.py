"""Characters put together of others, for networks that read them by what they are made of."""

import numpy as np
import pandas as pd
import pytest

from kakitori.archs import hiercode
from kakitori.errors import DataError
from kakitori.learning import descriptions
from kakitori.reading.characters.radicals import Component
from kakitori.results import adding
from tests.tables import TREES, characters


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return characters("木林相目口杏品日明国玉")


def row(table: pd.DataFrame, character: str) -> pd.Series:
    return table.set_index("character").loc[character]


@pytest.mark.parametrize(
    ("character", "sequence"),
    [("林", "⿰木木"), ("林", "木木"), ("相", "⿰木目"), ("杏", "⿱木口"), ("明", "⿰日月"),
     ("品", "⿱口⿰口口"), ("品", "口口口"), ("国", "⿴囗玉")],
)  # fmt: skip
def test_what_is_put_together_lies_where_the_font_has_it(table, character, sequence):
    """As many strokes as in the font, each part where it is there, within a sixth of the side."""
    table = pd.concat([table, characters("月囗")], ignore_index=True)
    made = row(adding.added(table, character, sequence), character)
    known = row(table, character)
    signs = [sign for sign in adding._with_operators(sequence) if sign not in adding.POSITIONS]
    counts = [row(table, sign)["stroke_count"] for sign in signs]
    assert made["stroke_count"] == sum(counts) == len(made["stroke_types"])
    of = np.repeat(range(len(signs)), counts)
    ours, theirs = (
        np.concatenate(descriptions.courses_of(each["strokes"], 9)) for each in (made, known)
    )
    for k in range(len(signs)):
        own = descriptions.courses_of(made["strokes"], 9)[of == k].reshape(-1, 2)
        near = np.abs(theirs[:, None] - own[None]).max(2).min(0)  # of each point to any of the font
        assert near.mean() < 1 / 6
    for low_or_high in (np.min, np.max):
        assert np.abs(low_or_high(ours, 0) - low_or_high(theirs, 0)).max() < 1 / 6


def test_its_code_is_that_of_its_tree(table):
    """hiercode reads the added 相 as the one whose tree KanjiVG has."""
    without = table[table["character"] != "相"]
    added = adding.added(without, "相", "⿰木目")
    codes = hiercode.Codes("木林目口杏相", added)
    by_tree = hiercode.Codes("木林目口杏相", table)

    def parts(codes: hiercode.Codes) -> set[str]:
        return {codes.columns[k] for k in codes.of["相"] if codes.columns[k][:1] in "木目⿰"}

    assert parts(codes) == parts(by_tree) > {"木@0", "目@1"}
    assert TREES["相"].parts[0].element == "木"


def test_a_component_is_taken_from_a_character_that_has_it(table):
    """亻 is no character of the table; 休 has it, on the left."""
    rest = characters("休")
    strokes = rest.loc[0, "strokes"]
    tree = Component(
        "休",
        strokes=tuple(range(len(strokes))),
        parts=(
            Component("亻", "left", (0, 1), original="人"),
            Component("木", "right", tuple(range(2, len(strokes)))),
        ),
    )
    rest.loc[0, "decomposition"] = tree.to_json()
    made = row(adding.added(pd.concat([table, rest], ignore_index=True), "仴", "⿰亻目"), "仴")
    assert made["stroke_count"] == 2 + row(table, "目")["stroke_count"]
    root = Component.from_json(made["decomposition"])
    assert [(p.element, p.position, p.strokes[0]) for p in root.parts] == [
        ("亻", "left", 0), ("目", "right", 2)
    ]  # fmt: skip
    left, right = (np.concatenate([np.reshape(made["strokes"][k], (-1, 2)) for k in p.strokes])
                   for p in root.parts)  # fmt: skip
    assert left[:, 0].max() < right[:, 0].min()


def test_one_that_was_added_can_be_part_of_the_next(table):
    twice = adding.added(adding.added(table, "𣏟", "⿰木口"), "𥘵", "⿱𣏟目")
    assert row(twice, "𥘵")["stroke_count"] == sum(row(table, c)["stroke_count"] for c in "木口目")


@pytest.mark.parametrize(
    ("character", "sequence", "message"),
    [
        (
            "龘",
            "",
            "龘=: expected what it is made of, ⿰木目 or 木目, in at most 40 signs, found 0",
        ),
        ("龘", "⿰" * 41, "expected what it is made of, .* found 41"),
        ("龘", "⿰木", "expected another part, found the end of the sequence"),
        ("龘", "⿰木目口", "expected the end of the sequence, found 口 after it"),
        ("龘", "⿰木X", r"expected characters and components .*, found X \(U\+0058\)"),
        ("龘", "龘龘龘", "expected .*found 龘|expected parts of 龘, found itself among them"),
        ("龘龘", "木", "expected one character before =, found '龘龘'"),
    ],
)
def test_bad_sequences_are_named(table, character, sequence, message):
    with pytest.raises(DataError, match=message):
        adding.added(table, character, sequence)

import numpy as np
import pytest

from kakitori.learning.samples import table
from tests import tables


def test_a_row_for_every_character_that_somebody_asks_for():
    """们 is in no Japanese list; 妛 is in JIS and so in KRADFILE; 林 is the table's own."""
    own = tables.characters("林大")
    characters = table.completed(own, "们林妛A")
    assert characters["character"].tolist() == ["林", "大", "A", "们", "妛"]
    assert characters.iloc[:2].equals(own)
    rows = characters.set_index("character")
    assert rows["stroke_count"].tolist()[2:] == [0, 0, 0]
    assert rows["codepoint"].dtype.kind == "i" and rows.loc["们", "codepoint"] == 0x4EEC
    assert rows.loc["们", "radicals"] == ["们"] and rows.loc["A", "script"] == "latin"
    assert set(rows.loc["妛", "radicals"]) > {"女"}
    assert list(rows.loc["们", "strokes"]) == [] and rows.loc["们", "decomposition"] == ""
    assert table.without_strokes(characters, "林们A") == ["们", "A"]
    assert table.completed(own, "大") is own


def test_the_file_is_read_with_them(tmp_path):
    own = tables.characters("林大")
    own.to_parquet(tmp_path / "characters.parquet")
    characters = table.read(tmp_path / "characters.parquet", ["们"])
    assert characters["character"].tolist() == ["林", "大", "们"]
    assert [len(types) for types in characters["stroke_types"]] == [8, 3, 0]
    assert np.asarray(characters["strokes"][2]).size == 0


@pytest.mark.parametrize(
    ("count", "words"),
    [(2, "一丁 (2 of 9)"), (21, "一丁丂七丄丅丆万丈三上下丌不与丏丐丑丒专 … (21 of 9)")],
)
def test_many_characters_in_words(count, words):
    assert table.named([chr(0x4E00 + k) for k in range(count)], 9) == words

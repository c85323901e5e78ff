from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kakitori import reference
from kakitori.errors import DataError


def form(source: str, *strokes: list[float]) -> dict:
    return {"source": source, "strokes": list(strokes)}


def table(path: Path, **forms: list[dict]) -> Path:
    rows = [{"character": c, "forms": known} for c, known in forms.items()]
    pd.DataFrame(rows).to_parquet(path)
    return path


def test_the_true_form_where_there_is_one(tmp_path):
    path = table(
        tmp_path / "characters.parquet",
        一=[form("font", [0, 0, 1, 1]), form("kanjivg", [0, 0.5, 0.5, 0.5, 1, 0.5])],
        二=[form("font", [0, 0.2, 1, 0.2], [0, 0.8, 1, 0.8])],
    )
    found = reference.read(path, {"一", "二"})
    assert found["一"].ordered and not found["二"].ordered
    np.testing.assert_array_equal(found["一"].strokes[0], [[0, 0.5], [0.5, 0.5], [1, 0.5]])
    assert len(found["二"].strokes) == 2


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.parquet: expected the strokes of char"):
        reference.read(tmp_path / "absent.parquet", {"一"})
    path = table(tmp_path / "characters.parquet", 一=[form("font", [0, 0, 1, 1])])
    with pytest.raises(DataError, match="expected strokes of x鬱, found 1 other characters"):
        reference.read(path, {"一", "鬱", "x"})
    path.write_text("no table")
    with pytest.raises(DataError, match="expected the table of characters, found: "):
        reference.read(path, {"一"})
    pd.DataFrame({"character": ["一"]}).to_parquet(path)
    with pytest.raises(DataError, match="expected the table of characters, found: "):
        reference.read(path, {"一"})

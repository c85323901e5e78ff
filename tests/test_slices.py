"""Accuracy over parts of the test, by hand."""

import numpy as np
import pandas as pd

from kakitori.evaluation import slices
from kakitori.reading.characters.radicals import Component

TEXT = "林森あ"


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    tree = Component(
        "林", parts=(Component("木"), Component("", parts=(Component("木"), Component("丶"))))
    )
    characters = pd.DataFrame(
        {
            "codepoint": [ord(c) for c in TEXT],
            "stroke_count": [8, 12, 3],
            "radicals": [["木"], ["木", "十"], ["あ"]],
            "decomposition": [tree.to_json(), "", ""],
        }
    ).set_index("codepoint")
    rows = pd.DataFrame(
        {
            "codepoint": [ord(c) for c in "林林森あ"],
            "corpus": ["a", "a", "b", "b"],
            "quality": [-1, 2, 2, 1],
            "writer_group": ["x", "y", "x", "y"],
        }
    )
    return rows, characters


def test_every_slice():
    rows, characters = tables()
    figures = slices.sliced(np.array([True, False, True, True]), rows, characters)
    half, whole = {"samples": 2, "top1": 0.5}, {"samples": 1, "top1": 1.0}
    assert figures["script"] == {"hiragana": whole, "kanji": {"samples": 3, "top1": 2 / 3}}
    assert figures["strokes"] == {"01-04": whole, "05-08": half, "09-12": whole}
    assert figures["corpus"] == {"a": half, "b": {"samples": 2, "top1": 1.0}}
    assert figures["quality"] == {"1": whole, "2": half}
    assert figures["radical"]["木"] == {"samples": 3, "top1": 2 / 3}
    assert figures["radical"]["十"] == whole
    assert figures["component"] == {"丶": half, "木": half}, "each part once, the nameless one not"
    table = slices.as_table(figures)
    assert set(table["slice"]) == set(figures) and len(table) == sum(map(len, figures.values()))


def test_what_nothing_is_known_of_is_empty():
    rows, characters = tables()
    plain = characters.assign(decomposition="")
    figures = slices.sliced(np.full(4, True), rows.assign(quality=-1), plain)
    assert figures["quality"] == {} and figures["component"] == {}


def test_writers():
    right = np.array([True, True, True, False])
    figures = slices.by_writer(right, np.array(["a", "a", "b", "b"]))
    assert figures == {
        "groups": 2,
        "best": 1.0,
        "best_group": "a",
        "worst": 0.5,
        "worst_group": "b",
        "spread": np.std([1, 0.5], ddof=1),
    }
    assert "spread" not in slices.by_writer(right, np.full(4, "a")), "one has none"

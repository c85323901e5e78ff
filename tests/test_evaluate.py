"""What evaluate writes of characters that the table lacks; the whole stage runs in the pipeline."""

import warnings

import numpy as np
import pandas as pd
import pytest

from kakitori.accuracy import lettering, scoring
from kakitori.evaluation import evaluation, misread, sequences, slices
from kakitori.learning.samples import table
from tests import tables

CLASSES = ["大", "林", "们", "国"]  # 们 in no source, 国 not in the table


@pytest.fixture
def characters() -> pd.DataFrame:
    return table.completed(tables.characters("大林"), CLASSES).set_index("codepoint")


def predictions(answers: list[int], labels: list[int]) -> scoring.Predictions:
    logits = np.full((len(labels), len(CLASSES)), -5.0, np.float32)
    logits[np.arange(len(labels)), answers] = 5
    return scoring.predict(lambda some: logits, np.empty(len(labels)), np.array(labels), 1.0)


def test_confusions_of_characters_whose_strokes_nobody_knows(tmp_path, characters):
    answers = predictions([2, 0, 3, 1, 0], [0, 2, 2, 1, 1])
    images = np.zeros((5, 64, 64), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib's, of a letter that its font lacks
        misread.misread(tmp_path, answers, images, CLASSES, characters, 9)
    confused = pd.read_csv(tmp_path / "confused.csv", keep_default_na=False)
    assert {("大", "们"), ("们", "国"), ("林", "大")} <= set(
        zip(confused["truth"], confused["answer"], strict=True)
    )
    confusions = confused.set_index(["truth", "answer"])
    assert confusions.loc[("大", "们"), "strokes_of_truth"] == ""
    assert confusions.loc[("林", "大"), "radicals_of_truth"] == "木"
    assert (tmp_path / "worst.png").stat().st_size > 1000


def test_slices_by_strokes_are_of_those_that_are_known(characters):
    codepoints = pd.Series([ord(c) for c in "大们林国"])
    rows = pd.DataFrame({"codepoint": codepoints, "corpus": "raw/x", "quality": -1})
    figures = slices.sliced(np.array([True, False, True, True]), rows, characters)
    assert {name: cell["samples"] for name, cell in figures["strokes"].items()} == {
        "01-04": 1, "05-08": 1,
    }  # fmt: skip
    assert figures["script"]["kanji"]["samples"] == 4
    counts = codepoints.map(characters["stroke_count"])
    by_count = evaluation.by_stroke_count(predictions([0, 2, 1, 3], [0, 2, 1, 3]), counts)
    assert by_count["strokes"].tolist() == [3, 8] and not by_count["error_rate"].any()


def test_sequences_that_nobody_knows_are_not_scored(characters):
    known = characters.reset_index()
    right = sequences.looked_up(["大", "们", "𠮷"], known)
    assert len(right[0]) == 3 and right[1:] == ["", ""]
    assert sequences.score([right[0], "㇐", ""], right) == sequences.score(right[:1], right[:1])


def test_letters_that_the_font_lacks_are_written_by_their_number():
    assert lettering.lettered("林 → 们 2×\n+⺌") == "林 → U+4EEC 2×\n+U+2E8C"

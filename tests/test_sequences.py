import numpy as np
import pandas as pd
import pytest

from kakitori.evaluation import sequences
from kakitori.reading.characters.strokes import TYPES
from kakitori.reading.stroke_answers import decode

END = len(TYPES)
ACROSS, DOWN = list(TYPES)[:2]  # ㇐ and ㇑


def rows(*sure: tuple[int, float]) -> np.ndarray:
    """One row of probabilities (steps, 28) a pair: a symbol's, the rest spread over the others."""
    steps = np.empty((len(sure), len(TYPES) + 1), np.float32)
    for step, (symbol, p) in zip(steps, sure, strict=True):
        step[:] = (1 - p) / len(TYPES)
        step[symbol] = p
    return steps


def test_a_sequence_ends_at_its_first_end():
    ten = rows((0, 0.5), (1, 0.8), (END, 0.9), (1, 0.3))  # what follows the end means nothing
    nothing = rows((END, 0.7), (0, 0.9), (0, 0.9), (0, 0.9))
    endless = rows((1, 0.5), (1, 0.5), (0, 0.5), (0, 0.5))
    answers, confidence = decode(np.stack([ten, nothing, endless]), "".join(TYPES))
    assert answers == [ACROSS + DOWN, "", DOWN * 2 + ACROSS * 2]
    assert confidence == pytest.approx([0.5 * 0.8 * 0.9, 0.7, 0.5**4])


def test_scores_by_hand():
    right = ["㇐㇑", "㇐㇑㇒㇏", "㇐", ""]
    answers = ["㇐㇑", "㇐㇒㇔㇏", "㇐㇐㇑", "㇐"]  # none; two replaced; two inserted; not known
    assert sequences.score(answers, right) == pytest.approx(
        {
            "exact": 1 / 3,
            "edit_distance": (0 + 2 + 2) / 3,
            "normalised_edit_distance": (0 + 2 / 4 + 2 / 3) / 3,
        }
    )


def test_a_missed_stroke_costs_one_wherever_it_is():
    right = "㇐㇑㇒㇔"
    for k in range(4):
        answer = right[:k] + right[k + 1 :]
        assert sequences.score([answer], [right])["edit_distance"] == 1


def test_sequences_of_characters_are_the_tables():
    table = pd.DataFrame(
        {"character": ["十", "一"], "stroke_types": [np.array(["㇐", "㇑"]), np.array(["㇐"])]}
    )
    assert sequences.looked_up("一十一", table) == ["㇐", "㇐㇑", "㇐"]

"""What a run without a kind of variety lacks, and how runs are compared."""

import dataclasses
import itertools
import runpy
import sys

import numpy as np
import pytest

from kakitori.synthesis.hand import Hand
from tests.benchmarks import varieties

FIELDS = [field.name for field in dataclasses.fields(Hand)]
KINDS = varieties.KINDS


def test_a_habit_is_of_one_kind():
    names = list(itertools.chain(*KINDS.values()))
    assert len(set(names)) == len(names) and set(names) <= set(FIELDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hand_without_a_kind_has_the_rest_of_its_habits(kind):
    hands = [Hand.draw(np.random.default_rng(w), "varied") for w in range(20)]
    for hand in hands:
        lacking = varieties.without(hand, kind)
        for name in FIELDS:
            expected = Hand.printed() if name in KINDS[kind] else hand
            np.testing.assert_equal(getattr(lacking, name), getattr(expected, name))
    for name in KINDS[kind]:  # and somebody had each of them
        nobody = getattr(Hand.printed(), name)
        assert any(np.any(getattr(hand, name) != nobody) for hand in hands)


@pytest.mark.parametrize("kind", ["", "noise of the moment"])
def test_the_stage_draws_hands_without_a_kind(kind, monkeypatch):
    for holder, name in ((Hand, "draw"), (sys, "argv")):
        monkeypatch.setattr(holder, name, getattr(holder, name))
    drawn = []
    monkeypatch.setattr(
        runpy,
        "run_path",
        lambda *_, **__: drawn.append(Hand.draw(np.random.default_rng(0), "learners")),
    )
    whole = Hand.draw(np.random.default_rng(0), "learners")
    varieties.synthesize(kind)
    assert drawn[0].unsteadiness == (0 if kind else whole.unsteadiness) and whole.unsteadiness > 0
    assert drawn[0].slant == whole.slant


def test_rows_are_differences_in_points():
    read = {"": {"tomoe": 0.95, "Klee": 0.5}, "brushes": {"tomoe": 0.9525, "Klee": 0.375}}
    assert varieties.rows(read) == [
        "| | tomoe | Klee |",
        "|---|---|---|",
        "| all of it | 95.00% | 50.00% |",
        "| without brushes | +0.25 | -12.50 |",
    ]

"""Sequences of stroke types: what a network wrote down, and how near it is to what is right."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from rapidfuzz.distance import Levenshtein


def looked_up(characters: Iterable[str], table: pd.DataFrame) -> list[str]:
    """The sequence that data/characters.parquet has for each character: of the right ones what
    should be written, of those that a network reads the baseline of a network that writes. Empty
    where nobody knows it."""
    types = dict(zip(table["character"], map("".join, table["stroke_types"]), strict=True))
    return [types.get(character, "") for character in characters]


def score(answers: Sequence[str], right: Sequence[str]) -> dict[str, float]:
    """Figures over N ≥ 1 sequences, those left out of which nobody knows the right one: `exact`,
    the fraction without an error; `edit_distance`, the mean number of symbols to insert, delete or
    replace (Levenshtein 1966), and `normalised_edit_distance`, the mean of its ratio to the longer
    of both."""
    pairs = [pair for pair in zip(answers, right, strict=True) if pair[1]]
    return {
        "exact": float(np.mean([a == b for a, b in pairs])),
        "edit_distance": float(np.mean([Levenshtein.distance(*pair) for pair in pairs])),
        "normalised_edit_distance": float(
            np.mean([Levenshtein.normalized_distance(*pair) for pair in pairs])
        ),
    }

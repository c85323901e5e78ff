"""Records of ETL sets, written by the module that reads them is checked against."""

import numpy as np

from kakitori.corpora.records import layouts
from kakitori.corpora.records.database import SETS
from kakitori.reading.characters.charset import etl9_characters
from kakitori.synthesis import forms

CHARACTERS = etl9_characters()
PERSON = {"sex": 1, "age": 23, "industry": 9144, "occupation": 11}


def layout_of(name: str) -> layouts.Layout:
    return layouts.LAYOUTS[SETS[name].layout]


def levels_of(count: int, name: str = "ETL9G", seed: int = 0) -> np.ndarray:
    layout = layout_of(name)
    shape = (count, layout.height, layout.width)
    return np.random.default_rng(seed).integers(0, 1 << layout.bits, shape, dtype=np.uint8)


def gray_set(characters, writer: int = 0, seed: int = 0, name: str = "ETL9G") -> np.ndarray:
    """One set's records in the order given."""
    levels = levels_of(len(characters), name, seed)
    return forms.records(name, tuple(characters), levels, writer, 0, PERSON)

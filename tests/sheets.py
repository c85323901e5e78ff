"""Records of ETL sets, written by the module that reads them is checked against."""

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck

from kakitori.corpora import archives, catalog, etl
from kakitori.corpora.records import layouts
from kakitori.corpora.records.database import SETS
from kakitori.reading.characters.charset import etl9_characters
from kakitori.synthesis import forms

CHARACTERS = etl9_characters()
HANDWRITTEN = [name for name in SETS if name != "ETL2"]
ONE_FOLDER = {"suppress_health_check": [HealthCheck.function_scoped_fixture]}
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


def write(folder: Path, name: str, *parts: np.ndarray, number: int = 1) -> etl.EtlFile:
    chosen = SETS[name]
    content = bytes(layout_of(name).record * chosen.dummy) + b"".join(p.tobytes() for p in parts)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / chosen.files[number - 1]).write_bytes(content)
    entry = archives.File(folder, chosen.files[number - 1])
    return etl.EtlFile(f"raw/{name}", name, number, entry)


def sources(root: Path, name: str) -> list:
    return catalog.sources(root, f"raw/{name}")

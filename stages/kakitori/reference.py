"""How characters are written: strokes to compare with, from the table that `characters` makes."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kakitori.errors import DataError

TRUE = ("kanjivg", "kaisho")  # sources that know order and direction; those of others are traced


class Reference(NamedTuple):
    """A character's strokes, polylines (points, 2) in the unit square, and whether their order and
    direction are true."""

    strokes: list[np.ndarray]
    ordered: bool


def read(path: Path, characters: set[str]) -> dict[str, Reference]:
    """References of `characters` from a table like data/characters.parquet, the true form of each
    where it has one. Needs pandas and pyarrow.

    Raises DataError for a table that is missing or is none, and for characters that it lacks.
    """
    try:
        # Only here: recognising does without.
        import pandas as pd
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise DataError(
            f"{path}: reading it needs pandas and pyarrow, found no {error.name}; "
            "`pip install pandas pyarrow` brings both"
        ) from None
    if not path.is_file():
        raise DataError(
            f"{path}: expected the strokes of characters, found no file; `dvc repro characters` "
            "makes it, --characters names another"
        )
    try:
        table = pd.read_parquet(path, columns=["character", "forms"]).set_index("character")
    except Exception as error:  # Arrow raises its own kinds for what is no parquet or lacks columns
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: expected the table of characters, found: {reason}") from None
    without = "".join(sorted(characters - set(table.index)))
    if without:
        raise DataError(
            f"{path}: expected strokes of {without}, found {len(table):,} other characters"
        )
    return {character: _reference(table.at[character, "forms"]) for character in characters}


def _reference(forms: list[dict]) -> Reference:
    form = best(forms)
    strokes = [np.asarray(flat, np.float64).reshape(-1, 2) for flat in form["strokes"]]
    return Reference(strokes, form["source"] in TRUE)


def best(forms: Sequence[dict]) -> dict:
    """Of a character's forms the one to compare with: a true one, or the first."""
    known = {form["source"]: form for form in forms}
    return next((known[source] for source in TRUE if source in known), forms[0])

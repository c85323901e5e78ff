"""data/characters.parquet as it is read: with a row for every character that somebody asks for.

The stage `characters` writes what its sources know. A corpus may hold others: Chinese characters,
those of the Edo period, signs. Of these the radicals are known where KRADFILE has them, and no
strokes.
"""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from kakitori.reading.characters import charset, radicals


def read(path: Path, needed: Iterable[str] = ()) -> pd.DataFrame:
    """The table, and after its own rows those of the `needed` characters that it lacks, by code
    point: `stroke_count` 0, lists and names empty where nothing is known."""
    return completed(pd.read_parquet(path), needed)


def completed(table: pd.DataFrame, needed: Iterable[str]) -> pd.DataFrame:
    """A table with a row for each of `needed`; see `read`."""
    further = sorted(set(needed) - set(table["character"]))
    if not further:
        return table
    rows = pd.DataFrame([_row(character) for character in further])
    rows = rows.reindex(columns=table.columns)
    kinds = {name: kind for name, kind in table.dtypes.items() if kind.kind in "biuf"}
    return pd.concat([table, rows.astype(kinds)], ignore_index=True)


def without_strokes(table: pd.DataFrame, characters: Iterable[str]) -> list[str]:
    """Those of `characters` whose strokes the table does not know."""
    known = set(table.loc[table["stroke_count"] > 0, "character"])
    return [character for character in characters if character not in known]


def glyph_sources(table: pd.DataFrame) -> str:
    """The sources of its forms in words."""
    return ", ".join(dict.fromkeys(f["source"] for forms in table["forms"] for f in forms))


def named(characters: list[str], of: int) -> str:
    """The first twenty of some characters in words, and how many there are `of` how many."""
    more = " …" if len(characters) > 20 else ""
    return f"{''.join(characters[:20])}{more} ({len(characters):,} of {of:,})"


def _row(character: str) -> dict:
    code = ord(character)
    known = radicals.kradfile(character)
    return {
        "character": character,
        "codepoint": code,
        "jis": _jis(character),
        "script": charset.script(code),
        "stroke_count": 0,
        "strokes": [],
        "stroke_types": [],
        "components": [],
        "stroke_source": "",
        "forms": [],
        "radicals": known,
        "radical_source": "itself" if known == [character] else "kradfile",
        "decomposition": "",
        "decomposition_source": "",
    }


def _jis(character: str) -> int:
    try:
        return charset.jis_code(character)
    except ValueError:
        return 0

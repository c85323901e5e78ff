"""The columns of data/characters.parquet: what is known of each character, how it is written."""

import functools
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from kakitori.reading.characters import charset, radicals
from kakitori.reading.characters.strokes import Form

Known = tuple[Form, radicals.Component | None]  # how a source writes a character, and its tree


def table(
    characters: Iterable[str],
    by_source: Mapping[str, Mapping[str, Known]],
    trees: Mapping[str, radicals.Component],
) -> pd.DataFrame:
    """A row per character, which at least one source knows.

    Parameters
    ----------
    by_source : by source, what it knows of each character.
    trees : decompositions for those where no source of forms has one.
    """
    rows = pd.DataFrame([_row(c, by_source, trees.get(c)) for c in characters])
    return rows.astype({"codepoint": "int32", "jis": "int32", "stroke_count": "int16"})


def _row(
    character: str, by_source: Mapping[str, Mapping[str, Known]], tree: radicals.Component | None
) -> dict:
    """What is known of a character: of the first source that has it, and its forms in all; `tree`
    where no source of forms knows one."""
    forms = {source: known[character] for source, known in by_source.items() if character in known}
    source, (first, _) = next(iter(forms.items()))
    tree = next((known for _, known in forms.values() if known), tree)
    double = character in _double_byte()
    return {
        "character": character,
        "codepoint": ord(character),
        "jis": charset.jis_code(character) if double else 0,
        "script": charset.script(ord(character)),
        "stroke_count": len(first.strokes),
        **_plain(first),
        "stroke_source": source,
        "forms": [_form(s, form) for s, (form, _) in forms.items()],
        "radicals": radicals.kradfile(character),
        "radical_source": "kradfile" if charset.script(ord(character)) == "kanji" else "itself",
        "decomposition": tree.to_json() if tree else "",
        "decomposition_source": "kanjivg" if tree else "",
    }


def _plain(form: Form) -> dict:
    """A form as columns. Polylines in order, each flat: x0, y0, x1, y1, … in the unit square."""
    return {
        "strokes": [stroke.ravel().tolist() for stroke in form.strokes],
        "stroke_types": list(form.types),
        "components": list(form.components),
    }


def _form(source: str, form: Form) -> dict:
    widths = [np.round(width, 3).tolist() for width in form.widths]
    return {"source": source, **_plain(form), "widths": widths}


@functools.cache
def _double_byte() -> set[str]:
    return {chr(c) for c in charset.jis_table() if c}

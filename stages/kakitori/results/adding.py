"""Classes added to a finished model that reads characters by what they are made of (align,
hiercode), without training.

What one is made of is said by an ideographic description sequence, by the operators of the Unicode
Standard (chapter 18): ⿰木目, ⿱龍⿰龍龍; or by its parts alone, 龍龍龍. The strokes of each part
are those of the table, scaled to the room that the operator gives it.
"""

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pandas as pd

from kakitori.errors import DataError
from kakitori.export import export
from kakitori.learning import saved
from kakitori.learning.samples import table
from kakitori.reading.characters import charset
from kakitori.reading.characters.radicals import Component
from kakitori.running import params

# Whose parts stand beside each other; and the box (left, top, right, bottom) of the second part in
# the first, which fills the room. Parts of all others stand below each other.
BESIDE = "⿰⿲"
INSIDE = {
    "⿴": (0.22, 0.2, 0.78, 0.8),
    "⿵": (0.22, 0.35, 0.78, 0.95),
    "⿶": (0.22, 0.05, 0.78, 0.75),
    "⿷": (0.25, 0.2, 0.95, 0.8),
    "⿸": (0.3, 0.3, 1.0, 1.0),
    "⿹": (0.0, 0.3, 0.7, 1.0),
    "⿺": (0.3, 0.0, 1.0, 0.75),
    "⿻": (0.0, 0.0, 1.0, 1.0),
}
POSITIONS = {  # of the parts, as KanjiVG names them
    "⿰": ("left", "right"),
    "⿲": ("left", "middle", "right"),
    "⿱": ("top", "bottom"),
    "⿳": ("top", "middle", "bottom"),
    **dict.fromkeys("⿴⿵⿶⿷", ("kamae", "kamaec")),
    **dict.fromkeys("⿸⿹", ("tare", "tarec")),
    "⿺": ("nyo", "nyoc"),
    "⿻": ("", ""),
}
LONGEST = 40  # signs of a sequence
GAP = 0.06  # between two parts, of the room that they share
THIN = 0.3  # a part whose sides differ by more stays as narrow


class Piece(NamedTuple):
    """A character or a component.

    strokes : float polylines (points, 2) in the unit square.
    types : per stroke its symbol of strokes.TYPES.
    tree : what it is made of; strokes are numbered as above.
    """

    strokes: list[np.ndarray]
    types: list[str]
    tree: Component


@contextlib.contextmanager
def extended(project: Path, additions: Sequence[str]) -> Iterator[Path]:
    """A float32 ONNX file of the project's trained model with further classes, each of `additions`
    as CHARACTER=SEQUENCE; calibrated as the model without them.

    Raises DataError where a sequence is none, or where the model knows only what it was trained on.
    """
    described = saved.describe(project / "models")
    characters = table.read(project / "data/characters.parquet", described.classes)
    new = []
    for each in additions:
        character, _, sequence = each.partition("=")
        characters = added(characters, character, sequence)
        new.append(character)
    if taken := [c for c in new if c in described.classes]:
        raise DataError(f"--add: expected new characters, found {''.join(taken)}, which it knows")
    model = described.network(characters).answering([*described.classes, *new])
    if model is None:
        raise DataError(
            "--add: expected a model that reads characters by what they are made of, align or "
            f"hiercode, found {described.model}"
        )
    known = onnx.load(project / "models/exports/fp32.onnx", load_external_data=False)
    told = {prop.key: prop.value for prop in known.metadata_props}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "added.onnx"
        export.to_onnx(model, described.size, params.load().quantize.opset, path)
        export.annotate(path, [*described.classes, *new], described.size, _without_classes(told))
        yield path


def _without_classes(told: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in told.items() if key not in ("classes", "size", "range")}


def added(characters: pd.DataFrame, character: str, sequence: str) -> pd.DataFrame:
    """The table with a row for `character`, made of what `sequence` says, instead of any that it
    has.

    Raises DataError for a sequence that is none, and names a part that nobody knows.
    """
    where = f"--add {character}={sequence}"
    if len(character) != 1:
        raise DataError(f"{where}: expected one character before =, found {character!r}")
    if not 0 < len(sequence) <= LONGEST:
        raise DataError(
            f"{where[:40]}: expected what it is made of, ⿰木目 or 木目, in at most {LONGEST} "
            f"signs, found {len(sequence)}"
        )
    parts = set(sequence) - POSITIONS.keys()
    known = {part: _piece(characters, part, where) for part in sorted(parts - {character})}
    if character in parts:
        raise DataError(f"{where}: expected parts of {character}, found itself among them")
    whole, rest = _parsed(_with_operators(sequence), known, where)
    if rest:
        raise DataError(f"{where}: expected the end of the sequence, found {rest} after it")
    row = {
        "character": character,
        "codepoint": ord(character),
        "jis": 0,
        "script": charset.script(ord(character)),
        "stroke_count": len(whole.strokes),
        "strokes": [stroke.ravel() for stroke in whole.strokes],
        "stroke_types": whole.types,
        "components": [0] * len(whole.strokes),
        "stroke_source": "added",
        "forms": [],
        "radicals": sorted({leaf.element for leaf in whole.tree.leaves() if leaf.element}),
        "radical_source": "added",
        "decomposition": whole.tree.to_json(),
        "decomposition_source": "added",
    }
    new = pd.DataFrame([row]).reindex(columns=characters.columns)
    kinds = {name: kind for name, kind in characters.dtypes.items() if kind.kind in "biuf"}
    others = characters[characters["character"] != character]
    return pd.concat([others, new.astype(kinds)], ignore_index=True)


def _with_operators(sequence: str) -> str:
    """Parts alone in their usual arrangement: one beside the other, three of the same as in 品."""
    if POSITIONS.keys() & set(sequence):
        return sequence
    if len(sequence) == 3 and len(set(sequence)) == 1:
        return f"⿱{sequence[0]}⿰{sequence[1:]}"
    return "⿰" * (len(sequence) - 1) + sequence


def _piece(characters: pd.DataFrame, name: str, where: str) -> Piece:
    """A character of the table, or the largest component of that name in one."""
    own = characters[(characters["character"] == name) & (characters["stroke_count"] > 0)]
    if len(own):
        row = own.iloc[0]
        tree = Component.from_json(row.decomposition) if row.decomposition else Component(name)
        every = tuple(range(len(row.strokes)))
        return _cut_out(row, dataclasses.replace(tree, strokes=every))
    quoted = f'"element":"{name}"'
    found = []
    for row in characters[
        characters["decomposition"].str.contains(quoted, regex=False)
    ].itertuples():
        parts = Component.from_json(row.decomposition).below()
        found += [_cut_out(row, part) for part in parts if part.element == name and part.strokes]
    if not found:
        raise DataError(
            f"{where}: expected characters and components whose strokes the table has, found "
            f"{name} (U+{ord(name):04X})"
        )
    return max(found, key=lambda piece: np.ptp(np.concatenate(piece.strokes), axis=0).sum())


def _cut_out(row, part: Component) -> Piece:
    """A part of a row's character with its strokes alone."""
    number = {old: new for new, old in enumerate(part.strokes)}
    return Piece(
        [np.reshape(row.strokes[k], (-1, 2)) for k in part.strokes],
        [row.stroke_types[k] for k in part.strokes],
        part.renumbered(number),
    )


def _parsed(text: str, known: Mapping[str, Piece], where: str) -> tuple[Piece, str]:
    """The piece that a sequence begins with, filling the unit square, and what follows it."""
    if not text:
        raise DataError(f"{where}: expected another part, found the end of the sequence")
    sign, rest = text[0], text[1:]
    if sign in known:
        piece = known[sign]
        return piece._replace(strokes=_filled(piece.strokes)), rest
    parts = []
    for _ in POSITIONS[sign]:
        part, rest = _parsed(rest, known, where)
        parts.append(part)
    strokes: list[np.ndarray] = []
    types: list[str] = []
    trees = []
    for part, box, position in zip(parts, _boxes(sign, parts), POSITIONS[sign], strict=True):
        number = {k: k + len(strokes) for k in range(len(part.strokes))}
        trees.append(part.tree.renumbered(number, position))
        strokes += [s * (box[2] - box[0], box[3] - box[1]) + box[:2] for s in part.strokes]
        types += part.types
    tree = Component("", strokes=tuple(range(len(strokes))), parts=tuple(trees))
    return Piece(strokes, types, tree), rest


def _boxes(sign: str, parts: Sequence[Piece]) -> list[tuple[float, ...]]:
    """The room of each part; of those beside or below each other more for more strokes."""
    if sign in INSIDE:
        return [(0.0, 0.0, 1.0, 1.0), INSIDE[sign]]
    weights = np.sqrt([len(part.strokes) for part in parts])
    ends = np.cumsum(weights) / weights.sum()
    begins = np.r_[0.0, ends[:-1] + GAP / 2]
    ends[:-1] -= GAP / 2
    pairs = zip(begins, ends, strict=True)
    return [(a, 0.0, b, 1.0) if sign in BESIDE else (0.0, a, 1.0, b) for a, b in pairs]


def _filled(strokes: list[np.ndarray]) -> list[np.ndarray]:
    """Strokes moved and scaled to fill the unit square, but that what is thin stays so."""
    every = np.concatenate(strokes)
    low, high = every.min(0), every.max(0)
    sides = np.maximum(high - low, THIN * (high - low).max() + 1e-6)
    return [(stroke - (low + high) / 2) / sides + 0.5 for stroke in strokes]

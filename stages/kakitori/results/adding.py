"""Classes added to a finished model that reads characters by what they are made of (align,
hiercode), without training.

What one is made of is said by an ideographic description sequence, by the operators of the Unicode
Standard (chapter 18): ⿰木目, ⿱龍⿰龍龍; or by its parts alone, 龍龍龍. The strokes of each part
are those of the table: as in a character that has it in the same place, or scaled to fill it.
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
from kakitori.reading.characters.radicals import Component
from kakitori.running import params

# Of each operator the positions of its parts, as KanjiVG names them.
POSITIONS = {
    "⿰": ("left", "right"),
    "⿲": ("left", "middle", "right"),
    "⿱": ("top", "bottom"),
    "⿳": ("top", "middle", "bottom"),
    **dict.fromkeys("⿴⿵⿶⿷", ("kamae", "kamaec")),
    **dict.fromkeys("⿸⿹", ("tare", "tarec")),
    "⿺": ("nyo", "nyoc"),
    "⿻": ("", ""),
}
AXES = {"⿰": 0, "⿲": 0, "⿱": 1, "⿳": 1}  # of those whose parts share the room, x or y
# Of the others the box (left, top, right, bottom) of a second part of which no character of the
# table has an example; the first fills the room.
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
LONGEST = 40  # signs of a sequence
GAP = 0.06  # between two parts, of the room that they share
THIN = 0.3  # a part whose sides differ by more stays as narrow


class Piece(NamedTuple):
    """A character or a component.

    strokes : float polylines (points, 2) in the unit square.
    types : per stroke its symbol of strokes.TYPES.
    tree : what it is made of; strokes are numbered as above.
    placed : whether it lies where it does in a character that has it in the same position; else it
        fills the square.
    """

    strokes: list[np.ndarray]
    types: list[str]
    tree: Component
    placed: bool = False


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
    metadata = {prop.key: prop.value for prop in known.metadata_props}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "added.onnx"
        export.to_onnx(model, described.size, params.load().quantize.opset, path)
        export.annotate(
            path, [*described.classes, *new], described.size, _without_classes(metadata)
        )
        yield path


def _without_classes(metadata: Mapping[str, str]) -> dict[str, str]:
    return {
        key: value for key, value in metadata.items() if key not in ("classes", "size", "range")
    }


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
    if character in sequence:
        raise DataError(f"{where}: expected parts of {character}, found itself among them")
    others = characters[characters["character"] != character]
    whole, rest = _parsed(_with_operators(sequence), "", others, where)
    if rest:
        raise DataError(f"{where}: expected the end of the sequence, found {rest} after it")
    made = table.completed(others, [character])
    for name, value in {
        "stroke_count": len(whole.strokes),
        "strokes": [stroke.ravel() for stroke in whole.strokes],
        "stroke_types": whole.types,
        "radicals": sorted({leaf.element for leaf in whole.tree.leaves() if leaf.element}),
        "decomposition": whole.tree.to_json(),
    }.items():
        made.at[made.index[-1], name] = value
    return made


def _with_operators(sequence: str) -> str:
    """Parts alone in their usual arrangement: one beside the other, three of the same as in 品."""
    if POSITIONS.keys() & set(sequence):
        return sequence
    if len(sequence) == 3 and len(set(sequence)) == 1:
        return f"⿱{sequence[0]}⿰{sequence[1:]}"
    return "⿰" * (len(sequence) - 1) + sequence


def _parsed(text: str, position: str, characters: pd.DataFrame, where: str) -> tuple[Piece, str]:
    """The piece that a sequence begins with, for a position, and what follows it."""
    if not text:
        raise DataError(f"{where}: expected another part, found the end of the sequence")
    sign, rest = text[0], text[1:]
    if sign not in POSITIONS:
        return _piece(characters, sign, position, where), rest
    parts = []
    for each in POSITIONS[sign]:
        part, rest = _parsed(rest, each, characters, where)
        parts.append(part)
    strokes: list[np.ndarray] = []
    types: list[str] = []
    trees = []
    for part, own, each in zip(parts, _arranged(sign, parts), POSITIONS[sign], strict=True):
        number = {k: k + len(strokes) for k in range(len(part.strokes))}
        trees.append(part.tree.renumbered(number, each))
        strokes += own
        types += part.types
    tree = Component("", strokes=tuple(range(len(strokes))), parts=tuple(trees))
    return Piece(strokes, types, tree), rest


def _piece(characters: pd.DataFrame, name: str, position: str, where: str) -> Piece:
    """A character or component: as one of two parts in that position, of the size that is usual
    there; else the character itself, or the largest component of that name."""
    quoted = characters["decomposition"].str.contains(f'"element":"{name}"', regex=False)
    there, elsewhere = [], []
    for row in characters[quoted].itertuples():
        tree = Component.from_json(row.decomposition)
        for parent in (tree, *tree.below()):
            for part in parent.parts:
                if part.element == name and part.strokes:
                    elsewhere.append(_cut_out(row, part))
                    if part.position == position and len(parent.parts) == 2:
                        there.append(_cut_out(row, part, parent))
    if position and there:
        return sorted(there, key=_size)[len(there) // 2]
    own = characters[(characters["character"] == name) & (characters["stroke_count"] > 0)]
    if len(own):
        row = own.iloc[0]
        tree = Component.from_json(row.decomposition) if row.decomposition else Component(name)
        every = tuple(range(len(row.strokes)))
        return _cut_out(row, dataclasses.replace(tree, strokes=every))
    if not elsewhere:
        raise DataError(
            f"{where}: expected characters and components whose strokes the table has, found "
            f"{name} (U+{ord(name):04X})"
        )
    return max(elsewhere, key=_size)


def _size(piece: Piece) -> float:
    return float(np.ptp(np.concatenate(piece.strokes), axis=0).sum())


def _cut_out(row: NamedTuple, part: Component, parent: Component | None = None) -> Piece:
    """A part of a row's character with its strokes alone, filling the unit square, or as it lies
    where its parent does."""
    number = {old: new for new, old in enumerate(part.strokes)}
    points = [np.reshape(stroke, (-1, 2)) for stroke in row.strokes]
    around = [points[k] for k in (parent or part).strokes]
    return Piece(
        _filled([points[k] for k in part.strokes], around),
        [row.stroke_types[k] for k in part.strokes],
        part.renumbered(number),
        parent is not None,
    )


def _arranged(sign: str, parts: Sequence[Piece]) -> list[list[np.ndarray]]:
    """The strokes of each part in the room that they have together."""
    if sign in INSIDE:
        boxes = (0.0, 0.0, 1.0, 1.0), INSIDE[sign]
        return [p.strokes if p.placed else _into(p, b) for p, b in zip(parts, boxes, strict=True)]
    axis = AXES[sign]
    weights = np.sqrt([len(part.strokes) for part in parts])
    ends = np.cumsum(weights) / weights.sum()
    if len(parts) == 2:  # halfway between where the first usually ends and the second begins
        first, second = (np.concatenate(part.strokes)[:, axis] for part in parts)
        usual = [first.max()] * parts[0].placed + [second.min()] * parts[1].placed
        ends[0] = np.mean(usual or ends[0])
    begins = np.r_[0.0, ends[:-1] + GAP / 2]
    ends[:-1] -= GAP / 2
    arranged = []
    for part, begin, end in zip(parts, begins, ends, strict=True):
        low, high = np.zeros(2), np.ones(2)
        low[axis], high[axis] = begin, end
        old_low, old_high = np.zeros(2), np.ones(2)
        if part.placed:
            along = np.concatenate(part.strokes)[:, axis]
            old_low[axis] = 0.0 if begin == 0 else along.min()
            old_high[axis] = 1.0 if end == 1 else along.max()
        gain = (high - low) / np.maximum(old_high - old_low, 0.05)
        arranged.append([(stroke - old_low) * gain + low for stroke in part.strokes])
    return arranged


def _into(part: Piece, box: tuple[float, ...]) -> list[np.ndarray]:
    left, top, right, bottom = box
    return [stroke * (right - left, bottom - top) + (left, top) for stroke in part.strokes]


def _filled(strokes: list[np.ndarray], around: list[np.ndarray]) -> list[np.ndarray]:
    """Strokes moved and scaled as those `around` them fill the unit square, but that what is thin
    stays so."""
    every = np.concatenate(around)
    low, high = every.min(0), every.max(0)
    sides = np.maximum(high - low, THIN * (high - low).max() + 1e-6)
    return [(stroke - (low + high) / 2) / sides + 0.5 for stroke in strokes]

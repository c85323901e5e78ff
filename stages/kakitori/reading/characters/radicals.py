"""What characters are made of: trees of parts, sets of radicals, and codes made of them.

KRADFILE lists the visual components of each kanji (© Electronic Dictionary Research and
Development Group; the package jamdict carries it). KanjiVG has trees: parts, and where they stand.
"""

import dataclasses
import functools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Component:
    """A character or a part of one, with the parts that make it up.

    element : the character that it looks like; "" for a part without a name of its own, a stroke
        type (strokes.TYPES) for a loose stroke, a name such as CDP-8BC4 for what Unicode lacks.
    position : where it stands among its neighbours: left, right, top, bottom, middle; tare (above
        and left of the rest), nyo (left and below), kamae (around); tarec, nyoc, kamaec for the
        rest that these enclose; "" where nothing says so.
    strokes : numbers, from 0, of its strokes in the character's writing order.
    original : the character whose form it is (人 of 亻); "" for its own.
    radical : the tradition in which it is the character's dictionary radical; "" in none.
    phon : the character whose sound it lends; "" for none.
    """

    element: str
    position: str = ""
    strokes: tuple[int, ...] = ()
    parts: tuple["Component", ...] = ()
    original: str = ""
    variant: bool = False
    partial: bool = False
    radical: str = ""
    phon: str = ""

    def leaves(self) -> Iterator["Component"]:
        """The parts that are not divided further, in order."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()

    def below(self) -> Iterator["Component"]:
        """Everything that it is made of, each before its own parts."""
        for part in self.parts:
            yield part
            yield from part.below()

    def renumbered(self, number: Mapping[int, int], position: str | None = None) -> "Component":
        """With other numbers of its strokes, by the old ones, and another position."""
        return dataclasses.replace(
            self,
            position=self.position if position is None else position,
            strokes=tuple(number[k] for k in self.strokes),
            parts=tuple(part.renumbered(number) for part in self.parts),
        )

    def to_json(self) -> str:
        """As one line of JSON, without what is empty."""
        return json.dumps(_plain(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Component":
        return _part(json.loads(text))


def _plain(part: Component) -> dict:
    fields = {f.name: getattr(part, f.name) for f in dataclasses.fields(part)}
    fields["parts"] = [_plain(p) for p in part.parts]
    return {name: value for name, value in fields.items() if value or name == "element"}


def _part(fields: dict) -> Component:
    strokes, parts = tuple(fields.get("strokes", ())), map(_part, fields.get("parts", ()))
    return Component(**{**fields, "strokes": strokes, "parts": tuple(parts)})


@functools.cache
def _components() -> dict[str, list[str]]:
    from jamdict.krad import KRad

    return KRad().krad


def kradfile(character: str) -> list[str]:
    """The components of a kanji in KRADFILE's order; any other character is its own."""
    return list(_components().get(character, [character]))


# ---------------------------------------------------------------------------------------------
# The hierarchical codebook

# Which arrangement a position belongs to; its complement belongs to the same.
_ARRANGEMENTS = {"left": "⿰", "right": "⿰", "middle": "⿰", "top": "⿱", "bottom": "⿱"} | {
    position + end: sign
    for position, sign in (("tare", "⿸"), ("nyo", "⿺"), ("kamae", "⿴"))
    for end in ("", "c")
}

_Node = str | tuple[str, "_Node", "_Node"]  # a radical, or an arrangement and its two parts


@dataclasses.dataclass(frozen=True)
class Codebook:
    """codes : uint8 (C, D), 0 or 1, no two rows alike.
    columns : what each column says: a radical is there (木), stands at a place in the tree (木@01:
        second part of the first part), an arrangement stands at a place (⿰@0), or `#1`, `#2`, …,
        which tell classes apart whose decompositions are the same.
    collisions : the groups of classes, by number, that only those last columns tell apart.
    """

    codes: np.ndarray
    columns: tuple[str, ...]
    collisions: tuple[tuple[int, ...], ...]


def codebook(decompositions: Sequence[Component | Collection[str]], depth: int = 2) -> Codebook:
    """Multi-hot codes of characters made of radicals in places.

    After HierCode (Zhang et al. 2024, arXiv 2403.13761): a decomposition becomes a binary tree
    with arrangements at its inner nodes and radicals at its leaves, and a code says which of them
    stand where. Parts of one radical thus share columns in whatever character they are, which
    makes characters readable that no training image showed.

    Parameters
    ----------
    decompositions : per class its tree, or where there is none its set of radicals; such a code
        says which radicals are there and nothing of their places.
    depth : steps down the binary tree to which the places of radicals are told apart; those of
        arrangements are told apart to one step more. 2 keeps all of the 3,036 classes apart that
        differ in their trees (976 columns; six classes, such as 末 and 未, need a #); 0 takes 257
        columns and leaves 33 to the #.
    """
    facts = [
        _facts(_binary(d), "", depth) if isinstance(d, Component) else set(d)
        for d in decompositions
    ]
    same: dict[frozenset[str], list[int]] = {}
    for number, known in enumerate(facts):
        same.setdefault(frozenset(known), []).append(number)
    collisions = [tuple(numbers) for numbers in same.values() if len(numbers) > 1]
    for numbers in collisions:
        for i, number in enumerate(numbers[1:], 1):
            facts[number].add(f"#{i}")
    columns = tuple(sorted(set().union(*facts)))
    place = {column: i for i, column in enumerate(columns)}
    codes = np.zeros((len(facts), len(columns)), np.uint8)
    for code, known in zip(codes, facts, strict=True):
        code[[place[fact] for fact in known]] = 1
    return Codebook(codes, columns, tuple(collisions))


def _binary(part: Component) -> _Node:
    """The tree with two parts to a node: a, b, c becomes a and (b and c)."""
    if not part.parts:
        return part.element
    signs = [_ARRANGEMENTS.get(p.position, "") for p in part.parts]
    node = _binary(part.parts[-1])
    for i in range(len(part.parts) - 2, -1, -1):
        # Loose strokes and some parts have no position; their neighbour's then holds for both.
        node = (signs[i] or signs[i + 1] or "⿻", _binary(part.parts[i]), node)
    return node


def _facts(node: _Node, place: str, depth: int) -> set[str]:
    """The columns that a tree sets; `place` is the way down to it, 0 first and 1 second part."""
    if isinstance(node, str):
        return {node, f"{node}@{place[:depth]}"} if place[:depth] else {node}
    arrangement, first, second = node
    below = _facts(first, place + "0", depth) | _facts(second, place + "1", depth)
    return below | {f"{arrangement}@{place}"} if len(place) <= depth else below

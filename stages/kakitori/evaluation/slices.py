"""The same accuracy over parts of the test: which characters, which hands, which corpora."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from kakitori.accuracy.scoring import sliced_top1
from kakitori.reading.characters.charset import script
from kakitori.reading.characters.radicals import Component

STROKE_BINS = {"01-04": 4, "05-08": 8, "09-12": 12, "13-16": 16, "17 and more": 99}


def sliced(right: np.ndarray, rows: pd.DataFrame, characters: pd.DataFrame) -> dict[str, dict]:
    """`samples` and `top1` by `script`, `strokes`, `corpus`, `quality`, `radical` and `component`,
    each empty where nothing is known of it.

    right : bool (N,). rows : the samples' rows of the index. characters : the table, by code point.

    A radical is one of KRADFILE's, or a leaf of the decomposition tree; a component any named part
    of the tree. A sample is in the slice of each that its character has.
    """
    codepoints = rows["codepoint"]
    strokes = codepoints.map(characters["stroke_count"])
    counted = (strokes > 0).to_numpy()
    bins = pd.cut(strokes[counted], [0, *STROKE_BINS.values()], labels=list(STROKE_BINS))
    graded = (rows["quality"] >= 0).to_numpy()
    components = {
        code: _named(Component.from_json(text))
        for code, text in characters["decomposition"].items()
        if text
    }
    return {
        "script": sliced_top1(right, codepoints.map(script)),
        "strokes": sliced_top1(right[counted], bins.astype(str)),
        "corpus": sliced_top1(right, rows["corpus"]),
        "quality": sliced_top1(right[graded], rows["quality"][graded]),
        "radical": _by_each(right, codepoints, characters["radicals"].to_dict()),
        "component": _by_each(right, codepoints, components),
    }


def by_writer(right: np.ndarray, groups: np.ndarray) -> dict[str, float | int | str]:
    """Writer groups: how many, `best`, `worst` and which they are, and the standard deviation
    between them, `spread`, where there are two or more."""
    means = pd.Series(right).groupby(groups).mean()
    result: dict[str, float | int | str] = {
        "groups": len(means),
        "best": float(means.max()),
        "best_group": str(means.idxmax()),
        "worst": float(means.min()),
        "worst_group": str(means.idxmin()),
    }
    return result | ({"spread": float(means.std())} if len(means) > 1 else {})


def as_table(slices: dict[str, dict]) -> pd.DataFrame:
    """Columns slice, value, samples, top1; in each slice the worst first."""
    table = pd.DataFrame(
        [
            (name, value, *cell.values())
            for name, part in slices.items()
            for value, cell in part.items()
        ],
        columns=["slice", "value", "samples", "top1"],
    )
    return table.sort_values(["slice", "top1", "value"])


def _by_each(
    right: np.ndarray, codepoints: pd.Series, names: dict[int, Iterable[str]]
) -> dict[str, dict]:
    each = pd.DataFrame({"right": right, "name": [list(names.get(c, ())) for c in codepoints]})
    each = each.explode("name").dropna()
    return sliced_top1(each["right"].to_numpy(bool), each["name"])


def _named(part: Component) -> set[str]:
    """The names of all parts below one."""
    below = (name for p in part.parts for name in ({p.element} | _named(p)))
    return {name for name in below if name}

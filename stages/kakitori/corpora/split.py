"""Parts that share no writer: training, validation, test."""

import numpy as np
import pandas as pd

from kakitori.errors import DataError
from kakitori.params import Split


def assign_parts(index: pd.DataFrame, settings: Split, seed: int) -> pd.Series:
    """The part of every sample: train, val, test, zero_shot, or none (model sheets; classes set
    aside from training).

    Whole writer groups in contiguous blocks: the last `test_groups` are test, the `val_groups`
    before them validation, since a person may have filled forms of several neighbouring sets.
    With `scheme: random` samples are drawn per class instead, 80/20 as published, and a tenth of
    the 80 validates.

    Raises DataError when there are too few groups, or the result fails `check`.
    """
    part = pd.Series("none", index=index.index, dtype=object)
    usable = ~index["is_model_sheet"]
    if settings.scheme == "writer":
        # Real writers come last, so that a mixture with synthetic ones is tested on real ones.
        groups = sorted(
            index.loc[usable, "writer_group"].unique(),
            key=lambda group: (not group.startswith("synthetic/"), group),
        )
        held_out = settings.val_groups + settings.test_groups
        if len(groups) <= held_out:
            raise DataError(
                f"data/index.parquet: expected more than {held_out} writer groups "
                f"(split.val_groups + split.test_groups), found {len(groups)}"
            )
        names = np.array(["train"] * len(groups), dtype=object)
        names[-held_out:] = "val"
        names[-settings.test_groups :] = "test"
        part[usable] = index.loc[usable, "writer_group"].map(dict(zip(groups, names, strict=True)))
    else:
        rng = np.random.default_rng(seed)
        order = pd.Series(rng.random(len(index)), index=index.index)[usable]
        rank = order.groupby(index.loc[usable, "codepoint"]).rank(pct=True, method="first")
        part[usable] = np.select([rank <= 0.72, rank <= 0.8], ["train", "val"], "test")
    if settings.zero_shot_classes:
        classes = np.unique(index["codepoint"])
        if settings.zero_shot_classes >= len(classes):
            raise DataError(
                f"split.zero_shot_classes: expected fewer than the {len(classes)} classes there "
                f"are, found {settings.zero_shot_classes}"
            )
        rng = np.random.default_rng(seed)
        aside = rng.choice(classes, settings.zero_shot_classes, replace=False)
        is_aside = index["codepoint"].isin(aside)
        part[is_aside & part.isin(["train", "val"])] = "none"
        part[is_aside & (part == "test")] = "zero_shot"
    check(index, part, settings.scheme)
    return part


def check(index: pd.DataFrame, part: pd.Series, scheme: str) -> None:
    """Raise DataError when a writer group is in two parts, a part is empty, or a class that is
    tested is missing from training. `scheme: random` waives the first, and metrics say so."""
    counts = part.value_counts()
    for name in ("train", "val", "test"):
        if not counts.get(name):
            raise DataError(f"data/index.parquet: expected samples in part {name}, found none")
    if scheme == "writer":
        side = part.replace({"zero_shot": "test"})
        placed = side != "none"
        parts_of = side[placed].groupby(index.loc[placed, "writer_group"]).unique()
        leaks = parts_of[parts_of.map(len) > 1]
        if len(leaks):
            raise DataError(
                f"data/split.parquet: expected every writer group in one part, found "
                f"{leaks.index[0]} in {' and '.join(sorted(leaks.iloc[0]))} "
                f"({len(leaks)} such groups)"
            )
    trained = set(index.loc[part == "train", "codepoint"])
    asked = set(index.loc[part.isin(["val", "test"]), "codepoint"])
    if asked - trained:
        missing = min(asked - trained)
        raise DataError(
            f"data/split.parquet: expected every tested class in train, found U+{missing:04X} "
            f"{chr(missing)} only outside it ({len(asked - trained)} such classes)"
        )


def summary(index: pd.DataFrame, part: pd.Series, scheme: str) -> dict:
    """Groups, samples and classes per part, for metrics/split.json."""
    result: dict = {"scheme": scheme, "leaks_writers": scheme == "random"}
    for name in ("train", "val", "test", "zero_shot", "none"):
        rows = index[part == name]
        result[name] = {
            "writer_groups": int(rows["writer_group"].nunique()),
            "samples": len(rows),
            "classes": int(rows["codepoint"].nunique()),
        }
    return result

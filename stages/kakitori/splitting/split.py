"""Parts that share no writer: training, validation, test."""

import numpy as np
import pandas as pd

from kakitori.errors import DataError
from kakitori.reading.characters.charset import HARD, alphabets
from kakitori.reading.characters.framing import MIN_CONTRAST
from kakitori.running.params import Mix, Split

PARTS = ("train", "val", "test", "hard", "zero_shot", "external")


def assign_parts(index: pd.DataFrame, settings: Split, mix: Mix, seed: int) -> pd.Series:
    """The part of every sample: train, val, test, hard, zero_shot, external, or none (model sheets,
    blank images, classes set aside from training, corpora that `mix` keeps out).

    Whole writer groups in contiguous blocks: of each collection (all sheets of ETL9, of ETL7, …)
    the last `test_groups` are test, the `val_groups` before them validation, since a person may
    have filled forms of several neighbouring sets. With `scheme: random` samples are drawn per
    class instead, 80/20 as published, and a tenth of the 80 validates.

    Raises DataError when there are too few groups, `mix` asks for what cannot be, or the result
    fails `check`.
    """
    part = pd.Series("none", index=index.index, dtype=object)
    usable = ~index["is_model_sheet"] & (index["contrast"] >= MIN_CONTRAST)
    corpora = corpora_of(index, mix, settings.scheme)
    in_part = {name: usable & index["corpus"].isin(corpora[name]) for name in corpora}
    if settings.scheme == "writer":
        side = _sides(index, settings, in_part)
        for name in ("train", "val", "test"):
            part[in_part[name] & (side == name)] = name
    else:
        mixed = in_part["train"] | in_part["val"] | in_part["test"]
        rng = np.random.default_rng(seed)
        order = pd.Series(rng.random(len(index)), index=index.index)[mixed]
        ordered = order.groupby(index.loc[mixed, "codepoint"])
        rank, first = ordered.rank(pct=True, method="first"), ordered.rank(method="first") == 1
        # The first of a few trains: a class of one sample cannot be tested too.
        part[mixed] = np.select([(rank <= 0.72) | first, rank <= 0.8], ["train", "val"], "test")
    for name in ("hard", "external"):
        part[in_part[name]] = name
    if settings.zero_shot_classes:
        is_aside = index["codepoint"].isin(_set_aside(index, settings.zero_shot_classes, seed))
        part[is_aside & part.isin(["train", "val"])] = "none"
        part[is_aside & (part == "test")] = "zero_shot"
    check(index, part, settings.scheme)
    return part


def _set_aside(index: pd.DataFrame, wanted: int | str, seed: int) -> np.ndarray:
    """Code points of so many classes, drawn by lot, or of an alphabet's; see assign_parts."""
    where, classes = "split.zero_shot_classes", np.unique(index["codepoint"])
    if isinstance(wanted, str):
        if wanted not in (known := alphabets()):
            raise DataError(f"{where}: expected a number, {', '.join(known)}, found {wanted}")
        aside = np.intersect1d(classes, [ord(character) for character in known[wanted]])
        if not 0 < len(aside) < len(classes):
            raise DataError(
                f"{where}: expected some of the {len(classes):,} classes there are in {wanted}, "
                f"found {len(aside):,}; synthesize.sets may lack ALPHABET"
            )
        return aside
    if wanted >= len(classes):
        raise DataError(
            f"{where}: expected fewer than the {len(classes)} classes there are, found {wanted}"
        )
    return np.random.default_rng(seed).choice(classes, wanted, replace=False)


def corpora_of(index: pd.DataFrame, mix: Mix, scheme: str = "writer") -> dict[str, list[str]]:
    """The corpora of each part, by `mix` and what the corpora say of their writers. Those that do
    not say are test sets of their own; with `scheme: random`, where nobody says, they are divided.

    Raises DataError for a corpus that is not there, or that `mix` puts where it cannot be.
    """
    every = index["corpus"].unique().tolist()
    unnamed = index.loc[index["writer_group"] == "", "corpus"].unique().tolist()
    asked = {name: getattr(mix, name) for name in ("train", "val", "test", "external")}
    for name, corpora in (asked | {"weights": list(mix.weights)}).items():
        for corpus in corpora:
            if corpus not in every:
                raise DataError(
                    f"data.mix.{name}: expected some of {', '.join(every)}, found {corpus}"
                )
    for name in ("val", "test"):
        for corpus in asked[name]:
            if corpus in unnamed and scheme == "writer":
                raise DataError(
                    f"data.mix.{name}: expected corpora that say who wrote, found {corpus}, which "
                    "does not: no part of it can be held out by writer; name it under "
                    "data.mix.external (a test set of its own) or data.mix.train"
                )
    for name in ("train", "val", "test"):
        both = [c for c in asked[name] if c in asked["external"]]
        if both:
            raise DataError(
                f"data.mix.external: expected corpora that are in no other part, found {both[0]}, "
                f"which is in data.mix.{name} too"
            )
    hard = [c for c in every if c.endswith(HARD)]
    misused = [c for name in asked for c in asked[name] if c in hard]
    if misused:
        raise DataError(
            f"data.mix: expected corpora other than {misused[0]}, which is a test part of its own"
        )
    written = [c for c in every if c not in (*asked["external"], *unnamed, *hard)]
    if not written and scheme == "writer":
        raise DataError(
            "data.corpora: expected a corpus that says who wrote, to validate and test by writers "
            f"never seen, found only {', '.join(every)}; add one (synthetic/ETL9G), or set "
            "split.scheme: random, which divides samples whoever wrote them (metrics say so)"
        )
    written = written or [c for c in unnamed if c not in asked["external"]]
    inside = {*written, *asked["train"], *asked["val"], *asked["test"]}
    external = [c for c in every if c not in inside and c not in hard]
    real = [c for c in written if not c.startswith("synthetic/")]
    return {
        "train": asked["train"] or written,
        "val": asked["val"] or real or written,
        "test": asked["test"] or real or written,
        "hard": hard,
        "external": external,
    }


def _sides(index: pd.DataFrame, settings: Split, in_part: dict[str, pd.Series]) -> pd.Series:
    """train, val or test for every sample's writer group; train for those without one."""
    groups = index["writer_group"]
    collection = groups.str.rpartition("/")[0]
    side: dict[str, str] = {}
    for name in sorted(collection[in_part["val"] | in_part["test"]].unique()):
        here = collection == name
        mine = {p: sorted(groups[here & in_part[p]].unique()) for p in ("train", "val", "test")}
        tested, validated = mine["test"], mine["val"]
        needed = settings.test_groups * bool(tested) + settings.val_groups * bool(validated)
        every = sorted({group for part in mine.values() for group in part})
        if len(every) < needed + bool(mine["train"]):
            raise DataError(
                f"data/index.parquet: expected more than {needed} writer groups of {name} "
                f"(split.val_groups + split.test_groups), found {len(every)}; name the corpora to "
                "be tested in data.mix.val and data.mix.test"
            )
        # What is not trained on can all be tested.
        last = tested[-settings.test_groups :] if mine["train"] else tested
        if validated and not mine["train"]:
            last = tested[settings.val_groups :]
        side |= dict.fromkeys(last, "test")
        rest = [g for g in validated if side.get(g) != "test"]
        side |= dict.fromkeys(rest[-settings.val_groups :], "val")
    return groups.map(side).fillna("train")


def check(index: pd.DataFrame, part: pd.Series, scheme: str) -> None:
    """Raise DataError when a writer group is in two parts, a part is empty, or a class that is
    tested is missing from training. `scheme: random` waives the first, and metrics say so."""
    counts = part.value_counts()
    for name in ("train", "val", "test"):
        if not counts.get(name):
            raise DataError(f"data/index.parquet: expected samples in part {name}, found none")
    if scheme == "writer":
        side = part.replace({"zero_shot": "test"})
        placed = ~side.isin(["none", "hard", "external"]) & (index["writer_group"] != "")
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
    for name in (*PARTS, "none"):
        rows = index[part == name]
        result[name] = {
            "writer_groups": int(rows.loc[rows["writer_group"] != "", "writer_group"].nunique()),
            "samples": len(rows),
            "classes": int(rows["codepoint"].nunique()),
        }
    return result

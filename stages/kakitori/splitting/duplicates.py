"""The same image in two parts: it would be learned and then asked for."""

from pathlib import Path

import numpy as np
import pandas as pd

from kakitori.learning.samples import shards

# Where an image is in several parts, the first of these keeps it.
KEPT_IN = ("test", "hard", "zero_shot", "external", "val", "train")
MOST_BITS = 4  # of the 64 of `look` in which near duplicates may differ
MOST_LEVELS = 8.0  # mean difference of their pixels, of 255


def exact(index: pd.DataFrame, part: pd.Series) -> pd.DataFrame:
    """Samples whose image, pixel by pixel, is in a part that keeps it: `sample`, `part`, and
    `kept` and `kept_in`, the sample that stays and its part."""
    rank = part.map({name: k for k, name in enumerate(KEPT_IN)})
    table = index.assign(part=part, rank=rank)[rank.notna()]
    table = table[table["digest"].duplicated(keep=False)]
    table = table.sort_values(["digest", "rank", "sample"])
    first = table.groupby("digest")[["sample", "part", "rank"]].transform("first")
    copy = table["rank"] > first["rank"]
    return pd.DataFrame(
        {
            "sample": table.loc[copy, "sample"],
            "part": table.loc[copy, "part"],
            "kept": first.loc[copy, "sample"],
            "kept_in": first.loc[copy, "part"],
        }
    ).reset_index(drop=True)


def near(index: pd.DataFrame, part: pd.Series, folder: Path) -> pd.DataFrame:
    """Training samples that look like one of another part with the same label, columns as `exact`:
    candidates by their difference hashes, confirmed pixel by pixel in the shards of `folder`."""
    table = index.assign(part=part)[part.isin(KEPT_IN)]
    pairs = []
    for _, rows in table.groupby("codepoint", sort=False):
        trained = rows["part"].to_numpy() == "train"
        look = rows["look"].to_numpy()
        bits = np.bitwise_count(look[trained][:, None] ^ look[~trained][None])
        a, b = np.nonzero(bits <= MOST_BITS)
        ids = rows["sample"].to_numpy()
        pairs.append(np.stack([ids[trained][a], ids[~trained][b]], 1))
    pairs = np.concatenate(pairs) if pairs else np.empty((0, 2), np.int64)
    alike = [
        _differ(table, block, folder) < MOST_LEVELS
        for block in np.array_split(pairs, len(pairs) // 20000 + 1)
    ]
    confirmed_pairs = pairs[np.concatenate(alike)]
    where = table.set_index("sample")["part"]
    return pd.DataFrame(
        {
            "sample": confirmed_pairs[:, 0],
            "part": "train",
            "kept": confirmed_pairs[:, 1],
            "kept_in": where.loc[confirmed_pairs[:, 1]].to_numpy(),
        }
    )


def _differ(table: pd.DataFrame, pairs: np.ndarray, folder: Path) -> np.ndarray:
    """Mean absolute difference of the images of each pair, levels (N,)."""
    if not len(pairs):
        return np.empty(0)
    wanted, place = np.unique(pairs, return_inverse=True)
    images = shards.load_images(folder, table[table["sample"].isin(wanted)].sort_values("sample"))
    a, b = images[place.reshape(pairs.shape)].transpose(1, 0, 2, 3)
    return np.abs(a.astype(np.int16) - b).mean((1, 2))

"""Which model for which use, told from the columns of the leaderboard alone."""

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from kakitori.card import leaderboard
from kakitori.errors import DataError


class Purpose(NamedTuple):
    """Of the models whose validation accuracy is at most `margin` below the best, the one with
    least of `column`."""

    use: str
    margin: float
    column: str


PURPOSES = (
    Purpose("fewest errors", 0.0, "int8_bytes"),
    Purpose("smallest INT8 file, at most 0.2 points below the best", 0.002, "int8_bytes"),
    Purpose("soonest INT8 answer, at most 1 point below the best", 0.01, "int8_latency_ms"),
    Purpose("least energy of training, at most 1 point below the best", 0.01, "train_kwh"),
)


class Standing(NamedTuple):
    """Where the row of one run stands among those of its dataset."""

    rank: int
    models: int
    below: float  # the best, on validation
    val_top1: float  # as the row has it


def read(path: Path) -> pd.DataFrame:
    """metrics/leaderboard.csv, without rows when it is not there; DataError for other columns and
    for a cell without its figure."""
    if not path.is_file():
        return pd.DataFrame(columns=leaderboard.COLUMNS)
    table = leaderboard.parse(path.read_text("utf-8"))
    if (gaps := table.isna().any(axis=1)).any():
        row = table[gaps].iloc[0]
        raise DataError(
            f"{path.name}: expected a figure in every column, found none in "
            f"{', '.join(row.index[row.isna()])} of {row['model']}; remove its row and run "
            "`python stages/leaderboard.py`"
        )
    return table


def choose(table: pd.DataFrame) -> list[tuple[str, dict]]:
    """Each purpose's use and the row that it takes, from rows of one dataset; of equals the one
    of the better validation accuracy. Test has no part in it."""
    if table.empty:
        return []
    best = table["val_top1"].max()
    return [
        (
            purpose.use,
            table[table["val_top1"] >= best - purpose.margin]
            .sort_values([purpose.column, "val_top1"], ascending=[True, False])
            .iloc[0]
            .to_dict(),
        )
        for purpose in PURPOSES
    ]


def standing(table: pd.DataFrame, model: str) -> Standing | None:
    """Of a row of `table`, whose rows are of one dataset; None where it has none."""
    rows = table[table["model"] == model]
    if rows.empty:
        return None
    own = float(rows["val_top1"].iloc[0])
    better = int((table["val_top1"] > own).sum())
    return Standing(better + 1, len(table), float(table["val_top1"].max() - own), own)

"""One row per architecture and dataset, from the metrics that a run leaves."""

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from kakitori.errors import DataError
from kakitori.reading.formats import renamed

COLUMNS = [
    "model",
    "parameters",
    "multiply_adds",
    "val_top1",
    "test_top1",
    "test_top5",
    "int8_top1",
    "fp32_bytes",
    "int8_bytes",
    "fp32_latency_ms",
    "int8_latency_ms",
    "train_seconds",
    "train_kwh",
    "dataset",
    "commit",
]
FILES = ("train", "quantize", "evaluate", "carbon")


def row(read: Callable[[str], str], commit: str) -> dict:
    """The row of one run.

    Parameters
    ----------
    read : from a path such as "metrics/train.json" to its text.
    commit : that the run's settings are of.
    """
    train, quantize, evaluate, carbon = (
        renamed(json.loads(read(f"metrics/{n}.json"))) for n in FILES
    )
    return {
        "model": name_of(train, evaluate),
        "parameters": train["parameters"],
        "multiply_adds": train["multiply_adds"],
        "val_top1": train["val_top1"],
        "test_top1": evaluate["fp32"]["top1"],
        "test_top5": evaluate["fp32"]["top5"],
        "int8_top1": evaluate["int8"]["top1"],
        "fp32_bytes": quantize["fp32"]["bytes"],
        "int8_bytes": quantize["int8"]["bytes"],
        "fp32_latency_ms": quantize["fp32"]["latency_ms"],
        "int8_latency_ms": quantize["int8"]["latency_ms"],
        "train_seconds": carbon["stages"]["train"]["seconds"],
        "train_kwh": carbon["stages"]["train"]["kwh"],
        "dataset": evaluate["dataset"]["fingerprint"],
        "commit": commit,
    }


def name_of(train: dict, evaluate: dict) -> str:
    """What a run is called: its model, and what sets it apart from a whole run of the method."""
    name = train["model"]
    if train["epochs"] < train["planned_epochs"]:
        name += f" ({train['epochs']} of {train['planned_epochs']} epochs)"
    if evaluate["scheme"] != "writer":
        name += f" ({evaluate['scheme']} split)"
    return name


def gather(root: Path) -> list[dict]:
    """The rows of DVC's experiments, oldest first, and of the working tree. Runs that have not come
    to their end, or are of a time with other metrics, have none."""
    refs = _git(root, "for-each-ref", "--sort=creatordate", "--format=%(objectname)", "refs/exps")
    rows = []
    for revision in refs.split():
        parent = _git(root, "rev-parse", "--short=12", f"{revision}^").strip()
        rows += _row_of(lambda path, r=revision: _git(root, "show", f"{r}:{path}"), parent)
    head = _git(root, "rev-parse", "--short=12", "HEAD").strip()
    return rows + _row_of(lambda path: (root / path).read_text("utf-8"), head)


def _row_of(read: Callable[[str], str], commit: str) -> list[dict]:
    try:
        return [row(read, commit)]
    except (KeyError, OSError, ValueError, DataError):
        return []


def parse(table: str) -> pd.DataFrame:
    """A leaderboard's CSV, which may be empty; DataError for other columns."""
    words = {"dataset": str, "commit": str}  # of hexadecimal digits, which may look like a number
    if table.strip():
        leaderboard = pd.read_csv(io.StringIO(table), dtype=words)
    else:
        leaderboard = pd.DataFrame(columns=COLUMNS)
    if list(leaderboard.columns) != COLUMNS:
        raise DataError(
            f"leaderboard.csv: expected the columns {','.join(COLUMNS)}, found "
            f"{','.join(map(str, leaderboard.columns))}"
        )
    return leaderboard


def merge(table: str, rows: list[dict]) -> pd.DataFrame:
    """A leaderboard's CSV with `rows` in place of those of the same model and dataset: the newest
    stays. Of each dataset the best by validation first; the newest dataset first."""
    old = parse(table)
    merged = pd.concat([f for f in (old, pd.DataFrame(rows, columns=COLUMNS)) if len(f)])
    merged = merged.drop_duplicates(["model", "dataset"], keep="last")
    newest = {name: n for n, name in enumerate(reversed(merged["dataset"].unique()))}
    order = merged["dataset"].map(newest)
    ranked = merged.assign(order=order).sort_values(
        ["order", "val_top1", "model"], ascending=[True, False, True]
    )
    return ranked[COLUMNS].reset_index(drop=True)


def markdown(table: pd.DataFrame) -> str:
    """The rows of the newest dataset as a table for people."""
    lines = [
        "| model | parameters | multiply-adds | validation | test | top-5 | INT8 | float32, INT8 "
        "| one image: float32, INT8 | training |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.model} | {r.parameters / 1e6:.2f} M | {r.multiply_adds / 1e6:.0f} M "
        f"| {r.val_top1:.2%} | {r.test_top1:.2%} | {r.test_top5:.2%} | {r.int8_top1:.2%} "
        f"| {r.fp32_bytes / 1e6:.2f}, {r.int8_bytes / 1e6:.2f} MB "
        f"| {r.fp32_latency_ms:.2f}, {r.int8_latency_ms:.2f} ms "
        f"| {r.train_seconds / 60:.1f} min, {r.train_kwh * 1000:.1f} Wh |"
        for r in table[table["dataset"] == table["dataset"].iloc[0]].itertuples()
    ]
    return "\n".join(lines) + "\n"


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise DataError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout

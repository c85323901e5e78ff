import json
import subprocess

import pandas as pd
import pytest

from kakitori.card import leaderboard
from kakitori.errors import DataError
from kakitori.results import tradeoffs


def metrics(model: str = "cnn", val: float = 0.9, dataset: str = "aa", **train) -> dict[str, str]:
    """The files of a finished run, with figures that are all different."""
    scores = {"top1": val - 0.01, "top5": 0.99}
    files = {
        "train": {
            "model": model, "parameters": 1_000_000, "multiply_adds": 2_000_000,
            "val_top1": val, "epochs": 4, "best_epoch": 3, "planned_epochs": 4,
        } | train,
        "quantize": {
            "fp32": {"bytes": 4_000_000, "latency_ms": 1.5},
            "int8": {"bytes": 1_000_000, "latency_ms": 0.5},
        },
        "evaluate": {
            "scheme": "writer", "dataset": {"fingerprint": dataset}, "fp32": scores,
            "int8": {"top1": val - 0.02},
        },
        "carbon": {"stages": {"train": {"seconds": 300.0, "kwh": 0.002}}},
    }  # fmt: skip
    return {f"metrics/{name}.json": json.dumps(content) for name, content in files.items()}


def row(**given) -> dict:
    return leaderboard.row(metrics(**given).__getitem__, "abc")


def test_a_picture_of_the_newest_dataset(tmp_path, monkeypatch):
    rows = [row(dataset="aa"), row(dataset="bb", model="vit"), row(dataset="bb", model="cnn")]
    table = leaderboard.merge("", rows)
    named = []
    monkeypatch.setattr(tradeoffs, "_name", lambda axes, name, x, y: named.append((name, x, y)))
    tradeoffs.draw(tmp_path / "a.png", table)
    assert sorted({name for name, *_ in named}) == ["cnn", "vit"] and len(named) == 6
    given = row(dataset="bb", model="cnn")
    assert ("cnn", given["int8_bytes"] / 1e6, 100 * (1 - given["int8_top1"])) in named
    tradeoffs.draw(tmp_path / "b.png", table)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_row_has_every_column_in_order():
    cells = row()
    assert list(cells) == leaderboard.COLUMNS
    assert cells == {
        "model": "cnn", "parameters": 1_000_000, "multiply_adds": 2_000_000, "val_top1": 0.9,
        "test_top1": 0.89, "test_top5": 0.99, "int8_top1": 0.88, "fp32_bytes": 4_000_000,
        "int8_bytes": 1_000_000, "fp32_latency_ms": 1.5, "int8_latency_ms": 0.5,
        "train_seconds": 300.0, "train_kwh": 0.002, "dataset": "aa", "commit": "abc",
    }  # fmt: skip


def test_a_run_that_was_cut_short_says_so():
    assert row(epochs=3, planned_epochs=30)["model"] == "cnn (3 of 30 epochs)"


def test_the_newest_of_a_model_and_dataset_stays_and_the_best_by_validation_is_first():
    first = leaderboard.merge("", [row(model="cnn", val=0.9), row(model="rnn", val=0.8)])
    assert list(first["model"]) == ["cnn", "rnn"]
    again = leaderboard.merge(first.to_csv(index=False), [row(model="rnn", val=0.95)])
    assert list(again["model"]) == ["rnn", "cnn"] and list(again["val_top1"]) == [0.95, 0.9]
    other = leaderboard.merge(again.to_csv(index=False), [row(dataset="bb", val=0.5)])
    assert list(other["dataset"]) == ["bb", "aa", "aa"]
    assert list(other.columns) == leaderboard.COLUMNS


def test_only_the_newest_dataset_is_shown():
    table = leaderboard.merge("", [row(dataset="aa"), row(dataset="bb", model="vit")])
    text = leaderboard.markdown(table)
    assert "| vit | 1.00 M | 2 M | 90.00% | 89.00% | 99.00% | 88.00% | 4.00, 1.00 MB" in text
    assert "cnn" not in text and "| 5.0 min, 2.0 Wh |" in text
    widths = {line.count("|") for line in text.strip().split("\n")}
    assert len(widths) == 1


def test_another_table_is_not_overwritten():
    with pytest.raises(DataError, match=r"leaderboard\.csv: expected the columns model,param"):
        leaderboard.merge("a,b\n1,2\n", [row()])


def test_experiments_and_the_working_tree_are_gathered(tmp_path):
    """As DVC keeps experiments: commits below refs/exps, on top of the one they began with."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    def write(files: dict[str, str]) -> None:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)

    git("init", "-q", "-b", "main")
    git("config", "user.email", "test@localhost")
    git("config", "user.name", "Test")
    git("config", "commit.gpgsign", "false")
    write(metrics("cnn"))
    git("add", "-A")
    git("commit", "-qm", "base")
    base = git("rev-parse", "--short=12", "HEAD")
    for name in ("rnn", "vit"):
        write(metrics(name))
        git("commit", "-qam", name)
        git("update-ref", f"refs/exps/aa/{name}", "HEAD")
        git("reset", "-q", "--hard", base)
    (tmp_path / "metrics/carbon.json").unlink()  # this tree has not come to its end
    rows = leaderboard.gather(tmp_path)
    assert sorted((r["model"], r["commit"]) for r in rows) == [("rnn", base), ("vit", base)]
    write(metrics("cnn"))
    assert len(leaderboard.gather(tmp_path)) == 3
    assert pd.DataFrame(leaderboard.gather(tmp_path)).columns.tolist() == leaderboard.COLUMNS

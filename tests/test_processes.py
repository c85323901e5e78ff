"""Training in two processes beside training in one, on the CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]

SCRIPT = """
import sys
import torch
from tests.toy import linear, parts, partial, settings
from kakitori.learning import checkpoints, training
from pathlib import Path

folder, normed = Path(sys.argv[1]), sys.argv[2] == "norm"
torch.set_num_threads(1)
checkpoints.FOLDER = folder / ".checkpoints"
model = linear()
if normed:
    model.hidden = torch.nn.Sequential(torch.nn.BatchNorm1d(64), model.hidden)
options = settings(learning_rate=0.01, epochs=3, style_adversary=0.1, sampling={"partial": 0.25},
                   transfer={"freeze": 0.3})
result = training.train(model, parts(), options, 0, "run", partial())
import os
if os.environ.get("RANK", "0") == "0":
    torch.save({"state": result.state, "curve": result.curve.to_dict("list")}, folder / "out.pt")
"""


def run(folder: Path, processes: int, kind: str) -> dict:
    folder.mkdir()
    script = folder / "script.py"
    script.write_text(SCRIPT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    start = [*torchrun, str(processes)] if processes > 1 else [sys.executable]
    path = os.pathsep.join([str(ROOT), str(ROOT / "stages")])
    done = subprocess.run(
        [*start, str(script), str(folder), kind],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    return torch.load(folder / "out.pt")


def test_two_processes_end_with_the_weights_of_one(tmp_path):
    """But for the order of sums."""
    one, two = run(tmp_path / "one", 1, "plain"), run(tmp_path / "two", 2, "plain")
    for name, tensor in one["state"].items():
        found = two["state"][name]
        assert ((found - tensor).abs().max() / tensor.abs().max()).item() < 1e-4, name
    for column in ("train_loss", "val_loss", "train_top1"):
        assert two["curve"][column] == pytest.approx(one["curve"][column], rel=1e-4)


def test_with_batch_norm_they_learn_alike(tmp_path):
    """Its statistics are each process's own, here over 8 images instead of 16."""
    one, two = run(tmp_path / "one", 1, "norm"), run(tmp_path / "two", 2, "norm")
    for column in ("train_loss", "val_loss"):
        assert two["curve"][column] == pytest.approx(one["curve"][column], rel=0.2)


def test_the_train_stage_starts_its_processes(finished, tmp_path):
    """`train.processes: 2` writes the same kinds of files as one does, once."""
    project = finished.copy(tmp_path / "copy")
    project.set(train={"epochs": 2, "processes": 2})
    project.stage("train")
    metrics = json.loads((project.root / "metrics/train.json").read_text("utf-8"))
    assert metrics["epochs"] == 2 and metrics["val_top1"] > 0.05
    energy = json.loads((project.root / "metrics/energy/train.json").read_text("utf-8"))
    assert energy["kwh"] > 0
    assert not list((project.root / ".checkpoints").glob("*/*.pt"))

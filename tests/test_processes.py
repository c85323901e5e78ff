"""Training in two processes beside training in one, on the CPU."""

import json
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from kakitori.learning import checkpoints, training
from tests import forks
from tests.projects import LIMIT, environment
from tests.toy import linear, partial, parts, settings

SCRIPT = f"""
import os, sys
from pathlib import Path
sys.path[:0] = {[str(forks.ROOT), str(forks.ROOT / "stages")]}
import torch
from tests.test_processes import train
torch.set_num_threads(1)
found = train(sys.argv[1], Path(".checkpoints"))
if os.environ["RANK"] == "0":
    torch.save(found, "out.pt")
"""


def train(kind: str, folder: Path) -> dict:
    """What the weights and the curve are in the end, with or without batch-norm."""
    checkpoints.FOLDER = folder
    model = linear()
    if kind == "norm":
        model.hidden = torch.nn.Sequential(torch.nn.BatchNorm1d(64), model.hidden)
    options = settings(
        learning_rate=0.01,
        epochs=3,
        style_adversary=0.1,
        sampling={"partial": 0.25},
        transfer={"freeze": 0.3},
    )
    result = training.train(model, parts(), options, 0, "run", partial())
    about = {"curve": result.curve.to_dict("list"), "doubtful": result.doubtful}
    return {"state": result.state, **about}


def in_one(kind: str, folder: Path, monkeypatch) -> dict:
    monkeypatch.setattr(checkpoints, "FOLDER", None)  # puts it back in the end
    return train(kind, folder)


def in_two(kind: str, folder: Path) -> dict:
    """As torchrun starts them: with a store that this process holds, and numbers of their own."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port), "WORLD_SIZE": "2"}
    held = {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
    (folder / "script.py").write_text(SCRIPT)
    processes = []
    for rank in ("0", "1"):
        (folder / rank).mkdir()
        variables = {**environment(), **where, **held, "RANK": rank, "LOCAL_RANK": rank}
        processes.append(forks.start(folder, "script.py", [kind], variables, folder / rank))
    for rank, process in enumerate(processes):
        process.join(LIMIT)
        assert process.exitcode == 0, (folder / str(rank) / "err").read_text()
    return torch.load(folder / "out.pt")


def test_two_processes_end_with_the_weights_of_one(tmp_path, monkeypatch):
    """But for the order of sums."""
    single, two = in_one("plain", tmp_path / "one", monkeypatch), in_two("plain", tmp_path)
    for name, tensor in single["state"].items():
        counterpart = two["state"][name]
        assert ((counterpart - tensor).abs().max() / tensor.abs().max()).item() < 1e-4, name
    for column in ("train_loss", "val_loss", "train_top1"):
        assert two["curve"][column] == pytest.approx(single["curve"][column], rel=1e-4)
    assert torch.equal(two["doubtful"], single["doubtful"])


def test_with_batch_norm_they_learn_alike(tmp_path, monkeypatch):
    """Its statistics are each process's own, here over 8 images instead of 16."""
    single, two = in_one("norm", tmp_path / "one", monkeypatch), in_two("norm", tmp_path)
    for column in ("train_loss", "val_loss"):
        assert two["curve"][column] == pytest.approx(single["curve"][column], rel=0.2)


def test_the_train_stage_starts_its_processes(finished, tmp_path):
    """`train.processes: 2` has torchrun start them; it writes the same kinds of files as one does,
    once."""
    project = finished.copy(tmp_path / "copy")
    project.set(train={"epochs": 2, "processes": 2})
    project.stage("train")
    metrics = json.loads((project.root / "metrics/train.json").read_text("utf-8"))
    assert metrics["epochs"] == 2 and metrics["val_top1"] > 0.05
    energy = json.loads((project.root / "metrics/energy/train.json").read_text("utf-8"))
    assert energy["kwh"] > 0
    assert not list((project.root / ".checkpoints").glob("*/*.pt"))

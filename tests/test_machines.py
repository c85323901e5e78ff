"""Training on several machines: two agents on this one, each with a folder of its own."""

import contextlib
import os
import signal
import socket
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest
import torch

from kakitori.errors import DataError
from kakitori.learning.processes import Meeting
from tests import forks, toy
from tests.projects import LIMIT, environment

SCRIPT = f"""
import os, sys, time
from pathlib import Path
sys.path[:0] = {[str(forks.ROOT), str(forks.ROOT / "stages")]}
import torch
from kakitori.errors import DataError
from kakitori.learning import checkpoints, processes, training
from tests import toy

def main():
    processes.follow()
    torch.set_num_threads(1)
    checkpoints.FOLDER = Path(".checkpoints")
    model = toy.linear()
    if wait := os.environ.get("WAIT_AT"):  # until somebody ends it, in the third epoch
        model.fail_at = int(wait)
    try:
        options = toy.settings(epochs=4, patience=9, learning_rate=0.01)
        result = training.train(model, toy.parts(), options, 0, "run")
    except KeyboardInterrupt:
        Path("waits").touch()
        time.sleep(600)
    if processes.first():
        torch.save(result.state, "out.pt")

if processes.started():
    main()
else:
    try:
        processes.start(int(sys.argv[1]), processes.Meeting.parsed(sys.argv[2]))
    except DataError as error:
        sys.exit(str(error))
"""


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def agent(folder: Path, count: int, meeting: str, **variables: str) -> BaseProcess:
    """What one machine runs, in a process group of its own."""
    folder.mkdir(exist_ok=True)
    (folder / "script.py").write_text(SCRIPT)
    logs = folder / f"said-{len(list(folder.iterdir()))}"
    logs.mkdir()
    return forks.start(folder, "script.py", [str(count), meeting], environment() | variables, logs)


def said(folder: Path) -> str:
    return "".join(path.read_text("utf-8") for path in sorted(folder.glob("said-*/*")))


def weights(folder: Path) -> dict[str, torch.Tensor]:
    files = list(folder.glob("*/out.pt"))
    assert len(files) == 1, {path.name: said(path) for path in folder.iterdir()}
    return torch.load(files[0])


def end(process: BaseProcess) -> None:
    """An agent, and at once whatever it started, as if its machine had lost its power."""
    for member in [*psutil.Process(process.pid).children(recursive=True), process]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(member.pid, signal.SIGKILL)
    process.join()


@pytest.fixture(scope="module")
def of_one(tmp_path_factory) -> dict[str, torch.Tensor]:
    """The weights that two processes of one agent end with."""
    folder = tmp_path_factory.mktemp("one")
    agent(folder / "a", 2, f"1,127.0.0.1:{free_port()}").join(LIMIT)
    return weights(folder)


def test_two_machines_end_with_the_weights_of_one(of_one, tmp_path):
    meeting = f"2,127.0.0.1:{free_port()}"
    machines = [agent(tmp_path / name, 1, meeting) for name in "ab"]
    for machine in machines:
        machine.join(LIMIT)
    assert toy.same(weights(tmp_path), of_one)


@pytest.mark.long  # the others notice after half a minute
def test_a_machine_that_was_lost_comes_again_and_all_go_on(of_one, tmp_path):
    """It is lost in the third of four epochs, and its folder has no checkpoint."""
    meeting = f"2,127.0.0.1:{free_port()}"
    stays = agent(tmp_path / "a", 1, meeting)
    time.sleep(1)
    lost = agent(tmp_path / "b", 1, meeting, WAIT_AT="14")
    until = time.monotonic() + LIMIT
    while not (tmp_path / "b/waits").exists() and lost.is_alive() and time.monotonic() < until:
        time.sleep(0.05)
    end(lost)
    again = agent(tmp_path / "b", 1, meeting)
    for machine in (stays, again):
        machine.join(LIMIT)
    assert toy.same(weights(tmp_path), of_one)
    assert "goes on after epoch 2" in said(tmp_path / "a") + said(tmp_path / "b")


def test_a_machine_that_does_not_come_is_named_after_a_while(tmp_path):
    port = free_port()
    alone = agent(tmp_path / "a", 1, f"2,127.0.0.1:{port},2")
    alone.join(LIMIT)
    assert alone.exitcode == 1
    assert f"expected 2 machines at 127.0.0.1:{port}, found fewer in 2 seconds" in said(
        tmp_path / "a"
    )


@pytest.mark.parametrize("text", ["2", "two,host:1", "2,host", "2,:29500", "2,host:0", "2,h:1,0"])
def test_a_place_that_is_none_is_named(text):
    with pytest.raises(DataError, match=r"--machines: expected how many, and the place"):
        Meeting.parsed(text)
    assert Meeting.parsed("2,::1:29500,60") == Meeting(2, "::1", 29500, 60)

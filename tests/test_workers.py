"""Work spread over processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kakitori.errors import DataError
from kakitori.running import workers
from kakitori.running.workers import spread


def start(base: int) -> None:
    global _base
    _base = base


def add(job: int) -> int:
    time.sleep(0.01 * (job % 3))  # so that later jobs end before earlier ones
    return _base + job


def halve(job: int) -> int:
    if job % 2:
        raise ValueError(f"{job} is odd")
    return job // 2


def die(job: int) -> int:
    """As a system short of memory ends a process."""
    if job == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def fall(job: int) -> int:
    """As a process that a full disk ends."""
    os.kill(os.getpid(), signal.SIGBUS)
    return job


def sleep(job: float) -> float:
    time.sleep(job)
    return job


@pytest.mark.parametrize("chunk", [1, 4])
def test_results_come_in_the_order_of_the_jobs(chunk):
    done = list(spread(add, range(20), 2, start, 100, chunk=chunk))
    assert done == list(range(100, 120))


def test_one_process_is_this_one(monkeypatch):
    monkeypatch.setattr(workers, "ProcessPoolExecutor", None)
    assert list(spread(add, range(20), 1, start, 100)) == list(range(100, 120))


def test_an_error_of_a_job_comes_through():
    with pytest.raises(ValueError, match="1 is odd"):
        list(spread(halve, range(4), 2, start, 0))


def test_a_process_that_is_killed_ends_the_work_in_one_line():
    """multiprocessing.Pool would wait for its result for ever."""
    with pytest.raises(
        DataError, match=r"expected 2 processes .* found one gone by SIGKILL: a sys"
    ):
        list(spread(die, range(10), 2, start, 0))


def test_a_full_disk_is_not_blamed_on_memory():
    """Who writes to a memory map that the disk has no room for gets SIGBUS."""
    with pytest.raises(DataError, match=r"found one gone by SIGBUS: a disk without room"):
        list(spread(fall, range(4), 2, start, 0))


def test_without_shared_memory_it_says_so(monkeypatch):
    def refuse(*_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")  # sem_open's without /dev/shm

    monkeypatch.setattr(workers, "ProcessPoolExecutor", refuse)
    with pytest.raises(DataError, match=r"expected shared memory \(/dev/shm\) for 2 processes"):
        list(spread(add, range(4), 2, start, 0))


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_workers_end_with_the_process_that_started_them(tmp_path):
    """SIGKILL of it alone; also while a worker is at work."""
    script = tmp_path / "script.py"
    script.write_text(
        "from kakitori.running.workers import spread\n"
        "from tests.test_workers import sleep, start\n"
        "if __name__ == '__main__':\n"
        "    for one in spread(sleep, [0, 0, 60, 60], 2, start, 0):\n"
        "        print(one, flush=True)\n"
    )
    root = Path(__file__).parents[1]
    path = os.pathsep.join([str(root), str(root / "stages")])
    with subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
    ) as parent:
        parent.stdout.readline()
        children = psutil.Process(parent.pid).children(recursive=True)
        assert len(children) >= 3, "two workers and multiprocessing's tracker"
        parent.kill()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive

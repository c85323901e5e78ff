"""Work spread over processes."""

import os
import signal
import time

import pytest

from kakitori.errors import DataError
from kakitori.workers import spread


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


@pytest.mark.parametrize("chunk", [1, 4])
def test_results_come_in_the_order_of_the_jobs(chunk):
    done = list(spread(add, range(20), 2, start, 100, chunk=chunk))
    assert done == list(range(100, 120))


def test_an_error_of_a_job_comes_through():
    with pytest.raises(ValueError, match="1 is odd"):
        list(spread(halve, range(4), 2, start, 0))


def test_a_process_that_is_killed_ends_the_work_in_one_line():
    """multiprocessing.Pool would wait for its result for ever."""
    with pytest.raises(DataError, match=r"expected 2 processes .* found one gone"):
        list(spread(die, range(10), 2, start, 0))

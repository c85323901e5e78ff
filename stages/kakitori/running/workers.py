"""Work spread over processes of this machine, which end when the one that started them does."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from kakitori.errors import DataError

Job = TypeVar("Job")
Done = TypeVar("Done")

REASONS = {  # of the signals that end a process, what is usual
    signal.SIGKILL: "a system short of memory kills them, and fewer at a time need less",
    signal.SIGBUS: "a disk without room for what they map into memory does that",
}


def spread(
    function: Callable[[Job], Done],
    jobs: Iterable[Job],
    workers: int,
    start: Callable[..., None],
    *given: object,
    chunk: int = 1,
) -> Iterator[Done]:
    """`function(job)` of every job, in their order, by so many processes, each of which first calls
    `start(*given)`; one is this process itself, since another would begin by importing everything.
    They are spawned: a fork would copy whatever threads hold at that moment. They end with this
    process, however it ends.

    Raises what `function` raises, and DataError when a process ends before its work does.
    """
    if workers == 1:
        start(*given)
        yield from map(function, jobs)
        return
    context = multiprocessing.get_context("spawn")
    try:
        pool = ProcessPoolExecutor(workers, context, _begin, (start, *given))
    except OSError as error:  # its locks live in shared memory
        raise DataError(
            f"expected shared memory (/dev/shm) for {workers} processes, found none: "
            f"{error.strerror}"
        ) from None
    others = set(multiprocessing.active_children())
    with pool:
        try:
            results = pool.map(function, jobs, chunksize=chunk)
            mine = set(multiprocessing.active_children()) - others
            yield from results
        except BrokenProcessPool:
            raise DataError(
                f"expected {workers} processes to work to the end, found one gone{_why(mine)}"
            ) from None


def _begin(start: Callable[..., None], *given: object) -> None:
    end_after(multiprocessing.parent_process().join)
    start(*given)


def end_after(wait: Callable[[], object]) -> None:
    """End this process, without further ado, when `wait` returns: what it waits for is gone."""

    def watch() -> None:
        with contextlib.suppress(Exception):
            wait()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _why(processes: set) -> str:
    """How the first of them ended; the pool ends the others by SIGTERM."""
    for process in processes:
        process.join(5)
    codes = {-p.exitcode for p in processes if p.exitcode and p.exitcode != -signal.SIGTERM}
    for code in sorted(codes):
        if code < 0:
            return f" with status {-code}; its own message stands above"
        name = signal.Signals(code).name
        return f" by {name}" + (f": {REASONS[code]}" if code in REASONS else "")
    return ""

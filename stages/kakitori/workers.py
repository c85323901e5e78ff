"""Work spread over processes of this machine."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from kakitori.errors import DataError

Job = TypeVar("Job")
Done = TypeVar("Done")


def spread(
    function: Callable[[Job], Done],
    jobs: Iterable[Job],
    workers: int,
    start: Callable[..., None],
    *given: object,
    chunk: int = 1,
) -> Iterator[Done]:
    """`function(job)` of every job, in their order, by so many processes, each of which first calls
    `start(*given)`. They are spawned: a fork would copy whatever threads hold at that moment.

    Raises what `function` raises, and DataError when a process ends before its work does.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, start, given) as pool:
        try:
            yield from pool.map(function, jobs, chunksize=chunk)
        except BrokenProcessPool:
            raise DataError(
                f"expected {workers} processes to work to the end, found one gone: a system short "
                "of memory kills them, and fewer at a time need less"
            ) from None

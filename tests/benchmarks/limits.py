"""What this machine can do at most: bytes moved and numbers multiplied a second.

Rates beside these floors say how much of a machine a stage leaves unused, whatever the machine is.
"""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

BYTES = 1 << 28  # copied at once by each core: no cache holds them


def processor() -> str:
    """Its name, as in metrics/carbon.json."""
    from codecarbon.core.util import detect_cpu_model

    return detect_cpu_model() or "unknown"


def best(work: Callable[[], object], runs: int = 7) -> float:
    """Seconds of the quickest run, after one that warms up: a limit is what nothing disturbed."""
    taken = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return min(taken[1:])


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Another process keeps a core busy meanwhile."""
    loop = "print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE) as other:
        other.stdout.readline()  # it runs
        try:
            yield
        finally:
            other.kill()


def bandwidth() -> float:
    """Bytes a second, those read and those written, of copies by all cores."""
    cores = os.cpu_count() or 1
    sources = [np.ones(BYTES, np.uint8) for _ in range(cores)]
    targets = [np.empty_like(source) for source in sources]
    with ThreadPoolExecutor(cores) as pool:
        seconds = best(lambda: list(pool.map(np.copyto, targets, sources)))
    return 2 * cores * BYTES / seconds


def multiply_adds(precision: str, threads: int = 0, device: str = "cpu") -> float:
    """Multiply-adds a second of a matrix product: "float32" or "bfloat16", or "int8" whose sums are
    32 bits."""
    import torch

    side = 8192 if device == "cuda" else 2048
    matrix = torch.ones(side, side, dtype=getattr(torch, precision), device=device)
    multiply = torch._int_mm if precision == "int8" else torch.mm

    def work() -> None:
        multiply(matrix, matrix)
        if device == "cuda":
            torch.cuda.synchronize()

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    seconds = best(work)
    torch.set_num_threads(before)
    return side**3 / seconds

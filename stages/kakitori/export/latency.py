"""How long a model file takes for one image."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kakitori.reading.sessions import open_session

FEWEST = 5  # runs that a median is of
ENOUGH = 1.0  # seconds, after which no more than these are waited for


def milliseconds(path: Path, size: int, batch: int, runs: int) -> float:
    """Median time of one run on one thread, over `runs`, or those of a second, after a tenth as
    many to warm up; of the class alone, which is what a Recognizer asks for."""
    session = open_session(path, threads=1)
    images = np.zeros((batch, 1, size, size), np.float32)
    images[:, :, size // 4 : size // 2] = 1

    def run() -> float:
        started = time.perf_counter()
        session.run(["logits"], {"input": images})
        return time.perf_counter() - started

    run()
    _some(run, runs // 10)
    return round(1000 * float(np.median(_some(run, runs))), 4)


def _some(run: Callable[[], float], most: int) -> list[float]:
    taken: list[float] = []
    while len(taken) < most and (len(taken) < FEWEST or sum(taken) < ENOUGH):
        taken.append(run())
    return taken

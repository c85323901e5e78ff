"""How long a model file takes for one image."""

import time
from pathlib import Path

import numpy as np

from kakitori.reading.sessions import open_session


def milliseconds(path: Path, size: int, batch: int, runs: int) -> float:
    """Median time of one run on one thread, over `runs` after a tenth as many to warm up; of the
    class alone, which is what a Recognizer asks for."""
    session = open_session(path, threads=1)
    images = np.zeros((batch, 1, size, size), np.float32)
    images[:, :, size // 4 : size // 2] = 1
    taken = []
    for _run in range(runs + runs // 10 + 1):
        started = time.perf_counter()
        session.run(["logits"], {"input": images})
        taken.append(time.perf_counter() - started)
    return round(1000 * float(np.median(taken[-runs:])), 4)

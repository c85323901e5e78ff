"""What the machine at hand is quick at: the precision to train and read in, and compiling."""

import math
import os
import shutil
import time

import torch

FASTER = 1.5  # times, from which on the shorter numbers are worth it
SLOWER = 2  # times, from which on a machine does bfloat16 in software
CLEARLY = 8  # times as fast as the other, so that nothing is left to measure
COMPILED = {"cuda": 2000, "cpu": 20_000}  # steps: cnn gains 5 % of 0.14 s a step on two cores


def pick_precision(wanted: str, device: torch.device) -> torch.dtype:
    """bfloat16 where a matrix product shows that it is faster here, unless params.yaml says
    otherwise: some processors list it and do it in software."""
    if wanted != "auto":
        return getattr(torch, wanted)
    seconds = _seconds(device)
    faster = seconds[torch.bfloat16] * FASTER < seconds[torch.float32]
    return torch.bfloat16 if faster else torch.float32


def name_of(precision: torch.dtype) -> str:
    """As params.yaml calls it."""
    return str(precision).removeprefix("torch.")


def reading_precision(trained: torch.dtype, device: torch.device) -> torch.dtype:
    """What a network is read in: as it was trained, whatever else the machine does meanwhile; but
    float32 on a machine that has bfloat16 in software alone."""
    if trained == torch.float32:
        return trained
    seconds = _seconds(device)
    return torch.float32 if seconds[trained] > SLOWER * seconds[torch.float32] else trained


def _seconds(device: torch.device) -> dict[torch.dtype, float]:
    """Of a matrix product in either precision, the quickest of some. They take turns, so that what
    else the machine does meanwhile slows both: the last digits of a run depend on the choice."""
    precisions = (torch.bfloat16, torch.float32)
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    for side in (256, 1024):
        matrices = {
            dtype: torch.ones(side, side, dtype=dtype, device=device) for dtype in precisions
        }
        quickest = dict.fromkeys(precisions, math.inf)
        for _ in range(10):
            for precision, matrix in matrices.items():
                started = time.perf_counter()
                torch.mm(matrix, matrix)
                wait()
                taken = time.perf_counter() - started
                quickest[precision] = min(quickest[precision], taken)
        if max(quickest.values()) > CLEARLY * min(quickest.values()):
            break  # in software the larger product alone takes half a minute
    return quickest


def pays(wanted: bool | str, device: torch.device, steps: int) -> bool:
    """Whether to compile a network for so many steps: where torch.compile finds a C++ compiler, and
    what a step gains makes up for the minute that compiling takes."""
    if wanted != "auto":
        return wanted
    compiler = shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")
    return bool(compiler) and steps >= COMPILED[device.type]

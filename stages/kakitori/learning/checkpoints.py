"""Checkpoints that a killed run resumes from, keyed on everything that shapes the result.

They are no output of the stage: DVC would delete or restore them at the wrong moments. They lie in
`.checkpoints/<key>/`, so that a changed setting, file or sample never meets an old checkpoint.
"""

import hashlib
import json
import shutil
from pathlib import Path

import filelock
import torch

from kakitori.errors import DataError
from kakitori.params import ROOT

FOLDER = ROOT / ".checkpoints"


def key(settings: dict, files: list[Path]) -> str:
    """Sixteen hex digits of settings and file contents."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for path in sorted(files):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def lock() -> filelock.AcquireReturnProxy:
    """Held while a trainer runs: a killed `dvc repro` leaves its trainer behind, and a second
    beside it would fight over cores and checkpoints. DataError when another holds it."""
    FOLDER.mkdir(exist_ok=True)
    try:
        return filelock.FileLock(FOLDER / "lock").acquire(timeout=0)
    except filelock.Timeout:
        raise DataError(
            f"{FOLDER / 'lock'}: expected no other trainer in this folder, found one that still "
            "runs (perhaps of an interrupted run); wait for it, or end it"
        ) from None


def save(run: str, state: dict) -> None:
    """Write the state of a run, whole or not at all."""
    folder = FOLDER / run
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "last.part"
    torch.save(state, part)
    part.replace(folder / "last.pt")


def load(run: str) -> dict | None:
    """The last state of a run, None where there is none. Nothing but tensors is unpickled."""
    path = FOLDER / run / "last.pt"
    return torch.load(path, weights_only=True) if path.is_file() else None


def forget(run: str) -> None:
    shutil.rmtree(FOLDER / run, ignore_errors=True)

"""Checkpoints that a killed run resumes from, keyed on everything that shapes the result.

They are no output of the stage: DVC would delete or restore them at the wrong moments. They lie in
`.checkpoints/<key>/`, so that a changed setting, file or sample never meets an old checkpoint.
"""

import hashlib
import json
import pickle
import shutil
from pathlib import Path

import filelock
import torch

from kakitori.errors import DataError
from kakitori.params import ROOT

FOLDER = ROOT / ".checkpoints"
KEPT = 5  # epochs of a run


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


def save(run: str, epoch: int, state: dict) -> None:
    """Write the state of a run after an epoch, whole or not at all; the last five stay."""
    folder = FOLDER / run
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "part"
    torch.save(state, part)
    part.replace(folder / f"{epoch:04d}.pt")
    for old in sorted(folder.glob("*.pt"))[:-KEPT]:
        old.unlink()


def load(run: str) -> dict | None:
    """The last state of a run that can be read, None where there is none. Nothing but tensors and
    plain values is unpickled."""
    for path in sorted((FOLDER / run).glob("*.pt"), reverse=True):
        try:
            return torch.load(path, weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
            print(f"train: {path}: cannot be read, takes the one before: {error}")
    return None


def forget(run: str) -> None:
    shutil.rmtree(FOLDER / run, ignore_errors=True)

"""Checkpoints that a killed run resumes from, keyed on everything that shapes the result.

They are no output of the stage: DVC would delete or restore them at the wrong moments. They lie in
`.checkpoints/<key>/`, so that a changed setting, file or sample never meets an old checkpoint.
"""

import hashlib
import io
import json
import shutil
from pathlib import Path

import torch

from kakitori import outputs
from kakitori.running.params import ROOT

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


def save(run: str, epoch: int, state: dict) -> None:
    """Write the state of a run after an epoch, whole or not at all; the last five stay. The name
    holds a checksum of the content: 0003-0123456789abcdef.pt."""
    content = io.BytesIO()  # torch's own writer says "unexpected pos" of a full disk
    torch.save(state, content)
    name = f"{epoch:04d}-{_checksum(content.getbuffer())}.pt"
    folder = FOLDER / run
    with outputs.whole(folder / name) as part:
        part.write_bytes(content.getbuffer())
    for old in [*folder.glob(f"{epoch:04d}-*.pt"), *sorted(folder.glob("*.pt"))[:-KEPT]]:
        if old.name != name:  # of the same epoch only a damaged one is left
            old.unlink(missing_ok=True)


def load(run: str) -> dict | None:
    """The last state of a run that is as it was written, None where there is none; damaged ones are
    named. Nothing but tensors, on the host, and plain values is unpickled."""
    for path in sorted((FOLDER / run).glob("*.pt"), reverse=True):
        content = path.read_bytes()
        expected, checksum = path.stem.partition("-")[2], _checksum(content)
        if checksum == expected:
            return torch.load(io.BytesIO(content), "cpu", weights_only=True)
        print(
            f"train: {path}: expected content of checksum {expected}, found {checksum}: damaged, "
            "the one before is taken"
        )
    return None


def _checksum(content: bytes | memoryview) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def forget(run: str) -> None:
    shutil.rmtree(FOLDER / run, ignore_errors=True)

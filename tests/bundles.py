"""Folders and archives of files, and what holds for the samples of every corpus."""

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np

from kakitori.corpora.source import Samples


def write(root: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def drain(samples: Samples) -> np.ndarray:
    """All images of some samples, with what must hold for those of every corpus."""
    chunks = list(samples.chunks)
    images = np.concatenate([c.images for c in chunks]) if chunks else np.empty((0, 1, 1), np.uint8)
    assert images.dtype == np.uint8 and images.shape[1] == images.shape[2]
    assert len(images) == len(samples.codepoint) == sum(len(c.contrast) for c in chunks)
    assert samples.codepoint.dtype == np.int32
    if not isinstance(samples.writer_group, str):
        assert len(samples.writer_group) == len(images)
    if samples.pen is not None:
        pen = samples.pen
        assert len(pen.samples) == len(images) + 1
        assert pen.strokes[-1] == len(pen.points) and pen.samples[-1] == len(pen.strokes) - 1
        assert not len(pen.points) or (pen.points.min() >= 0 and pen.points.max() <= 1)
    return images


def make_zip(path: Path, content: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as bundle:
        for name, data in content.items():
            bundle.writestr(zipfile.ZipInfo(name), data, method)
    return path


def make_tar(path: Path, content: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as bundle:
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            bundle.addfile(entry, io.BytesIO(data))
    return path

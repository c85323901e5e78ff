"""Formats of other runtimes than ONNX Runtime, converted and read in the environments that
stages/runtimes.py makes."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kakitori import outputs
from kakitori.errors import DataError
from kakitori.export import export
from kakitori.export.formats import Floats
from kakitori.export.runtimes import environments, running
from kakitori.export.runtimes.catalogue import RUNTIMES
from kakitori.reading.formats import FORMATS


def check(names: Iterable[str]) -> None:
    """Raises DataError for a format whose environment is not there, with the command that makes
    it."""
    for name in names:
        runtime = FORMATS[name].runtime
        if runtime:
            try:
                environments.installed(outputs.ROOT, runtime, RUNTIMES[runtime])
            except DataError as error:
                raise DataError(f"params.yaml: quantize.formats: {name}: {error}") from None


def make(name: str, source: Floats, folder: Path) -> tuple[np.ndarray, dict]:
    """Write a format's files into `folder`; returns the runtime's logits of the validation samples,
    float32 (N, C), and `bytes`, `version` and `latency_ms` of an image on one thread.

    Raises DataError where the runtime cannot, with what it said.
    """
    runtime, work = FORMATS[name].runtime, source.folder / name
    python = environments.installed(outputs.ROOT, runtime, RUNTIMES[runtime])
    strict = source.folder / "strict.onnx"
    export.to_strict(source.model, source.size, strict)
    running.fill(work, strict, strict, source.validation[0], source.calibration)
    done = running.run([python], runtime, work, "fp32")
    if "why" in done:
        raise DataError(
            f"{FORMATS[name].file}: expected {RUNTIMES[runtime].title} to convert and read the "
            f"network, found: {done['why']}; leave {name} out of quantize.formats"
        )
    stem, total = Path(FORMATS[name].file).name.partition(".")[0], 0
    for file in done["files"]:
        target = folder / f"{stem}.{file.name.partition('.')[2]}"
        shutil.copyfile(file, target)
        total += target.stat().st_size
    about = {"bytes": total, "version": done["version"], "latency_ms": done["milliseconds"]}
    return done["logits"], about

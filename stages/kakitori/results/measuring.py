"""A finished run's exports read by other runtimes, beside ONNX Runtime and in the same minutes."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from kakitori import outputs
from kakitori.errors import DataError
from kakitori.export.runtimes import environments, running
from kakitori.export.runtimes.catalogue import FORMATS, RUNTIMES
from kakitori.learning.samples import data
from kakitori.reading.formats import renamed
from kakitori.reading.normalising import photos, rendering
from kakitori.reading.recognizer import Recognizer
from kakitori.results import comparing, demo

CALIBRATION = 200  # samples of the training part that converters find ranges with
RUN, CONVERTED, FAILED, NOT_TRIED = "run here", "converted here", "failed", "not tried"


class Images(NamedTuple):
    """
    images : uint8 (N, S, S), test samples first, then drawings.
    labels : int64 (N,).
    samples : how many are test samples.
    calibration : uint8 (M, S, S), of the training part.
    """

    images: np.ndarray
    labels: np.ndarray
    samples: int
    calibration: np.ndarray


def exports(root: Path) -> dict[str, Path]:
    """The file of each of FORMATS that the finished run at `root` has. DataError for none."""
    folder = root / "models/exports"
    files = {
        kind: next((p for p in (folder / f"{name}.onnx" for name in names) if p.is_file()), None)
        for kind, names in FORMATS.items()
    }
    files = {kind: path for kind, path in files.items() if path}
    if "fp32" not in files:
        raise DataError(
            f"{folder}: expected a finished run's exports, found no fp32.onnx; `dvc repro` makes "
            "them, --run names another folder"
        )
    return files


def draw_images(root: Path, samples: int, drawings: int, seed: int) -> Images:
    """Test samples of a finished run, and characters that a plain pen draws stroke by stroke, of
    each so many at random."""
    recognizer = Recognizer(exports(root)["fp32"])
    classes, size = list(recognizer.classes), recognizer.size
    rng = np.random.default_rng(seed)
    index = data.placed_index(root)

    def some(part: str, count: int) -> data.Part:
        rows = np.flatnonzero(index["part"] == part)
        chosen = np.sort(rng.choice(rows, min(count, len(rows)), replace=False))
        return data.load_part(root, index.iloc[chosen], part, classes)

    test, train = some("test", samples), some("train", CALIBRATION)
    table = pd.read_parquet(root / "data/characters.parquet").set_index("character")["strokes"]
    known = [k for k, character in enumerate(classes) if len(table.get(character, ()))]
    drawn = np.sort(rng.choice(known, min(drawings, len(known)), replace=False)).astype(np.int64)
    strokes = [[np.asarray(s).reshape(-1, 2) for s in table[classes[k]]] for k in drawn]
    pictures = [photos.prepare_ink(rendering.draw(s), size) for s in strokes]
    return Images(
        np.stack([*test.images[:, 0].numpy(), *pictures]),
        np.concatenate([test.labels.numpy(), drawn]),
        len(test.labels),
        train.images[:, 0].numpy(),
    )


def about(root: Path, images: Images) -> dict:
    """What the figures are of. The likelihood on the test part tells runs apart: no two trainings
    end with the same."""
    evaluate = renamed(json.loads((root / "metrics/evaluate.json").read_text("utf-8")))
    return {
        "model": evaluate["model"],
        "dataset": evaluate["dataset"]["fingerprint"],
        "test_nll": evaluate["fp32"]["nll"],
        "samples": images.samples,
        "drawings": len(images.labels) - images.samples,
        "machine": f"{platform.system()} {platform.machine()}",
    }


def measure(root: Path, name: str, files: dict[str, Path], images: Images) -> dict:
    """What metrics/runtimes.json says of a runtime: `title`, `version` where it is known, and each
    format's figures, `state` and, unless it ran, `why`."""
    runtime = RUNTIMES[name]
    measurement: dict = {"title": runtime.title, "formats": {}}
    reason = runtime.lacks()
    if not reason:
        try:
            if name == "chromium":
                demo.install(outputs.ROOT)
            command = environments.install(outputs.ROOT, name, runtime)
        except DataError as error:
            reason = str(error)
    for kind in runtime.formats:
        if reason or kind not in files:
            why = reason or f"the run has no {kind}; quantize.formats of params.yaml"
            measurement["formats"][kind] = {"state": NOT_TRIED, "why": why}
            continue
        try:
            line = _measure(root, name, kind, files, images, command)
        except DataError as error:
            line = {"state": FAILED, "why": str(error)}
        if version := line.pop("version", ""):
            measurement["version"] = version
        measurement["formats"][kind] = line
    return measurement


def _measure(
    root: Path,
    name: str,
    kind: str,
    files: dict[str, Path],
    images: Images,
    command: list[str],
) -> dict:
    work = outputs.ROOT / environments.FOLDER / "work" / f"{name}-{kind}"
    export = files[kind]
    line = {"onnx": export.name, "onnx_bytes": export.stat().st_size}
    running.fill(work, export, files["fp32"], images.images, images.calibration)
    if RUNTIMES[name].traced:
        _trace(root, work / "network.pt")
    reference = running.run([sys.executable], "onnxruntime", work / "reference", kind)
    if "why" in reference:
        raise DataError(f"{export}: expected ONNX Runtime to read it, found: {reference['why']}")
    done = dict(reference) if name == "onnxruntime" else running.run(command, name, work, kind)
    if shipped := done.pop("files", []):
        line |= {"bytes": sum(map(_bytes, shipped))}
        if shipped[0].name != "model.onnx":
            line["file"] = _keep(root / f"models/runtimes/{name}/{kind}", shipped)
    logits, expected = done.pop("logits", None), reference["logits"]
    if logits is not None and logits.shape != expected.shape:
        done["why"] = f"expected logits of {expected.shape}, found {logits.shape}"
    if "why" in done:
        return line | {"state": FAILED} | done
    if logits is None:
        return line | {"state": CONVERTED} | done
    temperature = Recognizer(export).temperature
    line |= {"state": RUN, "onnx_milliseconds": reference["milliseconds"]} | done
    return line | comparing.compare(logits, expected, temperature, images.labels, images.samples)


def _trace(root: Path, path: Path) -> None:
    """The network as TorchScript. DataError where the run's own code does not make it."""
    done = subprocess.run(
        [sys.executable, str(running.RUNNERS / "trace.py"), str(root / "models"), str(path)],
        env=os.environ | {"PYTHONPATH": str(root / "stages")},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise DataError(f"{root / 'models'}: expected a network, found: {running.last_words(done)}")


def _bytes(path: Path) -> int:
    """Of a file, or of all files of a folder."""
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())


def _keep(folder: Path, files: list[Path]) -> str:
    """Put what a converter wrote where apps take it from; returns the folder's name in the run."""
    with outputs.whole_folder(folder) as part:
        for file in files:
            if file.is_dir():
                shutil.copytree(file, part / file.name)
            else:
                shutil.copy2(file, part)
    return "/".join(folder.parts[-4:])

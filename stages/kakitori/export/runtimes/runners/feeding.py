"""What every runner of this folder shares: images through a runtime, one at a time, timed.

    python run_openvino.py FOLDER FORMAT

Runs under the Python of the runtime's own environment, so it needs NumPy alone and nothing of
Kakitori. FOLDER holds `model.onnx`, an export; `fixed.onnx`, the same network in floats for one
image at a time; `images.npy`, uint8 (N, S, S), and `calibration.npy`, the same of other samples.
FORMAT is the kind of numbers, fp32, fp16 or int8. Written there: `converted.json`, the files that
the runtime reads, as soon as they are there; `logits.npy`, float32 (N, C); `about.json`, `version`
and `milliseconds`. What goes wrong ends the process with the reason as the last line of standard
error.
"""

import importlib.metadata
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

WARM = 10  # images before the clock runs
Read = Callable[[np.ndarray], np.ndarray]  # float32 (1, 1, S, S) to logits of C numbers


def main(
    package: str,
    convert: Callable[[Path, str], list[Path]],
    load: Callable[[list[Path], str], Read | None],
) -> None:
    """Run a runner's two halves.

    Parameters
    ----------
    package : whose version is told.
    convert : from the folder and the format to the files that an app would ship.
    load : from these and the format to what reads an image; None where they cannot be run here.
    """
    folder, kind = Path(sys.argv[1]), sys.argv[2]
    about = {"version": importlib.metadata.version(package)}
    (folder / "about.json").write_text(json.dumps(about))  # told of what fails, too
    try:
        files = convert(folder, kind)
        (folder / "converted.json").write_text(json.dumps([file.name for file in files]))
        read = load(files, kind)
        if read is not None:
            about |= {"milliseconds": run(folder, read)}
    except Exception as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)
    (folder / "about.json").write_text(json.dumps(about))


def run(folder: Path, read: Read) -> float:
    """Write the logits of all images; returns the median of an image's milliseconds."""
    images = inputs(folder / "images.npy")
    for image in images[:WARM]:
        read(image)
    logits, taken = [], []
    for image in images:
        started = time.perf_counter()
        output = read(image)
        taken.append(time.perf_counter() - started)
        logits.append(np.array(output, np.float32).reshape(-1))
    np.save(folder / "logits.npy", np.stack(logits))
    return round(1000 * float(np.median(taken)), 4)


def inputs(path: Path) -> np.ndarray:
    """Images of a file as the network takes them, float32 (N, 1, 1, S, S), 1 for ink."""
    return np.load(path)[:, None, None].astype(np.float32) / 127.5 - 1


def as_it_is(folder: Path, _kind: str) -> list[Path]:
    """For runtimes that read ONNX."""
    return [folder / "model.onnx"]

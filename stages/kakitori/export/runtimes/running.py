"""One file in one runtime, in a process of the runtime's own environment (runners/)."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx

from kakitori import outputs
from kakitori.export.runtimes import environments

RUNNERS = Path(__file__).with_name("runners")
LIMIT = 900  # seconds for one file in one runtime, conversion included


def fill(
    work: Path, export: Path, floats: Path, images: np.ndarray, calibration: np.ndarray
) -> None:
    """The folder that a runner is given (runners/feeding.py), and one for ONNX Runtime's."""
    shutil.rmtree(work, ignore_errors=True)
    (work / "reference").mkdir(parents=True)
    for folder in (work, work / "reference"):
        shutil.copyfile(export, folder / "model.onnx")
        np.save(folder / "images.npy", images)
    np.save(work / "calibration.npy", calibration)
    # Other converters find ranges of their own: they want floats.
    onnx.save(one_image(onnx.load(floats)), work / "fixed.onnx")


def one_image(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that takes one image and gives `logits` alone, without metadata: not all converters
    know batches of any size."""
    model = onnx.utils.Extractor(model).extract_model(["input"], ["logits"])
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1
    del model.graph.value_info[:], model.metadata_props[:]
    return onnx.shape_inference.infer_shapes(model)


def run(command: list[str], name: str, work: Path, kind: str) -> dict:
    """Run a runner; returns `version`, `milliseconds`, `logits`, `files`, or `why` it could not."""
    runner = next(RUNNERS.glob(f"run_{name}.*"))
    home = outputs.ROOT / environments.FOLDER / name
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PIP_NO_INDEX": "1",  # some tools would install what they like where they find a pip
        "PATH": os.pathsep.join([str(home / "bin"), os.environ.get("PATH", "")]),
        "PYTHONPATH": str(outputs.ROOT / "stages") if runner.name == "run_chromium.py" else "",
    }
    outcome: dict = {}
    try:
        done = subprocess.run(
            [*command, str(runner), str(work), kind],
            cwd=home if home.is_dir() else work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        outcome["why"] = f"it had not ended after {LIMIT} s"
    else:
        if done.returncode:
            why = last_words(done)
            for place in (work, outputs.ROOT):  # which are of this machine alone
                why = why.replace(f"{place}{os.sep}", "")
            outcome["why"] = why[:300]
    if (converted := work / "converted.json").is_file():
        outcome["files"] = [work / file for file in json.loads(converted.read_text("utf-8"))]
    if (about := work / "about.json").is_file():
        outcome |= json.loads(about.read_text("utf-8"))
    if (numbers := work / "logits.npy").is_file():
        outcome["logits"] = np.load(numbers)
    elif (numbers := work / "logits.f32").is_file():
        count = len(np.load(work / "images.npy", mmap_mode="r"))
        outcome["logits"] = np.fromfile(numbers, np.float32).reshape(count, -1)
    return outcome


def last_words(done: subprocess.CompletedProcess) -> str:
    """What a process said last."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"its process ended with status {done.returncode}"

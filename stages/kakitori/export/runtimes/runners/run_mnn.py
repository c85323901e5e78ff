"""MNN, by its own converter."""

import subprocess
import sys

import feeding
import MNN
import numpy as np

# What its program `mnnconvert` calls. The program itself first installs a package into whichever
# environment a `pip` is found of, and sends its makers what is converted on which machine.
CONVERT = "import sys, MNN, _tools; _tools.mnnconvert(sys.argv)"


def convert(folder, kind):
    command = [sys.executable, "-c", CONVERT, "-f", "ONNX"]
    command += ["--modelFile", "fixed.onnx", "--MNNModel", "model.mnn"]
    command += ["--bizCode", "kakitori"] + ["--fp16"] * (kind == "fp16")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode or not (folder / "model.mnn").is_file():
        raise RuntimeError(f"mnnconvert: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return [folder / "model.mnn"]


def load(files, _kind):
    # 1: high precision, floats of 32 bits.
    manager = MNN.nn.create_runtime_manager(
        ({"backend": "CPU", "numThread": 1, "precision": "high"},)
    )
    model = MNN.nn.load_module_from_file(
        str(files[0]), ["input"], ["logits"], runtime_manager=manager
    )

    def read(image):
        given = MNN.expr.const(image, image.shape, MNN.expr.NCHW, MNN.expr.float)
        logits = model.forward([MNN.expr.convert(given, MNN.expr.NC4HW4)])[0]
        return np.array(MNN.expr.convert(logits, MNN.expr.NCHW).read())

    return read


if __name__ == "__main__":
    feeding.main("MNN", convert, load)

"""LiteRT (TensorFlow Lite), by onnx2tf; INT8 with ranges of the calibration samples."""

import subprocess
import sys
from pathlib import Path

import feeding
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def convert(folder, kind):
    program = Path(sys.executable).with_name("onnx2tf")
    command = [program, "-i", "fixed.onnx", "-o", "tflite", "-n"]
    if kind == "int8":
        # As onnx2tf wants them: channels last; mean 0 and deviation 1 leave them as they are.
        samples = feeding.inputs(folder / "calibration.npy")[:, 0].transpose(0, 2, 3, 1)
        np.save(folder / "samples.npy", samples)
        command += ["-oiqt", "-qt", "per-channel", "-cind", "input", "samples.npy", "0", "1"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    name = {"fp32": "float32", "fp16": "float16", "int8": "integer_quant"}[kind]
    file = folder / f"tflite/fixed_{name}.tflite"
    if not file.is_file():
        raise RuntimeError(f"onnx2tf: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return [file.rename(folder / "model.tflite")]


def load(files, _kind):
    def opened(**settings):
        interpreter = Interpreter(str(files[0]), num_threads=1, **settings)
        interpreter.allocate_tensors()
        return interpreter

    try:
        interpreter = opened()
    except RuntimeError as refused:
        if "XNNPACK" not in str(refused):
            raise
        # It has no room for the scale of a layer that no calibration sample excites.
        kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = opened(experimental_op_resolver_type=kernels)
    (given,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()

    def read(image):
        interpreter.set_tensor(given["index"], image.reshape(given["shape"]))
        interpreter.invoke()
        return interpreter.get_tensor(output["index"])

    return read


if __name__ == "__main__":
    feeding.main("ai-edge-litert", convert, load)

"""The runtimes that are tried: what each installs, which formats it reads, and what it takes."""

import shutil
from collections.abc import Callable
from typing import NamedTuple

FORMATS = {  # the exports that a format is of, the first that the run has
    "fp32": ("strict", "fp32"),
    "fp16": ("fp16",),
    "int8": ("strict_int8", "int8"),
}
ANDROID = (
    "on a computer with adb and a device of Android 14 or older: adb push "
    "models/runtimes/litert/fp32/model.tflite /data/local/tmp, then there TensorFlow Lite's "
    "benchmark_model --graph=model.tflite --use_nnapi=true"
)


class Runtime(NamedTuple):
    """
    title : for people.
    formats : of FORMATS.
    pip, npm : what is installed, pinned; with neither it runs as Kakitori itself does.
    shares : whether its environment sees Kakitori's own packages too: PyTorch, which is large.
    traced : whether it takes the network as TorchScript, and no ONNX.
    lacks : why it cannot be tried on this machine, and what tries it elsewhere; "" where it can.
    """

    title: str
    formats: tuple[str, ...]
    pip: tuple[str, ...] = ()
    npm: tuple[str, ...] = ()
    shares: bool = False
    traced: bool = False
    lacks: Callable[[], str] = lambda: ""


def _needs(programs: tuple[str, ...], remedy: str) -> Callable[[], str]:
    """One of these programs."""
    return lambda: "" if any(map(shutil.which, programs)) else remedy


RUNTIMES = {
    "onnxruntime": Runtime("ONNX Runtime, CPU", ("fp32", "fp16", "int8")),
    "openvino": Runtime("OpenVINO", ("fp32", "int8"), ("openvino==2026.4.1",)),
    "litert": Runtime(
        "LiteRT (TensorFlow Lite)",
        ("fp32", "fp16", "int8"),
        ("onnx2tf==1.29.24", "ai-edge-litert==2.1.0"),
    ),
    "ncnn": Runtime(
        "ncnn", ("fp32", "fp16"), ("ncnn==1.0.20261020", "pnnx==20261020"), shares=True
    ),
    "mnn": Runtime("MNN", ("fp32", "fp16"), ("MNN==3.6.1", "numpy==2.4.6")),
    "tract": Runtime("tract", ("fp32", "int8"), ("tract==0.23.9", "numpy==2.4.6")),
    "tvm": Runtime("TVM", ("fp32",), ("apache-tvm==0.27.0.post1", "onnx==1.23.2")),
    "coreml": Runtime("CoreML", ("fp32", "fp16"), ("coremltools==9.0",), shares=True, traced=True),
    "node": Runtime(
        "ONNX Runtime in Node.js",
        ("fp32", "int8"),
        npm=("onnxruntime-node@1.30.0",),
        lacks=_needs(("node",), "there is no Node.js; Debian: `apt-get install npm`"),
    ),
    "chromium": Runtime(
        "ONNX Runtime Web in Chromium, WASM",
        ("fp32", "int8"),
        lacks=_needs(
            ("chromium", "google-chrome"),
            "there is no Chromium; Debian: `apt-get install chromium`",
        ),
    ),
    "tensorrt": Runtime(
        "TensorRT",
        ("fp32", "int8"),
        ("onnxruntime-gpu==1.31.1", "tensorrt-cu12==10.16.1.11", "numpy==2.4.6"),
        lacks=_needs(
            ("nvidia-smi",),
            "there is no NVIDIA GPU; on a machine with one `python stages/runtimes.py tensorrt`, "
            "which has never run",
        ),
    ),
    "nnapi": Runtime("NNAPI", ("fp32",), lacks=lambda: f"Android alone has it; {ANDROID}"),
}

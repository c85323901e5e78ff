"""What a trained network is shipped as: one entry a format, for all that make, read and show it.

Its name is the key in the metrics, in `quantize.formats` and of the function that makes it,
`to_NAME` of export/formats.py.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Format(NamedTuple):
    """
    title : for people.
    file : below models/.
    evaluated : whether `evaluate` reads the test part with it.
    gated : whether the gate holds its accuracy and its bytes; every run has it.
    session : settings of ONNX Runtime for it.
    needs : a class of torch.nn without which a network is no smaller or faster for it.
    runtime : of export/runtimes/catalogue.py, whose environment converts and runs it.
    """

    title: str
    file: str
    evaluated: bool = False
    gated: bool = False
    session: Mapping[str, str] = MappingProxyType({})
    needs: str = ""
    runtime: str = ""


# ONNX Runtime unpacks INT4 when it opens the file instead of with every image.
UNPACK = MappingProxyType({"session.disable_quant_qdq": "1"})

FORMATS = {
    "torch": Format("PyTorch", "model.safetensors", evaluated=True, gated=True),
    "fp32": Format("ONNX float32", "exports/fp32.onnx", evaluated=True, gated=True),
    "fp16": Format("ONNX 16-bit float", "exports/fp16.onnx"),
    "strict": Format("ONNX float32, opset 14", "exports/strict.onnx"),
    "int8": Format("ONNX INT8", "exports/int8.onnx", evaluated=True, gated=True),
    "strict_int8": Format("ONNX INT8, opset 14", "exports/strict_int8.onnx"),
    "dynamic": Format("ONNX INT8, dynamic", "exports/dynamic.onnx", needs="LSTM"),
    "int4": Format("ONNX, INT4 weights", "exports/int4.onnx", evaluated=True, session=UNPACK),
    "nf4": Format("ONNX, NF4 weights", "exports/nf4.onnx"),
    "fp4": Format("ONNX, FP4 weights", "exports/fp4.onnx"),
    "tflite": Format("LiteRT float32", "exports/model.tflite", runtime="litert"),
    "ncnn": Format("ncnn float32", "exports/model.ncnn.param", runtime="ncnn"),
}
GATED = tuple(name for name, each in FORMATS.items() if each.gated)
CHOSEN = tuple(name for name in FORMATS if name != "torch")  # what quantize.formats may name
FORMER = {"onnx": "fp32"}  # names in the metrics of earlier versions


def renamed(metrics: Any) -> Any:
    """Metrics, or a part of them, with today's names of formats."""
    if not isinstance(metrics, dict):
        return metrics
    # A text under such a name is something else: a file of metrics/runtimes.json.
    return {
        key if isinstance(value, str) else FORMER.get(key, key): renamed(value)
        for key, value in metrics.items()
    }

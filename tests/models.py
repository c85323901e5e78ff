"""A small file that says of itself what an export does."""

from pathlib import Path

import numpy as np
import onnx

from kakitori.export import export
from kakitori.reading import monitoring

TOLD = {
    "temperature": "1.5",
    "threshold": "0.9",
    "deciles": monitoring.reference(monitoring.signals(np.zeros((4, 8, 8), np.uint8), np.ones(4))),
}


def small_model(path: Path, **metadata: str) -> Path:
    """A file of three classes that says of itself what a right one does, but for `metadata`."""
    from onnx import TensorProto, helper, numpy_helper

    value = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 1, 64, 64])
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])
    weights = numpy_helper.from_array(np.ones((4096, 3), np.float32), "weights")
    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(nodes, "g", [value], [out], [weights])
    opset = [helper.make_opsetid("", 21)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)
    export.annotate(path, list("あいう"), 64, TOLD | metadata)
    return path

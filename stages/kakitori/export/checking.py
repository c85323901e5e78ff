"""A second runtime's opinion of an ONNX file: ONNX's own reference, plain NumPy, which shares no
code with ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnx
from onnx import version_converter
from onnx.reference import ReferenceEvaluator

from kakitori.errors import DataError
from kakitori.export import export
from kakitori.reading.sessions import open_session

OLDEST = 19  # opset whose DequantizeLinear the reference knows
# Of the largest logit. Integers round the other way where sums differ in the last digit.
TOLERANCE = {"float": 0.001, "half": 0.02, "integer": 0.1}


def second_opinion(path: Path, images: np.ndarray) -> str:
    """ "agrees" where the reference's logits are ONNX Runtime's, or which operators it lacks.

    images : uint8 (N, S, S), few: the reference is slow.

    Raises DataError where both compute different things.
    """
    model = onnx.load(path)
    own = sorted({n.op_type for n in model.graph.node if n.domain not in ("", "ai.onnx")})
    if own:
        return f"lacks {', '.join(own)}"
    (batch,) = export.batches(images)
    (expected,) = open_session(path).run(["logits"], batch)
    if max(entry.version for entry in model.opset_import) < OLDEST:
        model = version_converter.convert_version(model, OLDEST)
    logits = ReferenceEvaluator(model).run(["logits"], batch)[0]
    kinds = {node.op_type for node in model.graph.node}
    half = any(t.data_type == onnx.TensorProto.FLOAT16 for t in model.graph.initializer)
    kind = "integer" if "QuantizeLinear" in kinds else "half" if half else "float"
    difference = np.abs(logits - expected).max() / np.abs(expected).max()
    if not difference <= TOLERANCE[kind]:
        raise DataError(
            f"{path}: expected the same logits from ONNX's reference as from ONNX Runtime within "
            f"{TOLERANCE[kind]:.1%} of the largest, found {difference:.1%}"
        )
    return "agrees"

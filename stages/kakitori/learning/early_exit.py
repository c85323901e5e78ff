"""A network of two stages as one ONNX file, which leaves out the second where the first is sure.

The first stage takes images and returns a named tuple: logits, then what it hands on to the second,
which takes these by name and returns a named tuple with `logits`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, compose, helper
from torch import nn

from kakitori import outputs
from kakitori.learning import export
from kakitori.recognizer import open_session


def to_onnx(
    stages: tuple[nn.Module, nn.Module], size: int, opset: int, first: Path, rest: Path
) -> None:
    """Write the stages as two float32 ONNX files.

    The first takes `input` (batch, 1, S, S) and gives its fields by their names; the second takes
    all of these but the logits, and gives its own.
    """
    inputs = {"input": torch.zeros(2, 1, size, size)}  # an example batch of 1 would be baked in
    for stage, path in zip(stages, (first, rest), strict=True):
        with torch.no_grad():
            given = stage.eval()(*inputs.values())._asdict()
        export.write(stage, inputs, list(given), opset, path)
        inputs = dict(list(given.items())[1:])


def handed_on(first: Path, images: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """What the file of the first stage hands on, by name, batch after batch: samples to calibrate
    the second.

    images : uint8 (N, S, S).
    """
    session = open_session(first, threads=0)
    names = [output.name for output in session.get_outputs()][1:]
    for batch in export.batches(images):
        yield dict(zip(names, session.run(names, batch), strict=True))


def merge(first: Path, rest: Path, threshold: float, path: Path) -> None:
    """Write two stages as one ONNX file, `input` (batch, 1, S, S) to `logits` (batch, C).

    An image's logits are the first stage's where its highest probability is at least `threshold`,
    else the second's, which runs when any image of the batch needs it.

    Raises ValueError where the second takes what the first does not give.
    """
    one, two = onnx.load(first), onnx.load(rest)
    given, taken = [o.name for o in one.graph.output], [i.name for i in two.graph.input]
    if not set(taken) <= set(given):
        raise ValueError(
            f"{rest.name}: expected inputs among {', '.join(given)} of {first.name}, found "
            f"{', '.join(taken)}"
        )
    one.graph.CopyFrom(compose.add_prefix_graph(one.graph, "first/", rename_inputs=False))
    two.graph.CopyFrom(compose.add_prefix_graph(two.graph, "rest/"))
    quick, logits = f"first/{given[0]}", one.graph.output[0].type

    def branch(name: str, nodes: list, **fields) -> onnx.GraphProto:
        answer = helper.make_value_info(f"{name}/answer", logits)
        return helper.make_graph(nodes, name, [], [answer], **fields)

    stop = branch("stop", [helper.make_node("Identity", [quick], ["stop/answer"])])
    go_on = branch(
        "rest",
        [
            # Its inputs are values of the graph around it, which a branch sees.
            *(helper.make_node("Identity", [f"first/{n}"], [f"rest/{n}"]) for n in taken),
            *two.graph.node,
            helper.make_node("Where", ["sure", quick, "rest/logits"], ["rest/answer"]),
        ],
        initializer=two.graph.initializer,
        value_info=two.graph.value_info,
    )
    one.graph.initializer.extend(
        [
            helper.make_tensor("threshold", TensorProto.FLOAT, [], [threshold]),
            helper.make_tensor("classes", TensorProto.INT64, [1], [1]),  # their axis
        ]
    )
    one.graph.node.extend(
        [
            helper.make_node("Softmax", [quick], ["probabilities"], axis=1),
            helper.make_node("ReduceMax", ["probabilities", "classes"], ["confidence"]),
            helper.make_node("GreaterOrEqual", ["confidence", "threshold"], ["sure"]),
            helper.make_node("ReduceMin", ["confidence"], ["least"], keepdims=0),
            helper.make_node("GreaterOrEqual", ["least", "threshold"], ["all_sure"]),
            helper.make_node("If", ["all_sure"], ["logits"], then_branch=stop, else_branch=go_on),
        ]
    )
    del one.graph.output[:]
    one.graph.output.append(helper.make_value_info("logits", logits))
    known = {imported.domain for imported in one.opset_import}
    one.opset_import.extend(i for i in two.opset_import if i.domain not in known)
    onnx.checker.check_model(one, full_check=True)
    with outputs.whole(path) as part:
        onnx.save(one, part)

"""A network of two stages as one ONNX file, whose second stage runs only where it is needed.

Either the second has better logits, for images of which the first is not sure (an early exit); or
it has something else to say, and is asked for it. See learning.contract.Stages.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, compose, helper

from kakitori import outputs
from kakitori.export import export
from kakitori.learning.contract import Stages
from kakitori.reading.recognizer import ASK
from kakitori.reading.sessions import open_session


def to_onnx(stages: Stages, size: int, opset: int, first: Path, rest: Path) -> None:
    """Write the stages as two float32 ONNX files.

    The first takes `input` (batch, 1, S, S) and gives its fields by their names; the second takes
    what it needs of them and gives its own.
    """
    inputs = {"input": torch.zeros(2, 1, size, size)}  # an example batch of 1 would be baked in
    with torch.no_grad():
        handed = stages.first.eval()(*inputs.values())._asdict()
    export.write(stages.first, inputs, list(handed), opset, first)
    known = handed | {k: torch.from_numpy(v).repeat(2) for k, v in stages.given.items()}
    inputs = {name: known[name] for name in inspect.signature(stages.rest.forward).parameters}
    with torch.no_grad():
        fields = stages.rest.eval()(*inputs.values())._asdict()
    export.write(stages.rest, inputs, list(fields), opset, rest)


def handed_on(first: Path, stages: Stages, images: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """What the second stage takes, by name, batch after batch: samples to calibrate it.

    first : the file of the first stage.
    images : uint8 (N, S, S).
    """
    session = open_session(first, threads=0)
    wanted = inspect.signature(stages.rest.forward).parameters
    names = [output.name for output in session.get_outputs() if output.name in wanted]
    for batch in export.batches(images):
        yield dict(stages.given) | dict(zip(names, session.run(names, batch), strict=True))


def merge(first: Path, rest: Path, stages: Stages, path: Path) -> None:
    """Write two stages as one ONNX file, `input` (batch, 1, S, S) to `logits` (batch, C).

    With an early exit an image's logits are the first stage's where its highest probability is at
    least the threshold, else the second's, which runs when any image of the batch needs it. Without
    one the file gives what the second stage says as well, where its input ASK is true, and nothing,
    an array without elements, where it is not.

    Raises ValueError where the second takes what the first does not give.
    """
    model, second = onnx.load(first), onnx.load(rest)
    handed, taken = [o.name for o in model.graph.output], [i.name for i in second.graph.input]
    missing = set(taken) - set(handed) - stages.given.keys()
    if missing:
        raise ValueError(
            f"{rest.name}: expected inputs among {', '.join(handed)} of {first.name}, found "
            f"{', '.join(taken)}"
        )
    model.graph.CopyFrom(compose.add_prefix_graph(model.graph, "first/", rename_inputs=False))
    second.graph.CopyFrom(compose.add_prefix_graph(second.graph, "rest/"))
    # Its inputs are values of the graph around it, which a branch sees.
    sources = [name if name in stages.given else f"first/{name}" for name in taken]
    runs = [
        helper.make_node("Identity", [source], [f"rest/{name}"])
        for source, name in zip(sources, taken, strict=True)
    ]
    runs += second.graph.node
    rest_fields = {"initializer": second.graph.initializer, "value_info": second.graph.value_info}
    logits = model.graph.output[0]
    del model.graph.output[1:]
    if stages.threshold is None:
        _ask(model.graph, second.graph, runs, rest_fields, stages)
        logits.name = "logits"
        model.graph.node.append(helper.make_node("Identity", [f"first/{handed[0]}"], ["logits"]))
    else:
        _exit_early(model.graph, runs, rest_fields, stages.threshold)
    known = {imported.domain for imported in model.opset_import}
    model.opset_import.extend(i for i in second.opset_import if i.domain not in known)
    onnx.checker.check_model(model, full_check=True)
    with outputs.whole(path) as part:
        onnx.save(model, part)


def _exit_early(graph: onnx.GraphProto, runs: list, fields: dict, threshold: float) -> None:
    """Let the second stage, the nodes `runs`, answer where the first, `graph`, is not sure."""
    logits = graph.output[0]
    quick, kind = logits.name, logits.type

    def branch(name: str, nodes: list, **fields) -> onnx.GraphProto:
        return helper.make_graph(
            nodes, name, [], [helper.make_value_info(f"{name}/answer", kind)], **fields
        )

    stop = branch("stop", [helper.make_node("Identity", [quick], ["stop/answer"])])
    runs = [*runs, helper.make_node("Where", ["sure", quick, "rest/logits"], ["rest/answer"])]
    go_on = branch("rest", runs, **fields)
    graph.initializer.extend(
        [
            helper.make_tensor("threshold", TensorProto.FLOAT, [], [threshold]),
            helper.make_tensor("classes", TensorProto.INT64, [1], [1]),  # their axis
        ]
    )
    graph.node.extend(
        [
            helper.make_node("Softmax", [quick], ["probabilities"], axis=1),
            helper.make_node("ReduceMax", ["probabilities", "classes"], ["confidence"]),
            helper.make_node("GreaterOrEqual", ["confidence", "threshold"], ["sure"]),
            helper.make_node("ReduceMin", ["confidence"], ["least"], keepdims=0),
            helper.make_node("GreaterOrEqual", ["least", "threshold"], ["all_sure"]),
            helper.make_node("If", ["all_sure"], ["logits"], then_branch=stop, else_branch=go_on),
        ]
    )
    logits.name = "logits"


def _ask(
    graph: onnx.GraphProto, rest: onnx.GraphProto, runs: list, fields: dict, stages: Stages
) -> None:
    """Let the second stage run where ASK is true. Inputs that have an initialiser may be left
    out."""
    defaults = {ASK: np.array(False), **stages.given}
    for name, value in defaults.items():
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        shape = [f"{name}_count"] * value.ndim
        graph.input.append(helper.make_tensor_value_info(name, kind, shape))
        graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    says = list(rest.output)
    silence, nothing = [], []
    for output in says:
        kind, rank = output.type.tensor_type.elem_type, len(output.type.tensor_type.shape.dim)
        name = output.name.replace("rest/", "silent/")
        silence.append(helper.make_tensor_value_info(name, kind, [None] * rank))
        empty = np.zeros([0] * rank, helper.tensor_dtype_to_np_dtype(kind))
        value = onnx.numpy_helper.from_array(empty)
        nothing.append(helper.make_node("Constant", [], [name], value=value))
    names = [output.name.removeprefix("rest/") for output in says]
    speak = helper.make_graph(runs, "rest", [], says, **fields)
    silent = helper.make_graph(nothing, "silent", [], silence)
    graph.node.append(helper.make_node("If", [ASK], names, then_branch=speak, else_branch=silent))
    for name, output in zip(names, silence, strict=True):
        graph.output.append(helper.make_value_info(name, output.type))

"""From a trained network to ONNX files that carry all that is needed to use them."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel
from torch import nn

from kakitori import outputs
from kakitori.learning.contract import Network
from kakitori.learning.folding import folded
from kakitori.reading import model_file

STRICT_OPSET = 14
# In all of these lists, of what we need: onnx-tensorrt's docs/operators.md; ONNX Runtime's
# coreml_supported_mlprogram_ops.md; onnx2tf's table of layers, for TFLite. ONNX Runtime Web's WASM
# has all operators of the CPU. Constant is no operator of a file that has been cleaned.
STRICT = {
    "Add", "AveragePool", "Clip", "Concat", "Conv", "Div", "Erf", "Gemm", "GlobalAveragePool",
    "HardSigmoid", "Identity", "MatMul", "MaxPool", "Mul", "Pow", "ReduceMean", "ReduceSum", "Relu",
    "Reshape", "Sigmoid", "Slice", "Softmax", "Softplus", "Split", "Sqrt", "Squeeze", "Sub", "Tanh",
    "Transpose", "Unsqueeze",
}  # fmt: skip


class _Heads(nn.Module):
    """The fields of a network's outputs that an export carries."""

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs = self.model(images)
        return tuple(getattr(outputs, name) for name in self.names)


def to_onnx(model: Network, size: int, opset: int, path: Path) -> None:
    """Write a float32 ONNX file: `input` (batch, 1, S, S) to `logits` (batch, C), and the further
    heads that the network's `exported` names.

    """
    # An example batch of 1 would be baked in.
    write(
        _Heads(model.deployed(), model.exported),
        {"input": torch.zeros(2, 1, size, size)},
        model.exported,
        opset,
        path,
    )


def write(
    module: nn.Module,
    inputs: dict[str, torch.Tensor],
    names: Sequence[str],
    opset: int,
    path: Path,
) -> None:
    """Write a float32 ONNX file of any module, batches of any size in its first dimension.

    Parameters
    ----------
    inputs : an example of each, two samples or more, in the order in which `module` takes them.
    names : of its outputs.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision; we do not
    with outputs.whole(path) as part, warnings.catch_warnings(), torch.no_grad():
        # torch's, about its own internals
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", "The tensor attributes?", UserWarning)
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            str(part),
            dynamo=True,
            opset_version=opset,
            external_data=False,
            dynamic_shapes=tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs),
            input_names=list(inputs),
            output_names=list(names),
            verbose=False,
        )
        clean(part)
        _number(part)


def to_strict(model: Network, size: int, path: Path) -> None:
    """Write a float32 ONNX file of opset 14 that converters of other runtimes take: `logits` alone,
    by the operators of STRICT.

    Raises ValueError where the network needs others.
    """
    # Once more, for what a network leaves alone because of its other heads.
    module = _Heads(folded(model.plain()), ("logits",))
    with outputs.whole(path) as part, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the newer exporter, which cannot go back to 14
        torch.onnx.export(
            module.eval(),
            (torch.zeros(2, 1, size, size),),
            str(part),
            dynamo=False,
            opset_version=STRICT_OPSET,
            input_names=["input"],
            output_names=["logits"],
            dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
        )
        clean(part)
        _constants(part)
        _number(part)
        used = {node.op_type for node in onnx.load(part).graph.node}
        if strange := sorted(used - STRICT):
            raise ValueError(
                "expected operators that every converter takes (STRICT in export/export.py), "
                f"found {', '.join(strange)}; leave the format out of quantize.formats"
            )


def to_half(source: Path, path: Path) -> None:
    """Write a copy of a float32 ONNX file that computes in 16-bit floats; it takes and gives 32."""
    half = OnnxModel(convert_float_to_float16(onnx.load(source), keep_io_types=True))
    half.topological_sort()  # the casts of inputs were put last
    with outputs.whole(path) as part:
        onnx.save(half.model, part)
        clean(part)


def batches(images: np.ndarray, size: int = 64) -> Iterator[dict[str, np.ndarray]]:
    """Images uint8 (N, S, S) as an export's `input`, so many at a time."""
    scaled = model_file.scaled(images[:, None])
    for start in range(0, len(scaled), size):
        yield {"input": scaled[start : start + size]}


def clean(path: Path) -> None:
    """Drop what exporters leave behind: paths of this machine's source files among them."""
    model = onnx.load(path)
    del model.metadata_props[:]
    model.doc_string = ""
    model.producer_name, model.producer_version = "kakitori", ""
    for item in (*model.graph.node, *model.graph.input, *model.graph.output):
        del item.metadata_props[:]
        item.doc_string = ""
    for item in (*model.graph.value_info, *model.graph.initializer, model.graph):
        del item.metadata_props[:]
        item.doc_string = ""
    _narrow(model.graph)
    onnx.save(model, path)


def _narrow(graph: onnx.GraphProto) -> None:
    """Keep the numbers of rows to gather in 16 bits where they fit; runtimes widen them again."""
    indices = {node.input[1] for node in graph.node if node.op_type == "Gather"}
    for tensor in [t for t in graph.initializer if t.name in indices]:
        values, wide = onnx.numpy_helper.to_array(tensor), tensor.data_type
        if values.dtype in (np.int32, np.int64) and values.size > 1000 and values.max() < 2**15:
            name = tensor.name
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.int16), f"{name}_short"))
            graph.node.insert(0, onnx.helper.make_node("Cast", [tensor.name], [name], to=wide))


def _constants(path: Path) -> None:
    """Make initialisers of the nodes that hold a constant."""
    model = onnx.load(path)
    for node in [n for n in model.graph.node if n.op_type == "Constant"]:
        value = node.attribute[0].t
        value.name = node.output[0]
        model.graph.initializer.append(value)
        model.graph.node.remove(node)
    onnx.save(model, path)


def _number(path: Path) -> None:
    """Name nodes and what flows between them by their order: exporters count, and a second export
    in the same process does not always begin where the first did."""
    model = onnx.load(path)
    graph = model.graph
    kept = {value.name for value in (*graph.input, *graph.output)}
    names = [i.name for i in graph.initializer if i.name.startswith("val_")]
    names += [name for node in graph.node for name in node.output]
    new = {name: f"value_{k}" for k, name in enumerate(names) if name and name not in kept}
    for item in (*graph.initializer, *graph.value_info):
        item.name = new.get(item.name, item.name)
    for k, node in enumerate(graph.node):
        node.name = f"{node.op_type}_{k}"
        for side in (node.input, node.output):
            side[:] = [new.get(name, name) for name in side]
    onnx.save(model, path)


def annotate(path: Path, classes: list[str], size: int, settings: Mapping[str, str]) -> None:
    """Write classes and preprocessing into an ONNX file's metadata, and further `settings` by
    name."""
    about = {"classes": "".join(classes), "size": str(size), "range": "-1 (paper) to 1 (ink)"}
    tell(path, {**about, **settings})


def tell(path: Path, metadata: Mapping[str, str]) -> None:
    """Write an ONNX file's metadata."""
    model = onnx.load(path)
    onnx.helper.set_model_props(model, dict(metadata))
    with outputs.whole(path) as part:
        onnx.save(model, part)

"""From a trained network to ONNX files that carry all that is needed to use them."""

import logging
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from kakitori import outputs
from kakitori.writing.strokes import TYPES


class _Heads(nn.Module):
    """The fields of a network's outputs that an export carries."""

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs = self.model(images)
        return tuple(getattr(outputs, name) for name in self.names)


def to_onnx(model: nn.Module, size: int, opset: int, path: Path) -> None:
    """Write a float32 ONNX file: `input` (batch, 1, S, S) to `logits` (batch, C), and the further
    heads that the network's `exported` names.

    A network may offer `deployed()`, an equal network in the form that runs best.
    """
    names = getattr(model, "exported", ("logits",))
    model = model.deployed() if hasattr(model, "deployed") else model
    # An example batch of 1 would be baked in.
    write(_Heads(model, names), {"input": torch.zeros(2, 1, size, size)}, names, opset, path)


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
        _clean(part)
        _number(part)


def to_int8(source: Path, samples: Iterable[dict[str, np.ndarray]], path: Path) -> None:
    """Write a statically quantised copy of an ONNX file (QDQ, per channel).

    Parameters
    ----------
    source : the float32 file.
    samples : its inputs by name, batch after batch, for calibration; `batches` of images.
    """
    with outputs.whole(path) as part:
        prepared = part.with_suffix(".prepared")
        try:
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(part),
                _Samples(samples),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                nodes_to_exclude=_exact(onnx.load(prepared).graph),
                extra_options={"ActivationSymmetric": False},
            )
        finally:
            prepared.unlink(missing_ok=True)
        _clean(part)


def _exact(graph: onnx.GraphProto) -> list[str]:
    """The nodes that stay in floats: products of two signals (routing), powers and roots, and what
    is computed from them up to the next layer with weights. 256 steps cannot hold both a square and
    the square of a tenth."""
    nodes, flows = [], set()
    for node in graph.node:
        weighted = node.op_type in ("Conv", "Gemm", "MatMul")
        if node.op_type in ("Einsum", "Pow", "Sqrt") or (
            not weighted and flows.intersection(node.input)
        ):
            nodes.append(node.name)
            flows.update(node.output)
    return nodes


def batches(images: np.ndarray, size: int = 64) -> Iterator[dict[str, np.ndarray]]:
    """Images uint8 (N, S, S) as an export's `input`, so many at a time."""
    scaled = images[:, None].astype(np.float32) / 127.5 - 1
    for start in range(0, len(scaled), size):
        yield {"input": scaled[start : start + size]}


class _Samples(CalibrationDataReader):
    def __init__(self, samples: Iterable[dict[str, np.ndarray]]) -> None:
        self.samples = iter(samples)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.samples, None)


def _clean(path: Path) -> None:
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


def annotate(path: Path, classes: list[str], size: int, temperature: float) -> None:
    """Write classes, preprocessing and temperature into an ONNX file's metadata, and the stroke
    types that a `sequence` is of, where it has one."""
    model = onnx.load(path)
    metadata = {
        "classes": "".join(classes),
        "size": str(size),
        "range": "-1 (paper) to 1 (ink)",
        "temperature": str(temperature),
    }
    if any(output.name == "sequence" for output in model.graph.output):
        metadata["stroke_types"] = "".join(TYPES)
    onnx.helper.set_model_props(model, metadata)
    with outputs.whole(path) as part:
        onnx.save(model, part)

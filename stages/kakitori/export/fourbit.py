"""Weights in four bits, sixteen levels for each block of 32 with a scale of its own.

    int4    evenly spaced levels, by opset 21's own DequantizeLinear
    nf4     levels at the quantiles of a normal distribution (Dettmers et al. 2023)
    fp4     levels of a four-bit float, two bits of exponent and one of mantissa (OCP MX, 2023)

It saves bytes, not time: runtimes unpack the weights to floats when they load the file. ONNX
Runtime would unpack int4 with every image, unless a session is told not to (formats.UNPACK).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from scipy.stats import norm

from kakitori import outputs

BLOCK = 32
SMALL = 2048  # weights from which on a tensor is worth it; others become 16-bit floats
SMALLEST = 64  # and those are left as they are
# Which way of a layer's weights its inputs lie, along which blocks share a scale.
INPUTS = {"Conv": 1, "Gemm": 1, "MatMul": -2, "LSTM": 2, "GRU": 2}
SHRINK = np.linspace(0.6, 1.15, 15)  # of a block's largest weight: scales that are tried
PIECES = ("Concat", "Slice", "Unsqueeze")

Codebook = Literal["int4", "nf4", "fp4"]


def codebook(name: Codebook) -> np.ndarray:
    """The sixteen levels, float32, ascending; the largest is 1 in size."""
    if name == "int4":
        return np.arange(-8, 8, dtype=np.float32) / 8
    if name == "fp4":
        positive = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32) / 6
        return np.sort(np.concatenate([-positive, positive]))
    # As in the paper's appendix E: quantiles in the middle of sixteenths, one of them at zero.
    edge = (1 - 1 / 32 + 1 - 1 / 30) / 2
    positive = norm.ppf(np.linspace(edge, 0.5, 9)[:-1])
    negative = -norm.ppf(np.linspace(edge, 0.5, 8)[:-1])
    levels = np.sort(np.concatenate([positive, [0], negative]))
    return (levels / np.abs(levels).max()).astype(np.float32)


def nearest(blocks: np.ndarray, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The level of each weight and the scale of each block that err least in the square.

    Parameters
    ----------
    blocks : float32 (N, BLOCK, …), blocks along the second axis.
    levels : float32 (16,), ascending.

    Returns
    -------
    Numbers of levels, uint8 of the same shape, and scales float16 (N, 1, …).
    """
    top = np.abs(blocks).max(1, keepdims=True)
    middles = (levels[1:] + levels[:-1]) / 2
    best: tuple[np.ndarray, ...] | None = None
    for shrink in SHRINK:
        scale = (top * shrink).astype(np.float16)
        wide = np.where(scale == 0, 1, scale).astype(np.float32)
        shares = blocks / wide
        # How many middles are below: searchsorted takes five times as long for fifteen.
        numbers = sum((shares > middle).view(np.uint8) for middle in middles)
        error = ((levels[numbers] * wide - blocks) ** 2).sum(1, keepdims=True)
        candidate = numbers, scale, error
        if best is not None:
            better = error < best[2]
            candidate = tuple(np.where(better, a, b) for a, b in zip(candidate, best, strict=True))
        best = candidate
    return best[0], best[1]


def to_4bit(source: Path, path: Path, name: Codebook = "int4") -> None:
    """Write a copy of a float32 ONNX file (opset 21 or newer) with the weights of its layers in
    four bits, and what is too small for that as 16-bit floats."""
    model = onnx.load(source)
    graph = model.graph
    _fold(model)
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    done: set[str] = set()
    for node in graph.node:
        for weight in node.input[1 : 3 if node.op_type in ("LSTM", "GRU") else 2]:
            if node.op_type not in INPUTS or weight not in tensors or weight in done:
                continue
            axis = INPUTS[node.op_type]
            if node.op_type == "Gemm" and not any(
                a.name == "transB" and a.i for a in node.attribute
            ):
                axis = 0
            values = numpy_helper.to_array(tensors[weight])
            axis %= max(values.ndim, 1)
            if values.size < SMALL or values.shape[axis] < BLOCK // 2:
                continue
            made = _int4 if name == "int4" else _by_codebook
            initialisers, unpack = made(weight, values, axis, codebook(name))
            _replace(graph, weight, initialisers)
            nodes += unpack
            done.add(weight)
    for tensor in list(graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.name in tensors and tensor.name not in done and values.dtype == np.float32:
            if values.size < SMALLEST or np.abs(values).max() > 6e4:
                continue
            half = numpy_helper.from_array(values.astype(np.float16), f"{tensor.name}/half")
            _replace(graph, tensor.name, [half])
            nodes.append(helper.make_node("Cast", [half.name], [half.name[:-5]], to=1))
    for node in reversed(nodes):
        graph.node.insert(0, node)
    onnx.checker.check_model(model, full_check=True)
    with outputs.whole(path) as part:
        onnx.save(model, part)


def _fold(model: onnx.ModelProto) -> None:
    """Compute what is of constants alone, in place: PyTorch's exporter leaves the weights of LSTMs
    and GRUs in pieces that the file puts together."""
    graph = model.graph
    known = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    for node in list(graph.node):
        if node.op_type in PIECES and known.keys() >= set(node.input):
            given = {name: known[name] for name in node.input}
            (value,) = ReferenceEvaluator(node, model.opset_import).run(None, given)
            known[node.output[0]] = value
            graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
            graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    used |= {output.name for output in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _replace(graph: onnx.GraphProto, name: str, tensors: Iterable[onnx.TensorProto]) -> None:
    kept = [tensor for tensor in graph.initializer if tensor.name != name]
    del graph.initializer[:]
    graph.initializer.extend([*kept, *tensors])


def _int4(
    name: str, values: np.ndarray, axis: int, levels: np.ndarray
) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """A tensor as INT4 numbers and the nodes that make floats of them, in blocks along `axis`."""
    count = values.shape[axis]
    rows = np.moveaxis(values, axis, 1)
    padding = [(0, 0)] * rows.ndim
    padding[1] = (0, -count % BLOCK)
    rows = np.pad(rows, padding)
    blocks = rows.reshape(rows.shape[0], -1, BLOCK, *rows.shape[2:])
    numbers, scale = nearest(blocks.reshape(-1, *blocks.shape[2:]), levels)
    whole = numbers.astype(np.int8).reshape(rows.shape) - 8
    whole = np.moveaxis(whole[:, :count], 1, axis)
    scale = np.moveaxis((scale / 8).reshape(*blocks.shape[:2], *blocks.shape[3:]), 1, axis)
    tensors = [
        numpy_helper.from_array(whole.astype(ml_dtypes.int4), f"{name}/int4"),
        numpy_helper.from_array(scale.astype(np.float16), f"{name}/scale"),
    ]
    half = f"{name}/half"
    nodes = [
        helper.make_node(
            "DequantizeLinear", [t.name for t in tensors], [half], axis=axis, block_size=BLOCK
        ),
        helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT),
    ]
    return tensors, nodes


def _by_codebook(
    name: str, values: np.ndarray, axis: int, levels: np.ndarray
) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
    """A tensor as numbers of levels and the nodes that look them up, in blocks of its memory."""
    flat = np.pad(values.ravel(), (0, -values.size % BLOCK)).reshape(-1, BLOCK)
    numbers, scale = nearest(flat, levels)
    tensors = [
        numpy_helper.from_array(numbers.astype(ml_dtypes.uint4), f"{name}/numbers"),
        numpy_helper.from_array(scale, f"{name}/scale"),
        numpy_helper.from_array(levels.astype(np.float16), f"{name}/levels"),
        numpy_helper.from_array(np.array([-1]), f"{name}/flat"),
        numpy_helper.from_array(np.array([0]), f"{name}/first"),
        numpy_helper.from_array(np.array([values.size]), f"{name}/end"),
        numpy_helper.from_array(np.array(values.shape), f"{name}/shape"),
    ]
    steps = [
        ("Cast", ["numbers"], "wide", {"to": TensorProto.INT32}),
        ("Gather", ["levels", "wide"], "looked_up", {}),
        ("Mul", ["looked_up", "scale"], "scaled", {}),
        ("Reshape", ["scaled", "flat"], "row", {}),
        ("Slice", ["row", "first", "end"], "cut", {}),
        ("Reshape", ["cut", "shape"], "half", {}),
    ]
    nodes = [
        helper.make_node(kind, [f"{name}/{i}" for i in inputs], [f"{name}/{out}"], **attributes)
        for kind, inputs, out, attributes in steps
    ]
    nodes.append(helper.make_node("Cast", [f"{name}/half"], [name], to=TensorProto.FLOAT))
    return tensors, nodes

"""Static INT8 of an ONNX file: ranges by the method of the best validation accuracy; where that
still costs accuracy, biases are corrected, then the layers that suffer most stay in floats.

Weights have seven bits. On x86 processors without VNNI (AVX2 alone: most from 2013 to 2019) ONNX
Runtime's kernels add two products of an input of 0 to 255 and a weight in 16 bits, which saturate;
`pair_sums` bounds that sum.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from kakitori import outputs
from kakitori.export import export
from kakitori.reading.sessions import open_session

Method = Literal["minmax", "percentile", "entropy"]
METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}
PERCENTILE = 99.99  # of a signal's values that lie inside its range
TOLERANCE = 0.002  # of validation's top-1 that INT8 may lose before more is done
CHANCE = 4  # samples of it, likewise: of a few hundred 0.2 points are less than one
# Channels; convolutions of fewer were slower in INT8 than in floats.
NARROW, NARROW_DEPTHWISE = 8, 64
WEIGHTED = ("Conv", "Gemm", "MatMul")
NORMS = ("BatchNormalization", "InstanceNormalization", "LayerNormalization")
BITS = 7  # of weights
# Of images, 256 levels from -1 to 1. Ranges give 2/255 and 128, which put every level half-way
# between two whole numbers: the last digit of a division decides, and runtimes differ. These come
# within 0.0019 of half-way at no level, and keep paper, ink and the padding around them exact.
INPUT = {"scale": np.array(1 / 127, np.float32), "zero_point": np.array(127, np.uint8)}
LARGEST_INPUT = 255
LARGEST_SUM = 2**15 - 1  # of 16 bits

Samples = Callable[[], Iterable[dict[str, np.ndarray]]]


class Read(NamedTuple):
    """A file's validation accuracy, and the mean negative log likelihood, which tells two files of
    one accuracy apart."""

    top1: float
    nll: float

    def better_than(self, other: "Read") -> bool:
        return (self.top1, -self.nll) > (other.top1, -other.nll)


class Quantised(NamedTuple):
    """What was done: how ranges were found, whether biases were corrected, the layers that stay in
    floats because of what they cost, and what each layer costs by itself where that was measured,
    (layer, top-1, negative log likelihood)."""

    calibration: str
    bias_corrected: bool
    in_floats: list[str]
    sensitivity: list[tuple[str, float, float]]


def to_int8(
    source: Path,
    samples: Samples,
    path: Path,
    read: Callable[[Path], Read] | None = None,
    methods: Iterable[Method] = ("minmax",),
    wanted: float = 0.0,
    tolerance: float = TOLERANCE,
) -> Quantised:
    """Write a statically quantised copy of an ONNX file: QDQ, weights per channel, LSTMs by the
    range of each input instead of a fixed one.

    Parameters
    ----------
    source : the float32 file.
    samples : its inputs by name, batch after batch, for calibration, anew with each call.
    read : reads validation samples with a file; without it the first method stands.
    methods : of calibration.
    wanted : top-1 of the float32 file on the same samples.
    tolerance : of it, the loss from which on more is done.

    Raises ValueError where there are no samples.
    """
    with tempfile.TemporaryDirectory() as name, outputs.whole(path) as part:
        work = Quantiser(source, samples, Path(name))
        tried: dict[Method, Read | None] = {}
        for method in methods:
            work.quantise(method, part)
            if read is None:
                return Quantised(method, False, [], [])
            tried[method] = read(part)
        method = max(tried, key=lambda m: (tried[m].top1, -tried[m].nll))
        best, corrected, kept, sensitivity = tried[method], False, [], []
        there = method == list(tried)[-1]  # whether `part` is already the file that stays
        if best.top1 < wanted - tolerance:
            before = work.prepared.read_bytes()
            work.correct_biases(method)
            work.quantise(method, part)
            reading = read(part)
            there = corrected = reading.better_than(best)
            if corrected:
                best = reading
            else:
                work.prepared.write_bytes(before)
        if best.top1 < wanted - tolerance:
            sensitivity = [
                (layer, *read(work.quantise(method, part, only=[layer]))) for layer in work.layers()
            ]
            sensitivity.sort(key=lambda line: (line[1], -line[2]))
            # The worst first, twice as many each time: few steps, and no more than twice too many.
            count = 1
            while best.top1 < wanted - tolerance and len(kept) < len(sensitivity):
                kept = [layer for layer, *_ in sensitivity[:count]]
                best = read(work.quantise(method, part, without=kept))
                there = True
                count *= 2
        if not there:
            work.quantise(method, part, without=kept)
        return Quantised(method, corrected, kept, sensitivity)


class Quantiser:
    """A float32 file made ready, and the ranges of its signals, measured once by each method."""

    def __init__(self, source: Path, samples: Samples, folder: Path) -> None:
        self.samples, self.folder = samples, folder
        self.prepared = folder / "prepared.onnx"
        quant_pre_process(str(source), str(self.prepared), skip_symbolic_shape=True)
        graph = onnx.load(self.prepared).graph
        self.exact = _exact(graph)
        dims = {tensor.name: tensor.dims for tensor in graph.initializer}
        # The weights of layers alone: kernels of other operators add nothing in 16 bits.
        self.overrides = {
            node.input[1]: [{"axis": _outputs(node), "reduce_range": True}]
            for node in graph.node
            if _is_layer(node, dims)
        }
        if any(value.name == "input" for value in graph.input):
            self.overrides["input"] = [INPUT]

    def layers(self) -> list[str]:
        """Names of the layers with weights that are quantised."""
        graph = onnx.load(self.prepared).graph
        dims = {tensor.name: tensor.dims for tensor in graph.initializer}
        return [
            node.name
            for node in graph.node
            if _is_layer(node, dims) and node.name not in self.exact
        ]

    def quantise(
        self,
        method: Method,
        path: Path,
        only: list[str] | None = None,
        without: Iterable[str] = (),
    ) -> Path:
        """Write `path`: all layers, or `only` some, or all `without` some."""
        ranges = self.folder / f"{method}.json"
        reader = None if ranges.is_file() else _Samples(self.samples())
        quantize_static(
            str(self.prepared),
            str(path),
            reader,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=METHODS[method],
            nodes_to_quantize=only,
            nodes_to_exclude=[*self.exact, *without],
            extra_options={
                "ActivationSymmetric": False,
                "CalibPercentile": PERCENTILE,
                # Logits stay as they are: rounding them takes time and makes ties.
                "OpTypesToExcludeOutputQuantization": ["Gemm"],
                "TensorQuantOverrides": self.overrides,
            },
            calibration_cache_path=ranges,
        )
        if any(node.op_type == "LSTM" for node in onnx.load(path).graph.node) and only is None:
            _quantise_dynamically(path, path, ["LSTM"])
        export.clean(path)
        return path

    def correct_biases(self, method: Method) -> None:
        """Take from each layer's bias what rounding its weights adds to its outputs in the mean
        (Nagel et al. 2019, section 4.2), in the prepared file: the error of its weights times the
        mean of its inputs over the samples."""
        model = onnx.load(self.prepared)
        graph = model.graph
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        rounded = _rounded(self.quantise(method, self.folder / "plain.onnx"))
        layers = [
            (node, *place)
            for node in graph.node
            if node.op_type in WEIGHTED
            and node.name not in self.exact
            and node.input[1] in rounded
            and (place := _bias(node, graph))
        ]
        means = self._means({(node.input[0], _channels(node)) for node, *_ in layers})
        for node, holder, place in layers:
            error = rounded[node.input[1]] - numpy_helper.to_array(tensors[node.input[1]])
            shift = _shift(node, error, means[node.input[0], _channels(node)])
            bias = numpy_helper.to_array(tensors[holder.input[place]])
            # A name of its own: layers may share one that is equal.
            name = f"{node.name}/bias"
            corrected = (bias - shift).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(corrected, name))
            holder.input[place] = name
        used = {name for node in graph.node for name in node.input}
        for tensor in [t for t in graph.initializer if t.name not in used]:
            graph.initializer.remove(tensor)
        onnx.save(model, self.prepared)

    def _means(self, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], np.ndarray]:
        """Means over the samples of each signal's channels, which lie along the axis that stands
        beside its name."""
        model = onnx.load(self.prepared)
        given = {value.name for value in model.graph.input}
        known = given | {value.name for value in model.graph.output}
        names = sorted({name for name, _ in wanted})
        model.graph.output.extend(
            helper.make_empty_tensor_value_info(name) for name in names if name not in known
        )
        shown = self.folder / "shown.onnx"
        onnx.save(model, shown)
        session = open_session(shown, threads=0)
        inner = [name for name in names if name not in given]
        totals, counts = dict.fromkeys(wanted, 0.0), dict.fromkeys(wanted, 0)
        for batch in self.samples():
            signals = dict(zip(inner, session.run(inner, batch), strict=True)) | batch
            for name, axis in totals:
                signal = np.moveaxis(signals[name], axis, -1)
                rows = signal.reshape(-1, signal.shape[-1])
                totals[name, axis] = totals[name, axis] + rows.sum(0, dtype=np.float64)
                counts[name, axis] += len(rows)
        return {key: total / counts[key] for key, total in totals.items()}


def _outputs(node: onnx.NodeProto) -> int:
    """The axis of a layer's weights along which its outputs lie."""
    return 0 if node.op_type == "Conv" or _transposed(node) else 1


def _transposed(node: onnx.NodeProto) -> bool:
    return any(a.name == "transB" and a.i for a in node.attribute)


def _channels(node: onnx.NodeProto) -> int:
    """The axis of a layer's input along which its channels lie."""
    return 1 if node.op_type == "Conv" else -1


def _bias(node: onnx.NodeProto, graph: onnx.GraphProto) -> tuple[onnx.NodeProto, int] | None:
    """Which node adds a layer's bias, and as which of its inputs: itself, or the addition that
    follows a product. None where it has none."""
    tensors = {tensor.name: tensor.dims for tensor in graph.initializer}
    if node.op_type != "MatMul":
        return (node, 2) if len(node.input) == 3 and node.input[2] in tensors else None
    behind = [other for other in graph.node if node.output[0] in other.input]
    if len(behind) != 1 or behind[0].op_type != "Add":
        return None
    place = 1 - list(behind[0].input).index(node.output[0])
    width = tensors[node.input[1]][-1]
    return (behind[0], place) if list(tensors.get(behind[0].input[place], [])) == [width] else None


def _shift(node: onnx.NodeProto, error: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """What an error of a layer's weights adds to each of its outputs in the mean, of the mean of
    each channel of its inputs."""
    if node.op_type == "Conv":  # (outputs, inputs of a group, height, width)
        groups = next((a.i for a in node.attribute if a.name == "group"), 1)
        each = np.repeat(mean.reshape(groups, -1), len(error) // groups, axis=0)
        return (error.sum((2, 3)) * each).sum(1)
    return (error if _transposed(node) else error.T) @ mean


def _rounded(path: Path) -> dict[str, np.ndarray]:
    """The weights of a quantised file as it computes with them, by their names before."""
    graph = onnx.load(path).graph
    tensors = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    weights = {}
    for node in graph.node:
        values = tensors.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if values is None or values.dtype != np.int8:
            continue
        scale = tensors[node.input[1]]
        if scale.size > 1:
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            scale = scale.reshape([-1 if k == axis else 1 for k in range(values.ndim)])
        weights[node.input[0].removesuffix("_quantized")] = values * scale
    return weights


def pair_sums(path: Path) -> dict[str, int]:
    """Of each tensor of INT8 weights the largest sum that two of its products with inputs of 0 to
    255 can have, whatever the inputs and whichever two a kernel adds: its two largest weights of
    one sign times 255.

    Raises ValueError where a sum is more than 16 bits hold.
    """
    sums = {}
    for graph in _graphs(onnx.load(path).graph):
        for tensor in graph.initializer:
            if tensor.data_type != onnx.TensorProto.INT8 or np.prod(tensor.dims) < 2:
                continue
            weights = np.sort(numpy_helper.to_array(tensor), axis=None).astype(int)
            lowest, highest = (
                ends.sum() for ends in (weights[:2].clip(max=0), weights[-2:].clip(0))
            )
            sums[tensor.name] = LARGEST_INPUT * int(max(-lowest, highest))
    for name, largest in sums.items():
        if largest > LARGEST_SUM:
            raise ValueError(
                f"expected pairs of products within {LARGEST_SUM:,}, since processors without VNNI "
                f"add them in 16 bits, found {largest:,} of {name}; its weights need seven bits"
            )
    return sums


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and the branches in it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _graphs(attribute.g)


def to_dynamic(source: Path, path: Path) -> None:
    """Write a copy whose LSTMs and matrix products have INT8 weights and take each input by its own
    range (onnxruntime's dynamic quantisation); convolutions stay in floats, which are faster."""
    with tempfile.TemporaryDirectory() as name, outputs.whole(path) as part:
        prepared = Path(name) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        _quantise_dynamically(prepared, part, ["LSTM", "MatMul", "Gemm"])
        export.clean(part)


def _quantise_dynamically(source: Path, path: Path, kinds: list[str]) -> None:
    model = onnx.load(source)
    weights = {tensor.name for tensor in model.graph.initializer}
    kept = [value for value in model.graph.value_info if value.name not in weights]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)  # without shapes of what is, or has been, transposed
    quantize_dynamic(
        model,
        path,
        op_types_to_quantize=kinds,
        weight_type=QuantType.QInt8,
        reduce_range=True,  # seven bits
    )


class _Samples(CalibrationDataReader):
    def __init__(self, samples: Iterable[dict[str, np.ndarray]]) -> None:
        self.samples = iter(samples)
        self.first = next(self.samples, None)
        if self.first is None:
            raise ValueError(
                "calibration: expected samples of the training part, found none; raise "
                "quantize.calibration_samples"
            )

    def get_next(self) -> dict[str, np.ndarray] | None:
        first, self.first = self.first, None
        return next(self.samples, None) if first is None else first


def _exact(graph: onnx.GraphProto) -> list[str]:
    """The nodes that stay in floats: products of two signals and powers and roots (routing), since
    256 steps cannot hold both a square and the square of a tenth; norms that no convolution has
    taken in, which have no integer kernel; convolutions of a few channels, which onnxruntime's
    integer kernels take longer for than those in floats; what is computed from all of these up to
    the next layer with weights; and all that no layer comes behind: answers are not rounded."""
    weights = {tensor.name: tensor.dims for tensor in graph.initializer}
    ahead, awaited = set(), set()
    for node in reversed(graph.node):
        if _is_layer(node, weights) or awaited.intersection(node.output):
            ahead.add(node.name)
            awaited.update(node.input)
    nodes, flows = [], set()
    for node in graph.node:
        layer = _is_layer(node, weights)
        if (
            node.name not in ahead
            or (node.op_type in ("MatMul", "Pow", "Sqrt", *NORMS) and not layer)
            or (node.op_type == "Conv" and _narrow(node, weights.get(node.input[1], [])))
            or (not layer and flows.intersection(node.input))
        ):
            nodes.append(node.name)
            flows.update(node.output)
    return nodes


def _is_layer(node: onnx.NodeProto, weights: Mapping[str, Sequence[int]]) -> bool:
    """Whether a node multiplies a signal by weights: a convolution, or a product by one matrix."""
    if node.op_type not in WEIGHTED:
        return False
    dims = weights.get(node.input[1], [])
    return len(dims) >= 2 if node.op_type == "Conv" else len(dims) == 2


def _narrow(node: onnx.NodeProto, shape: Sequence[int]) -> bool:
    """Whether a convolution of these weights has few channels. A stem's one is not few."""
    if len(shape) < 2:
        return False
    if any(a.name == "group" and a.i > 1 for a in node.attribute):
        return shape[0] < NARROW_DEPTHWISE
    return shape[0] < NARROW or 1 < shape[1] < NARROW

"""Static INT8 of an ONNX file: ranges by the method that reads validation best; where that still
costs accuracy, biases are corrected, then the layers that suffer most stay in floats.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
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
from kakitori.learning import export
from kakitori.recognizer import open_session

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

Samples = Callable[[], Iterable[dict[str, np.ndarray]]]


class Read(NamedTuple):
    """How a file reads validation samples: the fraction right, and the mean negative log
    likelihood, which tells two files of one accuracy apart."""

    top1: float
    nll: float

    def better_than(self, other: "Read") -> bool:
        return (self.top1, -self.nll) > (other.top1, -other.nll)


class Result(NamedTuple):
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
) -> Result:
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
                return Result(method, False, [], [])
            tried[method] = read(part)
        method = max(tried, key=lambda m: (tried[m].top1, -tried[m].nll))
        best, corrected, kept, sensitivity = tried[method], False, [], []
        if best.top1 < wanted - tolerance:
            before = work.prepared.read_bytes()
            work.correct_biases(method)
            work.quantise(method, part)
            found = read(part)
            corrected = found.better_than(best)
            if corrected:
                best = found
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
                count *= 2
        work.quantise(method, part, without=kept)
        return Result(method, corrected, kept, sensitivity)


class Quantiser:
    """A float32 file made ready, and the ranges of its signals, measured once by each method."""

    def __init__(self, source: Path, samples: Samples, folder: Path) -> None:
        self.samples, self.folder = samples, folder
        self.prepared = folder / "prepared.onnx"
        quant_pre_process(str(source), str(self.prepared), skip_symbolic_shape=True)
        self.exact = _exact(onnx.load(self.prepared).graph)

    def layers(self) -> list[str]:
        """Names of the layers with weights that are quantised."""
        graph = onnx.load(self.prepared).graph
        known = {tensor.name for tensor in graph.initializer}
        return [
            node.name
            for node in graph.node
            if node.op_type in WEIGHTED and known.intersection(node.input)
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
            },
            calibration_cache_path=ranges,
        )
        if any(node.op_type == "LSTM" for node in onnx.load(path).graph.node) and only is None:
            quantize_dynamic(path, path, op_types_to_quantize=["LSTM"], weight_type=QuantType.QInt8)
        export.clean(path)
        return path

    def correct_biases(self, method: Method) -> None:
        """Take from each layer's bias what rounding its weights adds to its outputs in the mean
        (Nagel et al. 2019, section 4.2), in the prepared file: the error of its weights times the
        mean of its inputs over the samples."""
        model = onnx.load(self.prepared)
        graph = model.graph
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        nodes = [
            node
            for node in graph.node
            if node.op_type in ("Conv", "Gemm")
            and node.name not in self.exact
            and len(node.input) == 3
            and {node.input[1], node.input[2]} <= tensors.keys()
        ]
        means = self._means([node.input[0] for node in nodes])
        rounded = _rounded(self.quantise(method, self.folder / "plain.onnx"))
        for node in nodes:
            weight = numpy_helper.to_array(tensors[node.input[1]])
            if node.input[1] not in rounded:
                continue
            error = rounded[node.input[1]] - weight
            mean = means[node.input[0]]
            if node.op_type == "Gemm":
                transposed = any(a.name == "transB" and a.i for a in node.attribute)
                shift = (error if transposed else error.T) @ mean
            elif weight.shape[1] == 1:  # depthwise
                shift = error.sum((1, 2, 3)) * np.resize(mean, len(weight))
            else:
                shift = error.sum((2, 3)) @ mean
            bias = numpy_helper.to_array(tensors[node.input[2]])
            corrected = (bias - shift).astype(np.float32)
            tensors[node.input[2]].CopyFrom(numpy_helper.from_array(corrected, node.input[2]))
        onnx.save(model, self.prepared)

    def _means(self, names: list[str]) -> dict[str, np.ndarray]:
        """Means over the samples of each signal's channels."""
        model = onnx.load(self.prepared)
        known = {value.name for value in (*model.graph.input, *model.graph.output)}
        wanted = dict.fromkeys(names)
        model.graph.output.extend(
            helper.make_empty_tensor_value_info(name) for name in wanted if name not in known
        )
        shown = self.folder / "shown.onnx"
        onnx.save(model, shown)
        session = open_session(shown, threads=0)
        inner = [name for name in wanted if name not in {i.name for i in model.graph.input}]
        totals = dict.fromkeys(wanted, 0.0)
        count = 0
        for batch in self.samples():
            signals = dict(zip(inner, session.run(inner, batch), strict=True)) | batch
            for name in wanted:
                signal = signals[name]
                totals[name] = totals[name] + signal.mean(tuple(range(2, signal.ndim))).sum(0)
            count += len(signal)
        return {name: total / count for name, total in totals.items()}


def _rounded(path: Path) -> dict[str, np.ndarray]:
    """The weights of a quantised file as it computes with them, by their names before."""
    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    ending, found = "_quantized", {}
    for name, values in tensors.items():
        stem = name.removesuffix(ending)
        if values.dtype == np.int8 and f"{stem}_scale" in tensors:
            scale = tensors[f"{stem}_scale"]
            found[stem] = values * scale.reshape(-1, *[1] * (values.ndim - 1))
    return found


def to_dynamic(source: Path, path: Path) -> None:
    """Write a copy whose LSTMs and matrix products have INT8 weights and take each input by its own
    range (onnxruntime's dynamic quantisation); convolutions stay in floats, which are faster."""
    with tempfile.TemporaryDirectory() as name, outputs.whole(path) as part:
        prepared = Path(name) / "prepared.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(prepared)
        weights = {tensor.name for tensor in model.graph.initializer}
        kept = [value for value in model.graph.value_info if value.name not in weights]
        del model.graph.value_info[:]
        model.graph.value_info.extend(kept)  # without shapes of what is about to be transposed
        quantize_dynamic(
            model,
            part,
            op_types_to_quantize=["LSTM", "MatMul", "Gemm"],
            weight_type=QuantType.QInt8,
        )
        export.clean(part)


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
    """The nodes that stay in floats: products of two signals (routing), powers and roots, since 256
    steps cannot hold both a square and the square of a tenth; convolutions of a few channels, which
    onnxruntime's integer kernels take longer for than those in floats; and what is computed from
    all of these up to the next layer with weights."""
    weights = {tensor.name: tensor.dims for tensor in graph.initializer}
    nodes, flows = [], set()
    for node in graph.node:
        if (
            node.op_type in ("Einsum", "Pow", "Sqrt")
            or (node.op_type == "Conv" and _narrow(node, weights.get(node.input[1], [])))
            or (node.op_type not in WEIGHTED and flows.intersection(node.input))
        ):
            nodes.append(node.name)
            flows.update(node.output)
    return nodes


def _narrow(node: onnx.NodeProto, shape: Sequence[int]) -> bool:
    """Whether a convolution of these weights has few channels. A stem's one is not few."""
    if len(shape) < 2:
        return False
    if any(a.name == "group" and a.i > 1 for a in node.attribute):
        return shape[0] < NARROW_DEPTHWISE
    return shape[0] < NARROW or 1 < shape[1] < NARROW

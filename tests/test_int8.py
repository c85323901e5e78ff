"""INT8: ranges chosen on validation, and what is done where that is not enough."""

import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from torch import nn

from kakitori.export import export, int8
from kakitori.export.int8 import Read
from kakitori.learning.contract import Network, Outputs
from kakitori.reading.sessions import open_session


class Net(Network):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(1, 16, 8, 8)
        self.two = nn.Conv2d(16, 24, 3, padding=1)
        self.classifier = nn.Linear(24, 10)

    def forward(self, images: torch.Tensor) -> Outputs:
        grid = torch.relu(self.two(torch.relu(self.one(images))))
        features = grid.mean((2, 3))
        return Outputs(self.classifier(features), features)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("source") / "fp32.onnx"
    export.to_onnx(Net().eval(), 64, 21, path)
    return path


IMAGES = np.random.default_rng(0).integers(0, 256, (48, 64, 64), dtype=np.uint8)


INKY = 255 - IMAGES // 8  # of paper and ink alike, which is zero in the mean, nothing is added


def samples():
    return export.batches(IMAGES, 16)


def logits(path):
    (batch,) = export.batches(IMAGES)
    return open_session(path).run(["logits"], batch)[0]


class Narrow(Network):
    """Of each kind of convolution one: which of them have few channels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 64, 4, 4),  # a stem
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, groups=64),  # depthwise
            nn.ReLU(),
            nn.Conv2d(64, 7, 3),
            nn.ReLU(),
            nn.Conv2d(7, 32, 1),
            nn.ReLU(),
            nn.Conv2d(32, 32, 3, groups=32),
            nn.ReLU(),
            nn.Conv2d(32, 8, 3),
        )

    def forward(self, images: torch.Tensor) -> Outputs:
        features = self.layers(images).mean((2, 3))
        return Outputs(features, features)


def test_convolutions_of_few_channels_stay_in_floats(tmp_path):
    torch.manual_seed(0)
    export.to_onnx(Narrow().eval(), 64, 21, tmp_path / "fp32.onnx")
    int8.to_int8(tmp_path / "fp32.onnx", samples, tmp_path / "int8.onnx")
    graph = onnx.load(tmp_path / "int8.onnx").graph
    floats = {t.name for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT}
    layers = [node for node in graph.node if node.op_type == "Conv"]
    assert [node.input[1] in floats for node in layers] == [False, False, True, True, True, False]
    assert np.abs(logits(tmp_path / "fp32.onnx") - logits(tmp_path / "int8.onnx")).max() < 0.002


@pytest.mark.parametrize("method", ["minmax", "percentile"])
def test_no_level_of_ink_is_half_way_between_two_whole_numbers(source, tmp_path, method):
    """By exact fractions of what the file holds: runtimes may divide as they like."""
    int8.to_int8(source, samples, tmp_path / "int8.onnx", methods=[method])
    graph = onnx.load(tmp_path / "int8.onnx").graph
    values = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    (node,) = (n for n in graph.node if "input" in n.input)
    scale, zero = (values[name] for name in node.input[1:])
    steps = [(Fraction(2 * level, 255) - 1) / Fraction(float(scale)) for level in range(256)]
    assert all(0 <= round(step) + int(zero) <= 255 for step in steps)
    assert min(abs(step - (step // 1) - Fraction(1, 2)) for step in steps) > 0.0019
    assert all(abs(steps[level] - round(steps[level])) < 1e-5 for level in (0, 255))
    # And so ways to scale an image in which the last digit differs give the same whole numbers.
    levels = np.arange(256)
    ways = [
        (levels.astype(np.float32) / np.float32(127.5) - 1) / scale,
        (levels / 127.5 - 1) / float(scale),
        levels.astype(np.float32) * np.float32(1 / 127.5 / scale) - np.float32(1 / scale),
    ]
    assert all((np.rint(way) == np.rint(ways[0])).all() for way in ways)


def test_logits_are_not_rounded(source, tmp_path):
    int8.to_int8(source, samples, tmp_path / "int8.onnx")
    graph = onnx.load(tmp_path / "int8.onnx").graph
    assert [node.op_type for node in graph.node if "logits" in node.output] == ["Gemm"]
    assert len(np.unique(logits(tmp_path / "int8.onnx"))) > 256


@pytest.mark.parametrize("best", ["minmax", "percentile", "entropy"])
def test_the_method_that_reads_best_stays(source, tmp_path, monkeypatch, best):
    tried = []

    def quantise(work, method, path, **kinds):
        tried.append(method)
        path.write_text(method)
        return path

    def read(path):
        return Read(0.9 if path.read_text() == best else 0.8, 1.0)

    monkeypatch.setattr(int8.Quantiser, "quantise", quantise)
    result = int8.to_int8(source, samples, tmp_path / "a", read, int8.METHODS, wanted=0.9)
    again = [best] if best != "entropy" else []  # whose file is already there
    assert tried == [*int8.METHODS, *again]
    assert (tmp_path / "a").read_text() == result.calibration == best
    assert not result.bias_corrected and not result.in_floats and not result.sensitivity


@pytest.mark.parametrize(("tolerance", "more"), [(0.002, True), (4 / 200, False)])
def test_a_loss_within_the_tolerance_is_left_alone(source, tmp_path, tolerance, more):
    """Two of two hundred samples."""
    path, lost = tmp_path / "int8.onnx", Read(0.89, 1.0)
    result = int8.to_int8(source, samples, path, lambda _: lost, ["minmax"], 0.9, tolerance)
    assert bool(result.sensitivity) == bool(result.in_floats) == more


@pytest.mark.parametrize("method", int8.METHODS)
def test_every_method_gives_a_file_that_agrees(source, tmp_path, method):
    path = tmp_path / "int8.onnx"
    result = int8.to_int8(source, samples, path, methods=[method])
    assert result.calibration == method
    plain = logits(source)
    assert np.abs(logits(path) - plain).max() < 0.1 * np.abs(plain).max()
    assert path.stat().st_size < source.stat().st_size


def test_likelihood_decides_between_equals():
    assert Read(0.9, 1.0).better_than(Read(0.9, 1.1))
    assert Read(0.91, 1.2).better_than(Read(0.9, 1.1))
    assert not Read(0.9, 1.1).better_than(Read(0.9, 1.1))


def test_corrected_biases_take_the_mean_error_away(source, tmp_path):
    """Where inputs are the same and weights are rounded, outputs are right in the mean."""
    work = int8.Quantiser(source, lambda: export.batches(INKY), tmp_path)
    plain = onnx.load(work.prepared)
    before = {t.name: numpy_helper.to_array(t) for t in plain.graph.initializer}
    rounded = int8._rounded(work.quantise("minmax", tmp_path / "a.onnx"))
    work.correct_biases("minmax")
    after = {t.name: numpy_helper.to_array(t) for t in onnx.load(work.prepared).graph.initializer}
    node = next(n for n in plain.graph.node if n.op_type == "Conv")
    weight, bias, corrected = node.input[1], node.input[2], f"{node.name}/bias"
    error = rounded[weight] - before[weight]
    assert np.abs(error).max() > 0
    patches = INKY.reshape(48, 8, 8, 8, 8).transpose(0, 1, 3, 2, 4).reshape(-1, 64) / 127.5 - 1
    wrong = patches @ error.reshape(16, 64).T
    # The method takes the mean of all pixels; patches of noise have it at every place.
    left = wrong.mean(0) + (after[corrected] - before[bias])
    assert np.abs(left).max() < 0.3 * np.abs(wrong.mean(0)).max()


class Products(Network):
    """Every way in which weights lie: convolutions in groups, products of tokens and of vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 64, 8, 8)
        self.grouped = nn.Conv2d(64, 128, 1, groups=4)
        self.doubled = nn.Conv2d(128, 256, 1, groups=128)
        self.wide = nn.Linear(256, 48)  # of tokens: MatMul and Add
        self.thin = nn.Linear(48, 24)
        self.classifier = nn.Linear(24, 10)  # Gemm

    def forward(self, images: torch.Tensor) -> Outputs:
        grid = self.doubled(self.grouped(self.stem(images)))
        tokens = self.thin(self.wide(grid.flatten(2).transpose(1, 2)))
        return Outputs(self.classifier(tokens.mean(1)), tokens)


def test_the_bias_of_every_kind_of_layer_is_corrected(tmp_path):
    """All is linear and means are the same at every place, so what rounded weights add vanishes in
    the mean, whichever way round they lie."""
    torch.manual_seed(0)
    source = tmp_path / "fp32.onnx"
    export.to_onnx(Products().eval(), 64, 21, source)
    work = int8.Quantiser(source, lambda: export.batches(INKY, 16), tmp_path)
    (batch,) = export.batches(INKY)

    def means(path) -> np.ndarray:
        return open_session(path).run(["logits"], batch)[0].mean(0)

    def rounded(target) -> np.ndarray:
        """The logits with rounded weights, and all else as in the prepared file."""
        weights = int8._rounded(work.quantise("minmax", tmp_path / "int8.onnx"))
        model = onnx.load(work.prepared)
        for tensor in model.graph.initializer:
            if tensor.name in weights:
                values = weights[tensor.name].astype(np.float32)
                assert values.shape == tuple(tensor.dims)
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        onnx.save(model, target)
        return means(target)

    kinds = [node.op_type for node in onnx.load(work.prepared).graph.node]
    assert kinds.count("Conv") == 3 and {"MatMul", "Gemm"} <= set(kinds)
    wanted = means(source)
    before = np.abs(rounded(tmp_path / "before.onnx") - wanted).max()
    work.correct_biases("minmax")
    after = np.abs(rounded(tmp_path / "after.onnx") - wanted).max()
    assert before > 1e-4 and after < 0.05 * before


@pytest.mark.parametrize(
    ("weights", "largest"),
    [
        # Whichever two are added: (64 + 60) · 255, (50 + 64) · 255, and of one alone.
        ([[64, -50, 60], [-64, 3, 0]], 124 * 255),
        ([[1, -50], [-64, 0]], 114 * 255),
        ([[64, 0], [-64, 0]], 64 * 255),
        ([[64, 64], [0, 0]], 32640),
    ],
)
def test_the_largest_sum_of_two_products(tmp_path, weights, largest):
    _weights_in_a_branch(np.array(weights, np.int8), tmp_path / "a.onnx")
    assert int8.pair_sums(tmp_path / "a.onnx") == {"weights": largest}


@pytest.mark.parametrize("weights", [[[65, 64]], [[-127, 0], [0, -2]]])
def test_weights_that_would_saturate_are_named(tmp_path, weights):
    _weights_in_a_branch(np.array(weights, np.int8), tmp_path / "a.onnx")
    with pytest.raises(ValueError, match=r"within 32,767, .* found 32,895 of weights; its weights"):
        int8.pair_sums(tmp_path / "a.onnx")


def _weights_in_a_branch(weights: np.ndarray, path) -> None:
    """A file whose only INT8 weights are those of one branch."""
    constant = helper.make_node("Constant", [], ["out"], value_float=0.0)
    out = helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [])
    branch = helper.make_graph(
        [constant], "b", [], [out], [numpy_helper.from_array(weights, "weights")]
    )
    node = helper.make_node("If", ["condition"], ["y"], then_branch=branch, else_branch=branch)
    onnx.save(helper.make_model(helper.make_graph([node], "g", [], [])), path)


RUN = """
import sys
import numpy as np
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
np.save(sys.argv[3], session.run(["logits"], {"input": np.load(sys.argv[2])})[0])
"""


@pytest.fixture(scope="module")
def older_processor(tmp_path_factory) -> list[str]:
    """What to put before a command so that it runs on a processor without VNNI: nothing where this
    one is of the kind, else QEMU's emulator, installed or fetched by apt."""
    if "vnni" not in Path("/proc/cpuinfo").read_text("utf-8"):
        return []
    emulator = shutil.which(EMULATOR)
    if emulator is None and shutil.which("apt-get") and shutil.which("dpkg"):
        folder = tmp_path_factory.mktemp("qemu")
        quiet = {"cwd": folder, "capture_output": True, "check": False, "timeout": 120}
        subprocess.run(["apt-get", "download", "qemu-user-static"], **quiet)
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, folder], **quiet)
        emulator = next((str(path) for path in folder.glob(f"usr/bin/{EMULATOR}")), None)
    if emulator is None:
        pytest.skip("left out: no processor without VNNI, and no qemu-user-static to emulate one")
    return [emulator, "-cpu", "Haswell-noTSX"]


EMULATOR = "qemu-x86_64-static"


@pytest.mark.parametrize(("bits", "right"), [(7, True), (8, False)])
def test_thick_pens_are_right_without_vnni(
    source, tmp_path, monkeypatch, older_processor, bits, right
):
    """And were not with weights of eight bits, or the emulator would show nothing."""
    if bits == 8:
        whole = int8.quantize_static
        monkeypatch.setattr(
            int8, "quantize_static", lambda *a, **k: whole(*a, **k | {"extra_options": {}})
        )
    path, images = tmp_path / "int8.onnx", np.full((2, 1, 64, 64), 1, np.float32)
    images[1, :, :, 8:] = -1
    int8.to_int8(source, lambda: [{"input": images}], path)
    np.save(tmp_path / "images.npy", images)
    files = [str(path), str(tmp_path / "images.npy"), str(tmp_path / "logits.npy")]
    command = [*older_processor, sys.executable, "-c", RUN, *files]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    exact = ReferenceEvaluator(onnx.load(path)).run(["logits"], {"input": images})[0]
    lost = np.abs(np.load(tmp_path / "logits.npy") - exact).max() / np.abs(exact).max()
    assert (lost < 0.01) == right, lost


def test_the_layers_that_suffer_most_stay_in_floats(source, tmp_path, monkeypatch):
    """A file reads well only where the classifier is not quantised."""
    work = int8.Quantiser(source, samples, tmp_path)
    layers = work.layers()
    assert len(layers) == 3
    culprit = layers[-1]

    def read(path):
        nodes = {n.name: n for n in onnx.load(path).graph.node}
        quantised = any("DequantizeLinear" in i for i in nodes[culprit].input)
        return Read(0.5 if quantised else 0.9, 1.0)

    result = int8.to_int8(source, samples, tmp_path / "a.onnx", read, ["minmax"], wanted=0.9)
    assert result.in_floats == [culprit]
    assert result.sensitivity[0][0] == culprit
    assert len(result.sensitivity) == 3
    assert read(tmp_path / "a.onnx").top1 == 0.9


def test_no_samples_is_said(source, tmp_path):
    with pytest.raises(ValueError, match=r"expected samples .* found none; raise quantize"):
        int8.to_int8(source, lambda: iter(()), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


class Recurrent(Network):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(1, 16, 8, 8)
        self.lstm = nn.LSTM(16, 64, bidirectional=True)
        self.classifier = nn.Linear(128, 10)

    def forward(self, images: torch.Tensor) -> Outputs:
        steps, _ = self.lstm(torch.relu(self.one(images)).flatten(2).permute(2, 0, 1))
        return Outputs(self.classifier(steps.mean(0)), steps)


@pytest.mark.parametrize("static", [True, False])
def test_lstms_shrink_too(tmp_path, static):
    torch.manual_seed(0)
    source, path = tmp_path / "fp32.onnx", tmp_path / "int8.onnx"
    export.to_onnx(Recurrent().eval(), 64, 21, source)
    if static:
        int8.to_int8(source, samples, path)
    else:
        int8.to_dynamic(source, path)
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert "DynamicQuantizeLSTM" in kinds and "LSTM" not in kinds
    assert path.stat().st_size < 0.4 * source.stat().st_size
    plain = logits(source)
    assert np.abs(logits(path) - plain).max() < 0.1 * np.abs(plain).max()

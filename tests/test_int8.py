"""INT8: ranges chosen on validation, and what is done where that is not enough."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from kakitori.archs.contract import Outputs
from kakitori.learning import export, int8
from kakitori.learning.int8 import Read
from kakitori.recognizer import open_session


class Net(nn.Module):
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


def samples():
    return export.batches(IMAGES, 16)


def logits(path):
    (batch,) = export.batches(IMAGES)
    return open_session(path).run(["logits"], batch)[0]


class Narrow(nn.Module):
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
    assert tried == [*int8.METHODS, best]
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
    inky = 255 - IMAGES // 8  # of paper and ink alike, which is zero in the mean, nothing is added
    work = int8.Quantiser(source, lambda: export.batches(inky), tmp_path)
    plain = onnx.load(work.prepared)
    before = {t.name: numpy_helper.to_array(t) for t in plain.graph.initializer}
    rounded = int8._rounded(work.quantise("minmax", tmp_path / "a.onnx"))
    work.correct_biases("minmax")
    after = {t.name: numpy_helper.to_array(t) for t in onnx.load(work.prepared).graph.initializer}
    node = next(n for n in plain.graph.node if n.op_type == "Conv")
    weight, bias = node.input[1], node.input[2]
    error = rounded[weight] - before[weight]
    assert np.abs(error).max() > 0
    patches = inky.reshape(48, 8, 8, 8, 8).transpose(0, 1, 3, 2, 4).reshape(-1, 64) / 127.5 - 1
    wrong = patches @ error.reshape(16, 64).T
    # The method takes the mean of all pixels; patches of noise have it at every place.
    left = wrong.mean(0) + (after[bias] - before[bias])
    assert np.abs(left).max() < 0.3 * np.abs(wrong.mean(0)).max()


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


class Recurrent(nn.Module):
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

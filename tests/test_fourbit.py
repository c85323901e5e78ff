"""Weights in four bits."""

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn

from kakitori.export import export, fourbit
from kakitori.learning.contract import Network, Outputs
from kakitori.reading.formats import UNPACK
from kakitori.reading.sessions import open_session

# As the paper lists them (Dettmers et al. 2023, appendix E).
NF4 = [
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1.0,
]  # fmt: skip


def test_levels():
    np.testing.assert_allclose(fourbit.codebook("nf4"), NF4, atol=1e-6)
    np.testing.assert_array_equal(fourbit.codebook("int4") * 8, np.arange(-8, 8))
    # Every combination of a sign, two bits of exponent and one of mantissa.
    floats = {s * v for s in (-1, 1) for v in (0, 0.5, 1, 1.5, 2, 3, 4, 6)}
    np.testing.assert_allclose(sorted(floats), np.unique(fourbit.codebook("fp4") * 6), atol=1e-6)


@pytest.mark.parametrize("name", ["int4", "nf4", "fp4"])
def test_no_level_and_no_scale_of_those_tried_would_be_nearer(name):
    levels = fourbit.codebook(name)
    blocks = np.random.default_rng(0).normal(size=(7, 32)).astype(np.float32)
    numbers, scale = fourbit.nearest(blocks, levels)
    rounded = levels[numbers] * scale.astype(np.float32)
    best = np.full(7, np.inf)
    for shrink in fourbit.SHRINK:
        tried = (np.abs(blocks).max(1, keepdims=True) * shrink).astype(np.float16)
        nearest = np.abs(blocks[..., None] - tried[..., None].astype(np.float32) * levels).min(2)
        best = np.minimum(best, (nearest**2).sum(1))
    np.testing.assert_allclose(((rounded - blocks) ** 2).sum(1), best, rtol=1e-4)


def test_a_block_of_zeros_stays_one():
    numbers, scale = fourbit.nearest(np.zeros((1, 32), np.float32), fourbit.codebook("int4"))
    assert (fourbit.codebook("int4")[numbers] * scale == 0).all()


class Net(Network):
    """Inputs that are no multiple of a block, in every kind of layer that is packed."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 40, 8, 8)
        self.second = nn.Conv2d(40, 48, 3, padding=1)
        self.lstm = nn.LSTM(48, 24, bidirectional=True)
        self.inner = nn.Linear(48, 50)
        self.classifier = nn.Linear(50, 70)

    def forward(self, images: torch.Tensor) -> Outputs:
        grid = torch.relu(self.second(torch.relu(self.first(images))))
        steps, _ = self.lstm(grid.flatten(2).permute(2, 0, 1))
        features = torch.relu(self.inner(steps))  # a MatMul, as it has three dimensions
        return Outputs(self.classifier(features.mean(0)), features)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("source") / "fp32.onnx"
    export.to_onnx(Net().eval(), 64, 21, path)
    return path


@pytest.mark.parametrize("name", ["int4", "nf4", "fp4"])
def test_a_packed_file_computes_with_the_nearest_levels(source, tmp_path, name):
    """Against ONNX's own reference, which unpacks by the standard, and against the weights."""
    path = tmp_path / f"{name}.onnx"
    fourbit.to_4bit(source, path, name)
    assert path.stat().st_size < 0.3 * source.stat().st_size
    images = np.random.default_rng(1).normal(size=(3, 1, 64, 64)).astype(np.float32)
    (logits,) = open_session(path).run(["logits"], {"input": images})
    (plain,) = open_session(source).run(["logits"], {"input": images})
    reference = ReferenceEvaluator(onnx.load(path)).run(["logits"], {"input": images})[0]
    np.testing.assert_allclose(logits, reference, atol=1e-3)
    error = np.abs(logits - plain).mean() / np.abs(plain).mean()
    assert 0 < error < 0.25


def test_a_runtime_that_is_told_to_unpacks_once(source, tmp_path):
    path = tmp_path / "int4.onnx"
    fourbit.to_4bit(source, path)
    images = np.zeros((2, 1, 64, 64), np.float32)
    (before,) = open_session(path).run(["logits"], {"input": images})
    export.annotate(path, ["一"], 64, UNPACK)
    (after,) = open_session(path).run(["logits"], {"input": images})
    np.testing.assert_allclose(before, after, atol=1e-4)
    assert "session.disable_quant_qdq" in (open_session(path).get_modelmeta().custom_metadata_map)

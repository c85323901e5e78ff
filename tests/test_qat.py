"""Training that rounds as the INT8 export does."""

import numpy as np
import pytest
import torch
from torch import nn

from kakitori.export import export, int8
from kakitori.learning import qat
from kakitori.learning.contract import Network, Outputs
from kakitori.reading.sessions import open_session


class Small(Network):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 5, stride=4, padding=2)
        self.norm = nn.BatchNorm2d(8)
        self.linear = nn.Linear(8 * 256, 5)

    def forward(self, images: torch.Tensor) -> Outputs:
        features = torch.relu(self.norm(self.conv(images))).flatten(1)
        return Outputs(self.linear(features), features)


@pytest.fixture
def small() -> Small:
    torch.manual_seed(0)
    return Small()


def test_weights_lie_on_a_grid_of_129_levels_per_channel(small):
    before = small.conv.weight.detach().clone()
    qat.begin(small)
    scale = before.flatten(1).abs().amax(1) / 64
    steps = small.conv.weight.detach() / scale[:, None, None, None]
    torch.testing.assert_close(steps, steps.round(), atol=1e-3, rtol=0)
    assert steps.abs().max() == pytest.approx(64, abs=1e-3)
    error = (small.conv.weight.detach() - before).abs().amax((1, 2, 3))
    assert (error <= scale / 2 + 1e-7).all()


def test_inputs_are_rounded_to_256_levels(small):
    qat.begin(small)
    seen = []
    small.linear.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    small.train()(torch.rand(4, 1, 64, 64) * 2 - 1)
    # This hook comes after the rounding's own.
    assert len(seen[0].unique()) <= 256 < len(torch.rand(4, 2048).unique())


def test_gradients_pass_the_rounding(small):
    qat.begin(small)
    small.train()(torch.rand(4, 1, 64, 64)).logits.square().sum().backward()
    for name, parameter in small.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_an_optimiser_made_before_goes_on(small):
    optimiser = torch.optim.SGD(small.parameters(), 0.1)
    qat.begin(small)
    before = small.conv.weight.detach().clone()
    small.train()(torch.rand(4, 1, 64, 64)).logits.square().sum().backward()
    optimiser.step()
    assert not torch.equal(before, small.conv.weight)


def test_the_end_leaves_a_plain_network_with_rounded_weights(small):
    names = list(small.state_dict())
    qat.begin(small)
    small.train()(torch.rand(4, 1, 64, 64))
    rounded = small.conv.weight.detach().clone()
    small.eval()
    images = torch.rand(2, 1, 64, 64)
    with_rounding = small(images).logits
    qat.end(small)
    assert sorted(small.state_dict()) == sorted(names)
    assert torch.equal(small.conv.weight, rounded)
    assert isinstance(small.conv.weight, nn.Parameter)
    # Only the rounding of the inputs is gone.
    difference = (small(images).logits - with_rounding).abs().max()
    assert 0 < difference < 0.05 * with_rounding.abs().max()
    qat.end(small)  # nothing more to end


def test_rounded_training_foresees_the_int8_export(small, tmp_path):
    """What the network computes while it rounds is what its INT8 file computes, unlike what it
    computes without."""
    images = np.random.default_rng(0).integers(0, 256, (64, 64, 64), dtype=np.uint8)
    scaled = torch.from_numpy(images)[:, None].float() / 127.5 - 1
    qat.begin(small)
    small.train()
    for _ in range(300):  # until the statistics of the norm have settled
        small(scaled)
    qat.end(small)
    with torch.no_grad():
        plain = small.eval()(scaled)
    export.to_onnx(small, 64, 21, tmp_path / "fp32.onnx")
    int8.to_int8(tmp_path / "fp32.onnx", lambda: export.batches(images), tmp_path / "int8.onnx")
    (logits,) = open_session(tmp_path / "int8.onnx").run(["logits"], {"input": scaled.numpy()})
    qat.begin(small)
    small.linear.rounding.high.fill_(plain.features.max())  # as calibration finds it
    with torch.no_grad():
        foreseen = small.eval()(scaled).logits.numpy()
    error, plain = np.abs(logits - foreseen).mean(), plain.logits.numpy()
    assert error < 0.25 * np.abs(logits - plain).mean()

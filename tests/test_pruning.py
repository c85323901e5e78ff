"""Structured pruning keeps what counts."""

import json

import pytest
import torch
from safetensors.torch import save_file

from kakitori.archs import cnn, compact
from kakitori.errors import SettingsError
from kakitori.learning import pruning, saved
from kakitori.learning.blocks import Classifier, Head, encoder
from prune import prune as prune_files
from tests import committed
from tests.networks import shaken

WIDE = (8, 16, 16, 24, 32)


def net(channels: tuple[int, ...], classes: int = 12, rank: int = 0) -> Classifier:
    torch.manual_seed(0)
    layers = encoder(channels, 8)
    return shaken(Classifier(layers, Head(channels[-1], 4, classes, rank=rank)))


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_the_same_widths_stay_the_same_network():
    large, small = net(WIDE), net(WIDE)
    torch.nn.init.zeros_(small.head.classifier.weight)
    pruning.prune(large, small)
    assert torch.equal(small(images(3)).logits, large(images(3)).logits)


def test_a_full_rank_stays_the_same_network():
    large, small = net(WIDE), net(WIDE, rank=12)  # of 12 classes
    pruning.prune(large, small)
    torch.testing.assert_close(
        small(images(3)).logits, large(images(3)).logits, rtol=1e-3, atol=1e-3
    )


def test_channels_that_nobody_looks_at_go_first():
    """Two channels of every stage, and a unit of attention, are made to count for nothing: without
    them the network computes the same."""
    large = net(WIDE)
    convolutions = [layer for layer in large.encoder if isinstance(layer, torch.nn.Sequential)]
    with torch.no_grad():
        for layer in convolutions:
            layer[1].weight[2:4] = 0
            layer[1].bias[2:4] = 0
        large.head.classifier.weight[:, 2:4] = 0  # a norm makes something of nothing
    small = net(tuple(c - 2 for c in WIDE))
    pruning.prune(large, small)
    # Attention has as many units less as its stage's width asks for, so leave it out of both.
    for block, other in zip(large.encoder, small.encoder, strict=True):
        if hasattr(block, "excite"):
            block.excite.weight.data.zero_()
            other.excite.weight.data.zero_()
    torch.testing.assert_close(
        small(images(3)).logits, large(images(3)).logits, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(
    ("small", "message"),
    [
        (net((8, 16, 16, 24, 33)), "channels: expected at most 32 in a stage, found 33"),
        (net(WIDE, classes=11), "classes: expected 12, found 11"),
    ],
)
def test_what_cannot_be_pruned_is_named(small, message):
    with pytest.raises(ValueError, match=message):
        pruning.prune(net(WIDE), small)


def test_files(tmp_path, monkeypatch, capsys):
    """From a trained cnn to the start of a compact network."""
    monkeypatch.setattr(saved, "PRETRAINED", tmp_path)
    monkeypatch.setattr(saved.table, "read", lambda *_: None)  # cnn does not look at it
    classes = "".join(chr(0x4E00 + k) for k in range(160))
    torch.manual_seed(0)
    save_file(cnn.build(classes, None, 64).state_dict(), tmp_path / "large.safetensors")
    about = {"model": "cnn", "net": {}, "size": 64, "classes": classes}
    (tmp_path / "large.json").write_text(json.dumps(about), "utf-8")
    options = committed.settings().archs["compact"].net
    prune_files("large", "start", options)
    start = saved.describe(tmp_path, "start")
    assert (start.model, start.net, start.classes) == ("compact", options, list(classes))
    compact.build(start.classes, None, 64, **options).load_state_dict(start.state)
    assert "parameters of large became" in capsys.readouterr().out
    with pytest.raises(
        SettingsError, match=r"archs\.compact\.net\.rank: expected greater .* 1, fou"
    ):
        prune_files("large", "start", options | {"rank": 0})


def test_the_default_fits_its_bytes():
    """1.5 MB in INT8 and 0.9 MB in four bits leave room for scales, biases and the graph."""
    net = compact.build([chr(0x4E00 + k) for k in range(3036)], None, 64)
    weights = sum(p.numel() for p in net.parameters())
    assert weights < 1.42e6

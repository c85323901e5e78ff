"""ResNet-18: ImageNet's tensors fit, and its fast path computes a plain convolution."""

import sys

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from kakitori.archs import resnet

CLASSES = "一二三"


def norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of torchvision's resnet18, written down apart from our network."""
    sizes = {"conv1.weight": (64, 3, 7, 7)} | norm("bn1", 64)
    before = 64
    for stage, channels in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            at = f"layer{stage}.{block}"
            sizes[f"{at}.conv1.weight"] = (channels, before, 3, 3)
            sizes |= norm(f"{at}.bn1", channels)
            sizes[f"{at}.conv2.weight"] = (channels, channels, 3, 3)
            sizes |= norm(f"{at}.bn2", channels)
            if before != channels:
                sizes[f"{at}.downsample.0.weight"] = (channels, before, 1, 1)
                sizes |= norm(f"{at}.downsample.1", channels)
            before = channels
    return sizes | {"fc.weight": (1000, 512), "fc.bias": (1000,)}


def tensors() -> dict[str, torch.Tensor]:
    """Made-up weights that let signals through."""
    generator = torch.Generator().manual_seed(3)
    made = {}
    for name, shape in shapes().items():
        uniform = torch.rand(shape, generator=generator)
        made[name] = uniform + 0.5 if len(shape) < 2 else (uniform - 0.5) / shape[1] ** 0.5
    return made


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(resnet, "PRETRAINED", tmp_path)
    return tmp_path


def built(**net) -> resnet.ResNet:
    """With the paper's stem, which ImageNet's weights are of."""
    torch.manual_seed(0)
    return resnet.build(CLASSES, None, 64, **{"stem": "paper"} | net).eval()


def test_the_size_is_that_of_resnet18():
    """11,689,512 parameters (torchvision's documentation), 513,000 of them in its classifier."""
    net = built(channels="repeat")
    of_head = sum(p.numel() for p in net.head.parameters())
    assert sum(p.numel() for p in net.parameters()) - of_head == 11_689_512 - 513_000


@pytest.mark.parametrize(("stem", "first"), [("paper", ["conv1", "bn1"]), ("patches", ["patches"])])
def test_children_stand_in_the_order_of_the_layers(stem, first):
    names = [*first, "layer1", "layer2", "layer3", "layer4", "head"]
    assert [name for name, _ in built(stem=stem).named_children()] == names


def test_both_stems_lead_to_the_same_grid():
    for size in (64, 128):
        images = torch.zeros(2, 1, size, size)
        paper, patches = built(), built(stem="patches")
        before = F.max_pool2d(paper.conv1(images), 3, 2, padding=1)
        assert before.shape == patches.patches(images).shape == (2, 64, size // 4, size // 4)


def test_the_sum_over_colours_reads_grey_like_three_equal_colours(folder):
    made = tensors()
    save_file(made, folder / "imagenet.safetensors")
    grey = built(pretrained="imagenet.safetensors", channels="sum")
    three = built(pretrained="imagenet.safetensors", channels="repeat")
    three.head.load_state_dict(grey.head.state_dict())
    assert grey.conv1.weight.shape == (64, 1, 7, 7)
    taken = {k: v for k, v in three.named_parameters() if not k.startswith("head.")}
    assert all(torch.equal(v, made[k]) for k, v in taken.items())
    assert torch.equal(three.layer4[1].bn2.running_var, made["layer4.1.bn2.running_var"])
    images = torch.rand(4, 1, 64, 64) * 2 - 1
    with torch.no_grad():
        outputs, expected = grey(images), three(images)
    assert expected.features.std(0).max() > 1e-2  # the image gets through
    assert grey.origins == three.origins and grey.origins["pretrained"] == "imagenet.safetensors"
    torch.testing.assert_close(outputs.features, expected.features, rtol=1e-4, atol=1e-4)


def test_norms_need_not_bring_their_counts(folder):
    made = {k: v for k, v in tensors().items() if not k.endswith("num_batches_tracked")}
    save_file(made, folder / "imagenet.safetensors")
    net = built(pretrained="imagenet.safetensors")
    assert torch.equal(net.layer4[1].conv2.weight, made["layer4.1.conv2.weight"])


def test_what_does_not_fit_is_named(folder):
    other = tensors()
    del other["bn1.bias"]
    other["layer2.0.conv1.weight"] = torch.zeros(128, 64, 1, 1)
    other["layer1.2.conv1.weight"] = torch.zeros(64, 64, 3, 3)
    save_file(other, folder / "other.safetensors")
    with pytest.raises(ValueError, match=r"^pretrained: .* of ResNet-18 in other") as caught:
        built(pretrained="other.safetensors")
    message = str(caught.value)
    assert "100 tensors" in message and "98 that match: conv1.weight," in message
    matching, wrong = message.split("; and not: ")
    assert "bn1.bias" not in matching
    assert sorted(wrong.split(", layer")) == [
        "1.2.conv1.weight (64, 64, 3, 3)",
        "2.0.conv1.weight (128, 64, 1, 1)",
        "bn1.bias missing",
    ]


@pytest.mark.parametrize(
    ("net", "message"),
    [
        ({"pretrained": "absent.safetensors"}, "pretrained: expected .*'absent.safetensors'"),
        ({"pretrained": "damaged.safetensors"}, "pretrained: expected .*'damaged.safetensors'"),
        ({"pretrained": "torchvision"}, "pretrained: expected .*'torchvision': .*torchvision"),
        (
            {"pretrained": "absent.safetensors", "growth": 0.5},
            "growth: expected 0 with pretrained weights, found 0.5",
        ),
        (
            {"pretrained": "absent.safetensors", "stem": "patches"},
            "stem: expected paper, which pretrained weights are of, found 'patches'",
        ),
    ],
)
def test_bad_settings_are_named(folder, monkeypatch, net, message):
    (folder / "damaged.safetensors").write_bytes(b"no safetensors")
    monkeypatch.setitem(sys.modules, "torchvision.models", None)  # as where it is not installed
    with pytest.raises(ValueError, match=message):
        built(**net)


def test_it_grows():
    """Half of the blocks wait: they change nothing, cost nothing and learn nothing until then."""
    net = built(stem="patches", growth=0.5).train()
    images = torch.rand(4, 1, 64, 64) * 2 - 1
    second = [layer[1] for layer in (net.layer1, net.layer2, net.layer3, net.layer4)]
    ran = []
    for block in second:
        block.register_forward_hook(lambda *_: ran.append(1))
    assert net.progress(0, 4) and not net.progress(1, 4)
    net(images).logits.sum().backward()
    assert not ran and all(p.grad is None for block in second for p in block.parameters())
    before = net(images).logits
    assert net.progress(2, 4) and not net.progress(3, 4)
    torch.testing.assert_close(net(images).logits, before)
    assert len(ran) == 4
    net(images).logits.sum().backward()
    assert all(block.bn2.weight.grad.abs().sum() > 0 for block in second)


def test_what_has_learned_does_not_wait():
    """Begun with trained weights, it grows no more."""
    net = built(stem="patches", growth=0.5)
    trained = {k: torch.ones_like(v) for k, v in net.state_dict().items() if "bn2.weight" in k}
    net.load_state_dict(trained, strict=False)
    assert not net.progress(0, 4) and not net.waits
    plain = built(stem="patches")
    plain.layer1[1].requires_grad_(False)  # as `transfer.freeze` does
    plain.progress(0, 4)
    assert not any(p.requires_grad for p in plain.layer1[1].parameters())


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [1, 2, 3, 4, 5])
def test_images_side_by_side_do_not_touch(side, stride):
    """Training computes what a plain convolution computes, its gradients too."""
    torch.manual_seed(0)
    layer = resnet.Convolution(3, 5, stride=stride).double().train()
    images = torch.randn(6, 3, side, side, dtype=torch.float64, requires_grad=True)
    outputs = layer(images)
    expected = F.conv2d(images, layer.weight, stride=stride, padding=1)
    torch.testing.assert_close(outputs, expected)
    weights = torch.randn_like(expected)
    for mine, true in zip(
        torch.autograd.grad((outputs * weights).sum(), (images, layer.weight)),
        torch.autograd.grad((expected * weights).sum(), (images, layer.weight)),
        strict=True,
    ):
        torch.testing.assert_close(mine, true)

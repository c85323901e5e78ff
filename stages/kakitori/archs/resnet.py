"""ResNet-18 (He et al. 2016), with the names and shapes of torchvision's, so that ImageNet weights
fit; `train.transfer.freeze` holds them still while the head is new.

Where it departs from the paper: one grey channel; the first stage's 16 × 16 grid is made by one
convolution of patches of 4 × 4 pixels, which is quicker than the paper's two steps; the last
stage keeps its grid (Luo et al. 2019), since 64 pixels would leave it 2 × 2 places; a pooling that
knows places, and a norm before the classifier. It can begin at half its depth (`growth`).
"""

import hashlib
import importlib
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from kakitori.learning.blocks import STEM, Convolution, Head, convolution
from kakitori.learning.contract import Network, Outputs
from kakitori.running.params import ROOT

PRETRAINED = ROOT / "models/pretrained"


class Block(nn.Module):
    """Two convolutions and a way around them, the paper's basic block."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = Convolution(channels_in, channels, stride=stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = Convolution(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample: nn.Module | None = None
        if channels_in != channels:
            around = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(around, nn.BatchNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class ResNet(Network):
    def __init__(
        self,
        size: int,
        classes: int,
        inputs: int,
        last_stride: int,
        patches: bool,
        growth: float = 0.0,
    ) -> None:
        super().__init__()
        self.inputs, self.growth, self.waits = inputs, growth, False
        self.patches = None
        if patches:
            self.patches = nn.Sequential(nn.PixelUnshuffle(STEM), convolution(STEM**2, 64))
        else:
            self.conv1 = nn.Conv2d(inputs, 64, 7, 2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Block(64, 64, 1), Block(64, 64, 1))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128, 1))
        self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256, 1))
        self.layer4 = nn.Sequential(Block(256, 512, last_stride), Block(512, 512, 1))
        self.head = Head(512, size // (16 * last_stride), classes)
        if growth:
            for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
                nn.init.zeros_(layer[1].bn2.weight)

    def forward(self, images: torch.Tensor) -> Outputs:
        if self.patches is not None:
            x = self.patches(images)
        else:
            x = self.bn1(self.conv1(images.expand(-1, self.inputs, -1, -1)))
            x = F.relu(F.max_pool2d(x, 3, 2, padding=1))  # equal to ReLU first, on a quarter of it
        for first, second in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = first(x)
            x = x if self.waits else second(x)
        features, logits = self.head(x)
        return Outputs(logits, features)

    def progress(self, epoch: int, epochs: int) -> bool:
        """In the first `growth` of the epochs the second block of each stage waits: it is the
        identity as long as its last norm's scales are zero, and costs no time until it learns
        (after progressive stacking, Gong et al. 2019). A network that began with trained ones does
        not wait."""
        if not self.growth:
            return False
        second = [layer[1] for layer in (self.layer1, self.layer2, self.layer3, self.layer4)]
        idle = not any(block.bn2.weight.any() for block in second)
        before, self.waits = self.waits, idle and epoch < self.growth * epochs
        for block in second:
            block.requires_grad_(not self.waits)
        return self.waits != before

    def start_from(self, source: str) -> None:
        """Take over everything but the head; see `pretrained` of build."""
        tensors = {k: v for k, v in _read(source).items() if k.split(".")[0] != "fc"}
        own = {k: v.shape for k, v in self.state_dict().items() if k.split(".")[0] != "head"}
        own["conv1.weight"] = torch.Size((64, 3, 7, 7))
        for name in [k for k in own if k.endswith("num_batches_tracked")]:
            del own[name]  # read by nothing, and missing in some files
            tensors.pop(name, None)
        fit = [k for k in own if k in tensors and tensors[k].shape == own[k]]
        if odd := [k for k in own | tensors if k not in fit]:
            shape = {k: tuple(v.shape) for k, v in tensors.items()}
            wrong = [f"{k} {shape.get(k, 'missing')}" for k in odd]
            raise ValueError(
                f"pretrained: expected the {len(own)} tensors of ResNet-18 in {source}, "
                f"found {len(fit)} that match: {_some(fit)}; and not: {_some(wrong)}"
            )
        digest = hashlib.sha256()
        for name in sorted(own):
            digest.update(name.encode() + tensors[name].contiguous().numpy().tobytes())
        self.origins = {"pretrained": source, "pretrained_sha256": digest.hexdigest()}
        if self.inputs == 1:
            tensors["conv1.weight"] = tensors["conv1.weight"].sum(1, keepdim=True)
        self.load_state_dict(tensors, strict=False)


def _read(source: str) -> dict[str, torch.Tensor]:
    try:
        if source == "torchvision":
            models = importlib.import_module("torchvision.models")
            return models.resnet18(weights="IMAGENET1K_V1").state_dict()
        return load_file(PRETRAINED / source)
    except (ImportError, OSError, SafetensorError) as error:
        raise ValueError(
            f"pretrained: expected torchvision or a safetensors file of {PRETRAINED}, found for "
            f"{source!r}: {error}"
        ) from None


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def build(
    classes: Sequence[str],
    characters: object,
    size: int,
    pretrained: str = "",
    channels: Literal["sum", "repeat"] = "sum",
    last_stride: Literal[1, 2] = 2,
    stem: Literal["patches", "paper"] = "patches",
    growth: Annotated[float, Field(ge=0, lt=1)] = 0.0,
) -> ResNet:
    """The network for images of `size` pixels.

    pretrained : what all but the head starts from: a safetensors file of models/pretrained,
        `torchvision` where that package is installed, or "" for nothing.
    channels : `repeat` shows grey as red, green and blue; `sum` adds up the weights of the three
        instead, for the same answer from one channel.
    last_stride : of the last stage; 2 is the paper's, and takes a sixth less time.
    stem : `patches`, or the `paper`'s convolution and pooling, which `pretrained` is of.
    growth : share of the epochs in which one block of each stage learns instead of two.
    """
    if pretrained and growth:
        raise ValueError(f"growth: expected 0 with pretrained weights, found {growth!r}")
    if pretrained and stem != "paper":
        raise ValueError(f"stem: expected paper, which pretrained weights are of, found {stem!r}")
    inputs = 1 if channels == "sum" else 3
    net = ResNet(size, len(classes), inputs, last_stride, stem == "patches", growth)
    if pretrained:
        net.start_from(pretrained)
    return net

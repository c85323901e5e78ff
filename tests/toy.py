"""A learning task of seconds: which quarter of the image is bright."""

import math

import numpy as np
import pandas as pd
import torch
from torch import nn

from kakitori.learning.contract import Batch, Network, Outputs
from kakitori.learning.samples.data import Part, Partial
from kakitori.running.params import Train
from tests.committed import settings as settings_of_last_commit

TRAIN = settings_of_last_commit().train.model_copy(
    update={
        "epochs": 4,
        "batch": 16,
        "precision": "float32",
        "optimiser": "adamw",
        "learning_rate": 0.002,
    }
)


def settings(**changes: object) -> Train:
    """The pipeline's settings for training, small and exact, with changes; `sampling` and the other
    groups take a dict of their own changes."""
    updated = {
        name: getattr(TRAIN, name).model_copy(update=value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return TRAIN.model_copy(update=updated)


class Linear(Network):
    """The smallest network that keeps the contract; fails at a batch if told to."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(8)
        self.hidden = nn.Linear(64, 16)
        self.classifier = nn.Linear(16, classes)
        self.fail_at = math.inf
        self.seen = 0

    def forward(self, images: torch.Tensor) -> Outputs:
        features = torch.relu(self.hidden(self.pool(images).flatten(1)))
        return Outputs(self.classifier(features), features)

    def loss(self, outputs: Outputs, batch: Batch) -> torch.Tensor:
        self.seen += 1  # not in `forward`, which would be compiled for each number anew
        if self.seen > self.fail_at:
            raise KeyboardInterrupt
        return super().loss(outputs, batch)


def linear(classes: int = 4, seed: int = 0) -> Linear:
    torch.manual_seed(seed)
    return Linear(classes)


def part(count: int, classes: int = 4, writers: int = 4) -> Part:
    """Classes in turn, four at most by place, further ones by how bright they are."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % classes
    images = rng.integers(0, 60, (count, 1, 64, 64), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        y, x = divmod(label % 4, 2)
        image[0, 32 * y : 32 * y + 32, 32 * x : 32 * x + 32] += np.uint8(150 - 30 * (label // 4))
    rows = pd.DataFrame({"writer_group": [f"w{k // classes % writers}" for k in range(count)]})
    weights = torch.ones(count, dtype=torch.float64)
    return Part(torch.from_numpy(images), torch.from_numpy(labels), rows, weights)


def parts() -> dict[str, Part]:
    return {"train": part(96), "val": part(40)}


def partial() -> Partial:
    """The same, each with two strokes of three."""
    whole = part(24)
    presence = torch.zeros(24, 32, dtype=torch.int8)
    presence[:, :2] = 1
    layers = (whole.images > 100).to(torch.uint8)
    layers[:, :, 16:] *= 2
    return Partial(whole.images, whole.labels, presence, layers)


def first_alone_is_pure(batch: Batch) -> Batch:
    """Of four images, the third of no class, the second becomes a mixture and the last partial."""
    presence = torch.ones(1, 32, dtype=torch.int8)
    share = torch.tensor([0.0, 0.3, 0.0, 0.0])
    return batch._replace(others=batch.labels, share=share, presence=presence)


def same(state: dict, other: dict) -> bool:
    return state.keys() == other.keys() and all(
        torch.equal(state[key], other[key]) for key in state
    )

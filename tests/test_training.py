import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from kakitori.archs.contract import Outputs, class_loss
from kakitori.errors import DataError
from kakitori.learning import checkpoints, training
from kakitori.learning.data import Part
from kakitori.params import load

TRAIN = load().train.model_copy(update={"epochs": 4, "batch": 16, "precision": "float32"})


class Linear(nn.Module):
    """The smallest network that keeps the contract; counts its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(8)
        self.classifier = nn.Linear(64, 4)
        self.fail_at = math.inf
        self.seen = 0

    def forward(self, images: torch.Tensor) -> Outputs:
        if self.training:
            self.seen += 1
            if self.seen > self.fail_at:
                raise KeyboardInterrupt
        return Outputs(self.classifier(self.pool(images).flatten(1)))

    def loss(self, outputs, batch):
        return class_loss(outputs, batch)


def made() -> Linear:
    torch.manual_seed(0)
    return Linear()


@pytest.fixture
def parts() -> dict[str, Part]:
    """Four classes: a bright quarter of the image each."""
    rng = np.random.default_rng(0)

    def part(count: int) -> Part:
        labels = np.arange(count) % 4
        images = rng.integers(0, 60, (count, 1, 64, 64), dtype=np.uint8)
        for image, label in zip(images, labels, strict=True):
            y, x = divmod(label, 2)
            image[0, 32 * y : 32 * y + 32, 32 * x : 32 * x + 32] += 150
        weights = torch.ones(len(labels), dtype=torch.float64)
        return Part(torch.from_numpy(images), torch.from_numpy(labels), pd.DataFrame(), weights)

    return {"train": part(96), "val": part(40)}


@pytest.fixture(autouse=True)
def own_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path / ".checkpoints")


def same(one: dict, other: dict) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)


def test_it_learns(parts):
    settings = TRAIN.model_copy(update={"learning_rate": 0.02})
    result = training.train(made(), parts, settings, 0, "run")
    assert result.best["val_top1"] == 1.0
    assert result.curve["train_loss"].iloc[-1] < 0.5 * result.curve["train_loss"].iloc[0]
    assert result.images_seen == 4 * 96
    assert result.curve["learning_rate"].iloc[-1] < 0.05 * settings.learning_rate


def test_the_same_seed_ends_with_the_same_weights(parts):
    first = training.train(made(), parts, TRAIN, 0, "a").state
    assert same(first, training.train(made(), parts, TRAIN, 0, "b").state)
    assert not same(first, training.train(made(), parts, TRAIN, 1, "c").state)


@pytest.mark.parametrize("batches", [7, 13, 23])
def test_an_interrupted_run_ends_as_if_it_had_not_been(parts, batches):
    whole = training.train(made(), parts, TRAIN, 0, "whole")
    killed = made()
    killed.fail_at = batches
    with pytest.raises(KeyboardInterrupt):
        training.train(killed, parts, TRAIN, 0, "killed")
    resumed = made()
    result = training.train(resumed, parts, TRAIN, 0, "killed")
    assert resumed.seen < 24, "it did not start again from the beginning"
    assert same(whole.state, result.state)
    pd.testing.assert_frame_equal(whole.curve, result.curve)


def test_it_stops_when_validation_no_longer_improves(parts):
    settings = TRAIN.model_copy(update={"epochs": 30, "patience": 2, "learning_rate": 1e-12})
    result = training.train(made(), parts, settings, 0, "run")
    assert len(result.curve) < 30
    assert result.best["epoch"] == len(result.curve) - 2


def test_a_loss_that_is_no_number_names_its_step(parts):
    broken = made()
    broken.classifier.weight.data.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="step 0: expected a finite loss, found nan"):
        training.train(broken, parts, TRAIN, 0, "run")


def test_learning_rate_rises_and_falls_to_zero():
    rates = [training._rate(step, 0.15, 1000) for step in range(1000)]
    assert rates[149] == 1.0 and max(rates) == 1.0
    assert rates[0] == pytest.approx(1 / 150)
    assert rates[-1] < 1e-4
    assert all(a > b for a, b in itertools.pairwise(rates[150:]))


def test_norms_and_biases_are_not_decayed():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    decayed, others = training._optimiser(model, TRAIN).param_groups
    assert [p.ndim for p in decayed["params"]] == [4] and decayed["weight_decay"] > 0
    assert [p.ndim for p in others["params"]] == [1, 1, 1] and others["weight_decay"] == 0


def test_only_one_trainer_at_a_time():
    with checkpoints.lock(), pytest.raises(DataError, match="no other trainer"):
        checkpoints.lock()


def test_another_setting_is_another_run(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("1")
    key = checkpoints.key({"a": 1}, [path])
    assert checkpoints.key({"a": 2}, [path]) != key
    path.write_text("2")
    assert checkpoints.key({"a": 1}, [path]) != key


def test_weights_say_how_often_a_sample_is_drawn():
    weights = torch.tensor([1.0, 0.25, 2.5] * 400, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack(
        [training._epoch_order(weights, generator).bincount(minlength=1200) for _ in range(40)]
    )
    assert (drawn.sum(1) >= weights.sum().int()).all()
    for k, (low, high) in enumerate([(1, 1), (0, 1), (2, 3)]):
        times = drawn[:, k::3]
        assert (times.min(), times.max()) == (low, high)
        assert times.double().mean().item() == pytest.approx(weights[k].item(), abs=0.02)
    even = training._epoch_order(torch.ones(50, dtype=torch.float64), generator)
    assert sorted(even.tolist()) == list(range(50))

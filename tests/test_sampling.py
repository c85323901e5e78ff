import itertools

import pytest
import torch

from kakitori.learning.samples.data import Part
from kakitori.learning.sampling import Sampler
from tests.toy import part, settings


def sampler(some: Part, classes: int, epochs: int = 4, **changes: float) -> Sampler:
    return Sampler(some, classes, settings(epochs=epochs, sampling=changes))


def drawn(toy_sampler: Sampler, epoch: int = 0, seed: int = 0) -> torch.Tensor:
    """How often each sample is drawn."""
    order = toy_sampler.order(epoch, torch.Generator().manual_seed(seed))
    return order.bincount(minlength=len(toy_sampler.part.labels))


def test_weights_say_how_often_a_sample_is_drawn():
    weights = torch.tensor([1.0, 0.25, 2.5] * 40, dtype=torch.float64)
    some = part(120)
    toy_sampler = sampler(Part(some.images, some.labels, some.rows, weights), 4)
    times = torch.stack([drawn(toy_sampler, seed=seed) for seed in range(40)])
    assert (times.sum(1) >= weights.sum().int()).all()
    for k, (low, high) in enumerate([(1, 1), (0, 1), (2, 3)]):
        own = times[:, k::3]
        assert (own.min(), own.max()) == (low, high)
        assert own.double().mean().item() == pytest.approx(weights[k].item(), abs=0.05)


def test_every_sample_once_by_default():
    toy_sampler = sampler(part(50), 4)
    assert drawn(toy_sampler).tolist() == [1] * 50 and toy_sampler.drawn(0) == 50
    order = toy_sampler.order(0, torch.Generator().manual_seed(0))
    assert order.tolist() != sorted(order.tolist())
    assert toy_sampler.strength(toy_sampler.part.labels) is None


@pytest.mark.parametrize(("balance", "expected"), [(0.0, 1.0), (0.5, 2.0), (1.0, 4.0)])
def test_rare_classes_come_more_often(balance, expected):
    """One class has a quarter of the other's samples: how much more often each of its comes."""
    some = part(100, classes=2)
    kept = (some.labels == 0) | (torch.arange(100) % 8 == 1)
    kept[torch.arange(100) > 96] = False
    some = Part(some.images[kept], some.labels[kept], some.rows[kept.numpy()], some.weights[kept])
    counts = some.labels.bincount()
    toy_sampler = sampler(some, 2, balance=balance)
    times = torch.stack([drawn(toy_sampler, seed=seed) for seed in range(30)]).double().mean(0)
    ratio = times[some.labels == 1].mean() / times[some.labels == 0].mean()
    assert ratio.item() == pytest.approx((counts[0] / counts[1]).item() ** balance, rel=0.05)
    assert ratio.item() == pytest.approx(expected, rel=0.1)


def test_confused_classes_come_more_often_and_are_distorted_more():
    toy_sampler = sampler(part(80, classes=8), 8, confused=2.0)
    labels = torch.arange(8).repeat(10)
    answers = labels.clone()
    answers[labels == 3] = 5
    toy_sampler.learn_from(answers, labels)
    times = torch.stack([drawn(toy_sampler, seed=seed) for seed in range(30)]).double().mean(0)
    by_class = torch.stack([times[toy_sampler.part.labels == c].mean() for c in range(8)])
    raised = [3, 5]
    others = [0, 1, 2, 4, 6, 7]
    assert (by_class[raised] / by_class[others].mean()).tolist() == pytest.approx([3, 3], rel=0.02)
    assert times.sum().item() == pytest.approx(80, abs=1), "an epoch stays as long as it is"
    strength = toy_sampler.strength(toy_sampler.part.labels)
    assert set(
        strength[(toy_sampler.part.labels == 3) | (toy_sampler.part.labels == 5)].tolist()
    ) == {1.5}
    assert set(
        strength[(toy_sampler.part.labels != 3) & (toy_sampler.part.labels != 5)].tolist()
    ) == {1.0}
    toy_sampler.learn_from(labels, labels)
    assert (drawn(toy_sampler) == 1).all()


def test_a_curriculum_begins_with_little_ink_and_holds_all_from_half_way():
    some = part(80, classes=8)  # the later four are darker by name, but fainter in ink
    toy_sampler = sampler(some, 8, epochs=8, curriculum=0.5)
    ink = torch.stack([some.images[some.labels == c].double().mean() for c in range(8)])
    classes = [set(some.labels[drawn(toy_sampler, epoch) > 0].tolist()) for epoch in range(8)]
    assert classes[0] == set(ink.argsort()[:4].tolist())
    assert all(a <= b for a, b in itertools.pairwise(classes))
    assert classes[4:] == [set(range(8))] * 4
    assert [toy_sampler.drawn(e) for e in (0, 7)] == [40, 80]

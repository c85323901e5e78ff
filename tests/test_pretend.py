"""Training and reading on a device that is only pretended: what a GPU would refuse or wait for."""

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest
import torch

from tests import forks, pretend
from tests.networks import NAMES, VARIANTS

SOME = [
    "thicken", "thicken_more", "thin", "blur", "erase", "mixup", "cutmix", "nothing",
    "drop_strokes",
]  # fmt: skip
# All that a step can do: two epochs, in the second of which weights are rounded.
ALL = {
    "batch": 32,
    "epochs": 2,
    "precision": "bfloat16",
    "optimiser": "muon",
    "ema": 0.99,
    "clip": 1.0,
    "qat": 0.5,
    "style_adversary": 0.1,
    "sides": [32, 64],
    "sampling": {"partial": 0.25, "confused": 0.5},
    "augment": dict.fromkeys(SOME, 0.1),
}
TOLD = ("pretend", torch.float32, 2)
PLAIN = {"batch": 16, "epochs": 1}


@pytest.fixture(scope="module")
def away() -> Iterator[Callable]:
    """`away(function, …)`: called in a process that has the device."""
    with ProcessPoolExecutor(1, forks.FORKS) as pool:
        yield lambda function, *args, **options: pool.submit(function, *args, **options).result()
        # torch's thread for the device need not end with Python: at once, and not in good order.
        with contextlib.suppress(BrokenProcessPool):
            pool.submit(os._exit, 0).result()


@pytest.mark.parametrize(
    ("name", "net"),
    [*VARIANTS, ("stroke", {"layers": True})],
    ids=[*NAMES, "stroke, each pixel"],
)
def test_no_step_mixes_devices_or_waits(away, name, net):
    assert away(pretend.learns, name, net, **ALL) == [(*TOLD, False), (*TOLD, True)]


@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": "adamw", "transfer": {"freeze": 1.0, "layer_decay": 0.8}},
        {"optimiser": "adam", "teacher": "compact"},
        {"optimiser": "sgd", "schedule": "one_cycle"},
        {"optimiser": "muon", "precision": "bfloat16", "teacher": "compact"},
        {"optimiser": "muon"},
    ],
    ids=lambda changes: " ".join(map(str, changes.values())),
)
def test_nor_does_one_of_another_method(away, changes):
    assert away(pretend.learns, "cnn", {"noise": 0.1, "dropout": 0.1}, **PLAIN | changes) == [
        (*TOLD, False)
    ]


@pytest.mark.parametrize(("name", "net"), VARIANTS, ids=NAMES)
def test_nor_does_a_validation(away, name, net):
    assert away(pretend.reads, name, net) == ("pretend", torch.float32, (1032, 12))


def test_of_a_validation_the_host_waits_for_the_figures_alone(away):
    with pytest.raises(pretend.DeviceError, match=r"^DataDependent.*\n.*figures.*\.tolist\(\)"):
        away(pretend.reads, "compact", {}, measured=True)


def test_nor_does_a_step_of_the_size_of_etl9g(away):
    assert set(away(pretend.learns_etl9g)) == {(*TOLD, False)}


@pytest.mark.parametrize(
    ("plant", "error"),
    [
        ("a number", "DataDependentOutputException: aten._local_scalar_dense"),
        ("a branch", "DataDependentOutputException: aten._local_scalar_dense"),
        ("a boolean index", "DynamicOutputShapeException: aten.nonzero"),
        ("a shape", "DynamicOutputShapeException: aten.nonzero"),
        ("a tensor of the host's", "found at least two devices, pretend:0 and cpu"),
        (
            "an index of the host's",
            "DeviceError: aten.index.Tensor",
        ),
        (
            "a copy to the host",
            "DeviceError: prims.device_put",
        ),
        ("a copy to the device", "DeviceError: prims.device_put"),
        ("a list", "NotImplementedError: Could not run 'aten::empty_strided'"),
        ("a number of a gradient", r"aten._local_scalar_dense.*\n.*loss\.backward\(\)"),
    ],
)
def test_what_a_gpu_would_refuse_or_wait_for_is_found(away, plant, error):
    with pytest.raises(pretend.DeviceError, match=error):
        away(pretend.learns, "compact", {}, plant, **PLAIN)


def test_bytes_on_the_device_are_counted(away):
    """1,000 float32 are 4,000 bytes in eight blocks, 64 one half of one; what is the host's, or a
    view, takes none."""
    assert away(pretend.live_and_peak) == (4096, 4096 + 512 + 4096, 0, 8704)

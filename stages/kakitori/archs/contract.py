"""What the training loop and a network agree on.

An architecture is a file of this folder with

    build(classes, characters, size, **net) -> nn.Module

classes : the characters to tell apart, in the order of the logits.
characters : data/characters.parquet as a DataFrame, for architectures that know strokes.
size : side of the images in pixels.
net : its own settings, `archs.<name>.net` of params.yaml.

The module's `forward` takes float (B, 1, S, S) in [-1, 1], ink +1, and returns a named tuple whose
first field is `logits` (B, C). Its `loss(outputs, batch)` weighs all of its heads.
"""

import importlib
import inspect
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from kakitori.errors import SettingsError
from kakitori.params import Settings, known_models


class Outputs(NamedTuple):
    logits: torch.Tensor  # (B, C)


class Batch(NamedTuple):
    images: torch.Tensor  # float (B, 1, S, S) in [-1, 1]
    labels: torch.Tensor  # int64 (B,)
    label_smoothing: float = 0.0


def class_loss(outputs: NamedTuple, batch: Batch) -> torch.Tensor:
    """Cross-entropy over the classes with label smoothing (Szegedy et al. 2016)."""
    return F.cross_entropy(
        outputs.logits.float(), batch.labels, label_smoothing=batch.label_smoothing
    )


def check(settings: Settings) -> None:
    """Raise SettingsError when `settings.model` names no architecture, or one of its own settings
    is unknown to it."""
    name = settings.model
    if name not in known_models():
        raise SettingsError(
            f"params.yaml: model: expected one of {', '.join(known_models())}, found {name!r}: "
            f"there is no stages/kakitori/archs/{name}.py that defines build()"
        )
    own = list(inspect.signature(_builder(name)).parameters)[3:]
    for setting in settings.arch().net:
        if setting not in own:
            raise SettingsError(
                f"params.yaml: archs.{name}.net.{setting}: expected one of {', '.join(own)}, "
                "found an unknown setting"
            )


def network(settings: Settings, classes: list[str], characters: pd.DataFrame) -> nn.Module:
    """The network that `settings.model` names, freshly initialised; raises like `check`."""
    check(settings)
    name, net = settings.model, settings.arch().net
    try:
        return _builder(name)(classes, characters, settings.data.size, **net)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"params.yaml: archs.{name}.net: {error}") from None


def _builder(name: str) -> Callable[..., nn.Module]:
    return importlib.import_module(f"kakitori.archs.{name}").build

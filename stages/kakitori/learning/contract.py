"""What the training loop and a network agree on.

An architecture is a file of this folder with

    build(classes, characters, size, **net) -> Network

classes : the characters to tell apart, in the order of the logits.
characters : data/characters.parquet as a DataFrame, for architectures that know strokes.
size : side of the images in pixels.
net : its own settings, `archs.<name>.net` of params.yaml; their annotations say what they may be.

The module is a Network, below, which says what training, exports and measurements ask of it.
"""

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from pydantic import create_model
from torch import nn

from kakitori.errors import SettingsError
from kakitori.learning.folding import folded
from kakitori.running.params import Group, Settings, checked, known_models

NONE = -1  # the label of an image that shows no class


class Outputs(NamedTuple):
    logits: torch.Tensor  # (B, C)
    features: torch.Tensor  # (B, D), what the classifier sees


class Stages(NamedTuple):
    """A network as two. The first takes images and returns a named tuple: logits, then what it
    hands on. The second takes of these, by name, what it needs, and returns a named tuple.

    threshold : how probable the first's best class has to be to stand where the second has better
        logits; None where it has something else to say and is asked for it.
    given : what the second takes beside what it is handed on, by name: inputs of the export, each
        with the value, an array of one dimension, that stands for nothing given.
    """

    first: nn.Module
    rest: nn.Module
    threshold: float | None = None
    given: Mapping[str, np.ndarray] = MappingProxyType({})


class Encoder(NamedTuple):
    """A part of a network that is a file of its own.

    inputs : by name an example of each, two samples.
    metadata : what the file's metadata says.
    """

    module: nn.Module
    inputs: dict[str, torch.Tensor]
    metadata: dict[str, str]


class Batch(NamedTuple):
    """What a network is to learn from.

    images : float (B, 1, S, S) in [-1, 1].
    labels : int64 (B,), the class; of mixed images the first of two.
    label_smoothing : share of the probability that is spread over all classes.
    others : int64 (B,), the second class of mixed images, NONE where it is no character; or None
        where none are mixed.
    share : float (B,), how much of the image is the second class's.
    presence : int8 (P, 32), of the last P images, partial characters: per stroke, in writing order,
        1 where it is written, 0 where it was left out or the character has fewer. None where all
        images are whole characters.
    layers : uint8 (P, S, S), of the same, the number from 1 of the stroke that a pixel belongs to,
        0 for paper.
    written : int8 (B, 32), which of strokes.TYPES each stroke is, as the writer's pen drew
        them; -1 after the last one, and in all of a row where no pen was seen. None where in none.
    """

    images: torch.Tensor
    labels: torch.Tensor
    label_smoothing: float = 0.0
    others: torch.Tensor | None = None
    share: torch.Tensor | None = None
    presence: torch.Tensor | None = None
    layers: torch.Tensor | None = None
    written: torch.Tensor | None = None

    @property
    def partial(self) -> int:
        """How many images, the last ones, are partial characters."""
        return 0 if self.presence is None else len(self.presence)

    def whole(self) -> torch.Tensor:
        """Which images are whole characters, bool (B,)."""
        count = len(self.labels)
        return torch.arange(count, device=self.labels.device) < count - self.partial

    def pure(self) -> torch.Tensor:
        """Which images are whole characters of one class, bool (B,): those that a head which
        describes the character can learn from."""
        return self.whole() if self.share is None else self.whole() & (self.share == 0)


def class_loss(outputs: Outputs, batch: Batch) -> torch.Tensor:
    """Cross-entropy over the classes with label smoothing (Szegedy et al. 2016), the mean over
    whole characters: a 大 that lacks a stroke may be a 人. Mixed images count for both classes; of
    what is no character, every class is as probable."""
    logits = outputs.logits.float()

    def cross_entropy(labels: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(
            logits,
            labels,
            ignore_index=NONE,
            label_smoothing=batch.label_smoothing,
            reduction="none",
        )

    labels = batch.labels.masked_fill(~batch.whole(), NONE)
    loss = cross_entropy(labels)
    if batch.share is not None:
        nothing = -logits.log_softmax(1).mean(1)
        of_others = torch.where(batch.others == NONE, nothing, cross_entropy(batch.others))
        loss = torch.lerp(loss, of_others, batch.share)
    return loss.sum() / (labels != NONE).sum().clamp(min=1)


class Network(nn.Module):
    """What every architecture is, and what it may offer beside `forward`.

    `forward` takes float (B, 1, S, S) in [-1, 1], ink +1, and returns a named tuple whose first two
    fields are those of Outputs; while training, where `train.sides` says so, also of other sides
    than it was built for.

    collisions : groups of characters that `answering` cannot tell apart.
    exported : fields of its outputs that exports carry.
    learns_order : whether it makes use of Batch.written.
    origins : what its weights began with, for the metrics.
    tells : what the metadata of its exports says beside what all say.
    """

    collisions: tuple[tuple[str, ...], ...] = ()
    exported: tuple[str, ...] = ("logits",)
    learns_order: bool = False
    origins: Mapping[str, str] = MappingProxyType({})
    tells: Mapping[str, str] = MappingProxyType({})

    def loss(self, outputs: Outputs, batch: Batch) -> torch.Tensor:
        """The loss of a batch, of all heads, weighed; that of the class alone by default."""
        return class_loss(outputs, batch)

    def progress(self, epoch: int, epochs: int) -> bool:
        """Told before each epoch, from 0, of how many; a network that grows grows here. Whether it
        has changed which of its parameters learn."""
        return False

    def deployed(self) -> nn.Module:
        """An equal network in the form that runs best, for export."""
        return folded(self)

    def plain(self) -> nn.Module:
        """The same by operators that converters of other runtimes know; its logits alone are looked
        at."""
        return self.deployed()

    def staged(self) -> Stages | None:
        """Itself as two, for an export whose second half runs only where it is needed
        (export/staged.py); None where it is one."""
        return None

    def encoders(self) -> Mapping[str, Encoder]:
        """Parts that are exported by themselves too, by the names of their files."""
        return {}

    def answering(self, characters: Sequence[str]) -> "Network | None":
        """The same network with other classes, any of the table's, whether it was trained on them
        or not; None where it knows only what it was trained on."""
        return None


def check(settings: Settings) -> None:
    """Raise SettingsError when `settings.model` names no architecture, or one of its own settings
    is unknown to it or none that its `build` declares."""
    name = settings.model
    if name not in known_models():
        raise SettingsError(
            f"params.yaml: model: expected one of {', '.join(known_models())}, found {name!r}: "
            f"there is no stages/kakitori/archs/{name}.py that defines build()"
        )
    own = list(inspect.signature(_builder(name)).parameters.values())[3:]
    net = create_model("Net", __base__=Group, **{p.name: (p.annotation, p.default) for p in own})
    checked(net, settings.arch().net, f"archs.{name}.net.")


def network(settings: Settings, classes: list[str], characters: pd.DataFrame) -> Network:
    """The network that `settings.model` names, freshly initialised; raises like `check`."""
    check(settings)
    name, net = settings.model, settings.arch().net
    try:
        return _builder(name)(classes, characters, settings.data.size, **net)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"params.yaml: archs.{name}.net: {error}") from None


def _builder(name: str) -> Callable[..., Network]:
    return importlib.import_module(f"kakitori.archs.{name}").build

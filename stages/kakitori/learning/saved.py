"""Trained models as `train` left them: NAME.json beside NAME.safetensors."""

import dataclasses
import json
from pathlib import Path

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from kakitori import params
from kakitori.archs import contract
from kakitori.errors import DataError

PRETRAINED = params.ROOT / "models/pretrained"


@dataclasses.dataclass(frozen=True)
class Described:
    """A trained model's architecture, settings, image size, classes and weights."""

    path: Path
    model: str
    net: dict
    size: int
    classes: list[str]
    state: dict[str, torch.Tensor]

    def network(self) -> nn.Module:
        """The network with its weights, ready to read; DataError when they do not fit."""
        settings = params.load()
        # What it began with need not be there any more.
        net = {key: value for key, value in self.net.items() if key != "pretrained"}
        settings = settings.model_copy(
            update={
                "model": self.model,
                "data": settings.data.model_copy(update={"size": self.size}),
                "archs": {self.model: params.Arch(net=net)},
            }
        )
        characters = pd.read_parquet(params.ROOT / "data/characters.parquet")
        model = contract.network(settings, self.classes, characters)
        try:
            model.load_state_dict(self.state)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:300]
            raise DataError(
                f"{self.path}: expected the weights of {self.path.stem}.json's {self.model}, "
                f"found: {reason}"
            ) from None
        return model.eval()


def describe(folder: Path, name: str = "model") -> Described:
    """Reads NAME.json and NAME.safetensors of `folder`; raises DataError when they are not there
    or not what they should be."""
    path, about = folder / f"{name}.safetensors", folder / f"{name}.json"
    for each in (path, about):
        if not each.is_file():
            raise DataError(
                f"{each}: expected a trained model, found no file; a model of ours is two files, "
                f"{name}.safetensors and {name}.json"
            )
    try:
        fields = json.loads(about.read_text(encoding="utf-8"))
        known = {key: fields[key] for key in ("model", "net", "size")}
        return Described(path, **known, classes=list(fields["classes"]), state=load_file(path))
    except (ValueError, KeyError, TypeError, SafetensorError, OSError) as error:
        raise DataError(f"{path}: expected a trained model of ours, found: {error!r}") from None


def load(folder: Path) -> tuple[nn.Module, list[str], int]:
    """The network that `train` left in `folder`, its classes and its image size; raises like
    `describe`."""
    described = describe(folder)
    return described.network(), described.classes, described.size

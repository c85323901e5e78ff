"""Trained models as `train` left them: NAME.json beside NAME.safetensors."""

import dataclasses
import json
from pathlib import Path
from typing import get_args

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from kakitori import outputs
from kakitori.errors import DataError, SettingsError
from kakitori.learning import contract
from kakitori.learning.samples import table
from kakitori.running import params

PRETRAINED = params.ROOT / "models/pretrained"
SIZES = get_args(params.Data.model_fields["size"].annotation)
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclasses.dataclass(frozen=True)
class Described:
    """A trained model's architecture, settings, image size, classes, weights, and what its matrix
    products were trained in."""

    path: Path
    model: str
    net: dict
    size: int
    classes: list[str]
    state: dict[str, torch.Tensor]
    precision: torch.dtype = torch.float32

    def network(self, characters: pd.DataFrame | None = None) -> nn.Module:
        """The network with its weights, ready to read; DataError when they do not fit.

        characters : what it knows of characters; the project's table by default.
        """
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
        if characters is None:
            characters = table.read(params.ROOT / "data/characters.parquet", self.classes)
        try:
            model = contract.network(settings, self.classes, characters)
        except SettingsError as error:
            raise DataError(
                f"{self.path.with_suffix('.json')}: expected a net that {self.model} can have, "
                f"found: {str(error).removeprefix('params.yaml: ')[:300]}"
            ) from None
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
        known = {key: fields[key] for key in ("model", "net", "size", "classes")}
        known["precision"] = fields.get("precision", "float32")  # of models before it was kept
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise DataError(f"{about}: expected what train writes, found: {_short(error)}") from None
    for key, wanted, right in (
        ("model", f"one of {', '.join(params.known_models())}", _is_model),
        ("net", "settings by name", lambda net: isinstance(net, dict)),
        ("size", " or ".join(map(str, SIZES)), lambda size: type(size) is int and size in SIZES),
        ("precision", " or ".join(PRECISIONS), lambda name: name in [*PRECISIONS]),
        ("classes", "different characters", _are_classes),
    ):
        if not right(known[key]):
            raise DataError(f"{about}: {key}: expected {wanted}, found {_short(known[key])}")
    try:
        state = load_file(path)
    except (ValueError, SafetensorError, OSError) as error:
        raise DataError(
            f"{path}: expected weights as safetensors, found: {_short(error)}"
        ) from None
    known |= {"classes": list(known["classes"]), "precision": PRECISIONS[known["precision"]]}
    return Described(path, **known, state=state)


def _is_model(name: object) -> bool:
    return name in params.known_models()


def _are_classes(classes: object) -> bool:
    return isinstance(classes, str) and 0 < len(classes) == len(set(classes))


def _short(field_or_error: object) -> str:
    text = " ".join(repr(field_or_error).split())
    return text if len(text) <= 100 else f"{text[:100]}…"


def write(path: Path, state: dict[str, torch.Tensor]) -> None:
    """Weights as safetensors, whole or not at all. Its own `save_file` makes files that their owner
    alone may read, whatever the umask, and says in words alone that a disk is full."""
    with outputs.whole(path) as part:
        part.write_bytes(save(state))


def load(folder: Path) -> tuple[nn.Module, list[str], int]:
    """The network that `train` left in `folder`, its classes and its image size; raises like
    `describe`."""
    described = describe(folder)
    return described.network(), described.classes, described.size

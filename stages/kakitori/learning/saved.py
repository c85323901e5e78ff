"""A trained model as `train` left it."""

import json
from pathlib import Path

import pandas as pd
from safetensors.torch import load_file
from torch import nn

from kakitori import params
from kakitori.archs import contract
from kakitori.errors import DataError


def load(folder: Path) -> tuple[nn.Module, list[str], int]:
    """The network with its weights, its classes and its image size.

    Reads model.json and model.safetensors of `folder`; raises DataError when they do not fit.
    """
    settings = params.load()
    described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    classes = list(described["classes"])
    settings = settings.model_copy(
        update={
            "model": described["model"],
            "data": settings.data.model_copy(update={"size": described["size"]}),
            "archs": {described["model"]: params.Arch(net=described["net"])},
        }
    )
    characters = pd.read_parquet(params.ROOT / "data/characters.parquet")
    model = contract.network(settings, classes, characters)
    try:
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise DataError(
            f"{folder / 'model.safetensors'}: expected the weights of model.json's "
            f"{described['model']}, found: {reason}"
        ) from None
    return model.eval(), classes, described["size"]

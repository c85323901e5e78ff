"""What an earlier model gives to a new one: weights to begin with, or answers to imitate."""

import dataclasses
import hashlib
from pathlib import Path

import torch
from torch import nn

from kakitori.errors import DataError
from kakitori.learning.objectives import Imitation
from kakitori.learning.saved import Described
from kakitori.running.params import Distillation


@dataclasses.dataclass(frozen=True)
class Taken:
    """What `start_from` found: tensors taken whole, tensors in all, classes taken by character."""

    tensors: int
    of: int
    classes: int


def start_from(model: nn.Module, classes: list[str], earlier: Described) -> Taken:
    """Give a network the weights of an earlier one, in place.

    Tensors of the same name and shape are taken; of those with a row per class, the rows of the
    characters that both know; the rest stays fresh. DataError when next to nothing fits.
    """
    state, weights = model.state_dict(), earlier.state
    place = {character: row for row, character in enumerate(earlier.classes)}
    rows = [(new, place[c]) for new, c in enumerate(classes) if c in place]
    new, old = torch.tensor(rows, dtype=torch.int64).reshape(-1, 2).T
    taken, by_class = 0, 0
    for name, tensor in state.items():
        if name not in weights:
            continue
        theirs = weights[name]
        per_class = tensor.ndim and len(tensor) == len(classes) and theirs.ndim
        if per_class and len(theirs) == len(place) and theirs.shape[1:] == tensor.shape[1:]:
            tensor[new] = theirs[old].to(tensor.dtype)
            by_class += 1
        elif theirs.shape == tensor.shape:
            tensor.copy_(theirs)
            taken += 1
    if taken + by_class < len(state) / 4:
        other = sorted(
            n for n in state.keys() & weights.keys() if state[n].shape != weights[n].shape
        )
        shapes = [f"{n} {tuple(weights[n].shape)} for {tuple(state[n].shape)}" for n in other[:3]]
        raise DataError(
            f"{earlier.path}: expected weights that fit this network, found {taken} of "
            f"{len(state)} tensors of the same name and shape (its model is {earlier.model})"
            + (f"; others differ in shape: {', '.join(shapes)}" if shapes else "")
        )
    model.load_state_dict(state)
    return Taken(taken + by_class, len(state), len(rows) if by_class else 0)


def teacher(classes: list[str], size: int, earlier: Described, settings: Distillation) -> Imitation:
    """The teacher of a network of these classes and this image size; DataError when it does not
    know all of the classes, or reads images of another size."""
    missing = [c for c in classes if c not in set(earlier.classes)]
    if missing:
        raise DataError(
            f"{earlier.path}: expected a teacher that knows the {len(classes):,} classes, found "
            f"one that knows {len(classes) - len(missing):,} of them and not "
            f"{''.join(missing[:20])}"
        )
    if earlier.size != size:
        raise DataError(
            f"{earlier.path}: expected a teacher that reads images of {size} pixels (data.size), "
            f"found one of {earlier.size}"
        )
    place = {character: row for row, character in enumerate(earlier.classes)}
    columns = torch.tensor([place[c] for c in classes])
    return Imitation(earlier.network(), columns, settings.share, settings.temperature)


def checksum(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""What an answer hangs on: where the network looks for a class, and which stroke it cannot do
without.

Grad-CAM (Selvaraju et al. 2017) on the last grid before the classifier, for the class and for the
one that it is confused with; and occlusion stroke by stroke (after Zeiler and Fergus 2014). An
image keeps no record of its strokes: they are those of the table, as placement.py places them.
Occluded images lie outside of what the network has learned from; a stroke whose loss changes
nothing may still be one that another network needs.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from torch import nn

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import matplotlib_fontja  # noqa: F401 (sets a font that has kanji)

from kakitori.accuracy.lettering import lettered
from kakitori.errors import DataError
from kakitori.evaluation import differences
from kakitori.learning import inference, saved
from kakitori.learning.samples import table as known
from kakitori.reading import placement
from kakitori.reading.characters.strokes import resample
from kakitori.reading.recognizer import Recognizer
from kakitori.running import params

LEAST = 4  # cells a side of a grid that says where
NEAR = 0.05  # of the image's side: as near to a stroke's course counts as on it
INK = "#1f3a5f"


class Explanation(NamedTuple):
    """Of an image of the character `character`, which is or could be taken for `other`."""

    image: np.ndarray  # uint8 (S, S), 255 = ink
    character: str
    other: str
    probabilities: tuple[float, float]  # of both
    maps: np.ndarray  # (2, S, S), Grad-CAM of both, from 0; sum 1, or 0 where nothing speaks for it
    ink: np.ndarray  # bool (S, S)
    difference: np.ndarray  # bool (S, S), on a stroke that only one of them has
    strokes: np.ndarray  # uint8 (S, S), the number from 1 of the stroke of `character`, 0 for paper
    answer: str  # the likelier of both
    falls: np.ndarray  # (strokes,), by how much the answer's probability falls without each

    def row(self) -> dict[str, str | float | int]:
        """The numbers; empty where a map has no mass."""
        shares = {
            f"{name}_of_{which}": share(cam, mask)
            for which, cam in zip(("one", "other"), self.maps, strict=True)
            for name, mask in (("on_ink", self.ink), ("on_difference", self.difference))
        }
        rounded = {k: "" if v is None else round(v, 4) for k, v in shares.items()}
        return {
            "one": self.character,
            "other": self.other,
            "probability_of_one": round(self.probabilities[0], 4),
            "probability_of_other": round(self.probabilities[1], 4),
            "area_of_ink": round(float(self.ink.mean()), 4),
            "area_of_difference": round(float(self.difference.mean()), 4),
            **rounded,
            "answer": self.answer,
            "stroke": int(self.falls.argmax()) + 1,
            "fall": round(float(self.falls.max()), 4),
        }


class Explainer:
    """Explains a recogniser's answers by the network in models/ that it was exported from.

    Raises DataError where that network is missing, or of other classes or image size.
    """

    def __init__(self, recognizer: Recognizer) -> None:
        folder, table = params.ROOT / "models", params.ROOT / "data/characters.parquet"
        if not table.is_file():
            raise DataError(
                f"{table}: expected the characters, found no file; `dvc repro` makes it"
            )
        self.network, self.classes, size = saved.load(folder)
        if ("".join(self.classes), size) != (recognizer.classes, recognizer.size):
            raise DataError(
                f"{folder / 'model.safetensors'}: expected the network that {recognizer.path} was "
                f"exported from ({len(recognizer.classes):,} classes, {recognizer.size} pixels), "
                f"found another ({len(self.classes):,} classes, {size} pixels)"
            )
        self.temperature = recognizer.temperature
        characters = known.read(table, self.classes)[["character", "strokes", "radicals"]]
        self.forms = {
            name: ([np.reshape(s, (-1, 2)) for s in strokes], list(radicals))
            for name, strokes, radicals in characters.itertuples(index=False)
        }

    def explain(self, image: np.ndarray, character: str, other: str) -> Explanation:
        """Of a normalised image uint8 (S, S) and two classes, the first the one that it shows."""
        unknown = [c for c in (character, other) if not self.forms[c][0]]
        if unknown:
            raise DataError(
                f"--explain: expected characters whose strokes are known, found {unknown[0]}"
            )
        targets = [self.classes.index(character), self.classes.index(other)]
        before = probabilities(self.network, image[None], self.temperature)[0, targets]
        answer = int(before.argmax())
        differing_strokes = differences.between(self.forms[character], self.forms[other]).strokes
        own, theirs = (
            np.stack([resample(stroke, placement.POINTS) for stroke in self.forms[name][0]])
            for name in (character, other)
        )
        courses, others = placement.fitted(own, image), placement.placed(theirs, image)
        apart = np.concatenate([courses[differing_strokes[0]], others[differing_strokes[1]]])
        strokes = placement.stroke_of_pixels(courses, image)
        after = occluded(self.network, image, strokes, len(courses), self.temperature)
        return Explanation(
            image=image,
            character=character,
            other=other,
            probabilities=(float(before[0]), float(before[1])),
            maps=grad_cam(self.network, image, targets),
            ink=image >= placement.INK,
            difference=placement.distances(apart, len(image)).min(0) < NEAR,
            strokes=strokes,
            answer=(character, other)[answer],
            falls=before[answer] - after[:, targets[answer]],
        )


def grad_cam(network: nn.Module, image: np.ndarray, targets: Sequence[int]) -> np.ndarray:
    """Where an image uint8 (S, S) speaks for each of some classes: float64 (len(targets), S, S),
    from 0, each of sum 1, or 0 all over where nothing speaks for the class.

    The gradient of the class's logit by the last grid, averaged per channel, weighs the grid's
    channels; negative sums become 0. Raises DataError for a network without a grid.
    """
    images = inference.scaled(torch.from_numpy(image)[None, None]).repeat(len(targets), 1, 1, 1)
    layer = last_grid(network, images[:1], targets[0])
    cam = LayerGradCam(lambda x: network(x).logits, layer)
    coarse = cam.attribute(images, torch.tensor(targets), relu_attributions=True).detach()
    maps = F.interpolate(coarse, image.shape, mode="bilinear")[:, 0].double().numpy()
    sums = maps.sum((1, 2), keepdims=True)
    return np.divide(maps, sums, out=np.zeros_like(maps), where=sums > 0)


def last_grid(network: nn.Module, images: torch.Tensor, target: int) -> nn.Module:
    """The module that puts out the last grid, of LEAST cells a side at least, on which the logit of
    a class depends; a cascade's first half, say, where that one answers."""
    grids: list[tuple[nn.Module, torch.Tensor]] = []

    def keep(module: nn.Module, _: object, output: object) -> None:
        is_grid = isinstance(output, torch.Tensor) and output.ndim == 4
        if is_grid and min(output.shape[2:]) >= LEAST:
            grids.append((module, output))

    hooks = [module.register_forward_hook(keep) for module in network.modules()]
    try:
        logit = network(images.clone().requires_grad_()).logits[:, target].sum()
    finally:
        for hook in hooks:
            hook.remove()
    sought = [grid for _, grid in grids]
    slopes = torch.autograd.grad(logit, sought, allow_unused=True) if sought else ()
    for (module, _), slope in zip(reversed(grids), reversed(slopes), strict=True):
        if slope is not None and slope.any():
            return module
    raise DataError(
        f"--explain: expected a network with a grid of {LEAST} cells a side or more before its "
        "classifier, found none"
    )


@torch.no_grad()
def probabilities(network: nn.Module, images: np.ndarray, temperature: float) -> np.ndarray:
    """Float64 (N, C) of images uint8 (N, S, S)."""
    return (
        (network(inference.scaled(torch.from_numpy(images)[:, None])).logits.double() / temperature)
        .softmax(1)
        .numpy()
    )


def occluded(
    network: nn.Module, image: np.ndarray, strokes: np.ndarray, count: int, temperature: float
) -> np.ndarray:
    """Probabilities (count, C) of an image uint8 (S, S), each time with paper where one of `count`
    strokes, numbered from 1 in uint8 (S, S), has its ink."""
    erased = [np.where(strokes == number, 0, image) for number in range(1, count + 1)]
    return probabilities(network, np.stack(erased), temperature)


def share(cam: np.ndarray, mask: np.ndarray) -> float | None:
    """How much of a map's mass falls on a mask, 0 to 1; None where it has none."""
    return float(cam[mask].sum() / cam.sum()) if cam.any() else None


def draw(path: Path, explanation: Explanation) -> None:
    """The strokes, numbered where each lies; both maps over the image; how the probability falls
    without each stroke."""
    figure, (numbered, *overlaid, bars) = plt.subplots(1, 4, figsize=(13, 3.9))
    count = len(explanation.falls)
    colours = plt.get_cmap("turbo")(np.linspace(0.05, 0.95, count))[:, :3]
    ink = (explanation.image / 255.0)[..., None]
    own = colours[np.maximum(explanation.strokes.astype(int), 1) - 1]
    numbered.imshow(1 - ink * (1 - own))
    for number, colour in enumerate(colours, 1):
        places = np.argwhere(explanation.ink & (explanation.strokes == number))
        if len(places):
            y, x = places[np.linalg.norm(places - places.mean(0), axis=1).argmin()]
            box = {"boxstyle": "circle,pad=0.15", "fc": "white", "ec": colour, "lw": 1}
            numbered.text(x, y, str(number), fontsize=7, ha="center", va="center", bbox=box)
    numbered.set_title(lettered(f"{explanation.character}, not {explanation.other}: its strokes"))
    for axes, name, p, cam in zip(
        overlaid,
        (explanation.character, explanation.other),
        explanation.probabilities,
        explanation.maps,
        strict=True,
    ):
        axes.imshow(255 - explanation.image, cmap="gray", vmin=0, vmax=255)
        axes.imshow(cam, cmap="inferno", alpha=0.55, vmin=0, vmax=max(cam.max(), 1e-9))
        axes.contour(explanation.difference, [0.5], colors="#00c2d1", linewidths=1)
        on_ink, on_difference = share(cam, explanation.ink), share(cam, explanation.difference)
        evidence = "nothing speaks for it"
        if on_ink is not None:
            evidence = f"{on_ink:.0%} on ink, {on_difference:.0%} where they differ"
        axes.set_title(lettered(f"for {name}, {p:.1%}\n{evidence}"), fontsize=10)
    for axes in (numbered, *overlaid):
        axes.axis("off")
    bars.barh(np.arange(1, count + 1), 100 * explanation.falls, color=colours)
    bars.axvline(0, color=INK, linewidth=0.8)
    bars.set(xlabel=lettered(f"fall of {explanation.answer} without it, points"), ylabel="stroke")
    bars.invert_yaxis()
    bars.yaxis.get_major_locator().set_params(integer=True)
    hangs = f"{explanation.answer} hangs on stroke {explanation.falls.argmax() + 1}"
    bars.set_title(lettered(hangs), fontsize=10)
    figure.tight_layout()
    # Without the creation date and version the same picture is the same file.
    plt.savefig(path, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)

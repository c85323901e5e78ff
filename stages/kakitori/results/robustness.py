"""How much is still read of writing that is turned, thick or thin, blurred, noisy, shifted or pale.

Strengths are of the normalised image of 64 pixels, whose characters are 56 pixels long. Images go
two ways: `network`, straight into the network, whose own tolerance it is; and `photo`, in the
middle of a larger sheet, dark on white, through `prepare`, as a user's picture does.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from kakitori.accuracy import scoring
from kakitori.accuracy.figures import INK, MUTED, plt
from kakitori.reading.normalising.photos import prepare
from kakitori.reading.recognizer import Recognizer

MARGIN = 0.25  # of the side: the paper around a character on its way as a photo


def rotated(images: np.ndarray, degrees: float) -> np.ndarray:
    """Every other image turned to the left, the others to the right."""
    out = images.copy()
    for first, sign in ((0, 1), (1, -1)):
        some = images[first::2].astype(np.float32)
        turned = ndimage.rotate(some, sign * degrees, (2, 1), reshape=False, order=1)
        out[first::2] = _levels(turned)
    return out


def thickened(images: np.ndarray, pixels: float) -> np.ndarray:
    """Strokes wider by so many pixels; thinner where it is negative."""
    width = round(abs(pixels)) + 1
    morph = ndimage.grey_erosion if pixels < 0 else ndimage.grey_dilation
    return morph(images, size=(1, width, width), mode="constant", cval=0)


def blurred(images: np.ndarray, pixels: float) -> np.ndarray:
    """With a normal distribution of this deviation."""
    sigma = (0, pixels, pixels)
    return _levels(ndimage.gaussian_filter(images.astype(np.float32), sigma, mode="constant"))


def noisy(images: np.ndarray, share: float) -> np.ndarray:
    """Normal noise on every pixel, its deviation a share of what lies between paper and ink."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(images.shape, np.float32)
    return _levels(images + 255 * share * noise)


def shifted(images: np.ndarray, pixels: float) -> np.ndarray:
    """Images in turn down, up, to the right, to the left; what leaves the image is lost."""
    out = images.copy()
    for k, (y, x) in enumerate(((1, 0), (-1, 0), (0, 1), (0, -1))):
        out[k::4] = ndimage.shift(images[k::4], (0, y * pixels, x * pixels), order=0)
    return out


def pale(images: np.ndarray, share: float) -> np.ndarray:
    """Ink that has lost a share of its contrast with the paper."""
    return _levels(images * np.float32(1 - share))


class Distortion(NamedTuple):
    """apply(images uint8 (N, H, W), strength) gives the like; at strength 0 the same."""

    apply: Callable[[np.ndarray, float], np.ndarray]
    unit: str
    strengths: tuple[float, ...]


DISTORTIONS = {
    "rotation": Distortion(rotated, "degrees", (5, 10, 15, 20, 30)),
    "thickness": Distortion(thickened, "pixels of stroke width", (-2, -1, 1, 2, 3)),
    "blur": Distortion(blurred, "pixels, deviation", (0.5, 1, 1.5, 2, 3)),
    "noise": Distortion(noisy, "deviation, share of full ink", (0.05, 0.1, 0.2, 0.3, 0.4)),
    "shift": Distortion(shifted, "pixels", (1, 2, 4, 6, 8)),
    "low contrast": Distortion(pale, "share of contrast lost", (0.3, 0.5, 0.7, 0.8, 0.9)),
}


def as_photos(images: np.ndarray, distort: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Images uint8 (N, S, S) on a larger sheet, distorted there, and normalised anew."""
    size = images.shape[1]
    margin = round(MARGIN * size)
    sheets = np.pad(images, ((0, 0), (margin, margin), (margin, margin)))
    return np.stack([prepare(Image.fromarray(255 - ink), size) for ink in distort(sheets)])


def measure(
    recognizers: dict[str, Recognizer], images: np.ndarray, labels: np.ndarray, groups: np.ndarray
) -> pd.DataFrame:
    """Top-1 and its interval over writer groups for each distortion, strength, way and format.

    recognizers : by format, all of the same classes and size.
    images : uint8 (N, S, S), normalised. labels : int64 (N,). groups : (N,), writer groups.

    Returns columns distortion, strength, unit, way, format, samples, top1, top1_low, top1_high; the
    first rows, of distortion `none`, are of images as they are.
    """
    scale = images.shape[1] / 64  # strengths in pixels are of 64
    tasks = [("none", 0.0), *((name, s) for name, d in DISTORTIONS.items() for s in d.strengths)]
    rows = []
    for name, strength in tqdm(tasks, desc="robustness", disable=None):
        distortion = DISTORTIONS.get(name, Distortion(lambda images, _: images, "none", ()))
        here = strength * scale if distortion.unit.startswith("pixels") else strength

        def distort(images: np.ndarray, apply=distortion.apply, here=here) -> np.ndarray:
            return apply(images, here)

        ways = {"network": distort(images), "photo": as_photos(images, distort)}
        for way, seen in ways.items():
            for form, recognizer in recognizers.items():
                p = scoring.predict(recognizer.logits, seen, labels, recognizer.temperature)
                about = (name, strength, distortion.unit, way, form, len(labels), p.right.mean())
                rows.append((*about, *scoring.interval(p.right, groups).values()))
    columns = ["distortion", "strength", "unit", "way", "format", "samples", "top1"]
    return pd.DataFrame(rows, columns=[*columns, "top1_low", "top1_high"][: len(rows[0])])


def draw(path: Path, table: pd.DataFrame, title: str) -> None:
    """A panel for each distortion: top-1 against strength, straight into the network and as a
    photo, INT8 solid with its interval, other formats dotted."""
    figure, axes = plt.subplots(2, 3, figsize=(12, 6.6), sharey=True)
    for place, (name, distortion) in zip(axes.flat, DISTORTIONS.items(), strict=True):
        some = table[table["distortion"].isin(["none", name])].sort_values("strength")
        for (way, form), line in some.groupby(["way", "format"]):
            colour = INK if way == "photo" else MUTED
            solid = form == "int8"
            label = {"photo": "as a photo", "network": "network alone"}[way] if solid else None
            style = "-" if solid else ":"
            place.plot(line["strength"], 100 * line["top1"], style, color=colour, label=label)
            if solid and "top1_low" in line:
                low, high = 100 * line["top1_low"], 100 * line["top1_high"]
                place.fill_between(line["strength"], low, high, color=colour, alpha=0.15, lw=0)
        place.set(title=name, xlabel=distortion.unit)
    for place in axes[:, 0]:
        place.set(ylabel="top-1, %", ylim=(0, 102))
    axes[0, 0].legend(frameon=False, loc="lower left")
    figure.suptitle(title, fontsize=9)
    figure.tight_layout()
    # Without the creation date and version the same picture is the same file.
    figure.savefig(path, format="png", metadata={"Software": None})
    plt.close(figure)


def _levels(images: np.ndarray) -> np.ndarray:
    return np.rint(images.clip(0, 255)).astype(np.uint8)

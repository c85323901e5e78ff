"""Characters with strokes left out or put in, of `synthesize`, normalised as samples are."""

from pathlib import Path

import h5py
import numpy as np

from kakitori import outputs
from kakitori.reading.normalising import images

NAMES = ("partial.h5", "feedback.h5")
FRAMES = ("frames", "layers", "added")  # which others take the place of


def write(synthetic: Path, folder: Path, size: int) -> None:
    """Write into `folder` those of NAMES that `synthetic` holds.

    As synthesis/partial.py and slips.py describe them, with `images` uint8 (N, size, size) in the
    place of frames, and `layers` (N, size, size); where strokes were `added`, with `slips` int32,
    the pixels of ink of another character's stroke alone, and no layers.
    """
    for name in NAMES:
        if (synthetic / name).is_file():
            with h5py.File(synthetic / name) as source:
                _normalised(source, folder / name, size)


def _normalised(source: h5py.File, path: Path, size: int) -> None:
    rest = {key: data[:] for key, data in source.items() if key not in FRAMES}
    pages = {"images": [], "layers": [], "slips": []}
    for writer in np.unique(rest["writer"]):
        here = np.flatnonzero(rest["writer"] == writer)
        here = slice(here[0], here[-1] + 1)
        frames, layers = source["frames"][here], source["layers"][here]
        made = images.normalise(frames, size), images.place_layers(layers, frames, size)
        if "added" in source:
            shown, slips = with_slips(*made, source["added"][here])
            pages["images"].append(shown)
            pages["slips"].append(slips.astype(np.int32))
        else:
            pages["images"].append(made[0])
            pages["layers"].append(made[1])
    rest |= {key: np.concatenate(some) for key, some in pages.items() if some}
    with outputs.hdf5(path, sum(each.nbytes for each in rest.values())) as file:
        file.attrs.update(source.attrs)
        for key, each in rest.items():
            file[key] = each


def with_slips(
    shown: np.ndarray, layers: np.ndarray, added: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """New images, some with a stroke of the image before, and how many pixels of it show.

    shown : uint8 (N, S, S). layers : uint8 (N, S, S), the number of the stroke, from 1, that a
    pixel belongs to. added : float (N,), which of the strokes before, as a share of them; -1 for
    none.
    """
    others, theirs = np.roll(shown, 1, 0), np.roll(layers, 1, 0)
    last = theirs.reshape(len(shown), -1).max(1)
    stroke = 1 + (added * last).astype(int)
    of_another = (theirs == stroke[:, None, None]) & (added >= 0)[:, None, None]
    out = np.maximum(shown, np.where(of_another, others, 0))
    return out, (of_another & (layers == 0)).sum((1, 2))

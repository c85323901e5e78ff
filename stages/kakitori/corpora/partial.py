"""Characters with strokes left out or put in, of `synthesize`, normalised as samples are."""

from pathlib import Path

import h5py
import numpy as np

from kakitori import outputs
from kakitori.errors import DataError
from kakitori.reading.normalising import images

NEEDED = {"frames", "layers", "writer"}
NAMES = ("partial.h5", "feedback.h5")
FRAMES = ("frames", "layers", "added")  # which others take the place of


def write(synthetic: Path, folder: Path, size: int) -> None:
    """Write into `folder` those of NAMES that `synthetic` holds.

    As synthesis/partial.py and slips.py describe them, with `images` uint8 (N, size, size) in the
    place of frames, and `layers` (N, size, size); where strokes were `added`, with `slips` int32,
    the pixels of ink of another character's stroke alone, and no layers.

    Raises DataError where they are not that.
    """
    for name in NAMES:
        if (synthetic / name).is_file():
            source, about = _read(synthetic / name)
            made = _normalised(source, size)
            with outputs.hdf5(folder / name, sum(each.nbytes for each in made.values())) as file:
                file.attrs.update(about)
                for key, each in made.items():
                    file[key] = each


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """What a file holds, and what it says of itself."""
    try:
        with h5py.File(path) as file:
            content, about = {key: data[:] for key, data in file.items()}, dict(file.attrs)
        description = ", ".join(content)
    except OSError as error:
        content, about, description = {}, {}, " ".join(str(error).split())[:200]
    if not content.keys() >= NEEDED:
        raise DataError(
            f"{path}: expected {', '.join(sorted(NEEDED))} of characters, found {description}; "
            "python stages/synthesize.py writes it anew"
        )
    return content, about


def _normalised(source: dict[str, np.ndarray], size: int) -> dict[str, np.ndarray]:
    pages: dict[str, list[np.ndarray]] = {"images": [], "layers": [], "slips": []}
    for writer in np.unique(source["writer"]):
        here = source["writer"] == writer
        frames, layers = source["frames"][here], source["layers"][here]
        shown, layers = images.normalise(frames, size), images.place_layers(layers, frames, size)
        if "added" in source:
            shown, slips = with_slips(shown, layers, source["added"][here])
            pages["slips"].append(slips.astype(np.int32))
        else:
            pages["layers"].append(layers)
        pages["images"].append(shown)
    rest = {key: each for key, each in source.items() if key not in FRAMES}
    return rest | {key: np.concatenate(some) for key, some in pages.items() if some}


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

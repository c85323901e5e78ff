"""One file of ours: its session, and what its metadata says of how to feed it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from kakitori.errors import DataError
from kakitori.reading import monitoring
from kakitori.reading.memory import Gains
from kakitori.reading.sessions import in_turns, open_session

T = TypeVar("T")
NO_BACKGROUND = -1e30  # a logit that no picture falls below, finite as JSON wants it
FORMAT = 1  # of what a file's metadata says; those that say nothing of it are of this one


def scaled(images: np.ndarray) -> np.ndarray:
    """Images uint8, 0 paper, 255 ink, as networks take them: float32, −1 and +1."""
    return images.astype(np.float32) / 127.5 - 1


class ModelFile:
    """One model file, its session and what its metadata says."""

    def __init__(self, path: Path, threads: int, providers: Sequence[str]) -> None:
        if not path.is_file():
            raise DataError(
                f"{path}: expected an exported model (.onnx), found no file; `make repro` makes it"
            )
        self.path, self.threads = path, threads
        self.session = open_session(path, providers=providers)
        self.gains: Gains | None = None  # of what it was told
        self._metadata = self.session.get_modelmeta().custom_metadata_map
        if self._metadata.get("format", str(FORMAT)) != str(FORMAT):
            raise DataError(
                f"{path}: expected a model of format {FORMAT}, found one of "
                f"{self._metadata['format'][:20]!r}, of another version of Kakitori; `pip install "
                "--upgrade kakitori`, or an export of this version"
            )
        wanted = {"classes", "size", "temperature", "threshold", "deciles"}
        missing = wanted - self._metadata.keys()
        if missing:
            raise DataError(
                f"{path}: expected Kakitori's metadata, found none of {', '.join(sorted(missing))}"
            )
        values = (*self.session.get_inputs(), *self.session.get_outputs())
        shapes = {value.name: value.shape for value in values}
        # Only what the file has fixed is a number there; the rest has a name.
        sides = [side for side in shapes.get("input", ())[2:] if isinstance(side, int)]
        many = [n for n in (shapes.get("logits") or ())[-1:] if isinstance(n, int)]
        self.classes = self._says(
            "classes",
            " ".join([*map(str, many), "different characters"]),
            str,
            lambda c: len(set(c)) == len(c) > 0 and many in ([], [len(c)]),
        )
        self.size = self._says(
            "size", "the side of its images", int, lambda n: n > 0 and {n}.issuperset(sides)
        )
        self.temperature = self._says(
            "temperature", "a number above 0", float, lambda t: 0 < t < float("inf")
        )
        self.threshold = self._says("threshold", "a probability", float, lambda p: 0 <= p <= 1)
        self.background = NO_BACKGROUND
        if "background" in self._metadata:
            self.background = self._says(
                "background", "a logit", float, lambda logit: abs(logit) < float("inf")
            )
        self.deciles = self._says(
            "deciles", "rising numbers of each signal", str, monitoring.is_reference
        )
        self.stroke_types, self.stroke_counts = "", []
        if "stroke_types" in self._metadata:
            self.stroke_types = self._says(
                "stroke_types", "different signs", str, lambda t: len(set(t)) == len(t)
            )
        if "stroke_counts" in self._metadata:
            self.stroke_counts = self._says(
                "stroke_counts",
                "a number of strokes for each class",
                lambda text: [int(number) for number in text.split()],
                lambda counts: len(counts) == len(self.classes) and min(counts) > 0,
            )

    def _says(
        self, name: str, wanted: str, parse: Callable[[str], T], right: Callable[[T], bool]
    ) -> T:
        """What the metadata has under a name; DataError where it is not what is wanted."""
        text = self._metadata[name]
        try:
            value = parse(text)
            if right(value):
                return value
        except ValueError:
            pass
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise DataError(
            f"{self.path}: expected {wanted} as its {name}, found {shown!r}; "
            "`python stages/quantize.py` writes it anew"
        )

    def scaled(self, images: np.ndarray) -> np.ndarray:
        """Logits over the temperature, float64 (N, C)."""
        return self.run(["logits"], images, 64)[0].astype(np.float64) / self.temperature

    def run(
        self,
        wanted: list[str],
        images: np.ndarray,
        batch: int,
        settings: Mapping[str, np.ndarray] = MappingProxyType({}),
        each: Mapping[str, np.ndarray] = MappingProxyType({}),
    ) -> list[np.ndarray]:
        """Outputs for normalised images uint8 (N, S, S), so many at a time; `settings` are further
        inputs, `each` those with one value per image."""
        size = self.size
        if images.ndim != 3 or images.shape[1:] != (size, size) or images.dtype != np.uint8:
            raise DataError(
                f"{self.path}: expected normalised images uint8 (N, {size}, {size}), found "
                f"{images.dtype} {images.shape}"
            )
        if batch < 1:
            raise DataError(f"batch: expected a number from 1, found {batch}")
        each = {"input": images[:, None], **each}

        def read(start: int) -> list[np.ndarray]:
            fed = {name: values[start : start + batch] for name, values in each.items()}
            fed["input"] = scaled(fed["input"])
            return self.session.run(wanted, {**settings, **fed})

        return in_turns(read, range(0, len(images), batch), self.threads)

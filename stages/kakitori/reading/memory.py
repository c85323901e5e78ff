"""What a recogniser was told of one hand: corrected examples beside the classifier.

A picture is compared with the examples by its logits, less their mean and of length 1: the
network's last features, as its classifier sees them, which every export gives. The nearer it is to
an example, the more that example's character gains, as in Zhang et al. 2022 (Tip-Adapter): as much
as the example itself lacked and MARGIN, times how near. It gains only where that character is
behind the best by no more than it was for the example, and SLACK: that a doubtful answer was wrong
says nothing against a sure one. What is near to none is read as before.

    memory.json   {"kakitori": "memory", "size": 64, "examples": [["書", "eNpjYBgFow…"], …]}

holds the examples as the network saw them, deflated (RFC 1950) and in Base64, so that any model of
the same size can be told of them. `demo/memory.js` reads and writes the same.
"""

import base64
import json
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kakitori import outputs
from kakitori.errors import DataError

KIND = "memory"
LARGEST = 10_000_000  # characters of a file: thousands of examples
MOST = 20_000  # examples; packed, an empty one takes next to nothing
# Chosen by tests/benchmarks/learning.py on validation writers.
MARGIN = 8.0  # by how much an example's own character then leads, in logits over the temperature
SHARPNESS = 5.0  # how fast what is gained falls with 1 - cosine; a hand's repeats are at 0.3 or so
SLACK = 1.0  # by how much further behind, in the same logits, a character may be and still gain


class Example(NamedTuple):
    """A normalised picture uint8 (S, S) and the character that it is."""

    character: str
    image: np.ndarray


class Gains(NamedTuple):
    """Examples as one network sees them.

    features : float64 (M, C), of length 1.
    classes : int64 (M,).
    lack : float64 (M,), by how much their class was behind the best, 0 where it was the best.
    """

    features: np.ndarray
    classes: np.ndarray
    lack: np.ndarray

    @classmethod
    def of(cls, scaled: np.ndarray, classes: np.ndarray) -> "Gains":
        """Of logits over the temperature, (M, C), of examples of these classes."""
        own = np.take_along_axis(scaled, classes[:, None], 1)[:, 0]
        return cls(features(scaled), classes, scaled.max(1) - own)

    def of_pictures(self, scaled: np.ndarray) -> np.ndarray:
        """What each class gains, float64 (N, C), for pictures with logits over the temperature
        (N, C): of several examples of a class, what the best gives."""
        near = np.exp(SHARPNESS * (features(scaled) @ self.features.T - 1))
        behind = scaled.max(1, keepdims=True) - scaled[:, self.classes]
        near *= (self.lack + MARGIN) * (behind <= self.lack + SLACK)
        gains = np.zeros(scaled.shape)
        for k, number in enumerate(self.classes):
            gains[:, number] = np.maximum(gains[:, number], near[:, k])
        return gains


def features(logits: np.ndarray) -> np.ndarray:
    """Logits float64 (N, C) less the mean of each row, of length 1."""
    centred = logits - logits.mean(1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return centred / np.maximum(length, 1e-12)


def write(path: Path, examples: list[Example], size: int) -> None:
    """Examples of networks whose side is `size`."""
    deflated = [(e.character, zlib.compress(e.image.tobytes())) for e in examples]
    packed = [[character, base64.b64encode(image).decode()] for character, image in deflated]
    outputs.write_json(path, {"kakitori": KIND, "size": size, "examples": packed})


def read(path: Path, size: int, classes: str) -> list[Example]:
    """The examples of a file; DataError for one that is none, or of another size or of characters
    that are no classes."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8"
        raise DataError(f"{path}: expected a memory of examples, found: {reason}") from None
    try:
        if len(text) > LARGEST:
            raise ValueError(f"{len(text):,} characters")
        about = json.loads(text)
        if about["kakitori"] != KIND:
            raise ValueError(f"kakitori: {about['kakitori']!r}")
        entries = [(str(character), str(packed)) for character, packed in about["examples"]]
        side = int(about["size"])
        if len(entries) > MOST:
            raise ValueError(f"{len(entries):,} examples, more than {MOST:,}")
        # Of another size none is unpacked: little text may be many pixels.
        some = entries if side == size else []
        examples = [Example(character, _unpacked(packed, side)) for character, packed in some]
    except (ValueError, KeyError, TypeError, RecursionError, zlib.error) as error:
        raise DataError(
            f"{path}: expected a memory of examples, as save_memory writes it, found: "
            f"{str(error)[:100]}"
        ) from None
    if side != size:
        raise DataError(
            f"{path}: expected examples of {size} pixels a side, as the model's, found {side}"
        )
    strange = "".join(sorted({e.character for e in examples} - set(classes)))
    if strange:
        raise DataError(
            f"{path}: expected examples of the model's {len(classes):,} classes, found {strange}"
        )
    return examples


def _unpacked(packed: str, side: int) -> np.ndarray:
    content = zlib.decompressobj().decompress(base64.b64decode(packed, validate=True), side * side)
    return np.frombuffer(content, np.uint8).reshape(side, side)

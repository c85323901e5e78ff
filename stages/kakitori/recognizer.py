"""A finished model in use: an ONNX file alone tells its classes and how to feed it.

    from kakitori import Recognizer
    recognizer = Recognizer("models/exports/int8.onnx")
    print(recognizer.read("photo.png")[0])
    sure = recognizer.read("photo.png")[0][1] >= recognizer.threshold

Needs NumPy, Pillow and ONNX Runtime.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeVar

import numpy as np
import onnxruntime

from kakitori import context, monitoring, placement
from kakitori.corpora import pictures
from kakitori.corpora.photos import prepare
from kakitori.corpora.tree import composed
from kakitori.errors import DataError
from kakitori.reading import memory, shipped
from kakitori.reading.memory import Example, Gains

T = TypeVar("T")
OLDEST_RUNTIME = "1.18.1"  # of ONNX Runtime, for IR version 10; pyproject.toml asks pip for it
# How ONNX Runtime says that a file is newer than it; there is no public kind of error.
TOO_NEW = (
    r"Unsupported model IR version: (?P<ir>\d+), max supported IR version: (?P<to_ir>\d+)"
    r"|Opset (?P<opset>\d+) is under development.* till opset (?P<to_opset>\d+)"
)
NO_BACKGROUND = -1e30  # a logit that no picture falls below, finite as JSON wants it
FORMAT = 1  # of what a file's metadata says; those that say nothing of it are of this one
ASK = "strokes"  # input of models that can say more than the class: bool, whether they should


class Feedback(NamedTuple):
    """How a character was written.

    missing : numbers from 1, in writing order, of the strokes that are not there.
    presence : float64 (strokes,), how probable it is that each is there.
    extra : left, upper, right and lower edge of ink that is far from all strokes that are there, in
        sides of the normalised image, 0 to 1; None where there is none.
    """

    missing: list[int]
    presence: np.ndarray
    extra: tuple[float, float, float, float] | None


class Recognizer:
    """Reads images of single characters.

    Parameters
    ----------
    models : exports of ours, the one that ships where none is named; the metadata of each holds
        `classes`, `size`, `temperature` and `threshold`. The probabilities of several, which have
        to be of the same classes and size, are averaged (Lakshminarayanan et al. 2017).
    threads : batches that are read at the same time, each on one thread, which is a third faster
        than one batch on all of them; 0 takes one per core.
    candidates : the characters that may be answered, all of the model's when there are none: the
        names of alphabets and characters, joined by + ("katakana+digits").
    prior : "text" weighs classes by how often they are written in Japanese text; "" does not.

    Characters that shape alone does not tell apart (charset.LOOK_ALIKES) are answered one after the
    other, by what is known of them.

    Attributes
    ----------
    candidates : as they were given.
    deciles : of what monitoring.py watches, on validation, as JSON.
    background : the logit, after the temperature, of a picture that is none of the classes.
    examples : what it was told (`learn`).
    threshold : the confidence from which on 99.5 % of the first model's answers were right on
        validation; an answer below it may be of no character that the model knows.

    Raises DataError for no file, one that is missing, no model or not ours, for candidates that it
    does not know, and for a prior that there is none of.
    """

    def __init__(
        self, *models: str | Path, threads: int = 1, candidates: str = "", prior: str = ""
    ) -> None:
        if not isinstance(candidates, str):
            raise DataError(
                'candidates: expected a text, "" for all characters, found '
                f"{type(candidates).__name__}"
            )
        candidates = composed(candidates)
        self._members = [_Member(Path(model), threads) for model in models or [shipped.model()]]
        first = self._members[0]
        self.path, self.session, self.classes = first.path, first.session, first.classes
        self.size, self.temperature = first.size, first.temperature
        self.threshold, self.background = first.threshold, first.background
        self.stroke_types, self.stroke_counts = first.stroke_types, first.stroke_counts
        self.deciles = first.deciles
        for other in self._members[1:]:
            if (other.classes, other.size) != (self.classes, self.size):
                raise DataError(
                    f"{other.path}: expected the {len(self.classes):,} classes and the "
                    f"{self.size} pixels of {self.path}, found {len(other.classes):,} classes and "
                    f"{other.size} pixels"
                )
        self.candidates = candidates
        self._allowed = context.allowed(candidates, self.classes)
        # What may not be answered stands beside nothing.
        alone = len(self.classes) + np.arange(len(self.classes))
        self._alike = np.where(self._allowed, context.alike(self.classes), alone)
        self._log_weights = np.log(context.weights(prior, self.classes))
        self._log_weights[~self._allowed] = -np.inf
        self.examples: list[Example] = []

    def logits(self, images: np.ndarray, batch: int = 64) -> np.ndarray:
        """Logits float32 (N, C) of normalised images uint8 (N, S, S), of the first model."""
        return self._members[0].run(["logits"], images, batch)[0]

    def strokes(self, images: np.ndarray, batch: int = 64) -> list[tuple[str, float]]:
        """What the model writes down of normalised images uint8 (N, S, S), stroke type by stroke
        type, and how probable it takes just this to be; of a model with a `sequence` (seq2seq).

        Raises DataError for a model that has none.
        """
        if not self.stroke_types:
            raise DataError(
                f"{self.path}: expected a model that writes strokes down (model: seq2seq), found "
                "one without a `sequence`"
            )
        (sequences,) = self._members[0].run(["sequence"], images, batch, {ASK: np.array(True)})
        found, confidences = decode(sequences, self.stroke_types)
        return list(zip(found, confidences.tolist(), strict=True))

    def feedback(self, images: np.ndarray, meant: str, batch: int = 64) -> list[Feedback]:
        """What is wrong with normalised images uint8 (N, S, S) of the character `meant`, or of as
        many characters, one for each; by a model that knows strokes (stroke).

        Raises DataError for a model that does not, and for a character that it does not know.
        """
        if not self.stroke_counts:
            raise DataError(
                f"{self.path}: expected a model that knows which strokes are there (model: "
                "stroke), found one without `presence`"
            )
        meant = composed(meant)
        strange = "".join(sorted(set(meant) - set(self.classes)))
        if strange or len(meant) not in (1, len(images)):
            raise DataError(
                f"{self.path}: expected one character among its {len(self.classes):,} classes, or "
                f"one for each of {len(images)} images, found {strange or meant!r}"
            )
        number = {character: k for k, character in enumerate(self.classes)}
        classes = np.array([number[c] for c in meant])
        classes = np.resize(classes, len(images))
        presence, courses = self._members[0].run(
            ["presence", "courses"], images, batch, {ASK: np.array(True)}, {"meant": classes}
        )
        counts = [self.stroke_counts[k] for k in classes]
        return [
            _judged(image, logits[:count].astype(np.float64), points[:count])
            for image, logits, points, count in zip(images, presence, courses, counts, strict=True)
        ]

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Calibrated probabilities float64 (N, C) of normalised images uint8 (N, S, S), 0 for
        those that are no candidates; what is left to 1 is that of none of them, as of a scribble.
        """
        total = np.zeros((len(images), len(self.classes)))
        for member in self._members:
            z = member.scaled(images)
            if member.gains:
                z += member.gains.of_pictures(z)
            z[:, ~self._allowed] = -np.inf
            most = z.max(1, keepdims=True)
            together = most + np.log(np.exp(z - most).sum(1, keepdims=True))
            known = 1 / (1 + np.exp(member.background - together))
            z += self._log_weights
            z = np.exp(z - z.max(1, keepdims=True))
            total += known * z / z.sum(1, keepdims=True)
        return total / len(self._members)

    def learn(self, image: pictures.Source, character: str, frame: float | None = None) -> None:
        """Take an image of one character, as `read` takes it, for what someone says that it is.
        What that hand writes like it is from now on likelier to be read so; see reading/memory.py.

        Raises DataError for what is no class of the model, and for an image without ink.
        """
        character = composed(character)
        if len(character) != 1 or character not in self.classes:
            raise DataError(
                f"learn: expected one character among the model's {len(self.classes):,} classes, "
                f"found {character!r}"
            )
        normalised = prepare(image, self.size, frame)
        if not normalised.any():
            raise DataError(f"learn: expected an image of {character}, found no ink")
        self._remember([*self.examples, Example(character, normalised)])

    def forget(self, character: str = "") -> None:
        """Forget what it was told of a character, or all; nothing where it was told nothing."""
        gone = composed(character)
        self._remember([e for e in self.examples if gone and e.character != gone])

    def save_memory(self, path: str | Path) -> None:
        """Write what it was told into a small file, for `load_memory` and for the page."""
        memory.write(Path(path), self.examples, self.size)

    def load_memory(self, path: str | Path) -> None:
        """Take what another recogniser was told in place of what this one was. Raises DataError for
        a file that is none, and for examples of characters that are no classes."""
        self._remember(memory.read(Path(path), self.size, self.classes))

    def _remember(self, examples: list[Example]) -> None:
        number = {character: k for k, character in enumerate(self.classes)}
        classes = np.array([number[e.character] for e in examples], np.int64)
        for member in self._members:
            images = np.stack([e.image for e in examples]) if examples else None
            member.gains = Gains.of(member.scaled(images), classes) if examples else None
        self.examples = examples

    def read(
        self, image: pictures.Source, top: int = 5, frame: float | None = None
    ) -> list[tuple[str, float]]:
        """The likeliest characters of one image with their probabilities, best first; none where
        there is no ink. A path, bytes, a file, a Pillow image or an array.

        frame : the side of the area that was there to write in, in pixels of the image, where it is
            known; it tells small characters from large ones.
        """
        if frame is not None and hasattr(image, "read"):
            image = image.read()
        images = prepare(image, self.size)[None]
        framed = None if frame is None else prepare(image, self.size, frame)[None]
        return self.read_normalised(images, top, framed)[0]

    def read_normalised(
        self, images: np.ndarray, top: int = 5, framed: np.ndarray | None = None
    ) -> list[list[tuple[str, float]]]:
        """Like `read` for many images that `prepare` made, uint8 (N, S, S); `framed` are the same
        as it made them with their frames."""
        if top < 1:
            raise DataError(f"top: expected a number from 1, found {top}")
        probabilities = self.probabilities(images)
        if framed is not None:
            probabilities = context.parted(probabilities, self.probabilities(framed), self._alike)
        best = context.ranked(probabilities, self._alike, min(top, self._allowed.sum()))
        return [
            [(self.classes[k], float(row[k])) for k in ranked] if image.any() else []
            for image, row, ranked in zip(images, probabilities, best, strict=True)
        ]


class _Member:
    """One model file, its session and what its metadata says."""

    def __init__(self, path: Path, threads: int) -> None:
        if not path.is_file():
            raise DataError(
                f"{path}: expected an exported model (.onnx), found no file; `make repro` makes it"
            )
        self.path, self.session, self.threads = path, open_session(path), threads
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
                lambda found: len(found) == len(self.classes) and min(found) > 0,
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
            fed["input"] = fed["input"].astype(np.float32) / 127.5 - 1
            return self.session.run(wanted, {**settings, **fed})

        return in_turns(read, range(0, len(images), batch), self.threads)


FAR = 0.06  # of the side: ink so far from where a stroke's edge should be is of another stroke
LEAST = 20  # pixels of such ink at 64 a side. Both were chosen on writers that are trained with


def _judged(image: np.ndarray, logits: np.ndarray, courses: np.ndarray) -> Feedback:
    """Of a normalised image uint8 (S, S), logits (strokes,) that each stroke is there, and courses
    where the table has them, (strokes, P, 2)."""
    there = logits >= 0
    size = len(image)
    width = monitoring.signals(image[None], np.zeros(1))["stroke_width"][0] / size
    placed = placement.fitted(courses[there] if there.any() else courses, image)
    distance = placement.distances(placed, size).min(0)
    strange = (image >= placement.INK) & (distance > width / 2 + FAR)
    where = None
    if strange.sum() >= LEAST * (size / 64) ** 2:
        rows, columns = (np.flatnonzero(strange.any(axis)) for axis in (1, 0))
        edges = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        where = tuple(float(edge / size) for edge in edges)
    missing = [int(k) + 1 for k in np.flatnonzero(~there)]
    return Feedback(missing, 1 / (1 + np.exp(-logits)), where)


def decode(probabilities: np.ndarray, types: str) -> tuple[list[str], np.ndarray]:
    """What the probabilities of each step say, float (N, steps, T + 1), of T types and of the end.

    Returns
    -------
    Per row its symbols up to the end, the likeliest at each step; and float64 (N,) the probability
    that the network gave to just this sequence, its end included.
    """
    best = probabilities.argmax(2)
    steps = best.shape[1]
    ended = best == len(types)
    lengths = np.where(ended.any(1), ended.argmax(1), steps)
    symbols = np.array([*types, ""])[best]
    found = ["".join(row[:length]) for row, length in zip(symbols, lengths, strict=True)]
    counted = np.arange(steps) <= lengths[:, None]
    likeliest = probabilities.max(2).astype(np.float64)
    return found, np.where(counted, likeliest, 1.0).prod(1)


def in_turns(
    read: Callable[[T], list[np.ndarray]], batches: Iterable[T], threads: int = 0
) -> list[np.ndarray]:
    """What `read` gives for each batch, joined along the first axis; so many batches at a time,
    0 for one per core."""
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        parts = list(pool.map(read, batches))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def open_session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU, with the settings that the file's metadata asks for
    (`session.…`); DataError for a file that is no model, or too new for the one installed."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3

    def opened() -> onnxruntime.InferenceSession:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    try:
        session = opened()
        metadata = session.get_modelmeta().custom_metadata_map
        wanted = {k: v for k, v in metadata.items() if k.startswith("session.")}
        for key, value in wanted.items():
            options.add_session_config_entry(key, value)
        return opened() if wanted else session
    except Exception as error:  # ONNX Runtime raises its own kinds, none of them public
        reason = " ".join(str(error).split())
        if newer := re.search(TOO_NEW, reason):
            kind = "opset" if newer["opset"] else "IR version"
            wanted, most = filter(None, newer.group("ir", "to_ir", "opset", "to_opset"))
            raise DataError(
                f"{path}: expected an ONNX Runtime that reads {kind} {wanted}, found "
                f"{onnxruntime.__version__}, which reads up to {most}; `pip install --upgrade "
                f"onnxruntime` brings a newer one (our files need {OLDEST_RUNTIME})"
            ) from None
        raise DataError(f"{path}: expected an ONNX model, found: {reason[:200]}") from None

"""A finished model in use: an ONNX file alone tells its classes and how to feed it.

    from kakitori import Recognizer
    recognizer = Recognizer("models/exports/int8.onnx")
    print(recognizer.read("photo.png")[0])
    sure = recognizer.read("photo.png")[0][1] >= recognizer.threshold

Needs NumPy, Pillow and ONNX Runtime.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kakitori.errors import DataError
from kakitori.reading import context, memory, shipped
from kakitori.reading.memory import Example, Gains
from kakitori.reading.model_file import ModelFile
from kakitori.reading.normalising import pictures
from kakitori.reading.normalising.photos import prepare
from kakitori.reading.normalising.tree import composed
from kakitori.reading.stroke_answers import Feedback, decode, judged

ASK = "strokes"  # input of models that can say more than the class: bool, whether they should


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
    providers : what ONNX Runtime computes with, the first best, where the installed one has it:
        "CUDA", "OpenVINO", "CoreML"; the CPU does what none of them can, and all where none is
        named.

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
    does not know, for a prior that there is none of, and for a provider that is not there.
    """

    def __init__(
        self,
        *models: str | Path,
        threads: int = 1,
        candidates: str = "",
        prior: str = "",
        providers: Sequence[str] = (),
    ) -> None:
        if not isinstance(candidates, str):
            raise DataError(
                'candidates: expected a text, "" for all characters, found '
                f"{type(candidates).__name__}"
            )
        candidates = composed(candidates)
        self._members = [
            ModelFile(Path(model), threads, providers) for model in models or [shipped.model()]
        ]
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
        symbols, confidences = decode(sequences, self.stroke_types)
        return list(zip(symbols, confidences.tolist(), strict=True))

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
            judged(image, logits[:count].astype(np.float64), points[:count])
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

"""The ONNX files that a trained network is shipped as.

`quantize.formats` of params.yaml says which of them an architecture gets, formats.FORMATS what
there are, and a function `to_NAME` here how each is made.
"""

import functools
import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from scipy.special import log_softmax
from torch import nn

from kakitori.errors import DataError
from kakitori.export import export, fourbit, int8, staged
from kakitori.reading.formats import FORMATS
from kakitori.reading.sessions import in_turns, open_session
from kakitori.running.params import Quantize


class Floats:
    """A network as the float32 ONNX files that other formats are made of: one, or two of a network
    in stages."""

    def __init__(
        self,
        model: nn.Module,
        size: int,
        settings: Quantize,
        calibration: np.ndarray,
        validation: tuple[np.ndarray, np.ndarray],
        folder: Path,
    ) -> None:
        """
        Parameters
        ----------
        calibration : samples of the training part, uint8 (N, S, S).
        validation : images uint8 (N, S, S) and labels int64 (N,) of the validation part.
        folder : for files that are needed in between.
        """
        self.model, self.size, self.settings, self.folder = model, size, settings, folder
        self.calibration, self.validation = calibration, validation
        self._logits: dict[str, np.ndarray] = {}
        self.stages = model.staged()
        if self.stages:
            self.parts = [folder / "first.onnx", folder / "rest.onnx"]
            staged.to_onnx(self.stages, size, settings.opset, *self.parts)
        else:
            self.parts = [folder / "whole.onnx"]
            export.to_onnx(model, size, settings.opset, self.parts[0])

    @functools.cached_property
    def strict(self) -> Path:
        """The whole network as the float32 ONNX file that converters take."""
        path = self.folder / "strict.onnx"
        export.to_strict(self.model, self.size, path)
        return path

    def join(self, parts: list[Path], path: Path) -> Path:
        """One file of the parts' copies in some format."""
        if len(parts) > 1:
            staged.merge(*parts, self.stages, path)
        else:
            shutil.copyfile(parts[0], path)
        return path

    def samples(self, made: list[Path]) -> Iterator[dict[str, np.ndarray]]:
        """Calibration samples of the part that follows those that are `made`."""
        if made:
            return staged.handed_on(made[0], self.stages, self.calibration)
        return export.batches(self.calibration)

    def logits(self, path: Path) -> np.ndarray:
        """A whole file's logits of the validation samples, float32 (N, C); computed once for files
        of the same bytes, such as the last that was tried and the one that stays."""
        key = hashlib.sha256(path.read_bytes()).hexdigest()
        if key not in self._logits:
            self._logits[key] = logits_of(path, self.validation[0])
        return self._logits[key]

    def read(self, path: Path) -> int8.Read:
        """How a whole file reads the validation samples."""
        logits, labels = self.logits(path), self.validation[1]
        likelihood = log_softmax(logits, 1)[np.arange(len(labels)), labels]
        right = logits.argmax(1) == labels
        return int8.Read(float(right.mean()), float(-likelihood.mean()))


def logits_of(path: Path, images: np.ndarray) -> np.ndarray:
    """Logits float32 (N, C) of images uint8 (N, S, S)."""
    session = open_session(path)
    (logits,) = in_turns(lambda batch: session.run(["logits"], batch), export.batches(images))
    return logits


def _each(change: Callable[[Path, Path], object]) -> Callable[[Floats, Path], dict]:
    """A format that is a change of each part by itself."""

    def make(source: Floats, path: Path) -> dict:
        made = [source.folder / f"changed-{k}.onnx" for k in range(len(source.parts))]
        for part, changed in zip(source.parts, made, strict=True):
            change(part, changed)
        source.join(made, path)
        return {}

    return make


def _quantised(source: Floats, path: Path, parts: list[Path]) -> dict:
    wanted = source.read(source.join(parts, source.folder / "float.onnx")).top1
    made: list[Path] = []
    results: list[int8.Quantised] = []
    for k, part in enumerate(parts):

        def read(candidate: Path, k: int = k) -> int8.Read:
            rest = parts[k + 1 :]
            return source.read(source.join([*made, candidate, *rest], source.folder / "try.onnx"))

        done = source.folder / f"int8-{k}.onnx"
        before = list(made)
        # What has no say in the class cannot be judged by it.
        judged = k == 0 or source.stages.threshold is not None
        result = int8.to_int8(
            part,
            lambda before=before: source.samples(before),
            done,
            read if judged else None,
            source.settings.calibration,
            wanted,
            max(int8.TOLERANCE, int8.CHANCE / len(source.validation[1])),
        )
        made.append(done)
        results.append(result)
    source.join(made, path)
    return {
        "calibration": " and ".join(dict.fromkeys(r.calibration for r in results)),
        "biases_corrected": any(r.bias_corrected for r in results),
        "layers_in_floats": sum(len(r.in_floats) for r in results),
        "sensitivity": [line for r in results for line in r.sensitivity],
    }


def to_strict(source: Floats, path: Path) -> dict:
    shutil.copyfile(source.strict, path)
    return {}


def to_int8(source: Floats, path: Path) -> dict:
    return _quantised(source, path, source.parts)


def to_strict_int8(source: Floats, path: Path) -> dict:
    return _quantised(source, path, [source.strict])


to_fp32 = _each(shutil.copyfile)
to_fp16 = _each(export.to_half)
to_dynamic = _each(int8.to_dynamic)
to_int4 = _each(lambda part, path: fourbit.to_4bit(part, path, "int4"))
to_nf4 = _each(lambda part, path: fourbit.to_4bit(part, path, "nf4"))
to_fp4 = _each(lambda part, path: fourbit.to_4bit(part, path, "fp4"))


def check(names: list[str], model: nn.Module, name: str) -> None:
    """Raises DataError where an architecture `name` cannot have a format, saying why."""
    for wanted in names:
        needs = FORMATS[wanted].needs
        if needs and not any(isinstance(layer, getattr(nn, needs)) for layer in model.modules()):
            raise DataError(
                f"params.yaml: quantize.formats: expected formats that {name} can have, found "
                f"{wanted}: it has no {needs}, and other layers are slower this way than in floats"
            )


def make(names: Iterable[str], source: Floats, folder: Path) -> Iterator[tuple[str, Path, dict]]:
    """Make the ONNX file of each format in `folder`; yields its name, path, and what there is to
    say of it."""
    for name in names:
        path = folder / Path(FORMATS[name].file).name
        try:
            about = globals()[f"to_{name}"](source, path)
            if sums := int8.pair_sums(path):
                about |= {"weight_bits": int8.BITS, "largest_pair_sum": max(sums.values())}
        except ValueError as error:
            raise DataError(f"{path.name}: {error}") from None
        yield name, path, about

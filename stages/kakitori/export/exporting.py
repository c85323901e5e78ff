"""The exports of a trained network, made and measured on validation samples: what each says of
itself, how well it reads, how large and how fast it is."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from kakitori.accuracy import scoring
from kakitori.export import checking, export, footprint, formats, latency
from kakitori.export.runtimes import converting
from kakitori.learning import saved
from kakitori.learning.contract import Network
from kakitori.reading import monitoring
from kakitori.reading.formats import FORMATS

COMPARED = 4  # every so many of the validation samples are compared with the network's own logits


class Seen(NamedTuple):
    """
    images : validation samples, uint8 (N, S, S).
    labels : int64 (N,).
    exact : the network's logits of every COMPARED-th, in float32.
    strange : what is no character, uint8 (M, S, S).
    signals : of `images`, as monitoring.signals gives them.
    """

    images: np.ndarray
    labels: np.ndarray
    exact: np.ndarray
    strange: np.ndarray
    signals: Mapping[str, np.ndarray]


def make(
    names: list[str], source: formats.Floats, seen: Seen, classes: list[str], folder: Path
) -> tuple[dict[str, dict], pd.DataFrame]:
    """Make each format's files in `folder`. Returns what metrics/quantize.json says of each, and of
    `encoders` where there are any, and what each layer loses by INT8 alone, a row per format and
    layer."""
    measured, sensitivity = {}, []
    own = [name for name in names if not FORMATS[name].runtime]
    for name, path, about in formats.make(own, source, folder):
        sensitivity += [(name, *line) for line in about.pop("sensitivity", [])]
        logits = source.logits(path)
        about |= annotate(name, path, logits, seen, source.model, classes)
        measured[name] = {"bytes": path.stat().st_size, **accuracy(logits, seen), **about}
        measured[name] |= cost(path, seen)
        _report(name, measured[name])
    for name in [name for name in names if FORMATS[name].runtime]:
        logits, about = converting.make(name, source, folder)
        measured[name] = about | accuracy(logits, seen)
        measured[name] |= {"temperature": scoring.fit_temperature(logits, seen.labels)}
        _report(name, measured[name])
    if encoders := write_encoders(source.model, source.settings.opset, folder):
        measured["encoders"] = encoders
    columns = ["format", "layer", "val_top1", "val_nll"]
    return measured, pd.DataFrame(sensitivity, columns=columns)


def _report(name: str, line: dict) -> None:
    print(
        f"quantize: {name}: {line['bytes'] / 1e6:.2f} MB, validation top-1 "
        f"{line['val_top1']:.4f}, {line['latency_ms']} ms an image"
    )


def write_weights(state: dict[str, torch.Tensor], folder: Path) -> dict[str, int]:
    """Write a network's weights into `folder`, as safetensors and as PyTorch's own; returns the
    bytes of both."""
    saved.write(folder / "model.safetensors", state)
    content = io.BytesIO()  # of which torch.save puts no name into the archive
    torch.save(state, content)
    (folder / "model.pth").write_bytes(content.getbuffer())
    return {
        "bytes": (folder / "model.safetensors").stat().st_size,
        "pth_bytes": (folder / "model.pth").stat().st_size,
    }


def write_encoders(model: Network, opset: int, folder: Path) -> dict[str, dict[str, int]]:
    """Write the parts of a network that are files of their own, NAME.onnx in `folder`; returns
    `bytes` of each."""
    written = {}
    for name, (module, inputs, metadata) in model.encoders().items():
        path = folder / f"{name}.onnx"
        export.write(module, inputs, ["vectors"], opset, path)
        export.tell(path, metadata)
        written[name] = {"bytes": path.stat().st_size}
    return written


def annotate(
    name: str, path: Path, logits: np.ndarray, seen: Seen, model: Network, classes: list[str]
) -> dict[str, float]:
    """Fit to validation what people need to use the ONNX file `path`, which has these logits of
    it, and write it into the file; returns what scoring.Sureness holds."""
    sureness, confidences = scoring.fit_sureness(
        logits, seen.labels, formats.logits_of(path, seen.strange)
    )
    metadata = {
        "temperature": str(sureness.temperature),
        "threshold": str(sureness.threshold),
        "background": str(sureness.background),
        "deciles": monitoring.reference(seen.signals | {"confidence": confidences}),
        **model.tells,
        **FORMATS[name].session,
    }
    export.annotate(path, classes, seen.images.shape[-1], metadata)
    return sureness._asdict()


def accuracy(logits: np.ndarray, seen: Seen) -> dict[str, float]:
    """How well logits of the validation samples read them, and how close they are to the
    network's: `val_top1`, `agreement`, `max_abs_diff`."""
    compared = logits[::COMPARED]
    return {
        "val_top1": float((logits.argmax(1) == seen.labels).mean()),
        "agreement": float((compared.argmax(1) == seen.exact.argmax(1)).mean()),
        "max_abs_diff": float(np.abs(compared - seen.exact).max()),
    }


def cost(path: Path, seen: Seen) -> dict[str, float | str]:
    """What an ONNX file takes, and a second runtime's opinion of it."""
    size = seen.images.shape[-1]
    return {
        "latency_ms": latency.milliseconds(path, size, 1, 200),
        "latency_ms_batch64": latency.milliseconds(path, size, 64, 9),
        **footprint.measure(path, size),
        "second_runtime": checking.second_opinion(path, seen.images[:2]),
    }

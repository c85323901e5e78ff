"""The trained model in the formats that it is shipped in, each read, timed and weighed.

    python stages/quantize.py

Reads the model, calibration samples of the training part and the validation part; writes
models/exports/, metrics/quantize.json and metrics/plots/quantize/. An ONNX file's metadata holds
its classes and preprocessing, and from validation its temperature, the confidence from which on
99.5 % of its answers are right, and the deciles that recognize.py compares new images with.
"""

import io
import tempfile
from pathlib import Path

from kakitori import threads  # noqa: F401, before torch

# isort: split
import numpy as np
import pandas as pd
import torch

from kakitori import monitoring, outputs, stage
from kakitori.errors import DataError
from kakitori.learning import (
    checking,
    data,
    export,
    footprint,
    formats,
    latency,
    saved,
    strangers,
    training,
)
from kakitori.params import ROOT, Settings
from kakitori.results import figures, scoring

# Scribbles, faces and foreign words, of which no more than a few may be answered; as many as there
# are validation samples where those are fewer.
STRANGERS = 1000
COMPARED = 4  # every so many of the validation samples the network reads in float32 too


def main(settings: Settings) -> None:
    options = settings.quantize
    described = saved.describe(ROOT / "models")
    model, classes, size = described.network(), described.classes, described.size
    names = options.formats_of(described.model)
    formats.check(names, model, described.model)
    index = data.placed_index(ROOT)
    if classes != (trained := data.class_list(index)):
        odd = "".join(sorted(set(classes) ^ set(trained)))[:20]
        raise DataError(
            f"{described.path}: expected a model of the {len(trained):,} classes of the training "
            f"part, found one of {len(classes):,}, which differ by {odd}; `dvc repro` trains it"
        )

    def some(part: str, count: int) -> data.Part:
        rows = index[index["part"] == part]
        drawn = np.random.default_rng(settings.seed).choice(
            len(rows), min(count, len(rows)), replace=False
        )
        return data.load_part(ROOT, rows.iloc[np.sort(drawn)], part, classes)

    calibration = some("train", options.calibration_samples).images[:, 0].numpy()
    validation = some("val", options.validation_samples)
    images, labels = validation.images[:, 0].numpy(), validation.labels.numpy()
    precision = training.pick_precision("auto", torch.device("cpu"))  # as it was trained
    reference = training.logits_of(model, validation.images, precision).numpy()
    exact = training.logits_of(model, validation.images[::COMPARED]).numpy()
    strange = strangers.images(min(STRANGERS, len(labels)), size, settings.seed)
    image_signals = monitoring.signals(images, np.zeros(len(images)))

    with (
        tempfile.TemporaryDirectory() as between,
        outputs.whole_folder(ROOT / "models/exports") as folder,
        outputs.whole_folder(ROOT / "metrics/plots/quantize") as plots,
    ):
        saved.write(folder / "model.safetensors", described.state)
        content = io.BytesIO()  # of which torch.save puts no name into the archive
        torch.save(described.state, content)
        (folder / "model.pth").write_bytes(content.getbuffer())
        metrics: dict = {
            "scheme": settings.split.scheme,
            "validation_samples": len(labels),
            "torch": {
                "bytes": (folder / "model.safetensors").stat().st_size,
                "pth_bytes": (folder / "model.pth").stat().st_size,
                "val_top1": float((reference.argmax(1) == labels).mean()),
                "temperature": scoring.fit_temperature(reference, labels),
            },
        }
        source = formats.Source(model, size, options, calibration, (images, labels), Path(between))
        sensitivity = []
        for name, path, about in formats.make(names, source, folder):
            sensitivity += [(name, *line) for line in about.pop("sensitivity", [])]
            logits = source.logits(path)
            compared = logits[::COMPARED]
            temperature = scoring.fit_temperature(logits, labels)
            confidences, right = scoring.confidence(logits, labels, temperature)
            threshold = scoring.threshold(confidences, right)
            background = scoring.background(logits, confidences, temperature, threshold)
            nothing = np.zeros(len(strange), np.int64)  # no answer is right
            read = formats.logits_of(path, strange), nothing, temperature, background
            about |= {
                "threshold": threshold,
                "background": background,
                "strangers_sure": float((scoring.confidence(*read)[0] >= threshold).mean()),
            }
            told = {
                "temperature": str(temperature),
                "threshold": str(threshold),
                "background": str(background),
                "deciles": monitoring.reference(image_signals | {"confidence": confidences}),
                **model.tells,
                **formats.FORMATS[name].session,
            }
            export.annotate(path, classes, size, told)
            line = metrics["onnx" if name == "fp32" else name] = {
                "bytes": path.stat().st_size,
                "val_top1": float((logits.argmax(1) == labels).mean()),
                "agreement": float((compared.argmax(1) == exact.argmax(1)).mean()),
                "max_abs_diff": float(np.abs(compared - exact).max()),
                "temperature": temperature,
                **about,
                "latency_ms": latency.milliseconds(path, size, 1, 200),
                "latency_ms_batch64": latency.milliseconds(path, size, 64, 9),
                **footprint.measure(path, size),
                "second_runtime": checking.second_opinion(path, images[:2]),
            }
            print(
                f"quantize: {name}: {line['bytes'] / 1e6:.2f} MB, validation top-1 "
                f"{line['val_top1']:.4f}, {line['latency_ms']} ms an image"
            )
        table = pd.DataFrame(
            [
                {"name": k, **{c: v[c] for c in ("bytes", "latency_ms")}, "top1": v["val_top1"]}
                for k, v in metrics.items()
                if k in KEYS
            ]
        )
        outputs.write_csv(plots / "formats.csv", table)
        figures.accuracy_by_cost(plots / "formats.png", table, "validation")
        columns = ["format", "layer", "val_top1", "val_nll"]
        outputs.write_csv(plots / "sensitivity.csv", pd.DataFrame(sensitivity, columns=columns))
    outputs.write_json(ROOT / "metrics/quantize.json", metrics)


KEYS = {"onnx" if name == "fp32" else name for name in formats.FORMATS}


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True)

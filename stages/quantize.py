"""The trained model in the formats that it is shipped in, each read, timed and weighed.

    python stages/quantize.py

Reads the model, calibration samples of the training part and the validation part; writes
models/exports/, metrics/quantize.json and metrics/plots/quantize/. An ONNX file's metadata holds
its classes and preprocessing, and from validation its temperature, the confidence from which on
99.5 % of its answers are right, and the deciles that recognize.py compares new images with.
"""

import tempfile
from pathlib import Path

from kakitori.running import threads  # noqa: F401, before torch

# isort: split
import numpy as np
import pandas as pd
import torch

from kakitori import outputs
from kakitori.accuracy import figures, scoring
from kakitori.errors import DataError
from kakitori.export import exporting, formats, strangers
from kakitori.export.runtimes import converting
from kakitori.learning import inference, machine, saved
from kakitori.learning.samples import data
from kakitori.reading import monitoring
from kakitori.running import stage
from kakitori.running.params import ROOT, Settings

COLUMNS = {"bytes": "bytes", "latency_ms": "latency_ms", "top1": "val_top1"}  # of plots
STRANGERS = 1000  # scribbles, faces and foreign words, of which no more than a few may be answered


def main(settings: Settings) -> None:
    options = settings.quantize
    described = saved.describe(ROOT / "models")
    model, classes, size = described.network(), described.classes, described.size
    names = options.formats_of(described.model)
    formats.check(names, model, described.model)
    converting.check(names)
    calibration, validation = samples(settings, described)
    images, labels = validation.images[:, 0].numpy(), validation.labels.numpy()
    precision = machine.reading_precision(described.precision, torch.device("cpu"))
    reference = inference.logits_of(model, validation.images, precision).numpy()
    seen = exporting.Seen(
        images,
        labels,
        inference.logits_of(model, validation.images[:: exporting.COMPARED]).numpy(),
        strangers.images(min(STRANGERS, len(images)), size, settings.seed),
        monitoring.signals(images, np.zeros(len(images))),
    )
    with (
        tempfile.TemporaryDirectory() as between,
        outputs.whole_folder(ROOT / "models/exports") as folder,
        outputs.whole_folder(ROOT / "metrics/plots/quantize") as plots,
    ):
        metrics: dict = {
            "scheme": settings.split.scheme,
            "validation_samples": len(labels),
            "torch": exporting.write_weights(described.state, folder)
            | {
                "val_top1": float((reference.argmax(1) == labels).mean()),
                "temperature": scoring.fit_temperature(reference, labels),
            },
        }
        source = formats.Floats(model, size, options, calibration, (images, labels), Path(between))
        made, sensitivity = exporting.make(names, source, seen, classes, folder)
        outputs.write_csv(plots / "sensitivity.csv", sensitivity)
        rows = [{"name": k} | {c: made[k][key] for c, key in COLUMNS.items()} for k in names]
        table = pd.DataFrame(rows)
        outputs.write_csv(plots / "formats.csv", table)
        figures.accuracy_by_cost(plots / "formats.png", table, "validation")
    outputs.write_json(ROOT / "metrics/quantize.json", metrics | made)


def samples(settings: Settings, described: saved.Described) -> tuple[np.ndarray, data.Part]:
    """Some of the training part to calibrate with, uint8 (N, S, S), and of the validation part.
    DataError for a model of other classes than are trained."""
    options, classes = settings.quantize, described.classes
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
    return calibration, some("val", options.validation_samples)


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True)

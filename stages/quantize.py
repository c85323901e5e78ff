"""The trained model as ONNX files: float32 and statically quantised INT8.

    python stages/quantize.py

Reads the model, calibration samples of the training part and the validation part; writes
models/exports/ and metrics/quantize.json. Each file's metadata holds its classes, preprocessing
and temperature, fitted on validation.
"""

import numpy as np

from kakitori import outputs, stage
from kakitori.learning import data, early_exit, export, latency, saved, training
from kakitori.params import ROOT, Settings
from kakitori.recognizer import Recognizer
from kakitori.results import scoring

EXPORTS = ("fp32", "int8")
NAMES = {"fp32": "onnx", "int8": "int8"}  # file → format key in the metrics


def main(settings: Settings) -> None:
    model, classes, size = saved.load(ROOT / "models")
    index = data.placed_index(ROOT)
    validation = data.load_part(ROOT, index, "val", classes)
    rows = index[index["part"] == "train"]
    rng = np.random.default_rng(settings.seed)
    count = min(settings.quantize.calibration_samples, len(rows))
    chosen = rows.iloc[np.sort(rng.choice(len(rows), count, replace=False))]
    calibration = data.load_part(ROOT, chosen, "train", classes).images[:, 0].numpy()

    labels, images = validation.labels.numpy(), validation.images[:, 0].numpy()
    reference = training.logits_of(model, validation.images).numpy()
    temperature = scoring.fit_temperature(reference, labels)
    metrics = {
        "scheme": settings.split.scheme,
        "torch": {
            "bytes": (ROOT / "models/model.safetensors").stat().st_size,
            "val_top1": float((reference.argmax(1) == labels).mean()),
            "temperature": temperature,
        },
    }
    with outputs.whole_folder(ROOT / "models/exports") as folder:
        fp32, int8, opset = folder / "fp32.onnx", folder / "int8.onnx", settings.quantize.opset
        if hasattr(model, "staged"):
            early_exit.write(*model.staged(), size, opset, calibration, fp32, int8)
        else:
            export.to_onnx(model, size, opset, fp32)
            export.to_int8(fp32, export.batches(calibration), int8)
        for name in EXPORTS:
            path = folder / f"{name}.onnx"
            export.annotate(path, classes, size, 1.0)
            logits = Recognizer(path, threads=0).logits(images)
            temperature = scoring.fit_temperature(logits, labels)
            export.annotate(path, classes, size, temperature)
            metrics[NAMES[name]] = {
                "bytes": path.stat().st_size,
                "val_top1": float((logits.argmax(1) == labels).mean()),
                "agreement": float((logits.argmax(1) == reference.argmax(1)).mean()),
                "max_abs_diff": float(np.abs(logits - reference).max()),
                "temperature": temperature,
                "latency_ms": latency.milliseconds(path, size, 1, 300),
                "latency_ms_batch64": latency.milliseconds(path, size, 64, 15),
            }
            line = metrics[NAMES[name]]
            print(
                f"quantize: {name}: {line['bytes'] / 1e6:.2f} MB, validation top-1 "
                f"{line['val_top1']:.4f}, {line['latency_ms']} ms an image"
            )
    outputs.write_json(ROOT / "metrics/quantize.json", metrics)


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True)

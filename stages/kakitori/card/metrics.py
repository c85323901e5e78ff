"""The metrics of one finished run, read together."""

import json
from pathlib import Path

from kakitori.errors import DataError
from kakitori.reading.formats import renamed

EXPECTED = {  # what cards and reports show, by file
    "extract": {"classes_by_script", "corpora"},
    "split": {"scheme", "leaks_writers", "train", "val", "test"},
    "train": {"model", "scheme", "best_epoch", "train_top1", "val_top1", "parameters"},
    "quantize": {"scheme", "validation_samples", "torch", "fp32", "int8"},
    "evaluate": {"model", "dataset", "scheme", "classes", "torch", "fp32", "int8", "accepted"},
    "carbon": {"stages", "total_kwh", "kg_co2e", "wh_per_1000_inferences", "assumptions"},
}
AGAIN = "`dvc repro` brings it up to date"


def read(root: Path) -> tuple[dict[str, dict], dict]:
    """metrics/*.json by name and models/model.json of the project at `root`.

    Raises FileNotFoundError for a file that is missing; DataError for one that is damaged, holds a
    number that is none (NaN, infinity), lacks what an earlier version did not measure, or is of
    another run than models/model.json (stale).
    """
    metrics = {name: _read(root, f"metrics/{name}.json") for name in EXPECTED}
    for name, keys in EXPECTED.items():
        if missing := keys - metrics[name].keys():
            raise DataError(
                f"metrics/{name}.json: expected {', '.join(sorted(keys))}, found none of "
                f"{', '.join(sorted(missing))}; {AGAIN}"
            )
    model = _read(root, "models/model.json")
    _check_one_run(metrics, model)
    return metrics, model


def _check_one_run(metrics: dict[str, dict], model: dict) -> None:
    evaluate, split = metrics["evaluate"], metrics["split"]
    for name in ("evaluate", "train"):
        if (architecture := metrics[name]["model"]) != model["model"]:
            raise DataError(
                f"metrics/{name}.json: expected the metrics of models/model.json's "
                f"{model['model']}, found those of {architecture}; {AGAIN}"
            )
    if evaluate["classes"] != len(model["classes"]):
        raise DataError(
            f"metrics/evaluate.json: expected the {len(model['classes']):,} classes of "
            f"models/model.json, found {evaluate['classes']:,}; {AGAIN}"
        )
    for name in ("train", "quantize", "evaluate"):
        if metrics[name]["scheme"] != split["scheme"]:
            raise DataError(
                f"metrics/{name}.json: expected the split scheme of metrics/split.json, "
                f"{split['scheme']}, found {metrics[name]['scheme']}; {AGAIN}"
            )
    made = metrics["quantize"].keys()
    read = {"evaluate": evaluate["accepted"], "carbon": metrics["carbon"]["wh_per_1000_inferences"]}
    for name, formats in read.items():
        if strange := sorted(formats.keys() - made):
            raise DataError(
                f"metrics/{name}.json: expected formats of metrics/quantize.json, found also "
                f"{', '.join(strange)}; {AGAIN}"
            )


def _read(root: Path, name: str) -> dict:
    def refuse(constant: str) -> None:
        raise DataError(f"{name}: expected numbers, found {constant}; {AGAIN}")

    content = (root / name).read_bytes()
    try:
        document = json.loads(content.decode("utf-8"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{name}: expected JSON, found: {error}; {AGAIN}") from None
    if not isinstance(document, dict):
        raise DataError(f"{name}: expected an object, found {type(document).__name__}; {AGAIN}")
    return renamed(document)

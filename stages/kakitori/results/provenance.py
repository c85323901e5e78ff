"""What a study's figures are of, and whether the finished run that it reads is one."""

import json
from pathlib import Path

from kakitori.errors import DataError
from kakitori.learning.samples import data
from kakitori.running.params import Settings

TOLERANCE = (
    0.02  # of top-1: ten standard errors of five thousand samples, read right 98 times of 100
)


def of_run(root: Path, settings: Settings) -> dict[str, str | bool]:
    """`model`, `synthetic`, `corpora`, `fingerprint` and `scheme` of a working tree's finished run.

    Raises FileNotFoundError where it is not finished; DataError where models/, metrics/, data/ and
    params.yaml are not of one run (stale).
    """
    evaluate = json.loads((root / "metrics/evaluate.json").read_text("utf-8"))
    model = json.loads((root / "models/model.json").read_text("utf-8"))
    provenance = {
        "model": evaluate["model"],
        "synthetic": evaluate["synthetic"],
        "corpora": evaluate["dataset"]["corpora"],
        "fingerprint": evaluate["dataset"]["fingerprint"],
        "scheme": evaluate["scheme"],
    }
    for path, key, here in (
        ("models/model.json", "model", model["model"]),
        ("params.yaml", "model", settings.model),
        ("params.yaml", "scheme", settings.split.scheme),
        ("data/", "fingerprint", data.fingerprint(root)),
    ):
        if here != provenance[key]:
            raise DataError(
                f"metrics/evaluate.json: expected the {key} of {path}, {here}, found "
                f"{provenance[key]}; `dvc repro` brings them up to date"
            )
    return provenance


def agrees(root: Path, name: str, top1: float) -> None:
    """Raises DataError when metrics/evaluate.json tells another top-1 of a format than the one
    measured: it is of an earlier model."""
    recorded_top1 = json.loads((root / "metrics/evaluate.json").read_text("utf-8"))[name]["top1"]
    if abs(recorded_top1 - top1) > TOLERANCE:
        raise DataError(
            f"metrics/evaluate.json: expected the top-1 of models/, {top1:.4f} ({name}), "
            f"found {recorded_top1:.4f}; `dvc repro` brings them up to date"
        )

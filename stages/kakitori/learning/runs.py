"""A run of training: what it begins with, what would make it another one, what it leaves."""

from pathlib import Path

import pandas as pd
import torch
from torch import nn

from kakitori import outputs
from kakitori.learning import checkpoints, machine, processes, saved, training, transfer
from kakitori.learning.objectives import Imitation
from kakitori.learning.samples import data
from kakitori.running.params import ROOT, Settings, Train

# What shapes the weights, beside the architecture's own file.
CODE = (
    "learning/blocks.py",
    "learning/contract.py",
    "learning/samples/shards.py",
    "learning",
    "writing",
)


def key(settings: Settings, origins: dict[str, str | int]) -> str:
    """What the checkpoints of this run are called: another one with any other setting, data, code
    or beginning."""
    return checkpoints.key(
        {
            "model": settings.model,
            "net": settings.arch().net,
            "train": settings.training().model_dump(),
            "seed": settings.seed,
            "data": data.fingerprint(ROOT),
            "weights": settings.data.mix.weights,
            "origins": origins,
            "torch": torch.__version__,
        },
        [path for name in (*CODE, f"archs/{settings.model}.py") for path in _code(name)],
    )


def _code(name: str) -> list[Path]:
    """A file of kakitori, or the files of a folder of it."""
    path = ROOT / "stages/kakitori" / name
    return sorted(path.glob("*.py")) if path.is_dir() else [path]


def earlier_models(
    model: nn.Module, classes: list[str], size: int, options: Train
) -> tuple[Imitation | None, dict[str, str | int]]:
    """Gives `model` the weights that `transfer.init_from` names. Returns the teacher, if there is
    one, and the checksums of both for the metrics."""
    origins: dict[str, str | int] = {}
    distillation = None
    if name := options.transfer.init_from:
        earlier = saved.describe(saved.PRETRAINED, name)
        taken = transfer.start_from(model, classes, earlier)
        origins |= {"init_from": name, "init_from_sha256": transfer.checksum(earlier.path)}
        if processes.first():
            print(
                f"train: {taken.tensors} of {taken.of} tensors from {name}, "
                f"{taken.classes} of {len(classes)} classes by character; the rest is fresh"
            )
    if name := options.distillation.teacher:
        earlier = saved.describe(saved.PRETRAINED, name)
        distillation = transfer.teacher(classes, size, earlier, options.distillation)
        origins |= {"teacher": name, "teacher_sha256": transfer.checksum(earlier.path)}
    return distillation, origins


def write(
    settings: Settings,
    classes: list[str],
    samples: pd.Series,
    result: training.Trained,
    about: dict[str, str | int],
) -> None:
    """The model and what training it on `samples` has shown; `about` goes into the metrics."""
    saved.write(ROOT / "models/model.safetensors", result.state)
    doubtful = samples[result.doubtful.numpy()].to_frame()
    outputs.write_parquet(ROOT / "data/doubtful.parquet", doubtful)
    outputs.write_json(
        ROOT / "models/model.json",
        {
            "model": settings.model,
            "net": settings.arch().net,
            "size": settings.data.size,
            "precision": machine.name_of(result.precision),
            "classes": "".join(classes),
        },
    )
    with outputs.whole_folder(ROOT / "metrics/plots/train") as folder:
        outputs.write_csv(folder / "curve.csv", result.curve)
    best = result.best
    metrics = {
        "model": settings.model,
        "scheme": settings.split.scheme,
        "best_epoch": best["epoch"],
        "epochs": len(result.curve),
        "planned_epochs": settings.training().epochs,
        **{k: best[k] for k in ("train_top1", "train_loss", "val_top1", "val_top5", "val_loss")},
        "learning_rate": float(result.curve["learning_rate"].iloc[-1]),
        **about,
        "images_seen": result.images_seen,
    }
    outputs.write_json(ROOT / "metrics/train.json", metrics)

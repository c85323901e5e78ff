"""Train the architecture that `model` names; the epoch that reads validation best is kept.

    python stages/train.py
    torchrun --nnodes 2 --nproc-per-node 8 … stages/train.py     # on several machines

Reads shards, characters and split; writes models/model.safetensors, models/model.json,
metrics/train.json and the learning curve. A killed run goes on where it was.
"""

from kakitori import threads  # noqa: F401, before torch

# isort: split
import torch
from torch import nn

from kakitori import outputs, stage
from kakitori.archs import contract
from kakitori.errors import DataError
from kakitori.learning import checkpoints, complexity, data, processes, saved, training, transfer
from kakitori.learning.objectives import Distillation
from kakitori.params import ROOT, Settings, Train
from kakitori.writing import table

# What shapes the weights, beside the architecture's own file.
CODE = ("archs/blocks.py", "archs/contract.py", "corpora/shards.py", "learning", "writing")


def main(settings: Settings) -> None:
    contract.check(settings)
    options = settings.training()
    if options.processes > 1 and not processes.started():
        processes.start(options.processes)
        return
    processes.follow()
    index = data.placed_index(ROOT)
    classes = data.class_list(index)
    characters = table.read(ROOT / "data/characters.parquet", classes)
    torch.manual_seed(settings.seed)
    model = contract.network(settings, classes, characters)
    size = complexity.measure(model, settings.data.size)
    if processes.first():
        print(
            f"train: {settings.model}, {size['parameters']:,} parameters, "
            f"{size['multiply_adds']:,} multiply-adds, {len(classes)} classes"
        )
        if unknown := table.without_strokes(characters, classes):
            print(
                "train: nobody knows the strokes of "
                f"{table.named(unknown, len(classes))}: what it learns of strokes, it does not "
                "learn of these"
            )
    distillation, origins = earlier_models(model, classes, settings.data.size, options)
    origins |= model.origins

    weights = settings.data.mix.weights
    run = checkpoints.key(
        {
            "model": settings.model,
            "net": settings.arch().net,
            "train": options.model_dump(),
            "seed": settings.seed,
            "data": data.fingerprint(ROOT),
            "weights": weights,
            "origins": origins,
            "torch": torch.__version__,
        },
        [path for name in CODE for path in code(name)] + code(f"archs/{settings.model}.py"),
    )
    parts = {
        p: data.load_part(ROOT, index, p, classes, weights, model.learns_order)
        for p in ("train", "val")
    }
    partial = None
    if options.sampling.partial:
        partial = data.load_partial(ROOT / "data/synthetic/partial.h5", classes, settings.data.size)
    try:
        result = training.train(model, parts, options, settings.seed, run, partial, distillation)
    except (FloatingPointError, MemoryError) as error:
        raise DataError(str(error)) from None
    if processes.first():
        write(settings, classes, result, {**size, **origins})
        checkpoints.forget(run)


def code(name: str) -> list:
    """A file of kakitori, or the files of a folder of it."""
    path = ROOT / "stages/kakitori" / name
    return sorted(path.glob("*.py")) if path.is_dir() else [path]


def earlier_models(
    model: nn.Module, classes: list[str], size: int, options: Train
) -> tuple[Distillation | None, dict[str, str | int]]:
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
    settings: Settings, classes: list[str], result: training.Result, about: dict[str, str | int]
) -> None:
    """The model and what training it has shown; `about` goes into the metrics."""
    saved.write(ROOT / "models/model.safetensors", result.state)
    outputs.write_json(
        ROOT / "models/model.json",
        {
            "model": settings.model,
            "net": settings.arch().net,
            "size": settings.data.size,
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


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=processes.first(), writes=processes.first())

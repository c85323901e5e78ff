"""Train the architecture that `model` names; the epoch with the best validation accuracy is kept.

    python stages/train.py
    python stages/train.py --machines 2,HOST:29500     # on each of two, HOST the first

Reads shards, characters and split; writes models/model.safetensors, models/model.json,
metrics/train.json, the learning curve, and which samples it still misread at last, for audit. A
killed run goes on where it was.
"""

from kakitori.running import threads  # noqa: F401, before torch

# isort: split
import pandas as pd
import torch

from kakitori.errors import DataError
from kakitori.learning import checkpoints, complexity, contract, processes, runs, training
from kakitori.learning.samples import data, table
from kakitori.running import stage
from kakitori.running.params import ROOT, Settings


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
        _introduce(settings.model, size, classes, characters)
    distillation, origins = runs.earlier_models(model, classes, settings.data.size, options)
    origins |= model.origins

    run = runs.key(settings, origins)
    weights = settings.data.mix.weights, model.learns_order, options.sampling.scripts
    parts = {p: data.load_part(ROOT, index, p, classes, *weights) for p in ("train", "val")}
    partial = None
    if options.sampling.partial:
        partial = data.load_partial(ROOT / "data/shards/partial.h5", classes, settings.data.size)
    try:
        result = training.train(model, parts, options, settings.seed, run, partial, distillation)
    except (FloatingPointError, MemoryError) as error:
        raise DataError(str(error)) from None
    if processes.first():
        samples = parts["train"].rows["sample"]
        runs.write(settings, classes, samples, result, {**size, **origins})
        checkpoints.forget(run)


def over_machines(where: str, settings: Settings) -> None:
    """`main` in train.processes processes on each of several machines."""
    processes.start(settings.training().processes, processes.Meeting.parsed(where))


def _introduce(
    model: str, size: dict[str, int], classes: list[str], characters: pd.DataFrame
) -> None:
    print(
        f"train: {model}, {size['parameters']:,} parameters, "
        f"{size['multiply_adds']:,} multiply-adds, {len(classes)} classes"
    )
    if unknown := table.without_strokes(characters, classes):
        print(
            f"train: nobody knows the strokes of {table.named(unknown, len(classes))}: what it "
            "learns of strokes, it does not learn of these"
        )


if __name__ == "__main__":
    stage.run(
        main,
        __doc__,
        measure_energy=processes.first(),
        writes=processes.first(),
        instead={"machines N,HOST:PORT": over_machines},
    )

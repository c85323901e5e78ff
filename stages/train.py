"""Train the architecture that `model` names; the epoch that reads validation best is kept.

    python stages/train.py

Reads shards, characters and split; writes models/model.safetensors, models/model.json,
metrics/train.json and the learning curve. A killed run goes on where it was.
"""

import pandas as pd
import torch
from safetensors.torch import save_file

from kakitori import outputs, stage
from kakitori.archs import contract
from kakitori.errors import DataError
from kakitori.learning import checkpoints, complexity, data, training
from kakitori.params import ROOT, Settings

CODE = ("archs/blocks.py", "archs/contract.py", "learning/augment.py", "learning/training.py")


def main(settings: Settings) -> None:
    contract.check(settings)
    characters = pd.read_parquet(ROOT / "data/characters.parquet")
    index = data.placed_index(ROOT)
    classes = data.class_list(index)
    torch.manual_seed(settings.seed)
    model = contract.network(settings, classes, characters)
    size = complexity.measure(model, settings.data.size)
    print(
        f"train: {settings.model}, {size['parameters']:,} parameters, "
        f"{size['multiply_adds']:,} multiply-adds, {len(classes)} classes"
    )

    weights = settings.data.mix.weights
    with checkpoints.lock():
        options = settings.training()
        run = checkpoints.key(
            {
                "model": settings.model,
                "net": settings.arch().net,
                "train": options.model_dump(),
                "seed": settings.seed,
                "data": data.fingerprint(ROOT),
                "weights": weights,
                "torch": torch.__version__,
            },
            [ROOT / "stages/kakitori" / name for name in CODE]
            + [ROOT / f"stages/kakitori/archs/{settings.model}.py"],
        )
        parts = {p: data.load_part(ROOT, index, p, classes, weights) for p in ("train", "val")}
        try:
            result = training.train(model, parts, options, settings.seed, run)
        except FloatingPointError as error:
            raise DataError(str(error)) from None

        with outputs.whole(ROOT / "models/model.safetensors") as part:
            save_file(result.state, part)
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
            **{
                k: best[k] for k in ("train_top1", "train_loss", "val_top1", "val_top5", "val_loss")
            },
            "learning_rate": float(result.curve["learning_rate"].iloc[-1]),
            **size,
            "images_seen": result.images_seen,
        }
        outputs.write_json(ROOT / "metrics/train.json", metrics)
        checkpoints.forget(run)


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True)

"""A training run of the size of ETL9G: 607,200 synthetic samples, on a GPU where there is one.

    python tests/benchmarks/etl9g.py     # writes metrics/etl9g.json
    python tests/benchmarks/etl9g.py --writers 4 --classes 50 --epochs 1 --batch 64 --out trial.json

Synthesis, extraction and split run as the pipeline's own stages in a folder that goes afterwards;
training is its own loop, clocked epoch by epoch. `seconds_to_best` is the time, compilation and
validation included, until the first epoch within 0.1 point of the best one on validation, which is
what a shorter schedule could at most save; `of_peak` the multiply-adds of forward and backward
passes over those of a large matrix product, measured beside it. The test part is read once, at the
end.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "stages"), str(ROOT)]

from tests.benchmarks import limits  # noqa: E402

from kakitori import outputs  # noqa: E402
from kakitori.learning import (  # noqa: E402
    complexity,
    contract,
    inference,
    training,
)
from kakitori.learning.samples import data  # noqa: E402
from kakitori.running import params  # noqa: E402

STAGES = ("characters", "synthesize", "extract", "split")
NEAR = 0.001  # of the best validation accuracy


def main() -> None:
    options = parsed()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        prepare(root, settings(options, (ROOT / "params.yaml").read_text("utf-8")))
        stages = {stage: timed_stage(root, stage) for stage in STAGES}
        report = {"stages_seconds": stages} | learn(root, params.load(root / "params.yaml"))
    outputs.write_json(options.out, report)
    show(report)


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--writers", type=int, default=200)
    parser.add_argument("--classes", type=int, default=3036)
    parser.add_argument("--model", default="cnn")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--rate", type=float, default=0.012, help="peak learning rate")
    parser.add_argument("--out", type=Path, default=ROOT / "metrics/etl9g.json")
    return parser.parse_args(arguments)


def settings(options: argparse.Namespace, text: str) -> params.Settings:
    """Those of params.yaml, its `text`, with what this run changes."""
    settings = yaml.safe_load(text)
    groups = max(options.writers // 20, 1)
    settings["model"] = options.model
    settings["data"]["corpora"] = ["synthetic/ETL9G"]
    settings["synthesize"] |= {
        "writers": options.writers,
        "classes": options.classes,
        "hard_writers": 0,
        "partial_writers": 2,
    }
    settings["split"] |= {"val_groups": groups, "test_groups": groups}
    settings["archs"][options.model]["train"] |= {
        "epochs": options.epochs,
        "batch": options.batch,
        "learning_rate": options.rate,
        "patience": options.epochs,
    }
    return params.parse(yaml.safe_dump(settings, allow_unicode=True))


def prepare(root: Path, settings: params.Settings) -> None:
    """A project of the stages alone in an empty folder."""
    shutil.copytree(ROOT / "stages", root / "stages")
    for folder in ("data/raw", "data/external", "models/pretrained"):
        (root / folder).mkdir(parents=True)
    text = yaml.safe_dump(settings.model_dump(mode="json"), allow_unicode=True)
    (root / "params.yaml").write_text(text, "utf-8")


def timed_stage(root: Path, stage: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, f"stages/{stage}.py"], cwd=root, check=True)
    return round(time.perf_counter() - started, 1)


def learn(root: Path, settings: params.Settings) -> dict:
    """Train, clocked; then read the test part."""
    characters = pd.read_parquet(root / "data/characters.parquet")
    index = data.placed_index(root)
    classes = data.class_list(index)
    torch.manual_seed(settings.seed)
    model = contract.network(settings, classes, characters)
    size = complexity.measure(model, settings.data.size)
    parts = {name: data.load_part(root, index, name, classes) for name in ("train", "val", "test")}
    started = time.perf_counter()
    trainer = training.Trainer(model, parts, settings.training(), settings.seed)
    clock = []
    for _ in range(settings.training().epochs):
        trainer.epoch()
        clock.append(time.perf_counter() - started)
    result = trainer.result()
    curve = result.curve.assign(seconds=clock)
    best = curve["val_top1"].max()
    near = curve[curve["val_top1"] >= best - NEAR].iloc[0]
    device = trainer.group.device
    done = 3 * size["multiply_adds"] * result.images_seen / clock[-1]
    on_gpu = device.type == "cuda"
    trainer.model.load_state_dict(result.state)
    test = parts["test"].to(device)
    logits = inference.logits_of(trainer.model, test.images, trainer.precision)
    figures = inference.measure(logits, test.labels)
    precision = str(trainer.precision).removeprefix("torch.")
    return {
        "device": torch.cuda.get_device_name() if on_gpu else "CPU: not measured on a GPU",
        "model": settings.model,
        "classes": len(classes),
        "samples": len(index),
        "train_samples": len(parts["train"].labels),
        "batch": trainer.batch,
        "epochs": len(curve),
        "precision": precision,
        "compiled": trainer.compiled,
        "images_per_s": round(result.images_seen / clock[-1], 1),
        "seconds": round(clock[-1], 1),
        "seconds_to_best": round(float(near["seconds"]), 1),
        "val_top1": [round(v, 5) for v in curve["val_top1"]],
        "test_top1": round(figures["val_top1"], 5),
        "of_peak": round(done / limits.multiply_adds(precision, device=device.type), 4),
        **size,
    }


def show(report: dict) -> None:
    print("# A training run of the size of ETL9G, on synthetic data\n")
    for name, value in report.items():
        print(f"- {name.replace('_', ' ')}: {json.dumps(value)}")


if __name__ == "__main__":
    main()

"""How much a split flatters that puts each writer into training and test: the leak, measured."""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from kakitori.accuracy import scoring
from kakitori.errors import DataError
from kakitori.learning.samples import data
from kakitori.reading.recognizer import Recognizer
from kakitori.results import provenance
from kakitori.running import params

STAGES = ("split", "train", "quantize", "evaluate")
READ = (  # what they read and none of them writes
    "data/characters.parquet",
    "data/index.parquet",
    "data/shards",
    "data/synthetic",
    "models/pretrained",
)
CHANGES = {
    "split": {"scheme": "random"},
    "quantize": {"formats": {"all": ["fp32", "int8"]}},  # the others are not compared
}
FORMAT = "int8"


def same_settings(root: Path) -> None:
    """Raises DataError unless dvc.lock says that the model here was made with the settings of
    params.yaml, which the second one gets, on a split by writers."""
    settings = params.tree(params.read(root / "params.yaml"))
    if settings["split"]["scheme"] != "writer":
        raise DataError(
            "params.yaml: split.scheme: expected writer, which the leak is measured against, found "
            f"{settings['split']['scheme']}"
        )
    lock = YAML(typ="safe", pure=True).load(root / "dvc.lock")["stages"]
    for stage in ("split", "train"):
        for name, value in lock.get(stage, {}).get("params", {}).get("params.yaml", {}).items():
            here = settings
            for key in name.split("."):
                here = here.get(key, {})
            if here != value:
                raise DataError(
                    f"params.yaml: {name}: expected what {stage} ran with (dvc.lock), found other "
                    "settings; `dvc repro` brings the model up to date"
                )


@contextlib.contextmanager
def working_copy(root: Path) -> Iterator[Path]:
    """A folder beside which nothing of this one is written: the stages copied, the data linked,
    params.yaml with `CHANGES`. It goes when the block ends."""
    written = YAML()
    settings = written.load(params.read(root / "params.yaml"))
    for group, values in CHANGES.items():
        settings[group] |= values
    with tempfile.TemporaryDirectory(prefix="kakitori-") as folder:
        copy = Path(folder).resolve()
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / "stages", copy / "stages", ignore=ignored)
        for name in filter(lambda name: (root / name).exists(), READ):
            (copy / name).parent.mkdir(exist_ok=True)
            (copy / name).symlink_to(root / name)
        written.dump(settings, copy / "params.yaml")
        yield copy


def run(copy: Path, stages: tuple[str, ...] = STAGES) -> None:
    """The stages in a working copy; DataError for one that fails, after what it said itself."""
    for stage in stages:
        done = subprocess.run([sys.executable, f"stages/{stage}.py"], cwd=copy, check=False)
        if done.returncode:
            raise DataError(
                f"leak: expected {stage} to end well with split.scheme: random, found status "
                f"{done.returncode}; its own message stands above"
            )


def compare(root: Path, copy: Path) -> dict:
    """What the two models read of their own test parts and of the difficult writers, whom neither
    has seen; and of the samples that are in both test parts, whose writers only the second knows.

    root : the finished run, split by writers. copy : the finished run with the random split.

    `leak` is the second's top-1 on its own test part less the first's on its own; `same_samples`
    has both on the same ones, and the difference with its 95 % interval over writer groups. All of
    INT8.
    """
    runs = {name: _summary(folder) for name, folder in (("writer", root), ("random", copy))}
    return {
        "format": FORMAT,
        **runs,
        "leak": runs["random"]["test"]["top1"] - runs["writer"]["test"]["top1"],
        "same_samples": _same_samples(root, copy),
    }


def _summary(root: Path) -> dict:
    """Sizes and figures of one run."""

    def read(name: str) -> dict:
        return json.loads((root / f"metrics/{name}.json").read_text("utf-8"))

    evaluate, split = read("evaluate"), read("split")
    parts = {"test": evaluate[FORMAT]}
    parts |= {name: cell[FORMAT] for name, cell in evaluate["hard"].items() if FORMAT in cell}
    return {
        "fingerprint": evaluate["dataset"]["fingerprint"],
        "train_samples": split["train"]["samples"],
        "train_writer_groups": split["train"]["writer_groups"],
        "test_samples": evaluate["test_samples"],
        "test_writer_groups": evaluate["test_writer_groups"],
        **{
            name: {key: cell[key] for key in ("top1", "top1_low", "top1_high") if key in cell}
            for name, cell in parts.items()
        },
    }


def _same_samples(root: Path, copy: Path) -> dict:
    """Both models on what is in both test parts; empty where nothing is."""
    index = data.placed_index(root)
    tested = index[index["part"] == "test"]
    other = data.placed_index(copy)
    both = set(other.loc[other["part"] == "test", "sample"]) & set(tested["sample"])
    if not both:
        return {}
    right = {}
    for name, folder in (("writer", root), ("random", copy)):
        recognizer = Recognizer(folder / f"models/exports/{FORMAT}.onnx", threads=0)
        rows = index.assign(part=index["part"].where(index["sample"].isin(both), "none"))
        part = data.load_part(root, rows, "test", list(recognizer.classes))
        images, labels = part.images[:, 0].numpy(), part.labels.numpy()
        predictions = scoring.predict(recognizer.logits, images, labels, recognizer.temperature)
        right[name] = predictions.right
    provenance.agrees(root, FORMAT, float(right["writer"].mean()))
    difference = right["random"].astype(int) - right["writer"]
    groups = part.rows["writer_group"].to_numpy()
    bounds = scoring.interval(difference, groups)
    return {
        "samples": len(groups),
        "writer_groups": len(np.unique(groups)),
        **{f"{name}_top1": float(value.mean()) for name, value in right.items()},
        "difference": float(difference.mean()),
        **{key.replace("top1", "difference"): value for key, value in bounds.items()},
    }

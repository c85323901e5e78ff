"""Every architecture through the chain; and the chain as a user runs it, through DVC: again, with
errors, killed."""

import hashlib
import json
import re
import resource
import runpy
import sys
import time
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from kakitori.reading.characters.strokes import TYPES
from kakitori.reading.recognizer import Recognizer
from kakitori.running import params
from tests import committed, forks
from tests.networks import QUICKER
from tests.pictures import drawn
from tests.projects import (
    BEFORE_TRAINING,
    FEW,
    LIMIT,
    STAGES,
    TINY,
    Project,
    environment,
    metric,
)

COMMANDS = [
    *STAGES, "recognize", "gate", "prune", "report", "study", "demo", "flagship", "release",
    "leaderboard", "documents", "runtimes",
]  # fmt: skip


# --- architectures -----------------------------------------------------------------------------


def file_of(folder: Path) -> Path:
    drawn("木").save(folder / "a.png")
    return folder / "a.png"


OTHERS = [name for name in params.known_models() if name != TINY["model"]]
# The default, and what has something of its own in the stages after training. The others' files are
# those that test_formats.py makes and reads; `make test-long` takes them all the way too.
OWN = ("cascade", "cnn", "seq2seq", "stroke")


@pytest.fixture(scope="module")
def samples(once) -> Project:
    """Samples to train on, fewer than the tiny project's: 24 classes by twelve writers, of whom
    seven train."""

    def make(root: Path) -> None:
        project = Project.at(root)
        project.set(**TINY)
        project.set(
            synthesize={"glyphs": ["kanjivg"], "classes": 24, "writers": 12, "hard_writers": 1},
            split={"val_groups": 2, "test_groups": 3},
            quantize=FEW,
            evaluate={"worst": 4},
        )
        for stage in BEFORE_TRAINING:
            project.stage(stage)

    return Project(once("samples", make))


def taught(project: Project, model: str, epochs: int = 4) -> dict:
    """Metrics of training `model` with the settings of params.yaml but for the time."""
    own = committed.settings_tree()["archs"][model]
    own["train"] = own["train"] | {"epochs": epochs, "stop_after": epochs - 1, "batch": 16}
    own["net"] = own.get("net", {}) | QUICKER.get(model, {})
    project.set(model=model, archs={model: own})
    project.stage("train")
    train = metric(project, "train")
    assert train["model"] == model
    assert (train["epochs"], train["planned_epochs"]) == (epochs - 1, epochs)
    assert train["parameters"] > 10_000 and train["multiply_adds"] > 100_000
    return train


@pytest.mark.parametrize("model", [name for name in OTHERS if name not in OWN])
def test_every_architecture_trains(samples, tmp_path, model):
    train = taught(samples.copy(tmp_path / "copy"), model)
    if model != "published":  # whose method is slow at first
        assert train["val_top1"] > 0.125, "guessing reads one of 24"


@pytest.mark.parametrize(
    "model",
    [name if name in OWN else pytest.param(name, marks=pytest.mark.long) for name in OTHERS],
)
def test_every_architecture_goes_all_the_way(samples, tmp_path, model):
    """From samples to figures of its exports."""
    project = samples.copy(tmp_path / "copy")
    taught(project, model, 10 if model == "published" else 4)
    for stage in ("quantize", "evaluate"):
        project.stage(stage)
    evaluate = metric(project, "evaluate")
    assert evaluate["model"] == model
    # So few short epochs teach little, but more than guessing five of 24, and exports agree.
    assert evaluate["torch"]["top5"] > 0.4
    # The network itself reads in bfloat16; one of 72 samples is 0.014.
    assert evaluate["fp32"]["top1"] == pytest.approx(evaluate["torch"]["top1"], abs=0.03)
    assert evaluate["int8"]["top1"] == pytest.approx(evaluate["fp32"]["top1"], abs=0.1)
    if model == "cnn":
        quantize = metric(project, "quantize")
        assert quantize["int8"]["bytes"] < 0.35 * quantize["fp32"]["bytes"]
    if model == "seq2seq":
        scores = evaluate["sequence"]["int8"]
        assert set(scores) == {"written", "looked_up"}
        assert scores["looked_up"]["exact"] >= evaluate["int8"]["top1"]
        done = project.stage("recognize", "--strokes", "--json", str(file_of(tmp_path)))
        line = json.loads(done.stdout.splitlines()[0])
        assert set(line["strokes"]) <= set(TYPES) and 0 < line["strokes_probability"] <= 1
    else:
        assert "sequence" not in evaluate
    if model == "stroke":
        figures = evaluate["feedback"]["int8"]
        assert figures["samples"] == 10 * 24 and 0 <= figures["missing_recall"] <= 1
        recognizer = Recognizer(project.root / "models/exports/int8.onnx")
        meant, count = recognizer.classes[7], recognizer.stroke_counts[7]
        done = project.stage("recognize", "--feedback", meant, "--json", str(file_of(tmp_path)))
        line = json.loads(done.stdout.splitlines()[0])
        assert len(line["presence"]) == count and set(line["missing"]) <= set(range(1, count + 1))
    else:
        assert "feedback" not in evaluate


def test_classes_never_trained_on_are_read_by_their_codes(samples, tmp_path):
    """Five of 24 set aside: hiercode answers them, and says how many it cannot tell apart."""
    project = samples.copy(tmp_path / "copy")
    project.set(model="hiercode", split={"zero_shot_classes": 5}, train={"epochs": 3})
    for stage in ("split", "train", "quantize", "evaluate"):
        project.stage(stage)
    figures = metric(project, "evaluate")["zero_shot"]
    assert figures["classes"] + figures["classes_whose_codes_collide"] == 5
    assert figures["samples"] == 3 * figures["classes"]
    assert (
        0 <= figures["top1_of_all"] <= figures["top1_of_unseen"] <= figures["top5_of_unseen"] <= 1
    )
    assert metric(project, "evaluate")["classes"] == 19
    known = json.loads((project.root / "models/model.json").read_text("utf-8"))["classes"]
    add = ["--add", f"龘={known[-1] * 3}", "--candidates", f"龘{known[0]}"]
    done = project.stage("recognize", *add, "--json", str(file_of(tmp_path)))
    line = json.loads(done.stdout.splitlines()[0])
    assert {character for character, _ in line["top"]} == {"龘", known[0]}
    half = f"龘=⿰{known[0]}"
    done = project.stage("recognize", "--add", half, str(file_of(tmp_path)), check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f"recognize: --add {half}: expected another part, found the end of the sequence\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--add", "龘=あいう"],
            "expected a model that reads .*, align or hiercode, found compact",
        ),
        (["--add", "龘=あ", "--model", "a.onnx"], "expected .* own model, found --model beside it"),
    ],
)
def test_what_nothing_can_be_added_to_is_named(finished, tmp_path, arguments, message):
    done = finished.stage("recognize", *arguments, str(file_of(tmp_path)), check=False)
    assert done.returncode == 1
    assert re.fullmatch(f"recognize: --add: {message}\n", done.stderr)


@pytest.fixture(scope="module")
def reproduced(once) -> Project:
    """The tiny project made by `dvc repro`, as a user makes one, and committed."""

    def make(root: Path) -> None:
        project = Project.at(root)
        project.set(**TINY)
        project.set(synthesize={"workers": 2})  # which no byte depends on
        project.commit("settings")
        done = project.run("dvc", "repro")
        assert [f"Running stage '{stage}'" in done.stdout for stage in STAGES] == [True] * len(
            STAGES
        )
        project.commit("results")

    return Project(once("reproduced", make))


def test_nothing_changed_nothing_runs(reproduced):
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    done = reproduced.run("dvc", "repro")
    assert "Running stage" not in done.stdout
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - spent < 10
    done = reproduced.run("dvc", "repro", "--dry", "--allow-missing")
    assert "Running stage" not in done.stdout


def test_running_twice_gives_the_same_bytes(finished, reproduced):
    """A second machine's run, as far as one machine can play two."""
    names = [
        "data/characters.parquet", "data/index.parquet", "data/split.parquet",
        "data/synthetic/ETL9G/ETL9G_01", "data/shards/shard-000.h5", "models/model.safetensors",
        "models/model.json", "models/exports/fp32.onnx", "models/exports/fp16.onnx",
        "models/exports/strict.onnx", "models/exports/int8.onnx", "models/exports/int4.onnx",
        "models/exports/model.safetensors", "models/exports/model.pth",
        "metrics/evaluate.json", "metrics/by_writer.csv", "metrics/train.json",
        "metrics/plots/synthesize/writers.png", "metrics/plots/evaluate/confused.png",
    ]  # fmt: skip
    for name in names:
        first, second = (p.root / name for p in (finished, reproduced))
        assert first.read_bytes() == second.read_bytes(), name


def test_a_local_remote_takes_and_gives_back(reproduced, tmp_path):
    clone = Project(tmp_path / "clone")
    reproduced.run("dvc", "remote", "add", "-f", "--local", "-d", "store", str(tmp_path / "store"))
    reproduced.run("dvc", "push", "-q")
    reproduced.run("git", "clone", "-q", ".", str(clone.root))
    clone.run("dvc", "remote", "add", "--local", "-d", "store", str(tmp_path / "store"))
    clone.run("dvc", "pull", "-q")
    for name in (
        "models/model.safetensors",
        "data/shards/shard-000.h5",
        "models/exports/int8.onnx",
    ):
        assert (clone.root / name).read_bytes() == (reproduced.root / name).read_bytes()
    assert "Running stage" not in clone.run("dvc", "repro", "--dry").stdout


# --- experiments, errors, kills ----------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command, monkeypatch, capsys):
    script = f"stages/{command}.py"
    monkeypatch.setattr(sys, "argv", [script, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(params.ROOT / script), run_name="__main__")
    assert not ended.value.code and script in capsys.readouterr().out


def test_an_architecture_that_does_not_exist(reproduced, tmp_path):
    project = reproduced.copy(tmp_path / "copy")
    done = project.run("dvc", "exp", "run", "-S", "model=absent", check=False)
    assert done.returncode != 0
    assert "archs/absent.py" in done.stdout + done.stderr
    project.set(model="absent")
    done = project.run("dvc", "repro", "train", check=False)
    assert done.returncode != 0 and "archs/absent.py" in done.stdout + done.stderr
    assert "Running stage" not in done.stdout


@pytest.mark.parametrize(
    ("group", "change", "message"),
    [
        ("train", {"learning_rate": "fast"}, "train.learning_rate: expected number"),
        ("split", {"test_group": 3}, "split.test_group: expected one of"),
    ],
)
def test_a_bad_setting_ends_a_stage_in_one_line(project, group, change, message):
    project.set(**{group: change})
    done = project.stage("characters", check=False)
    assert done.returncode == 1 and message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (project.root / "data/characters.parquet").exists()


@pytest.mark.parametrize("stage", ["synthesize", "split", "train", "quantize", "evaluate", "card"])
def test_a_stage_without_its_input_says_so(project, stage):
    done = project.stage(stage, check=False)
    assert done.returncode == 1 and re.search(r"expected a .*, found no", done.stderr)
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_model_of_other_classes_is_not_quantised(finished, tmp_path):
    project = finished.copy(tmp_path / "copy")
    project.set(split={"zero_shot_classes": 10})
    project.stage("split")
    before = (project.root / "models/exports/int8.onnx").read_bytes()
    done = project.stage("quantize", check=False)
    assert done.returncode == 1
    assert re.search(r"expected a model of the 50 classes .* found one of 60, which", done.stderr)
    assert len(done.stderr.strip().splitlines()) == 1
    assert (project.root / "models/exports/int8.onnx").read_bytes() == before


def test_without_calibration_samples_nothing_is_written(finished, tmp_path):
    project = finished.copy(tmp_path / "copy")
    before = (project.root / "models/exports/int8.onnx").read_bytes()
    project.set(quantize=FEW | {"calibration_samples": 0})
    done = project.stage("quantize", check=False)
    assert done.returncode == 1
    assert re.search(r"int8.onnx: calibration: expected samples .*, found none", done.stderr)
    assert (project.root / "models/exports/int8.onnx").read_bytes() == before
    assert not list(project.root.rglob("*.part"))


def test_the_state_dict_is_data_alone(finished):
    exports = finished.root / "models/exports"
    state = torch.load(exports / "model.pth", weights_only=True)
    assert state.keys() == load_file(exports / "model.safetensors").keys()


@pytest.mark.parametrize(("drop", "status"), [(0, 0), (3, 1)])
def test_the_gate_as_ci_calls_it(finished, tmp_path, drop, status):
    """Three characters of sixty less for every writer fail; a tenth of a point passes."""
    clone = tmp_path / "clone"
    finished.run("git", "clone", "-q", ".", str(clone))
    metrics = json.loads((clone / "metrics/evaluate.json").read_text("utf-8"))
    table = pd.read_csv(clone / "metrics/by_writer.csv")
    for name in ("torch", "fp32", "int8"):
        metrics[name]["top1"] -= drop / 60 + 0.001
        table[name] -= drop
    (clone / "metrics/evaluate.json").write_text(json.dumps(metrics), "utf-8")
    table.to_csv(clone / "metrics/by_writer.csv", index=False)
    done = Project(clone).stage("gate", check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("FAILS" in done.stdout) == bool(status)


def test_train_lists_the_architectures_that_exist(finished, tmp_path):
    copy = finished.copy(tmp_path / "copy")
    copy.set(model="absent")
    done = copy.stage("train", check=False)
    assert done.returncode == 1 and re.search(r"expected one of .*cnn.*'absent'", done.stderr)
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_killed_training_resumes_to_the_same_weights(finished, tmp_path):
    """SIGKILL after the first checkpoint; the next run ends with the bytes of one never killed."""
    copy = finished.copy(tmp_path / "copy")
    weights = copy.root / "models/model.safetensors"
    expected = load_file(weights)
    weights.unlink()
    trainer = forks.start(copy.root, "stages/train.py", (), environment(), tmp_path)
    deadline = time.monotonic() + LIMIT
    while not list((copy.root / ".checkpoints").glob("*/*.pt")) and time.monotonic() < deadline:
        time.sleep(0.05)
        assert trainer.is_alive()
    trainer.kill()
    trainer.join()
    assert not weights.exists()
    assert "goes on after epoch" in copy.stage("train").stdout
    tensors = load_file(weights)
    assert all(torch.equal(expected[key], tensors[key]) for key in expected)


def test_real_files_take_the_place_of_synthetic_ones(finished, project):
    """As a user with the real ETL9G does: files under data/raw, one setting, no writers."""
    source = finished.root / "data/synthetic/ETL9G"
    with zipfile.ZipFile(project.root / "data/raw/ETL9G.zip", "w") as bundle:
        for path in source.iterdir():
            bundle.write(path, f"ETL9G/{path.name}")
    project.set(synthesize={"writers": 0}, data={"corpora": "raw/ETL9G"})
    for stage in BEFORE_TRAINING:
        project.stage(stage)
    index = pd.read_parquet(project.root / "data/index.parquet")
    assert index["writer_group"].iloc[0] == "ETL9/set001"
    assert set(index["corpus"]) == {"raw/ETL9G"} and len(index) == 24 * 60
    assert metric(project, "split")["test"]["writer_groups"] == 10


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.write_bytes(p.read_bytes()[:-100]), "ETL9G_01: offset"),
        (lambda p: p.write_bytes(b""), "found 0 bytes"),
        (lambda p: p.write_bytes(b"\0" * 8199), "expected a JIS X 0208 code, found 0x0000"),
        (lambda p: p.rename(p.with_name("notes.txt")), "found no such file"),
        (lambda p: p.unlink(), "found no such file"),
    ],
    ids=["truncated", "empty", "no codes", "strange name", "empty folder"],
)
def test_bad_files_end_extract_in_one_line(project, damage, message):
    folder = project.root / "data/raw/ETL9G"
    folder.mkdir(parents=True)
    from tests.sheets import CHARACTERS, gray_set

    path = folder / "ETL9G_01"
    gray_set(CHARACTERS[:5]).tofile(path)
    damage(path)
    project.set(data={"corpora": "raw/ETL9G"})
    done = project.stage("extract", check=False)
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    left = [p for p in (project.root / "data").rglob("*") if p.is_file() and p.suffix == ".h5"]
    assert not left and not (project.root / "data/index.parquet").exists()


def test_the_committed_metrics_fit_the_committed_lock():
    """A clean clone must not be stale: see the same check in .ci/run for the lock itself."""
    lock = yaml.safe_load(committed.text("dvc.lock"))["stages"]
    recorded = {o["path"]: o["md5"] for s in lock.values() for o in s["outs"] if "md5" in o}
    measured = ("extract", "split", "train", "quantize", "evaluate", "carbon")
    names = [f"metrics/{name}.json" for name in measured]
    for name in (*names, "metrics/by_writer.csv", "models/README.md"):
        assert hashlib.md5(committed.content(name)).hexdigest() == recorded[name], name

"""`make flagship`: its settings, its checkout, and a whole run that is killed on its way."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from kakitori.errors import SettingsError
from kakitori.reading import shipped
from kakitori.results import flagship, release
from kakitori.running import params
from tests import committed
from tests.projects import ROOT, environment

TAUGHT = {
    "both": {"train": {"epochs": 4}},
    "teacher": {"model": "cnn"},
    "student": {
        "model": "compact",
        "train": {
            "transfer": {"init_from": flagship.START},
            "distillation": {"teacher": flagship.TEACHER},
        },
    },
}


def of_then(chosen: dict, then: dict) -> dict:
    """Settings without those that have come since and change nothing: are off, or weigh by one."""
    kept = {}
    for key, value in chosen.items():
        if isinstance(value, dict):
            value = of_then(value, then.get(key, {}))
        one = value == 1 and value is not True
        if key in then or (value and not one):
            kept[key] = value
    return kept


def test_the_settings_of_what_ships(tmp_path):
    for name in ("params.yaml", "flagship.yaml"):  # as committed: a run here may have others
        (tmp_path / name).write_bytes(committed.content(name))
    settings = params.check(flagship.settings(tmp_path, flagship.steps(tmp_path)[-1]))
    assert set(settings.synthesize.sets) >= {"ETL9G", "ALPHABET"}, "all 6,768 characters"
    about = shipped.about()
    if about:
        chosen = of_then(json.loads(json.dumps(release.chosen(settings))), about["settings"])
        assert chosen == about["settings"], "what ships is what `make flagship` makes"


def test_the_settings_of_both_steps(tmp_path):
    (tmp_path / "params.yaml").write_bytes(committed.content("params.yaml"))
    (tmp_path / "flagship.yaml").write_text(yaml.safe_dump(TAUGHT), "utf-8")
    assert flagship.steps(tmp_path) == ["teacher", "student"]
    teacher, student = (params.check(flagship.settings(tmp_path, s)) for s in flagship.STEPS)
    assert (teacher.model, student.model) == ("cnn", "compact")
    assert teacher.train.epochs == student.train.epochs == 4
    assert teacher.synthesize == student.synthesize and teacher.split == student.split
    assert not teacher.train.distillation.teacher and not teacher.train.transfer.init_from
    assert student.train.distillation.teacher == flagship.TEACHER
    assert student.train.transfer.init_from == flagship.START


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("teacher: {}\n", "expected the groups both, student and, if .*, teacher, found teacher"),
        ("both: {}\nstudent: {}\nx: {}\n", "found both, student, x"),
        ("7\n", "expected the groups both, student and, if there is one, teacher, found 7"),
        ("both: {train: {epoch: 3}}\nteacher: {}\nstudent: {}\n", "train.epoch: expected one of"),
        ("both: {}\nteacher: {model: 3}\nstudent: {}\n", r"flagship.yaml, teacher: .*model: expec"),
        ("both: {}\nteacher: 3\nstudent: {}\n", "teacher: expected settings, found 3"),
        ("both: [\n", "flagship.yaml: line 2: expected YAML, found"),
    ],
)
def test_wrong_settings_are_named(tmp_path, text, message):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text("utf-8"), "utf-8")
    (tmp_path / "flagship.yaml").write_text(text, "utf-8")
    with pytest.raises(SettingsError, match=message):
        flagship.settings(tmp_path, "teacher")
    (tmp_path / "flagship.yaml").unlink()
    with pytest.raises(SettingsError, match=r"flagship\.yaml: expected settings, found: No such"):
        flagship.settings(tmp_path, "teacher")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def repository(tmp_path) -> Path:
    root = tmp_path / "root"
    (root / "stages").mkdir(parents=True)
    for name in ("stages/train.py", "dvc.yaml", "params.yaml", "dvc.lock"):
        (root / name).write_text("1\n")
    (root / ".gitignore").write_text("/models/\n")
    (root / ".dvc").mkdir()
    shutil.copy2(ROOT / ".dvc/config", root / ".dvc")
    shutil.copy2(ROOT / ".dvc/.gitignore", root / ".dvc")
    git(tmp_path, "init", "-q", "root")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "one")
    return root


def test_the_checkout_is_of_the_last_commit(repository):
    folder = repository / flagship.FOLDER
    flagship.prepare(repository, folder)
    assert (folder / "stages/train.py").read_text() == "1\n"
    assert f"dir = {repository}/.dvc/cache" in (folder / ".dvc/config.local").read_text()
    assert not git(repository, "status", "--porcelain"), "the checkout is in nobody's way"
    # What ran there stays, while the commit is the same.
    (folder / "params.yaml").write_text("flagship's\n")
    (folder / "dvc.lock").write_text("flagship's\n")
    (repository / "stages/train.py").write_text("2\n")
    assert flagship.uncommitted(repository) == "stages/train.py"
    flagship.prepare(repository, folder)
    assert (folder / "stages/train.py").read_text() == "1\n"
    assert (folder / "dvc.lock").read_text() == "flagship's\n"
    # A damaged checkout and a new commit are both brought to what was committed last.
    (folder / "stages/train.py").unlink()
    flagship.prepare(repository, folder)
    assert (folder / "stages/train.py").read_text() == "1\n"
    git(repository, "commit", "-q", "-a", "-m", "two")
    assert flagship.uncommitted(repository) == ""
    flagship.prepare(repository, folder)
    assert (folder / "stages/train.py").read_text() == "2\n"
    assert git(folder, "rev-parse", "HEAD") == git(repository, "rev-parse", "HEAD")


def started(root: Path) -> subprocess.Popen:
    command = ["python", "stages/flagship.py"]
    return subprocess.Popen(command, cwd=root, env=environment(), start_new_session=True)


@pytest.mark.long
def test_killed_in_each_step_it_ends_all_the_same(project):
    quick = {"net": {"channels": [16, 24, 32, 48, 64], "rank": 16}, "train": {"epochs": 4}}
    over = TAUGHT | {"student": TAUGHT["student"] | {"archs": {"compact": quick}}}
    (project.root / "flagship.yaml").write_text(yaml.safe_dump(over), "utf-8")
    project.commit()
    lock = (project.root / "dvc.lock").read_bytes()
    folder = project.root / flagship.FOLDER
    done = project.stage("flagship", "--left")
    assert "teacher (cnn): left: characters, synthesize" in done.stdout
    assert not folder.exists()
    for step in ("cnn", "compact"):
        running = started(project.root)
        while not [*folder.glob(".checkpoints/*/0002-*.pt")] or model_of(folder) != step:
            assert running.poll() is None, f"{step}: it ended before its second epoch was seen"
            time.sleep(0.2)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        kept = {path.name for path in folder.glob(".checkpoints/*/*.pt")}
        assert "(train: " in project.stage("flagship", "--left").stdout
    assert kept
    done = project.stage("flagship")
    assert "student done" in done.stdout
    assert "train: goes on after epoch" in done.stdout
    assert model_of(folder) == "compact"
    about = json.loads((folder / "metrics/train.json").read_text("utf-8"))
    assert about["model"] == "compact" and about["teacher"] == "teacher"
    weights = (folder / "models/model.safetensors").read_bytes()
    assert project.stage("flagship", "--left").stdout.count("left: nothing") == 2
    began = time.monotonic()
    project.stage("flagship")  # again: everything is there
    assert time.monotonic() - began < 120
    assert (folder / "models/model.safetensors").read_bytes() == weights
    assert (project.root / "dvc.lock").read_bytes() == lock
    assert not (project.root / "models/exports").exists()
    done = project.stage("release")
    assert "compact of 60 characters" in done.stdout
    assert (project.root / "stages/kakitori/reading/model/model.onnx").is_file()


@pytest.mark.long
def test_a_student_alone(project):
    """One step, and nothing of a teacher is left or wanted."""
    (project.root / "flagship.yaml").write_text("both: {}\nstudent: {model: compact}\n", "utf-8")
    project.commit()
    assert project.stage("flagship", "--left").stdout.count("left:") == 1
    assert "flagship: student done" in project.stage("flagship").stdout
    folder = project.root / flagship.FOLDER
    about = json.loads((folder / "metrics/train.json").read_text("utf-8"))
    assert about["model"] == "compact" and not about.get("teacher")
    assert "student (compact): left: nothing" in project.stage("flagship", "--left").stdout


def model_of(folder: Path) -> str:
    return yaml.safe_load((folder / "params.yaml").read_text("utf-8"))["model"]

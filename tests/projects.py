"""A tiny project to run the real pipeline in, and quick ways to run it."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil
import yaml

from tests import committed, forks

ROOT = Path(__file__).resolve().parents[1]
STAGES = list(yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"])
BEFORE_TRAINING = ("characters", "synthesize", "extract", "split")
LIMIT = 1500  # seconds for one command: the longest took 150, on two cores that ran other tests too

TINY = {
    "model": "compact",  # a twentieth of its weights: what stages do depends on no network's size
    "archs": {"compact": {"net": {"channels": [8, 16, 24, 32, 48], "rank": 32}, "train": {}}},
    "synthesize": {
        "writers": 24,
        "hard_writers": 2,
        "partial_writers": 1,
        "classes": 60,
        "workers": 1,  # each imports for a second
    },
    "train": {
        "epochs": 7,
        "batch": 24,
        "learning_rate": 0.006,
        "sampling": dict.fromkeys(("balance", "confused", "curriculum", "partial"), 0.0)
        | {"scripts": {}},  # the first classes are all hiragana
    },
    "quantize": {
        "calibration_samples": 128,
        "calibration": ["minmax"],  # test_int8.py tries every kind
        "formats": {"all": ["fp32", "fp16", "strict", "int8", "int4"]},
    },
    "evaluate": {"worst": 12, "audited": 16},  # each is drawn
    "carbon": {"inferences": 300},
}
# Of `quantize`, where the point is none of its formats: test_formats.py makes every one, and
# test_int8.py has ranges found in every way.
FEW = {
    "formats": {"all": ["fp32", "int8"]},
    "calibration": ["minmax"],
    "calibration_samples": 64,
    "validation_samples": 60,
}


def environment() -> dict[str, str]:
    """The environment of this interpreter, so that a stage's `python` is the one that tests."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONFAULTHANDLER": "1"}


def metric(project: "Project", name: str) -> dict:
    """What metrics/NAME.json says."""
    return json.loads((project.root / f"metrics/{name}.json").read_text("utf-8"))


class Project:
    """A copy of the working tree, as git would hand it out, in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def at(cls, root: Path) -> "Project":
        """What git knows of the working tree and what is new in it; settings and whatever the
        pipeline writes as they were committed, since a user's run may have changed them."""
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        for name in filter(None, listed.split("\0")):
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if name.startswith(committed.PRODUCED):
                target.write_bytes(committed.content(name))
            elif (ROOT / name).is_file():  # not those deleted but not yet committed
                shutil.copy2(ROOT / name, target)
        for compiled in (ROOT / "stages").rglob("*.pyc"):  # still valid, as files keep their times
            target = root / compiled.relative_to(ROOT)
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(compiled, target)
        (root / "params.yaml").write_text(committed.settings_text(), "utf-8")
        project = cls(root)
        for command in (
            "init -q -b main",
            "config user.email test@localhost",
            "config user.name Test",
            "config commit.gpgsign false",
        ):
            project.run("git", *command.split())
        return project

    def run(
        self, *command: str, check: bool = True, limit: float = LIMIT
    ) -> subprocess.CompletedProcess:
        """A command in the project. One that has not ended after `limit` seconds is ended, and its
        interpreters' last words say where they were."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, cwd=self.root, env=environment(), **pipes) as process:
            try:
                out, err = process.communicate(timeout=limit)
            except subprocess.TimeoutExpired:
                _abort(process.pid)
                out, err = process.communicate()
                raise AssertionError(f"{command} hung for {limit} s:\n{out}{err}") from None
        return _ended(command, process.returncode, out, err, check)

    def stage(self, name: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        return self.script(f"stages/{name}.py", *arguments, check=check)

    def script(
        self,
        script: str,
        *arguments: str,
        check: bool = True,
        limit: float = LIMIT,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess:
        """The same as `run("python", script, ...)`, but that the process is a fork (see forks.py)
        and begins seconds earlier. `variables` are added to its environment."""
        command, around = ("python", script, *arguments), environment() | (variables or {})
        with tempfile.TemporaryDirectory() as folder:
            process = forks.start(self.root, script, arguments, around, Path(folder))
            process.join(limit)
            if hung := process.exitcode is None:
                _abort(process.pid)
                process.join()
            out, err = (Path(folder, name).read_text("utf-8") for name in ("out", "err"))
        if hung:
            raise AssertionError(f"{command} hung for {limit} s:\n{out}{err}")
        return _ended(command, process.exitcode, out, err, check)

    def stages(self) -> list[str]:
        """Those of dvc.yaml, in its order, which is one that they can run in."""
        return list(yaml.safe_load((self.root / "dvc.yaml").read_text("utf-8"))["stages"])

    def copy(self, root: Path) -> "Project":
        """The same project in another folder, with all that it has produced."""
        shutil.copytree(self.root, root, copy_function=_copy)
        return Project(root)

    def set(self, **changes: dict) -> None:
        path = self.root / "params.yaml"
        settings = yaml.safe_load(path.read_text("utf-8"))
        for group, values in changes.items():
            if isinstance(values, dict):
                settings[group] |= values
            else:
                settings[group] = values
        path.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), "utf-8")

    def commit(self, message: str = "test") -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", message)


def _shrink(root: Path, model: str) -> None:
    """Makes the settings of a clone those of a quick trial of another model."""
    arch = TINY["archs"].get(model, {"net": {}, "train": {}})
    Project(root).set(**TINY | {"model": model, "archs": {model: arch}})
    Project(root).set(train={"epochs": 1}, quantize=FEW)


def _abort(pid: int) -> None:
    """Ends a process and those that it started; Python's say where they were, one after the other,
    since they share a pipe. The first one first: it would go on when what it waits for ends."""
    here = psutil.Process(pid)
    for process in [here, *here.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGABRT)
            latest = time.monotonic() + 10
            while process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < latest:
                time.sleep(0.02)


def _ended(
    command: tuple[str, ...], status: int, out: str, err: str, check: bool
) -> subprocess.CompletedProcess:
    if check and status:
        raise AssertionError(f"{command} ended with {status}:\n{out}{err}")
    return subprocess.CompletedProcess(command, status, out, err)


def _copy(source: str, target: str) -> None:
    """Objects of git and DVC, which nobody writes to, are shared; all else is copied."""
    if "/.dvc/cache/files/" in source or "/.git/objects/" in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


if __name__ == "__main__":  # python -m tests.projects FOLDER MODEL
    _shrink(Path(sys.argv[1]), sys.argv[2])

"""A tiny project to run the real pipeline in: 60 classes, 24 writers, a minute."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml
from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
# Several processes test, each with a thread per core: those that wait must not keep a core busy.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
LIMIT = 1500  # seconds for one command: the longest took 150, on two cores that ran other tests too

TINY = {
    "synthesize": {
        "writers": 24,
        "hard_writers": 2,
        "partial_writers": 1,
        "classes": 60,
        "workers": 2,
    },
    "train": {"epochs": 12, "batch": 32, "learning_rate": 0.002},
    "quantize": {
        "calibration_samples": 128,
        "calibration": ["minmax", "percentile"],
        "formats": {"all": ["fp32", "fp16", "strict", "int8", "int4"]},
    },
    "carbon": {"inferences": 300},
}


def environment() -> dict[str, str]:
    """The environment of this interpreter, so that a stage's `python` is the one that tests."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "PATH": path, "PYTHONFAULTHANDLER": "1"}


class Project:
    """A copy of the working tree, as git would hand it out, in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def at(cls, root: Path) -> "Project":
        listed = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():  # not those deleted but not yet committed
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, root / name)
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
                here = psutil.Process(process.pid)
                for one in [*here.children(recursive=True), here]:
                    one.send_signal(signal.SIGABRT)
                out, err = process.communicate()
                raise AssertionError(f"{command} hung for {limit} s:\n{out}{err}") from None
        if check and process.returncode:
            raise AssertionError(f"{command} ended with {process.returncode}:\n{out}{err}")
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def copy(self, root: Path) -> "Project":
        """The same project in another folder, with all that it has produced."""
        shutil.copytree(self.root, root)
        return Project(root)

    def stage(self, name: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        return self.run("python", f"stages/{name}.py", *arguments, check=check)

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


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh tiny project in which nothing has run."""
    made = Project.at(tmp_path / "project")
    made.set(**TINY)
    return made


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A tiny project after `dvc repro`, committed. Shared: tests must leave it as it is. Where
    several processes test, the first that needs it makes it, and each has a copy."""
    alone = "PYTEST_XDIST_WORKER" not in os.environ
    folder = tmp_path_factory.getbasetemp() if alone else tmp_path_factory.getbasetemp().parent
    made = Project(folder / "finished")
    with FileLock(folder / "finished.lock"):
        if not made.root.exists():
            making = Project.at(tmp_path_factory.mktemp("making") / "project")
            making.set(**TINY)
            making.commit("settings")
            making.run("dvc", "repro")
            making.commit("results")
            making.root.rename(made.root)
    return made if alone else made.copy(tmp_path_factory.mktemp("finished") / "project")

"""Tiny projects to run the pipeline in; the finished one is made once a run."""

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

# Several processes test: each takes its share of the cores, and those that wait keep none busy.
# Before anything imports PyTorch.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if _WORKERS > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // _WORKERS)))
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import pytest  # noqa: E402
from filelock import FileLock  # noqa: E402

from tests import forks, fuzzing  # noqa: E402
from tests.projects import LIMIT, ROOT, TINY, Project, environment  # noqa: E402

__all__ = ["LIMIT", "ROOT", "TINY", "Project", "environment"]

LONGEST = ("reproduced", "samples", "project", "finished")  # fixtures of those that run stages
READ = ".checkpoints/settings"  # what each stage read of params.yaml; of no git
fuzzing.settings.load_profile("test")  # --hypothesis-profile comes later and overrides it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs stages takes longest. It comes first, so that no process is left waiting for
    another that has begun it last."""

    def place(item: pytest.Item) -> int:
        asked = getattr(item, "fixturenames", ())
        return next((k for k, name in enumerate(LONGEST) if name in asked), len(LONGEST))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def _quick_exports() -> None:
    if "kakitori.export.export" in sys.modules:  # else nothing here needs PyTorch
        importlib.import_module("tests.exporter")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh tiny project in which nothing has run."""
    made = Project.at(tmp_path / "project")
    made.set(**TINY)
    return made


@pytest.fixture(scope="session")
def finished(once: Callable) -> Project:
    """A tiny project in which every stage has run, committed as after `dvc repro`. Shared: tests
    must leave it as it is. Where several processes test, each has a copy. test_runs.py holds
    its bytes against those of a true `dvc repro`."""

    def make(root: Path) -> None:
        making = Project.at(root)
        making.set(**TINY)
        making.commit("settings")
        (making.root / READ).mkdir(parents=True)
        for name in making.stages():
            read = {forks.SETTINGS_READ: str(making.root / READ / name)}
            making.script(f"stages/{name}.py", variables=read)
        making.run("dvc", "commit", "-q", "-f")
        making.commit("results")

    return Project(once("finished", make))


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable], Path]:
    """`once(name, make)`: the folder that `make(folder)` fills, once for all processes that test;
    the first that asks for it makes it, and each has a copy."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if _WORKERS > 1 else base

    def folder(name: str, make: Callable[[Path], None]) -> Path:
        made = shared / "once" / name
        made.parent.mkdir(exist_ok=True)
        with FileLock(made.with_suffix(".lock")):
            if not made.exists():
                making = tmp_path_factory.mktemp("making") / name
                make(making)
                making.rename(made)
        own = tmp_path_factory.mktemp(name) / name
        Project(made).copy(own)
        return own

    return folder

"""`pip install .` gives a Recognizer that needs NumPy, Pillow and ONNX Runtime alone."""

import re
import subprocess
import sys
import tomllib

import pytest

from kakitori.recognizer import OLDEST_RUNTIME
from tests.projects import ROOT, Project
from tests.test_recognizer import drawn

ALLOWED = ("numpy", "PIL", "onnxruntime", "kakitori")
# Refuses whatever is installed beside these, as if it were not there.
CODE = """
import sys, sysconfig
from importlib.machinery import PathFinder
site = sysconfig.get_path("purelib")
class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        found = super().find_spec(name, path, target)
        origin = str(getattr(found, "origin", None) or "")
        if found and origin.startswith(site) and name.split(".")[0] not in {allowed!r}:
            raise ModuleNotFoundError(name)
        return found
sys.meta_path[:] = [Bare if f is PathFinder else f for f in sys.meta_path]
sys.path.insert(0, {installed!r})
from kakitori.recognizer import Recognizer
import kakitori
assert kakitori.__file__.startswith({installed!r}), kakitori.__file__
from kakitori import drawing, matching
stroke = [[0.0, 0.0], [1.0, 0.0]]
assert drawing.draw([stroke]).any() and matching.match([stroke], [stroke]).accepted
print(Recognizer({model!r}).read({image!r})[0])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> str:
    copy = Project.at(tmp_path_factory.mktemp("source") / "project")  # setuptools builds in place
    target = tmp_path_factory.mktemp("installed")
    # With what is installed already: the tests ask no registry.
    pip = "-m pip install --quiet --no-deps --no-index --no-build-isolation --target"
    copy.run(sys.executable, *pip.split(), str(target), str(copy.root))
    return str(target)


def test_an_installed_recognizer_reads(installed, finished, tmp_path):
    drawn("の").save(tmp_path / "no.png")
    model = str(finished.root / "models/exports/int8.onnx")
    code = CODE.format(
        allowed=ALLOWED, installed=installed, model=model, image=str(tmp_path / "no.png")
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("('")


def test_the_metadata_names_the_three():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = [re.match(r"\w+", wanted)[0] for wanted in project["dependencies"]]
    assert names == ["numpy", "onnxruntime", "pillow"]
    assert f"onnxruntime>={OLDEST_RUNTIME}" in project["dependencies"]

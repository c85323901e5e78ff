"""`pip install .` gives a recogniser, with its model, that needs NumPy, Pillow and ONNX Runtime."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from kakitori.reading import shipped
from kakitori.reading.sessions import OLDEST_RUNTIME
from kakitori.results import release
from tests.pictures import drawn
from tests.projects import ROOT, Project

ALLOWED = ("numpy", "PIL", "onnxruntime", "kakitori")
LARGEST = 4_000_000  # bytes of the wheel
# Hides whatever is installed beside these, as if it were not there.
BARE = """
import sys, sysconfig
from importlib.machinery import PathFinder
site = sysconfig.get_path("purelib")
class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        found = super().find_spec(name, path, target)
        origin = str(getattr(found, "origin", None) or "")
        hidden = found and origin.startswith(site) and name.split(".")[0] not in {allowed!r}
        return None if hidden else found
sys.meta_path[:] = [Bare if f is PathFinder else f for f in sys.meta_path]
sys.path.insert(0, {installed!r})
"""
# The same as the program that pip writes does.
PROGRAM = """
from kakitori.reading.program.command import main
sys.argv[0] = "kakitori"
main()
"""
LIBRARY = """
import kakitori
from kakitori import Recognizer
assert kakitori.__file__.startswith({installed!r}), kakitori.__file__
from kakitori import matching, rendering
stroke = [[0.0, 0.0], [1.0, 0.0]]
assert rendering.draw([stroke]).any() and matching.match([stroke], [stroke]).accepted
recognizer = Recognizer()
recognizer.learn({image!r}, recognizer.classes[0])
print(recognizer.read({image!r})[0])
"""


@pytest.fixture(scope="module")
def wheel(finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a tiny run's model, released as the true one is, where none ships."""
    copy = Project.at(tmp_path_factory.mktemp("source") / "project")  # setuptools builds in place
    if not shipped.about():
        folder = copy.root / shipped.FOLDER.relative_to(ROOT)
        release.write(finished.root, folder, 2 * release.LARGEST)
    folder = tmp_path_factory.mktemp("wheel")
    # With what is installed already: the tests ask no registry.
    pip = "-m pip wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir"
    copy.run(sys.executable, *pip.split(), str(folder), str(copy.root))
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as packed:  # which is all that pip does with one of Python alone
        packed.extractall(target)
    return target


def run(code: str, installed: Path, *arguments: str, **given: str) -> subprocess.CompletedProcess:
    code = (BARE + code).format(allowed=ALLOWED, installed=str(installed), **given)
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=installed.parent, capture_output=True, text=True)


def test_the_wheel_is_small_and_holds_what_reads_alone(wheel):
    assert wheel.stat().st_size <= LARGEST
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        metadata = packed.read(next(n for n in names if n.endswith("/METADATA"))).decode()
        points = packed.read(next(n for n in names if n.endswith("/entry_points.txt"))).decode()
    code = {n for n in names if n.startswith("kakitori/") and not n.startswith("kakitori/reading/")}
    assert code == {f"kakitori/{n}.py" for n in ("__init__", "errors", "outputs")}
    assert {n.split("/")[2] for n in names if n.count("/") > 2 and n.startswith("kakitori/")} == {
        "characters", "matching", "model", "normalising", "program",
    }  # fmt: skip
    model = {n.removeprefix("kakitori/reading/model/") for n in names if "/model/" in n}
    assert model == {"model.onnx", "model.json", "strokes.bin", "characters.json", "LICENSE"}
    assert "License-Expression: MIT AND CC-BY-SA-4.0" in metadata
    assert "kakitori = kakitori.reading.program.command:main" in points
    assert any(n.endswith("licenses/NOTICE") for n in names)


def test_an_installed_recognizer_reads(installed, tmp_path):
    image = tmp_path / "no.png"
    drawn("の").save(image)
    done = run(LIBRARY, installed, image=str(image))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("('")


def test_the_program_reads(installed, tmp_path):
    drawn("の").save(tmp_path / "no.png")
    done = run(PROGRAM, installed, "--json", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["top"]) == 5
    strokes = [{"character": "い", "strokes": [[[0, 0], [1, 9]], [[8, 0], [9, 5]]]}]
    (tmp_path / "pen.json").write_text(json.dumps(strokes), "utf-8")
    done = run(PROGRAM, installed, "--json", "--pen", str(tmp_path / "pen.json"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[0])["match"]["missing"] == []
    done = run(PROGRAM, installed, "--version")
    about = json.loads((installed / "kakitori/reading/model/model.json").read_text("utf-8"))
    assert f"model {about['model']} of {about['classes']:,} characters" in done.stdout
    assert about["dataset"]["fingerprint"] in done.stdout and about["commit"][:12] in done.stdout


def test_what_an_installed_one_cannot_do_is_one_line(installed, tmp_path):
    drawn("の").save(tmp_path / "no.png")
    for arguments, message in (
        (["--explain", "why", "no.png"], "kakitori: --explain: expected a checkout with PyTorch"),
        (["--candidates", "☃", "no.png"], "kakitori: candidates: expected them among the model's"),
        (["--candidates", "digit", "no.png"], "kakitori: candidates: expected characters or names"),
        (["absent.png"], "kakitori: absent.png: expected an image or a folder, found nothing"),
    ):
        done = run(PROGRAM, installed, *arguments)
        assert done.returncode == 1 and message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_wheel_without_its_model_or_with_another(installed, tmp_path):
    drawn("の").save(tmp_path / "no.png")
    copy = tmp_path / "installed"
    shutil.copytree(installed, copy)
    model = copy / "kakitori/reading/model"
    model.joinpath("model.onnx").write_bytes(model.joinpath("model.onnx").read_bytes()[:-1])
    done = run(PROGRAM, copy, str(tmp_path / "no.png"))
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1
    assert "model.onnx: expected the file that model.json is about" in done.stderr
    shutil.rmtree(model)
    done = run(PROGRAM, copy, str(tmp_path / "no.png"))
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1
    assert "model.onnx: expected what ships with Kakitori, found no file" in done.stderr
    assert run(PROGRAM, copy, "--version").stdout.strip().endswith("without a model")


def test_the_metadata_names_the_three():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = [re.match(r"\w+", wanted)[0] for wanted in project["dependencies"]]
    assert names == ["numpy", "onnxruntime", "pillow"]
    assert f"onnxruntime>={OLDEST_RUNTIME}" in project["dependencies"]

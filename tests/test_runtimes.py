"""Other runtimes: the lightest for real, the rest of them nightly, on a tiny finished run."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest

from kakitori.errors import DataError
from kakitori.outputs import ROOT
from kakitori.runtimes import comparing, environments, measuring, running
from kakitori.runtimes.catalogue import FORMATS, RUNTIMES
from kakitori.sessions import open_session
from tests.models import small_model
from tests.projects import Project

LIGHTEST = "tract"  # one wheel of eighteen megabytes
# Of sixty classes that a tiny network tells apart: where it hesitates, whole numbers decide.
SAME = {"fp32": 0.999, "fp16": 0.99, "int8": 0.95}


def three_images() -> measuring.Images:
    """For a model of three classes; the last is a drawing."""
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64)).astype(np.uint8)
    return measuring.Images(images, np.array([0, 1, 2]), 2, images)


def uneven_model(path: Path) -> Path:
    """Three classes whose logits are those of no other image."""
    model = onnx.load(small_model(path))
    weights = np.random.default_rng(1).normal(size=(4096, 3)).astype(np.float32)
    model.graph.initializer[0].CopyFrom(onnx.numpy_helper.from_array(weights, "weights"))
    onnx.save(model, path)
    return path


# --- what is told ------------------------------------------------------------------------------


def test_figures_are_those_that_a_person_gets():
    """Two of three answers are the same; probabilities of log 3 and 0 are 3/4 and 1/4."""
    third = np.log(3.0)
    expected = np.array([[third, 0], [third, 0], [0, third]], np.float32)
    logits = np.array([[third, 0], [0, third], [0, third]], np.float32)
    found = comparing.compare(logits, expected, 1.0, np.array([0, 0, 1]), 2)
    assert found == {
        "equal": pytest.approx(2 / 3),
        "probability_difference": pytest.approx(0.5),
        "top1": 0.5,
        "drawings_top1": 1.0,
    }
    # Half the temperature is twice the logits: 9/10 and 1/10.
    warm = comparing.compare(logits, expected, 0.5, np.array([0, 0, 1]), 3)
    assert warm["probability_difference"] == pytest.approx(0.8) and "drawings_top1" not in warm


def test_the_catalogue_is_whole():
    for name, runtime in RUNTIMES.items():
        assert set(runtime.formats) <= FORMATS.keys()
        assert all("==" in package for package in runtime.pip), "pinned"
        assert all("@" in package for package in runtime.npm), "pinned"
        if name != "nnapi":
            assert len(list(running.RUNNERS.glob(f"run_{name}.*"))) == 1
    assert "has never run" in RUNTIMES["tensorrt"].lacks() or shutil.which("nvidia-smi")
    assert "adb push" in RUNTIMES["nnapi"].lacks()


def test_one_image_alone_and_no_other_head(tmp_path):
    path = uneven_model(tmp_path / "x.onnx")
    fixed = running.one_image(onnx.load(path))
    assert [d.dim_value for d in fixed.graph.input[0].type.tensor_type.shape.dim] == [1, 1, 64, 64]
    assert [output.name for output in fixed.graph.output] == ["logits"] and not fixed.metadata_props
    onnx.save(fixed, tmp_path / "fixed.onnx")
    image = np.random.default_rng(2).normal(size=(1, 1, 64, 64)).astype(np.float32)
    logits = [
        open_session(p).run(["logits"], {"input": image})[0]
        for p in (path, tmp_path / "fixed.onnx")
    ]
    np.testing.assert_array_equal(*logits)


# --- what goes wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["absent"], 2, "expected some of onnxruntime, openvino, "),
        (["--samples", "0"], 2, "expected a sample or more"),
        (["--run", "{empty}"], 1, "expected a finished run's exports, found no fp32.onnx"),
    ],
)
def test_bad_arguments_end_in_one_line(tmp_path, arguments, status, message):
    given = [a.format(empty=tmp_path) for a in arguments]
    done = Project(ROOT).stage("runtimes", *given, check=False)
    assert done.returncode == status and message in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["openvino", "node"])
def test_a_package_that_cannot_be_had_is_named(tmp_path, monkeypatch, name):
    """Nothing is left that would pass for an environment, and the others go on."""

    def refuse(command: list[str], **_settings) -> subprocess.CompletedProcess:
        made = "venv" in command
        return subprocess.CompletedProcess(command, 0 if made else 1, "", "\nno network\n")

    monkeypatch.setattr(environments, "FOLDER", str(tmp_path))
    monkeypatch.setattr(environments.subprocess, "run", refuse)
    monkeypatch.setattr(environments.shutil, "which", lambda program: f"/{program}")
    (package,) = RUNTIMES[name].pip or RUNTIMES[name].npm
    with pytest.raises(DataError, match=rf"expected {package} from .*, found: no network; look"):
        environments.install(ROOT, name, RUNTIMES[name])
    assert not list(tmp_path.rglob("installed.txt"))
    found = measuring.measure(ROOT, name, {}, three_images())
    assert {line["state"] for line in found["formats"].values()} == {"not tried"}
    assert "no network" in found["formats"]["fp32"]["why"]


def test_a_runtime_that_cannot_read_a_file_says_why(tmp_path, monkeypatch):
    """Without a path of this machine, and with what ONNX Runtime had said before."""
    path = small_model(tmp_path / "fp32.onnx")
    monkeypatch.setattr(environments, "FOLDER", str(tmp_path / "place"))
    monkeypatch.setattr(running, "RUNNERS", tmp_path)
    (tmp_path / "run_onnxruntime.py").write_text(
        "import sys, pathlib\nprint('first', file=sys.stderr)\n"
        "sys.exit(f'ValueError: {pathlib.Path(sys.argv[1]) / \"model.onnx\"} is odd')"
    )
    found = measuring.measure(tmp_path, "onnxruntime", {"fp32": path}, three_images())
    line = found["formats"]["fp32"]
    assert line["state"] == "failed" and "ValueError: model.onnx is odd" in line["why"]
    assert found["formats"]["int8"]["why"].startswith("the run has no int8")


# --- for real ----------------------------------------------------------------------------------


def test_the_lightest_runtime_reads_as_onnx_runtime_does(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "FOLDER", str(tmp_path / "runtimes"))
    files = {"fp32": uneven_model(tmp_path / "fp32.onnx")}
    found = measuring.measure(tmp_path, LIGHTEST, files, three_images())
    line = found["formats"]["fp32"]
    if line["state"] == measuring.NOT_TRIED:
        pytest.skip(line["why"])
    assert line["state"] == measuring.RUN, line
    assert line["equal"] == 1 and line["probability_difference"] < 1e-5
    assert line["milliseconds"] > 0 and line["onnx_milliseconds"] > 0
    assert line["bytes"] == line["onnx_bytes"] == files["fp32"].stat().st_size
    assert found["version"] == RUNTIMES[LIGHTEST].pip[0].split("==")[1]


@pytest.mark.runtimes
@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_reads_a_finished_run(finished, name):
    Project(ROOT).stage("runtimes", name, "--run", str(finished.root))
    path = finished.root / "metrics/runtimes.json"
    found = json.loads(path.read_text("utf-8"))["runtimes"][name]
    for kind, line in found["formats"].items():
        if line["state"] == measuring.NOT_TRIED:
            pytest.skip(line["why"])
        assert line["state"] == (measuring.CONVERTED if name == "coreml" else measuring.RUN), line
        if name not in ("tvm", "coreml"):  # which hold code, or say much of so small a network
            assert line["bytes"] < 1.05 * line["onnx_bytes"]
        if name != "coreml":
            assert line["equal"] >= SAME[kind]

"""Other runtimes: the lightest for real, the rest of them nightly, on a tiny finished run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from kakitori.errors import DataError
from kakitori.export.formats import Floats
from kakitori.export.runtimes import converting, environments, running
from kakitori.export.runtimes.catalogue import FORMATS as KINDS
from kakitori.export.runtimes.catalogue import RUNTIMES
from kakitori.outputs import ROOT
from kakitori.reading.formats import FORMATS
from kakitori.reading.sessions import open_session
from kakitori.results import comparing, measuring
from tests.models import small_model
from tests.networks import made
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
    figures = comparing.compare(logits, expected, 1.0, np.array([0, 0, 1]), 2)
    assert figures == {
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
        assert set(runtime.formats) <= KINDS.keys()
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


def test_a_tool_that_installs_what_it_likes_installs_nothing(tmp_path, monkeypatch):
    """MNN's does, into whichever environment it finds a pip of."""
    monkeypatch.setattr(running, "RUNNERS", tmp_path)
    (tmp_path / "run_greedy.py").write_text(
        "import subprocess, sys\n"
        "sys.exit(subprocess.run([sys.executable, '-m', 'pip', 'download', 'six']).returncode)\n"
    )
    outcome = running.run([sys.executable], "greedy", tmp_path, "fp32")
    assert "No matching distribution found for six" in outcome["why"]
    assert not list(tmp_path.glob("six*"))


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
    report = measuring.measure(ROOT, name, {}, three_images())
    assert {line["state"] for line in report["formats"].values()} == {"not tried"}
    assert "no network" in report["formats"]["fp32"]["why"]


def test_a_runtime_that_cannot_read_a_file_says_why(tmp_path, monkeypatch):
    """Without a path of this machine, and with what ONNX Runtime had said before."""
    path = small_model(tmp_path / "fp32.onnx")
    monkeypatch.setattr(environments, "FOLDER", str(tmp_path / "place"))
    monkeypatch.setattr(running, "RUNNERS", tmp_path)
    (tmp_path / "run_onnxruntime.py").write_text(
        "import sys, pathlib\nprint('first', file=sys.stderr)\n"
        "sys.exit(f'ValueError: {pathlib.Path(sys.argv[1]) / \"model.onnx\"} is odd')"
    )
    report = measuring.measure(tmp_path, "onnxruntime", {"fp32": path}, three_images())
    line = report["formats"]["fp32"]
    assert line["state"] == "failed" and "ValueError: model.onnx is odd" in line["why"]
    assert report["formats"]["int8"]["why"].startswith("the run has no int8")


@pytest.mark.parametrize(("name", "runtime"), [("tflite", "litert"), ("ncnn", "ncnn")])
def test_a_format_without_its_environment_says_how_to_make_it(tmp_path, monkeypatch, name, runtime):
    monkeypatch.setattr(environments, "FOLDER", str(tmp_path))
    converting.check(["fp32", "int8"])  # which need none
    with pytest.raises(DataError, match=rf"formats: {name}: .*--install {runtime}` makes it"):
        converting.check(["fp32", name])
    monkeypatch.setattr(environments.subprocess, "run", made := Made())
    environments.install(tmp_path, runtime, RUNTIMES[runtime])
    converting.check([name])
    (tmp_path / runtime / "installed.txt").write_text("an older version")
    with pytest.raises(DataError, match="found no such environment"):
        converting.check([name])
    assert made.commands


class Made:
    """What makes an environment, and succeeds without making one."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def __call__(self, command: list[str], **_settings) -> subprocess.CompletedProcess:
        self.commands.append(command)
        if "venv" in command:
            folder = Path(command[-1])
            Path(environments.sysconfig.get_path("purelib", vars={"base": str(folder)})).mkdir(
                parents=True
            )
        return subprocess.CompletedProcess(command, 0, "", "")


RUNNER = """
import json, pathlib, shutil, sys
import numpy as np
folder, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
assert (folder / "fixed.onnx").is_file() and kind == "fp32"
for name, content in (("fixed.ncnn.param", "graph"), ("fixed.ncnn.bin", "weights")):
    (folder / name).write_text(content)
images = np.load(folder / "images.npy")
np.save(folder / "logits.npy", np.float32([[image.sum(), 0] for image in images]))
files = ["fixed.ncnn.param", "fixed.ncnn.bin"]
(folder / "converted.json").write_text(json.dumps(files if FILES else []))
(folder / "about.json").write_text('{"version": "1.0", "milliseconds": 2.5}')
if not FILES:
    sys.exit("ValueError: no operator Foo")
"""


@pytest.mark.parametrize("works", [True, False])
def test_a_format_of_another_runtime_is_converted_and_read(tmp_path, monkeypatch, works):
    monkeypatch.setattr(environments, "installed", lambda *_: sys.executable)
    monkeypatch.setattr(running, "RUNNERS", tmp_path)
    (tmp_path / "run_ncnn.py").write_text(f"FILES = {works}\n{RUNNER}")
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 64)).astype(np.uint8)
    source = object.__new__(Floats)  # without the file of all heads, which nothing here reads
    net = made("compact", {"channels": [8, 8, 8, 8, 8], "rank": 8})
    source.model, source.size, source.folder = net, 64, tmp_path / "between"
    source.calibration, source.validation = images, (images, np.array([0, 1, 0]))
    source.folder.mkdir()
    (folder := tmp_path / "exports").mkdir()
    if not works:
        with pytest.raises(DataError, match=r"found: ValueError: no operator Foo; leave ncnn out"):
            converting.make("ncnn", source, folder)
        return
    logits, about = converting.make("ncnn", source, folder)
    assert np.array_equal(logits, np.float32([[image.sum(), 0] for image in images]))
    assert about == {"bytes": 12, "version": "1.0", "latency_ms": 2.5}
    assert (folder / "model.ncnn.param").read_text() == "graph"
    assert (folder / "model.ncnn.bin").read_text() == "weights"


# --- for real ----------------------------------------------------------------------------------


def test_the_lightest_runtime_reads_as_onnx_runtime_does(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "FOLDER", str(tmp_path / "runtimes"))
    files = {"fp32": uneven_model(tmp_path / "fp32.onnx")}
    report = measuring.measure(tmp_path, LIGHTEST, files, three_images())
    line = report["formats"]["fp32"]
    if line["state"] == measuring.NOT_TRIED:
        pytest.skip(line["why"])
    assert line["state"] == measuring.RUN, line
    assert line["equal"] == 1 and line["probability_difference"] < 1e-5
    assert line["milliseconds"] > 0 and line["onnx_milliseconds"] > 0
    assert line["bytes"] == line["onnx_bytes"] == files["fp32"].stat().st_size
    assert report["version"] == RUNTIMES[LIGHTEST].pip[0].split("==")[1]


@pytest.mark.runtimes
@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_reads_a_finished_run(finished, name):
    Project(ROOT).stage("runtimes", name, "--run", str(finished.root))
    path = finished.root / "metrics/runtimes.json"
    report = json.loads(path.read_text("utf-8"))["runtimes"][name]
    for kind, line in report["formats"].items():
        if line["state"] == measuring.NOT_TRIED:
            pytest.skip(line["why"])
        assert line["state"] == (measuring.CONVERTED if name == "coreml" else measuring.RUN), line
        if name not in ("tvm", "coreml"):  # which hold code, or say much of so small a network
            assert line["bytes"] < 1.05 * line["onnx_bytes"]
        if name != "coreml":
            assert line["equal"] >= SAME[kind]


@pytest.mark.runtimes
@pytest.mark.parametrize(("name", "runtime"), [("tflite", "litert"), ("ncnn", "ncnn")])
def test_quantize_makes_a_converters_files_too(finished, tmp_path, name, runtime):
    project = finished.copy(tmp_path / "project")
    project.set(quantize={"formats": {"all": ["fp32", "int8", name]}})
    refused = project.stage("quantize", check=False)
    assert refused.returncode == 1 and f"--install {runtime}` makes it" in refused.stderr
    project.stage("runtimes", "--install", runtime)
    project.stage("quantize")
    figures = json.loads((project.root / "metrics/quantize.json").read_text("utf-8"))
    assert figures[name]["agreement"] == 1 and figures[name]["max_abs_diff"] < 1e-3
    assert figures[name]["bytes"] < 1.05 * figures["fp32"]["bytes"]
    assert (project.root / "models" / FORMATS[name].file).is_file()

"""The recogniser and the program on images, with a model."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest

from kakitori.errors import DataError
from kakitori.export import export
from kakitori.reading.normalising.photos import prepare
from kakitori.reading.recognizer import Recognizer
from kakitori.reading.sessions import OLDEST_RUNTIME
from kakitori.running import params
from tests.models import TOLD, small_model
from tests.pictures import drawn, photo
from tests.projects import ROOT, Project


@pytest.fixture(scope="module")
def folder(finished, tmp_path_factory) -> Path:
    """Labelled drawings of the classes the tiny model knows, in the Kuzushiji-Kanji layout."""
    root = tmp_path_factory.mktemp("drawings")
    for character in "あいうえおかきくけこ":
        here = root / f"U+{ord(character):04X}"
        here.mkdir()
        drawn(character).save(here / "1.png")
    return root


def test_three_lines_of_python(finished):
    recognizer = Recognizer(finished.root / "models/exports/int8.onnx")
    top = recognizer.read(drawn("の"))
    assert len(top) == 5
    assert [p for _, p in top] == sorted((p for _, p in top), reverse=True)
    assert 0 < sum(p for _, p in top) <= 1 + 1e-9


def test_candidates_alone_are_answered(finished, tmp_path):
    drawn("の").save(tmp_path / "no.png")
    model = finished.root / "models/exports/int8.onnx"
    all_of_them, few = Recognizer(model), Recognizer(model, candidates="あのめ")
    image = prepare(drawn("の"), 64)[None]
    assert {c for c, _ in few.read(drawn("の"))} == set("あのめ")
    kept = [all_of_them.probabilities(image)[0][all_of_them.classes.index(c)] for c in "あのめ"]
    probabilities = [few.probabilities(image)[0][few.classes.index(c)] for c in "あのめ"]
    np.testing.assert_allclose(
        np.array(probabilities) / sum(probabilities), np.array(kept) / sum(kept)
    )
    assert sum(probabilities) <= 1, "what is left is that of none of them"
    done = finished.stage("recognize", "--candidates", "鬱", str(tmp_path / "no.png"), check=False)
    assert (
        done.returncode == 1
        and "expected them among the model's 60 classes, found 鬱" in done.stderr
    )


def test_json_lines_and_summary(finished, folder):
    done = finished.stage("recognize", "--json", str(folder))
    *lines, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 10
    for line in lines:
        assert set(line) == {"file", "label", "top"} and len(line["top"]) == 5
        assert line["label"] == chr(int(Path(line["file"]).parent.name[2:], 16))
    right = sum(line["top"][0][0] == line["label"] for line in lines)
    five = sum(line["label"] in [c for c, _ in line["top"]] for line in lines)
    assert last == {"summary": {"samples": 10, "top1": right / 10, "top5": five / 10}}
    assert five >= 5, "sixty classes, ten printed hiragana: far above chance"


def test_csv_has_a_line_an_image(finished, folder):
    done = finished.stage("recognize", "--csv", str(folder))
    assert done.stdout.startswith("\ufeff"), "the mark by which Excel knows UTF-8"
    rows = list(csv.DictReader(done.stdout[1:].splitlines()))
    lines = finished.stage("recognize", "--json", str(folder)).stdout.splitlines()
    tops = [json.loads(line)["top"] for line in lines[:-1]]
    assert [row["answer1"] for row in rows] == [top[0][0] for top in tops]
    assert [float(row["probability5"]) for row in rows] == pytest.approx([t[4][1] for t in tops])
    assert {row["label"] for row in rows} == set("あいうえおかきくけこ")
    assert json.loads(done.stderr.splitlines()[-1])["summary"]["samples"] == 10


def test_what_it_is_not_sure_of_is_rejected(finished, folder):
    def sure(*options: str) -> list[bool]:
        done = finished.stage("recognize", "--json", *options, str(folder))
        return [json.loads(line).get("sure") for line in done.stdout.splitlines()[:-1]]

    lines = finished.stage("recognize", "--json", str(folder)).stdout.splitlines()[:-1]
    confidences = np.array([json.loads(line)["top"][0][1] for line in lines])
    middle = float(np.median(confidences))
    assert sure("--reject-below", str(middle)) == (confidences >= middle).tolist()
    threshold = Recognizer(finished.root / "models/exports/int8.onnx").threshold
    assert sure("--reject") == (confidences >= threshold).tolist()
    assert sure() == [None] * 10
    table = finished.stage("recognize", "--reject-below", "1", str(folder)).stdout
    assert table.count("〓") == 10
    done = finished.stage("recognize", "--reject-below", "2", str(folder), check=False)
    assert done.returncode == 1
    assert "--reject-below: expected a probability, found 2.0" in done.stderr


def test_several_models_are_averaged(finished):
    paths = [finished.root / f"models/exports/{name}.onnx" for name in ("fp32", "int4")]
    image = prepare(drawn("の"), 64)[None]
    probabilities, other = (Recognizer(path).probabilities(image) for path in paths)
    np.testing.assert_allclose(Recognizer(*paths).probabilities(image), (probabilities + other) / 2)
    assert not np.allclose(probabilities, other)


def test_models_of_other_classes_are_not_averaged(finished, tmp_path):
    path = finished.root / "models/exports/fp32.onnx"
    other = tmp_path / "other.onnx"
    shutil.copy(path, other)
    metadata = {p.key: p.value for p in onnx.load(path).metadata_props}
    rest = {k: v for k, v in metadata.items() if k not in ("classes", "size", "range")}
    export.annotate(other, list(metadata["classes"][::-1]), 64, rest)
    with pytest.raises(DataError, match=r"other.onnx: expected the 60 classes and the 64 pixels"):
        Recognizer(path, other)


def test_the_monitor_tells_what_came_in(finished, folder):
    done = finished.stage("recognize", "--json", "--monitor", str(folder))
    cells = json.loads(done.stdout.splitlines()[-1])["monitor"]
    assert set(cells) == {"confidence", "ink", "stroke_width"}
    for cell in cells.values():
        assert cell["chance"] == pytest.approx(0.9)
        assert cell["verdict"] in ("stable", "watch", "drifted")
    assert "stability index" in finished.stage("recognize", "--monitor", str(folder)).stdout


def test_a_table_for_people_and_no_summary_without_labels(finished, tmp_path):
    for character in "うけの":
        photo(character).save(tmp_path / f"{character}.jpg")
    done = finished.stage("recognize", str(tmp_path / "う.jpg"))
    assert "う.jpg" in done.stdout and "%" in done.stdout and "top-1" not in done.stdout
    done = finished.stage("recognize", "--json", str(tmp_path))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["label"] for line in lines] == [None] * 3
    hits = sum(Path(line["file"]).stem in [c for c, _ in line["top"]] for line in lines)
    assert hits >= 2, "photos of three characters, each among the best five of sixty"


CROSS = [[[10, 50], [90, 50]], [[50, 10], [50, 90]]]


@pytest.fixture
def references(tmp_path) -> str:
    """A table of strokes with one true form and one traced."""
    flat = [np.ravel(stroke).tolist() for stroke in CROSS]
    rows = [
        {"character": "十", "forms": [{"source": "kanjivg", "strokes": flat}]},
        {"character": "士", "forms": [{"source": "font", "strokes": flat}]},
    ]
    path = tmp_path / "strokes.parquet"
    pd.DataFrame(rows).assign(decomposition="").to_parquet(path)
    return str(path)


def test_pen_strokes_are_read_and_compared(finished, tmp_path, references):
    """A cross with its strokes swapped and one backwards; a character of the model's classes."""
    wrong = [CROSS[1], CROSS[0][::-1]]
    table = pd.read_parquet(finished.root / "data/characters.parquet").set_index("character")
    strokes = [s.reshape(-1, 2).tolist() for s in table.at["い", "strokes"]]
    drawings = [
        {"character": "十", "strokes": wrong},
        {"character": "士", "strokes": wrong},
        {"strokes": strokes},
    ]
    pen = tmp_path / "pen.json"
    pen.write_text(json.dumps(drawings), "utf-8")
    asked = ("--pen", str(pen), "--characters", references)
    lines = finished.stage("recognize", "--json", *asked).stdout.splitlines()
    true, traced, plain, last = [json.loads(line) for line in lines]
    assert true["file"] == f"{pen}:1" and len(true["top"]) == 5 and true["label"] == "十"
    assert true["match"]["swapped"] == [[1, 2]] and true["match"]["reversed"] == [1]
    assert traced["match"]["accepted"] and "order" not in traced["match"]["judged"]
    assert "match" not in plain and plain["label"] is None
    assert "い" in [c for c, _ in plain["top"]]
    assert last["summary"]["samples"] == 2
    words = "strokes 1 and 2 are swapped; stroke 1 is written backwards"
    table = finished.stage("recognize", *asked).stdout
    assert words in table and "order and direction not judged" in table
    rows = list(
        csv.DictReader(finished.stage("recognize", "--csv", *asked).stdout[1:].splitlines())
    )
    assert [row["feedback"] for row in rows][::2] == [words, ""]


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        (
            {"character": "鬱", "strokes": CROSS},
            "pen.json:1: expected a character whose strokes are known, found 鬱",
        ),
        ({"strokes": [[]]}, "pen.json: stroke 1: expected points"),
    ],
)
def test_bad_pen_strokes_end_in_one_line(finished, tmp_path, references, drawing, message):
    pen = tmp_path / "pen.json"
    pen.write_text(json.dumps(drawing), "utf-8")
    asked = ("--pen", str(pen), "--characters", references)
    done = finished.stage("recognize", *asked, check=False)
    assert done.returncode == 1
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.png"], "absent.png: expected an image or a folder, found nothing"),
        (["tests"], "tests: expected images"),
        (["README.md"], "README.md: expected an image"),
        (["--model", "absent.onnx", "README.md"], "absent.onnx: expected an exported model"),
        (["--model", "README.md", "README.md"], "README.md: expected an ONNX model"),
    ],
)
def test_bad_input_ends_in_one_line(finished, arguments, message):
    done = finished.stage("recognize", *arguments, check=False)
    assert done.returncode == 1
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_a_foreign_onnx_file_is_refused(tmp_path):
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1])
    graph = helper.make_graph(
        [helper.make_node("Relu", ["input"], ["logits"])], "g", [value], [out]
    )
    opset = [helper.make_opsetid("", 21)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), tmp_path / "x.onnx")
    with pytest.raises(DataError, match="expected Kakitori's metadata"):
        Recognizer(tmp_path / "x.onnx")


def test_nobody_is_told_what_is_read(tmp_path):
    """ONNX Runtime's telemetry leaves the number of its session among temporary files."""
    done = subprocess.run(
        [sys.executable, "-c", "import kakitori.reading.recognizer"],
        env={
            **{k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"},
            "TMPDIR": str(tmp_path),
            "PYTHONPATH": str(params.ROOT / "stages"),
        },
    )
    assert done.returncode == 0 and not list(tmp_path.iterdir())


def test_a_model_of_another_version_is_named(tmp_path):
    assert Recognizer(small_model(tmp_path / "x.onnx", format="1")).classes == "あいう"
    path = small_model(tmp_path / "x.onnx", format="2")
    with pytest.raises(DataError, match=r"x\.onnx: expected a model of format 1, found one of '2'"):
        Recognizer(path)


def test_a_file_may_say_what_is_right(tmp_path):
    recognizer = Recognizer(small_model(tmp_path / "x.onnx", stroke_counts="3 2 2"))
    assert (recognizer.classes, recognizer.size, recognizer.temperature) == ("あいう", 64, 1.5)
    assert (recognizer.threshold, recognizer.stroke_counts) == (0.9, [3, 2, 2])


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("classes", "あい", "3 different characters"),
        ("classes", "ああう", "3 different characters"),
        ("classes", "あいうえ", "3 different characters"),
        ("size", "32", "the side of its images"),
        ("size", "64.0", "the side of its images"),
        ("size", "9" * 5000, "the side of its images"),
        ("temperature", "0", "a number above 0"),
        ("temperature", "nan", "a number above 0"),
        ("temperature", "inf", "a number above 0"),
        ("temperature", "warm", "a number above 0"),
        ("threshold", "nan", "a probability"),
        ("threshold", "1.1", "a probability"),
        ("deciles", "", "rising numbers of each signal"),
        ("deciles", "[" * 9999, "rising numbers of each signal"),
        ("deciles", '{"ink":[1]}', "rising numbers of each signal"),
        ("deciles", TOLD["deciles"].replace("1.0", "NaN"), "rising numbers of each signal"),
        ("deciles", TOLD["deciles"].replace("1.0", "2", 1), "rising numbers of each signal"),
        ("stroke_counts", "3 2", "a number of strokes for each class"),
        ("stroke_counts", "3 2 0", "a number of strokes for each class"),
        ("stroke_types", "㇐㇐", "different signs"),
    ],
)
def test_what_a_file_says_of_itself_is_checked(tmp_path, name, value, wanted):
    path = small_model(tmp_path / "x.onnx", **{name: value})
    with pytest.raises(DataError, match=f"x.onnx: expected {wanted} as its {name}, found ") as got:
        Recognizer(path)
    assert len(str(got.value)) < len(str(path)) + 200


# What it says, without the C++ signature.
OPSET = """[ONNXRuntimeError] : 1 : FAIL : Load model from x.onnx failed: ONNX Runtime only
*guarantees* support for models stamped with official released onnx opset versions. Opset 21 is
under development and support for this is limited. The operator schemas and or other functionality
may change before next ONNX release and in this case ONNX Runtime will not guarantee backward
compatibility. Current official support for domain ai.onnx is till opset 20."""
IR = """[ONNXRuntimeError] : 1 : FAIL : Load model from x.onnx failed: onnxruntime::Model::Model
Unsupported model IR version: 10, max supported IR version: 9"""


@pytest.mark.parametrize(
    ("message", "wanted", "most"), [(OPSET, "opset 21", 20), (IR, "IR version 10", 9)]
)
def test_an_older_onnx_runtime_is_named(tmp_path, monkeypatch, message, wanted, most):
    def refuse(*args, **settings):
        raise RuntimeError(message)

    path = small_model(tmp_path / "x.onnx")
    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    monkeypatch.setattr(onnxruntime, "__version__", "1.17.3")
    with pytest.raises(DataError) as got:
        Recognizer(path)
    assert str(got.value) == (
        f"{path}: expected an ONNX Runtime that reads {wanted}, found 1.17.3, which reads up to "
        f"{most}; `pip install --upgrade onnxruntime` brings a newer one (our files need "
        f"{OLDEST_RUNTIME})"
    )


def test_a_file_from_the_future_is_too_new(tmp_path):
    path = small_model(tmp_path / "x.onnx")
    model = onnx.load(path)
    model.ir_version = 999
    path.write_bytes(model.SerializeToString())
    with pytest.raises(DataError, match=r"reads IR version 999, found .*, which reads up to \d+;"):
        Recognizer(path)


def test_a_model_that_writes_nothing_down_says_so(finished, tmp_path):
    drawn().save(tmp_path / "a.png")
    done = finished.stage("recognize", "--strokes", str(tmp_path / "a.png"), check=False)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "int8.onnx: expected a model that writes strokes down (model: seq2seq)" in done.stderr
    recognizer = Recognizer(finished.root / "models/exports/int8.onnx")
    with pytest.raises(DataError, match=r"int8.onnx: expected a model that knows .*model: stroke"):
        recognizer.feedback(np.zeros((1, 64, 64), np.uint8), recognizer.classes[0])


@pytest.mark.parametrize("given", [(), ["cpu"], "CPU", ["CPUExecutionProvider", "cpu"]])
def test_the_processor_computes_unless_another_is_named(tmp_path, given):
    recognizer = Recognizer(small_model(tmp_path / "x.onnx"), providers=given)
    assert recognizer.session.get_providers() == ["CPUExecutionProvider"]


def test_a_provider_that_is_not_there_is_an_error_that_lists_those_that_are(tmp_path):
    path = small_model(tmp_path / "x.onnx")
    known = ", ".join(
        name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()
    )
    with pytest.raises(DataError, match=f"expected some of {known}, which .* found 'Abacus'"):
        Recognizer(path, providers=["Abacus"])
    done = Project(ROOT).stage(
        "recognize", "--model", str(path), "a.png", "--providers", "Abacus", check=False
    )
    assert done.returncode == 1 and f"providers: expected some of {known}" in done.stderr


@pytest.mark.parametrize("starts", [True, False])
def test_a_provider_comes_before_the_processor_or_is_an_error(tmp_path, monkeypatch, starts):
    """As where the installed ONNX Runtime has CUDA, with its libraries and without."""
    path, asked = small_model(tmp_path / "x.onnx"), []
    names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    opened = onnxruntime.InferenceSession

    class Session:
        def __init__(self, file, options, providers):
            asked.append(providers)
            self.session = opened(file, options, providers=names[1:])

        def __getattr__(self, name):
            return getattr(self.session, name)

        def get_providers(self):
            return names if starts else names[1:]

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: names)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    if starts:
        Recognizer(path, providers=["cuda"])
    else:
        with pytest.raises(DataError, match="expected CUDA to start, found that ONNX Runtime"):
            Recognizer(path, providers=["cuda"])
    assert asked == [names]

"""What a recogniser is told of a hand shifts its answers for what is like it, and no others."""

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from kakitori.errors import DataError
from kakitori.export import export
from kakitori.reading import memory
from kakitori.reading.normalising.photos import prepare
from kakitori.reading.recognizer import Recognizer
from tests.models import TOLD
from tests.pictures import drawn

CLASSES = "日目田口"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """Of 8 × 8 means it answers the character whose picture is nearest."""
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    shapes = np.stack([coarse(prepared(c)) for c in CLASSES])
    constants = {"weights": shapes.T, "biases": -np.square(shapes).sum(1) / 2}
    value = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 1, 64, 64])
    out = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(CLASSES)])
    nodes = [
        helper.make_node("AveragePool", ["input"], ["p"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["p"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "biases"], ["logits"]),
    ]
    arrays = [numpy_helper.from_array(v.astype("f4"), name) for name, v in constants.items()]
    graph = helper.make_graph(nodes, "g", [value], [out], arrays)
    opset = [helper.make_opsetid("", 21)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), path)
    export.annotate(path, list(CLASSES), 64, TOLD | {"temperature": "1"})
    return path


def prepared(character: str) -> np.ndarray:
    return prepare(drawn(character), 64)


def coarse(image: np.ndarray) -> np.ndarray:
    return (image / 127.5 - 1).reshape(8, 8, 8, 8).mean((1, 3)).ravel()


def first(recognizer: Recognizer, character: str) -> str:
    return recognizer.read(drawn(character))[0][0]


def test_what_was_corrected_is_read_so_and_all_else_as_before(model):
    recognizer = Recognizer(model)
    before = {c: recognizer.read(drawn(c)) for c in CLASSES}
    assert [top[0][0] for top in before.values()] == list(CLASSES)
    recognizer.learn(drawn("日"), "目")  # a hand whose 目 looks like 日
    assert first(recognizer, "日") == "目"
    assert [first(recognizer, c) for c in "田口"] == list("田口")
    assert [e.character for e in recognizer.examples] == ["目"]
    recognizer.forget("田")  # of which it was told nothing
    assert first(recognizer, "日") == "目"
    recognizer.forget("目")
    assert {c: recognizer.read(drawn(c)) for c in CLASSES} == before
    recognizer.learn(drawn("日"), "目")
    recognizer.learn(drawn("田"), "口")
    recognizer.forget()
    assert {c: recognizer.read(drawn(c)) for c in CLASSES} == before and not recognizer.examples


def test_the_example_itself_leads_by_the_margin(model):
    recognizer = Recognizer(model)
    recognizer.learn(drawn("日"), "目")
    (member,) = recognizer._members
    scaled = member.scaled(prepared("日")[None])
    scores = (scaled + member.gains.of_pictures(scaled))[0]
    by_class = dict(zip(CLASSES, scores, strict=True))
    others = max(value for c, value in by_class.items() if c != "目")
    assert by_class["目"] - others == pytest.approx(memory.MARGIN)
    # What was read rightly anyway gains no more than the margin.
    recognizer.forget()
    recognizer.learn(drawn("田"), "田")
    assert recognizer._members[0].gains.lack.tolist() == [0]


def test_what_was_surely_something_else_gains_nothing():
    """An example whose own class lacked 2: a picture like it gains while that class lacks no more
    than SLACK more, and what it gains is (2 + MARGIN) times how near it is."""
    example = np.array([[5.0, 3.0, -4.0, -4.0]])
    gains = memory.Gains.of(example, np.array([1]))
    gain = gains.of_pictures(np.array([[5.0, 3.0, -4, -4], [5, 2.1, -4, -4], [5, 1.9, -4, -4]]))
    assert gain[0, 1] == pytest.approx(2 + memory.MARGIN) and gain[1, 1] > 2 and gain[2, 1] == 0
    assert not gain[:, [0, 2, 3]].any()


def test_a_memory_is_a_small_file_that_another_recogniser_takes(model, tmp_path):
    path = tmp_path / "memory.json"
    learner, other = Recognizer(model), Recognizer(model, model)
    for k in range(20):
        learner.learn(drawn("日", 40 + k), CLASSES[k % 4])
    learner.save_memory(path)
    assert path.stat().st_size < 60_000
    other.load_memory(path)
    assert dict(learner.read(drawn("日"))) == pytest.approx(dict(other.read(drawn("日"))))
    learner.forget()
    learner.save_memory(path)
    other.load_memory(path)
    assert not other.examples and first(other, "日") == "日"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kakitori": "model"}, "found: kakitori: 'model'"),
        ({"size": 128}, "as the model's, found 128"),
        ({"size": -1}, "as the model's, found -1"),
        ({"size": 1e9}, "as the model's, found 1000000000"),
        ({"examples": [["日", "AAAA"]]}, "found: Error -3"),
        ({"examples": [["日", "å"]]}, "found: "),
        ({"examples": [["鬱", None]]}, "examples of the model's 4 classes, found 鬱"),
        ({"examples": 3}, "found: 'int' object is not iterable"),
    ],
)
def test_a_file_that_is_no_memory(model, tmp_path, changes, message):
    path = tmp_path / "memory.json"
    recognizer = Recognizer(model)
    recognizer.learn(drawn("日"), "目")
    recognizer.save_memory(path)
    about = json.loads(path.read_text("utf-8"))
    packed = about["examples"][0][1]
    about |= changes
    if about["examples"] == [["鬱", None]]:
        about["examples"][0][1] = packed
    path.write_text(json.dumps(about), "utf-8")
    with pytest.raises(
        DataError, match=re.escape(f"{path}: expected ") + f".*{re.escape(message)}"
    ):
        recognizer.load_memory(path)
    assert first(recognizer, "日") == "目", "what it was told before stays"


def test_other_files_are_named(model, tmp_path):
    recognizer = Recognizer(model)
    for name, content in {"a": None, "b": b"\xff\xfe", "c": b"[1]", "d": b"{"}.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name}: expected a memory of examples"):
            recognizer.load_memory(tmp_path / name)


def test_what_cannot_be_learned_is_named(model):
    recognizer = Recognizer(model)
    for wrong in ("鬱", "", "日目"):
        with pytest.raises(DataError, match=f"among the model's 4 classes, found '{wrong}'"):
            recognizer.learn(drawn("日"), wrong)
    with pytest.raises(DataError, match="expected an image of 日, found no ink"):
        recognizer.learn(np.full((50, 50), 255, np.uint8), "日")
    assert not recognizer.examples

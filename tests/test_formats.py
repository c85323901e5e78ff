"""Every format of every architecture that params.yaml lists."""

import hashlib
import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from torch import nn

from kakitori.errors import DataError, SettingsError
from kakitori.export import checking, export, footprint, formats, int8
from kakitori.export.runtimes.catalogue import RUNTIMES
from kakitori.learning.contract import Network, Outputs
from kakitori.reading import monitoring
from kakitori.reading.formats import CHOSEN, FORMATS, renamed
from kakitori.reading.recognizer import Recognizer
from kakitori.reading.sessions import open_session
from kakitori.running import params
from tests import committed
from tests.networks import CLASSES, NAMES, QUANTIZE, TWICE, VARIANTS, made

# Of more than convolutions and a last layer, or of two stages; one of convolutions alone.
MIXED = ("capsule", "cascade", "compact", "hiercode", "rnn", "seq2seq", "vit")
IMAGES = np.random.default_rng(0).integers(0, 256, (32, 64, 64), dtype=np.uint8)
BOLD = np.where(IMAGES > 40, 255, 0).astype(np.uint8)  # more ink than any pen leaves
TOLD = {
    "temperature": "1",
    "threshold": "0.9",
    "deciles": monitoring.reference(monitoring.signals(IMAGES, np.ones(32))),
}
LABELS = np.arange(32) % len(CLASSES)
# Of the largest logit: what 16 bits, 8 bits and 4 bits round an untrained network's answers by.
CLOSE = {"fp32": 1e-4, "strict": 1e-4, "fp16": 0.02, "nf4": 0.5, "fp4": 0.5, "int4": 0.6}
# Of these images the same answer, though nothing was learned that would tell classes apart.
SAME = {"fp32": 1, "strict": 1, "fp16": 0.9, "int8": 0.8, "strict_int8": 0.8, "dynamic": 0.8}
OF_ALL = ("fp32", "fp16", "strict", "int8", "strict_int8", "int4")  # that any network can be


def settled(model: nn.Module) -> nn.Module:
    """With statistics of these images, as after training, and no branch that gives nothing but 0:
    resnet's begin so, and a signal without a range has no scale either."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 0.96  # what thirty passes of these images come to
            if not module.weight.any():
                nn.init.constant_(module.weight, 0.5)
    scaled = torch.from_numpy(IMAGES)[:, None].float() / 127.5 - 1
    with torch.no_grad():
        model.train()(scaled)
    return model.eval()


def source_of(model: nn.Module, folder: Path) -> formats.Floats:
    folder.mkdir(exist_ok=True)
    return formats.Floats(model, 64, QUANTIZE, IMAGES[:16], (IMAGES, LABELS), folder)


def answers(path: Path, images: np.ndarray, precision: str) -> np.ndarray:
    """Logits by ONNX Runtime alone; with precision 1 it adds nothing in 16 bits. On a processor
    with VNNI it never does, and `pair_sums` is what is tested."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", precision)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (batch,) = export.batches(images)
    return session.run(["logits"], batch)[0]


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.glob("*.onnx")}


class Exported(NamedTuple):
    name: str
    model: nn.Module
    source: formats.Floats


@pytest.fixture(scope="module", params=VARIANTS, ids=NAMES)
def exported(request, tmp_path_factory) -> Exported:
    """A network of each architecture, and the files that its formats are made of."""
    name, net = request.param
    model = settled(made(name, net))
    return Exported(name, model, source_of(model, tmp_path_factory.mktemp(name)))


@pytest.mark.parametrize(
    "exported",
    [v if v[0] in MIXED else pytest.param(v, marks=pytest.mark.long) for v in VARIANTS],
    ids=NAMES,
    indirect=True,
    scope="module",
)
def test_every_repair_of_int8(exported, tmp_path, monkeypatch, caplog):
    """Where no file reads well enough, biases are corrected, then layers stay in floats: of each
    kind one, to be quick."""
    _, model, source = exported
    tries = itertools.count()

    def read(path: Path) -> int8.Read:  # each a little better than the one before
        return int8.Read(1.0 if path.name == "float.onnx" else next(tries) / 1000, 0.0)

    every = int8.Quantiser.layers

    def some(work: int8.Quantiser) -> list[str]:
        kinds = {node.name: node.op_type for node in onnx.load(work.prepared).graph.node}
        return list({kinds[layer]: layer for layer in every(work)}.values())

    monkeypatch.setattr(source, "read", read)
    monkeypatch.setattr(int8.Quantiser, "layers", some)
    (batch,) = export.batches(IMAGES)
    with torch.no_grad():
        expected = model(torch.from_numpy(batch["input"])).logits.numpy()
    for name in ("int8", "strict_int8"):
        ((_, path, about),) = formats.make([name], source, tmp_path)
        assert about["biases_corrected"] and about["layers_in_floats"] >= 1
        assert len(about["sensitivity"]) == about["layers_in_floats"]
        logits = formats.logits_of(path, IMAGES)
        assert np.abs(logits - expected).max() <= 0.3 * np.abs(expected).max()
    assert "out-of-range" not in caplog.text


def exported_again(model: nn.Module, first: formats.Floats, folder: Path) -> formats.Floats:
    """The same bytes as the first time."""
    again = source_of(model, folder)
    assert [p.read_bytes() for p in first.parts] == [p.read_bytes() for p in again.parts]
    return again


@pytest.mark.long
def test_every_architecture_is_exported_the_same_again(exported, tmp_path):
    """Of those of TWICE the next test tells."""
    exported_again(exported.model, exported.source, tmp_path / "between")


def test_every_format_of_an_architecture(exported, tmp_path):
    name, model, source = exported
    wanted = [*dict.fromkeys([*OF_ALL, *QUANTIZE.formats_of(name)])]
    formats.check(wanted, model, name)
    (batch,) = export.batches(IMAGES)
    with torch.no_grad():
        expected = model(torch.from_numpy(batch["input"])).logits.numpy()
    size = np.abs(expected).max()
    runs = {"one": source}
    if name in TWICE:
        runs["other"] = exported_again(model, source, tmp_path / "between")
    for run in runs:
        (tmp_path / run).mkdir()
        for made_name, path, about in formats.make(wanted, runs[run], tmp_path / run):
            whole = "int8" in made_name or made_name == "dynamic"
            assert about.get("weight_bits") == (7 if whole else None)
            assert about.get("largest_pair_sum", 0) <= 2 * 64 * 255
            export.annotate(path, CLASSES, 64, TOLD | FORMATS[made_name].session)
    if name in TWICE:
        assert digests(tmp_path / "one") == digests(tmp_path / "other")
    session = open_session(tmp_path / "one/fp32.onnx")
    assert [i.name for i in session.get_inputs()] == ["input"]
    assert session.get_outputs()[0].name == "logits"
    for count in (1, 5):  # the batch is dynamic
        (few,) = session.run(["logits"], {"input": batch["input"][:count]})
        np.testing.assert_allclose(few, expected[:count], atol=1e-4 * size)
    for made_name in wanted:
        path = tmp_path / "one" / f"{made_name}.onnx"
        logits = formats.logits_of(path, IMAGES)
        assert logits.shape == expected.shape, made_name
        difference = np.abs(logits - expected).max() / size
        assert difference <= CLOSE.get(made_name, 0.3), f"{made_name}: {difference}"
        same = (logits.argmax(1) == expected.argmax(1)).mean()
        assert same >= SAME.get(made_name, 0), f"{made_name}: {same}"
        assert Recognizer(path).classes == "".join(CLASSES)
        if int8.pair_sums(path):
            plain, exact = (answers(path, BOLD, setting) for setting in ("0", "1"))
            assert np.abs(plain - exact).max() < 0.001 * np.abs(exact).max(), made_name
        content = path.read_bytes()
        assert b"stages" not in content and str(params.ROOT).encode() not in content
        if made_name not in ("fp4", "nf4"):  # like int4's, and the reference is slow
            assert checking.second_opinion(path, IMAGES[:1]).startswith(("agrees", "lacks"))
    file = onnx.load(tmp_path / "one/strict.onnx")
    assert [o.version for o in file.opset_import if not o.domain] == [14]
    assert [o.name for o in file.graph.output] == ["logits"]


def test_a_second_runtime_that_computes_something_else_is_an_error(tmp_path, monkeypatch):
    export.to_onnx(made("cnn", {}).eval(), 64, 21, tmp_path / "fp32.onnx")
    real = checking.ReferenceEvaluator

    class Wrong(real):
        def run(self, names, inputs):
            return [result + 1 for result in super().run(names, inputs)]

    assert checking.second_opinion(tmp_path / "fp32.onnx", IMAGES[:1]) == "agrees"
    monkeypatch.setattr(checking, "ReferenceEvaluator", Wrong)
    with pytest.raises(DataError, match=r"fp32.onnx: expected the same logits .* found \d+"):
        checking.second_opinion(tmp_path / "fp32.onnx", IMAGES[:1])


def test_a_format_that_cannot_be_says_why():
    formats.check(["dynamic"], made("rnn", {}), "rnn")
    with pytest.raises(DataError, match="formats that cnn can have, found dynamic: it has no LSTM"):
        formats.check(["dynamic"], made("cnn", {}), "cnn")


def test_the_table_is_whole():
    """A function for each that ONNX Runtime reads; what the gate holds, evaluate reads and every
    run has; no two share a file."""
    for name in CHOSEN:
        assert bool(FORMATS[name].runtime) != hasattr(formats, f"to_{name}"), name
    assert all(each.evaluated for each in FORMATS.values() if each.gated)
    assert len({each.file for each in FORMATS.values()}) == len(FORMATS)
    assert {each.runtime for each in FORMATS.values()} - {""} <= RUNTIMES.keys()


def test_metrics_of_earlier_versions_are_read_by_todays_names():
    earlier = {"onnx": {"top1": 0.9}, "accepted": {"onnx": {}}, "wh": {"onnx": 1.5, "int8": 1.0}}
    today = {"fp32": {"top1": 0.9}, "accepted": {"fp32": {}}, "wh": {"fp32": 1.5, "int8": 1.0}}
    assert renamed(earlier) == renamed(today) == today
    file = {"formats": {"fp32": {"onnx": "strict.onnx", "onnx_bytes": 3}}}  # of runtimes.json
    assert renamed(file) == file


def test_an_operator_that_converters_lack_is_named(tmp_path):
    class Sorted(Network):
        def forward(self, images: torch.Tensor) -> Outputs:
            logits = images.flatten(1).topk(3)[0]
            return Outputs(logits, logits)

    with pytest.raises(ValueError, match=r"expected operators that every .* found .*TopK"):
        export.to_strict(Sorted(), 64, tmp_path / "strict.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("formats_", "message"),
    [
        ({"all": ["fp32", "int8"], "cn": ["fp32", "int8"]}, "keys among all, .*, and not cn"),
        ({"all": ["fp32"]}, "fp32 and int8 among those of all"),
        ({"cnn": ["fp32", "int8"]}, "those of all that are not named"),
        ({"all": ["fp32", "int8", "int3"]}, "'tflite' or 'ncnn', found 'int3'"),
    ],
)
def test_a_wrong_table_is_named(formats_, message):
    settings = committed.settings_tree()
    settings["quantize"]["formats"] = formats_
    with pytest.raises(SettingsError, match=message):
        params.parse(yaml.safe_dump(settings))


def test_opening_costs_time_and_memory(tmp_path):
    export.to_onnx(made("cnn", {}).eval(), 64, 21, tmp_path / "fp32.onnx")
    costs = footprint.measure(tmp_path / "fp32.onnx", 64)
    weights = (tmp_path / "fp32.onnx").stat().st_size / 2**20
    assert costs["load_ms"] > 0.1 and costs["peak_mb"] > 0.8 * weights


def test_a_truncated_file_is_one_clear_line(tmp_path):
    export.to_onnx(made("cnn", {}).eval(), 64, 21, tmp_path / "fp32.onnx")
    content = (tmp_path / "fp32.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cut.onnx: expected an ONNX model, found: .+") as caught:
        open_session(tmp_path / "cut.onnx")
    assert "\n" not in str(caught.value)

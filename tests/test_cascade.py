import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from kakitori.archs import cascade
from kakitori.export import export, formats, int8, staged
from kakitori.learning import contract
from kakitori.reading.sessions import open_session
from tests import committed
from tests.tables import characters

SIZE, CLASSES, GROUPS = 32, 20, 4
OPSET = committed.settings().quantize.opset


@pytest.fixture(scope="module")
def model() -> cascade.Cascade:
    """A network whose first head is sure of some images and not of others."""
    torch.manual_seed(0)
    group = np.arange(CLASSES) % GROUPS
    model = cascade.Cascade(group, SIZE, 8, 0.9, (0.5, 0.25), channels=(8, 8, 16, 16, 24))
    for _ in range(5):  # statistics of the norms
        model.train()(images(16))
    with torch.no_grad():
        model.first.classifier.weight *= 8
    return model.eval()


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1


def confidence(model: cascade.Cascade, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.first(images).quick.softmax(1).amax(1)


def test_groups_are_of_one_size_and_share_radicals():
    families = [("氵", "口"), ("氵", "木"), ("扌", "日"), ("扌", "目")]
    sets = [[*families[k % 4], chr(ord("あ") + k)] for k in range(20)]
    group = cascade.groups_of(sets, 4)
    assert sorted(np.bincount(group)) == [5, 5, 5, 5]
    assert all(len({k % 4 for k in np.flatnonzero(group == g)}) == 1 for g in range(4))
    # Water with water and hand with hand, also where two families have to share a group.
    assert len({tuple(cascade.groups_of(sets, 2)[k::4]) for k in (0, 1)}) == 1


@pytest.mark.parametrize(("classes", "groups"), [(23, 5), (12, 12), (100, 7)])
def test_sizes_of_groups_differ_by_one_at_most(classes, groups):
    sizes = np.bincount(
        cascade.groups_of([["一"] if k % 3 else ["二"] for k in range(classes)], groups)
    )
    assert len(sizes) == groups and sizes.max() - sizes.min() <= 1


def test_there_are_at_most_as_many_groups_as_classes():
    text = "林相杏明"
    made = cascade.build(list(text), characters(text), 64, groups=64)
    assert sorted(made.first.group.tolist()) == [0, 1, 2, 3]


def test_the_groups_come_with_the_weights():
    group = np.arange(CLASSES) % GROUPS
    state = cascade.Cascade(group[::-1].copy(), SIZE, 8, 0.9, (1, 1)).state_dict()
    other = cascade.Cascade(group, SIZE, 8, 0.9, (1, 1))
    other.load_state_dict(state)
    assert other.first.group.tolist() == group[::-1].tolist()


def test_the_group_is_learned_as_its_own_cross_entropy(model):
    batch = contract.Batch(images(8), torch.arange(8) * 2)
    outputs = model(batch.images)
    group = model.first.group
    log_p = outputs.coarse[:, :GROUPS]  # class k is of group k % GROUPS
    assert torch.allclose(log_p.exp().sum(1), torch.ones(8), atol=1e-5)
    expected = F.nll_loss(log_p, group[batch.labels]) + math.log(CLASSES / GROUPS)
    loss = contract.class_loss(outputs._replace(logits=outputs.coarse), batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_who_is_sure_is_answered_first(model, monkeypatch):
    batch = images(5)
    sure = confidence(model, batch)
    monkeypatch.setattr(model, "threshold", sure.median().item())
    with torch.no_grad():
        _, coarse, grid = handed = model.first(batch)
        full, logits = model.rest(coarse, grid).logits, model(batch).logits
    first = sure >= model.threshold
    assert 0 < first.sum() < 5
    assert torch.equal(logits[first], handed.quick[first])
    assert torch.equal(logits[~first], full[~first])
    assert not torch.isclose(full, handed.quick).all(1).any()


def test_training_asks_both(model):
    twin = cascade.Cascade(model.first.group.numpy(), SIZE, 8, 0.0, (1, 1))
    outputs = twin.train()(images(4))
    assert not torch.isclose(outputs.logits, outputs.quick).all(1).any()


# ---------------------------------------------------------------------------------------------
# One file of two stages


@pytest.fixture(scope="module")
def stages(model, tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("stages")
    staged.to_onnx(model.staged(), SIZE, OPSET, folder / "first.onnx", folder / "rest.onnx")
    return folder / "first.onnx", folder / "rest.onnx"


def exits_at(threshold: float) -> contract.Stages:
    return contract.Stages(nn.Identity(), nn.Identity(), threshold)


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("sure", ["all", "none", "some"])
def test_one_file_equals_the_network(model, stages, tmp_path, monkeypatch, sure, count):
    batch = images(5)[:count]
    threshold = {
        "all": 0.0,
        "none": 1.0,
        # Between two images, since arithmetic may differ in the last digit.
        "some": confidence(model, images(5)).sort().values[2:4].mean().item(),
    }[sure]
    staged.merge(*stages, exits_at(threshold), tmp_path / "model.onnx")
    session = open_session(tmp_path / "model.onnx")
    assert [i.name for i in session.get_inputs()] == ["input"]
    assert [o.name for o in session.get_outputs()] == ["logits"]
    monkeypatch.setattr(model, "threshold", threshold)
    with torch.no_grad():
        expected = model(batch).logits.numpy()
    (logits,) = session.run(None, {"input": batch.numpy()})
    np.testing.assert_allclose(logits, expected, atol=2e-4, rtol=1e-4)
    with torch.no_grad():  # and so does the network without a branch
        plain = model.plain()(batch).logits.numpy()
    np.testing.assert_allclose(plain, expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 7, 64])
def test_the_logarithm_of_a_sum(count):
    x = torch.randn(3, count, generator=torch.Generator().manual_seed(0)) * 30
    torch.testing.assert_close(cascade.log_sum(x), x.logsumexp(1, keepdim=True))


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory) -> Path:
    """A folder with the network in three formats."""
    folder = tmp_path_factory.mktemp("exports")
    gray = np.zeros((4, SIZE, SIZE), np.uint8)
    settings = committed.settings().quantize
    read = gray, np.zeros(4, np.int64)
    source = formats.Floats(model, SIZE, settings, gray, read, folder)
    assert len(list(formats.make(["fp32", "int8", "int4"], source, folder))) == 3
    return folder


@pytest.mark.parametrize("name", ["fp32", "int8", "int4"])
def test_formats_of_two_stages_are_one_file(exported, name):
    path = exported / f"{name}.onnx"
    assert open_session(path).run(None, {"input": images(2).numpy()})[0].shape == (2, CLASSES)
    assert b"kakitori/archs" not in path.read_bytes()


def test_the_rest_is_left_out_where_all_are_sure(tmp_path):
    """A second stage that fails whenever it runs, and a first one that repeats its input."""

    def file(name: str, nodes: list, gives: list[str], takes: str, tables: list) -> Path:
        values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b", 3]) for n in gives]
        image = helper.make_tensor_value_info(takes, TensorProto.FLOAT, ["b", 3])
        graph = helper.make_graph(nodes, name, [image], values, tables)
        imports = [helper.make_opsetid("", OPSET)]
        onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=10), tmp_path / name)
        return tmp_path / name

    copy = [helper.make_node("Identity", ["input"], [n]) for n in ("quick", "grid")]
    first = file("first.onnx", copy, ["quick", "grid"], "input", [])
    absent = numpy_helper.from_array(np.array([10**6]), "absent")
    fails = [helper.make_node("Gather", ["grid", "absent"], ["row"])]
    fails.append(helper.make_node("Add", ["grid", "row"], ["logits"]))
    rest = file("rest.onnx", fails, ["logits"], "grid", [absent])
    staged.merge(first, rest, exits_at(0.9), tmp_path / "model.onnx")
    session = open_session(tmp_path / "model.onnx")
    sure, unsure = np.array([[9, 0, 0]], np.float32), np.array([[1, 0, 0]], np.float32)
    np.testing.assert_array_equal(session.run(None, {"input": sure})[0], sure)
    for batch in (unsure, np.concatenate([sure, unsure])):
        with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument):
            session.run(None, {"input": batch})


def test_stages_that_do_not_fit_are_named(stages, tmp_path):
    first, _ = stages
    with pytest.raises(ValueError, match=r"first.onnx: expected inputs among .*grid.*input"):
        staged.merge(first, first, exits_at(0.9), tmp_path / "model.onnx")


def test_quantised_stages_make_one_file_too(model, stages, tmp_path):
    gray = ((images(32)[:, 0].numpy() + 1) * 127.5).round().astype(np.uint8)
    first, rest = tmp_path / "first.onnx", tmp_path / "rest.onnx"
    int8.to_int8(stages[0], lambda: export.batches(gray), first)
    int8.to_int8(stages[1], lambda: staged.handed_on(first, model.staged(), gray), rest)
    batch = images(5).numpy()
    quick, coarse, grid = open_session(first).run(None, {"input": batch})
    full, _ = open_session(rest).run(None, {"coarse": coarse, "grid": grid})
    e = np.exp(quick - quick.max(1, keepdims=True))
    sure = (e / e.sum(1, keepdims=True)).max(1)
    threshold = np.sort(sure)[2:4].mean()
    staged.merge(first, rest, exits_at(threshold), tmp_path / "model.onnx")
    (logits,) = open_session(tmp_path / "model.onnx").run(None, {"input": batch})
    expected = np.where(sure[:, None] >= threshold, quick, full)
    # A value on the edge between two steps of eight bits may fall to either side.
    step = np.ptp(full) / 255
    np.testing.assert_allclose(logits, expected, atol=2 * step)
    with torch.no_grad():
        assert (
            np.abs(full - model.rest(*model.first(images(5))[1:]).logits.numpy()).max() < 30 * step
        )

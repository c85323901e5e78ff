"""Every architecture faces the same checks."""

import importlib
import inspect

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from kakitori.errors import DataError, SettingsError
from kakitori.export import export
from kakitori.learning import blocks, checkpoints, complexity, contract, training
from kakitori.learning.samples import table
from kakitori.reading.characters import strokes
from kakitori.reading.characters.charset import etl9_characters
from kakitori.running import params
from tests import committed, tables, toy
from tests.networks import CLASSES, NAMES, SETTINGS, TWICE, VARIANTS, made, shaken


@pytest.fixture(params=VARIANTS, ids=NAMES)
def model(request) -> nn.Module:
    return made(*request.param)


def batch_of(count: int, size: int = 64) -> contract.Batch:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(count, 1, size, size, generator=generator) * 2 - 1
    return contract.Batch(images, torch.arange(count) % len(CLASSES), 0.1)


@pytest.mark.parametrize("count", [1, 3])
def test_one_row_of_finite_logits_per_image(model, count):
    logits = model.eval()(batch_of(count).images).logits
    assert logits.shape == (count, len(CLASSES))
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize(("name", "net"), VARIANTS, ids=NAMES)
def test_the_full_scan_fits_too(name, net):
    logits = made(name, net, size=128).eval()(batch_of(2, 128).images).logits
    assert logits.shape == (2, len(CLASSES))


def test_it_can_begin_on_smaller_images(model):
    batch = batch_of(4, 32)
    assert torch.isfinite(model.train().loss(model(batch.images), batch))


def test_features_are_one_row_an_image(model):
    features = model.eval()(batch_of(3).images).features
    assert features.ndim == 2 and len(features) == 3


def test_mixed_and_partial_images_are_learned_from_too(model):
    """Every architecture can be trained with mix-up, and on characters that lack strokes."""
    batch = batch_of(8)
    mixed = batch._replace(others=batch.labels.flip(0), share=torch.rand(8))
    presence = torch.tensor([[1] * 5 + [0] * 27] * 4, dtype=torch.int8)
    layers = torch.zeros(4, 64, 64, dtype=torch.uint8)
    layers[:, 20:30, 20:30] = 3
    for each in (mixed, batch._replace(presence=presence, layers=layers)):
        loss = model.train().loss(model(each.images), each)
        assert loss.ndim == 0 and torch.isfinite(loss)


def test_a_gradient_reaches_every_parameter(model):
    batch, model = batch_of(8), shaken(model).train()
    model.loss(model(batch.images), batch).backward()
    without = [
        name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ]
    assert not without


@pytest.mark.parametrize(
    ("count", "side", "stride"),
    [(12, 8, 1), (7, 8, 2), (6, 5, 2), (8, 16, 2), (4, 2, 2), (5, 1, 1)],
)
def test_images_side_by_side_are_convolved_as_alone(count, side, stride):
    layer = blocks.Convolution(3, 5, stride=stride).double()
    x = torch.randn(count, 3, side, side, dtype=torch.double, requires_grad=True)

    def values_and_gradients() -> tuple[torch.Tensor, ...]:
        y = layer(x)
        return y, *torch.autograd.grad((y * y).sum(), (x, layer.weight))

    layer.train()
    beside = values_and_gradients()
    layer.eval()
    torch.testing.assert_close(beside, values_and_gradients())


def test_channel_attention_is_the_same_in_either_order_of_the_memory():
    attention = blocks.SqueezeExcite(6, 2).double()
    x = torch.randn(5, 6, 4, 3, dtype=torch.double, requires_grad=True)

    def values_and_gradients() -> tuple[torch.Tensor, ...]:
        y = attention(x)
        return y, *torch.autograd.grad((y**3).sum(), (x, *attention.parameters()))

    attention.train()
    along = values_and_gradients()
    attention.eval()
    torch.testing.assert_close(along, values_and_gradients())


def test_noise_on_features_is_for_training_alone():
    images = batch_of(4).images
    for noise, differ in ((0.0, False), (0.5, True)):
        net = made("cnn", {"noise": noise}).train()
        outputs, other = net(images), net(images)
        assert torch.equal(outputs.features, other.features)
        assert torch.equal(outputs.logits, other.logits) is not differ
        net.eval()
        assert torch.equal(net(images).logits, net(images).logits)


def test_one_batch_can_be_learned_by_heart(model):
    batch = batch_of(12)
    optimiser = torch.optim.AdamW(model.parameters(), 2e-3)
    model.train()
    for _ in range(60):
        outputs = model(batch.images)
        if (outputs.logits.argmax(1) == batch.labels).all():
            return
        loss = model.loss(outputs, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    pytest.fail("not all of 12 images were read right after 60 steps")


def test_the_same_seed_makes_the_same_network():
    weights, other = made("cnn", {}).state_dict(), made("cnn", {}).state_dict()
    assert all(torch.equal(weights[key], other[key]) for key in weights)


@pytest.mark.parametrize(("name", "net"), VARIANTS, ids=NAMES)
def test_a_run_is_the_same_under_a_seed_and_when_it_goes_on(name, net, tmp_path, monkeypatch):
    """Trained in one go, and again but killed after the first epoch, by whatever trains it."""
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    parts = {"train": toy.part(24), "val": toy.part(8)}
    options = toy.settings(epochs=2, batch=12, optimiser="muon", learning_rate=0.004)

    def trained(run: str, stop_after: int = 0) -> dict[str, torch.Tensor]:
        model = made(name, net)
        ends = options.model_copy(update={"stop_after": stop_after})
        training.train(model, parts, ends, 0, run, toy.partial())
        return checkpoints.load(run)["model"]  # after the last epoch, be it the best or not

    first = trained("first")
    half = trained("second", stop_after=1)
    assert not toy.same(half, first)
    assert toy.same(first, trained("second"))


@pytest.mark.parametrize(
    ("name", "net"),
    [v if v[0] in TWICE else pytest.param(*v, marks=pytest.mark.long) for v in VARIANTS],
    ids=NAMES,
)
def test_an_onnx_file_equals_torch_and_names_no_path(name, net, tmp_path):
    """Whatever its norms' scales; test_formats.py has a file of every architecture as trained, and
    that it is the same every time."""
    model = shaken(made(name, net))
    export.to_onnx(model, 64, SETTINGS.quantize.opset, tmp_path / "a.onnx")
    content = (tmp_path / "a.onnx").read_bytes()
    assert b"stages" not in content and str(params.ROOT).encode() not in content
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["input"]
    assert session.get_outputs()[0].name == "logits"
    for count in (1, 5):  # the batch is dynamic
        images = batch_of(count).images
        (logits,) = session.run(["logits"], {"input": images.numpy()})
        with torch.no_grad():
            expected = model(images).logits.numpy()
        np.testing.assert_allclose(logits, expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "low", "high"), [("cnn", 3.0e6, 4.0e6), ("published", 3_863_655, 3_863_655)]
)
def test_sizes(name, low, high):
    """At most 4 M parameters by default; the published one has as many as its script makes: its
    convolutions 178,441, their norms 2,946, its attention 45,056, its linear layers 3,637,212."""
    model = importlib.import_module(f"kakitori.archs.{name}").build(etl9_characters(), None, 64)
    measured = complexity.measure(model, 64)
    assert low <= measured["parameters"] <= high
    assert measured["multiply_adds"] > 1e6


def test_its_size_is_measured_and_it_learns_on(model):
    """One image takes as many operations whether it had been learning or not."""
    measured = complexity.measure(model.train(), 64)
    assert model.training and measured == complexity.measure(model.eval(), 64)
    assert measured["parameters"] > 0 and measured["multiply_adds"] > 1e6


def test_multiply_adds_of_a_known_layer():
    net = nn.Conv2d(1, 8, 3, padding=1, bias=False)
    assert complexity.measure(net, 64) == {"parameters": 72, "multiply_adds": 64 * 64 * 72}


@pytest.mark.parametrize(
    ("name", "net", "message"),
    [
        ("absent", {}, "model: expected one of .*cnn.*found 'absent'.*archs/absent.py"),
        ("cnn", {"blok": "conv"}, r"cnn\.net\.blok: expected one of dropout, noise, reduction"),
        ("cnn", {"reduction": 0}, r"cnn\.net\.reduction: expected greater than or equal to 1, fou"),
        ("cnn", {"dropout": 1.5}, r"dropout: expected less than or equal to 1, found 1\.5"),
        ("align", {"width": 0}, "width: expected greater than or equal to 1, found 0"),
        ("align", {"levels": -0.5}, r"levels: expected greater than or equal to 0, found -0\.5"),
        ("capsule", {"iterations": 0}, "iterations: expected greater than or equal to 1, found 0"),
        ("capsule", {"pose": True}, "pose: expected integer, found True"),
        ("cascade", {"groups": 1}, "groups: expected greater than or equal to 2, found 1"),
        ("cascade", {"rank": 0.5}, r"rank: expected integer, found 0\.5"),
        ("cascade", {"threshold": 2}, "threshold: expected less than or equal to 1, found 2"),
        ("cascade", {"quick": 0}, "quick: expected greater than 0, found 0"),
        ("cascade", {"coarse": "1"}, "coarse: expected number, found '1'; write numbers without"),
        ("compact", {"channels": [8, 8, 8, 8]}, "channels: .* at least 5 items"),
        ("compact", {"channels": [8, 8, 8, 8, 1]}, r"channels\.4: expected greater .* 2, found 1"),
        ("hiercode", {"bits": -1}, "bits: expected greater than or equal to 0, found -1"),
        ("hiercode", {"prototypes": "no"}, "prototypes: expected boolean, found 'no'"),
        ("integral", {"width": 40}, "width: expected a multiple of 16, found 40"),
        ("resnet", {"channels": "red"}, "channels: expected 'sum' or 'repeat', found 'red'"),
        ("resnet", {"last_stride": 3}, "last_stride: expected 1 or 2, found 3"),
        ("resnet", {"stem": "flower"}, "stem: expected 'patches' or 'paper', found 'flower'"),
        ("resnet", {"growth": 1}, "growth: expected less than 1, found 1"),
        ("rnn", {"radicals": -0.5}, r"radicals: expected greater than or equal to 0, found -0\.5"),
        ("seq2seq", {"steps": 0}, "steps: expected greater than or equal to 1, found 0"),
        ("seq2seq", {"sequence": "much"}, "sequence: expected number, found 'much'"),
        ("stroke", {"presence": 0}, "presence: expected greater than 0, found 0"),
        ("vit", {"layers": 1.5}, r"layers: expected integer, found 1\.5"),
        ("vit", {"heads": 5}, r"vit\.net: heads: expected a divisor of the width, 192, found 5"),
        ("vit", {"stochastic_depth": 1.0}, r"stochastic_depth: expected less than 1, found 1\.0"),
    ],
)
def test_an_unknown_architecture_or_setting_is_named(name, net, message):
    with pytest.raises(SettingsError, match=message):
        made(name, net)


def test_defaults_are_those_of_params_yaml():
    """But for resnet's growth, which is 0 for weights that somebody else trained."""
    for name, arch in params.parse(committed.settings_text()).archs.items():
        build = importlib.import_module(f"kakitori.archs.{name}").build
        default = {k: p.default for k, p in inspect.signature(build).parameters.items()}
        for setting, value in (arch.net | ({"growth": 0.0} if name == "resnet" else {})).items():
            given = default[setting]
            assert (list(given) if isinstance(given, tuple) else given) == value, (name, setting)


@pytest.mark.parametrize(("name", "net"), VARIANTS, ids=NAMES)
def test_classes_that_the_table_lacks(name, net):
    """们 and ㍻ are in no source: learned like others, but by a network that judges strokes."""
    classes = [*CLASSES[:6], "们", "㍻"]
    settings = SETTINGS.model_copy(update={"model": name, "archs": {name: params.Arch(net=net)}})
    characters = table.completed(tables.characters("".join(CLASSES)), classes)
    if name == "stroke":
        with pytest.raises(DataError, match=r"strokes of every class.* none of 们㍻ \(2 of 8\)"):
            contract.network(settings, classes, characters)
        return
    model = contract.network(settings, classes, characters).train()
    labels = torch.tensor([6, 7, 6, 7])
    batch = batch_of(4)._replace(labels=labels)  # of no others, and then as a pen drew them
    written = torch.full((4, strokes.MOST), contract.NONE, dtype=torch.int8)
    written[:2, :3] = 1
    for each in (batch, batch._replace(written=written)):
        loss = model.loss(model(each.images), each)
        loss.backward()
        assert torch.isfinite(loss)
    assert model.eval()(batch.images).logits.shape == (4, 8)

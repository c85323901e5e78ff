"""Which strokes are missing, of the character that is meant."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from kakitori.archs.stroke import POINTS, Stroke
from kakitori.export import formats
from kakitori.learning.contract import NONE, Batch
from kakitori.learning.descriptions import courses_of
from kakitori.reading.sessions import open_session
from tests import tables
from tests.networks import QUANTIZE

TEXT = "十木林大三"
TEN, TREE, WOOD, BIG, THREE = range(len(TEXT))
COUNTS = (2, 4, 8, 3, 3)
SIZE = 32


def drawn(label: int, kept: list[int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Strokes `kept` of a class, from 0, as a hand and a frame would have them: an image float32
    (S, S) in [-1, 1], and the number of the stroke, from 1, that each pixel belongs to."""
    polylines = tables.characters(TEXT)["strokes"][label]
    squeezed = np.exp(rng.normal(0, 0.08, 2))
    strokes = [np.reshape(polylines[k], (-1, 2)) * squeezed + rng.normal(0, 0.02, 2) for k in kept]
    low, high = (bound(np.concatenate(strokes), 0) for bound in (np.min, np.max))
    ink, layers = Image.new("L", (4 * SIZE, 4 * SIZE)), Image.new("L", (SIZE, SIZE))
    for k, stroke in zip(kept, strokes, strict=True):
        framed = ((stroke - (low + high) / 2) * min(0.875 / (high - low).max(), 1.5) + 0.5) * SIZE
        ImageDraw.Draw(layers).line([tuple(p) for p in framed], int(k) + 1, 2)
        ImageDraw.Draw(ink).line([tuple(p) for p in framed * 4], 255, 9)
    small = ink.resize((SIZE, SIZE), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / 127.5 - 1, np.asarray(layers)


def page(count: int, seed: int) -> Batch:
    """Characters, the second half of them with one or two strokes left out."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(TEXT), size=count)
    presence = np.zeros((count // 2, 32), np.int8)
    images, layers = [], []
    for i, label in enumerate(labels, count // 2 - count):
        kept = rng.permutation(COUNTS[label])
        if i >= 0:
            kept = kept[: max(1, len(kept) - rng.integers(1, 3))]
            presence[i, kept] = 1
        ink, numbers = drawn(label, sorted(kept), rng)
        images.append(ink)
        layers += [numbers] * (i >= 0)
    images, layers = torch.from_numpy(np.stack(images))[:, None], torch.from_numpy(np.stack(layers))
    return Batch(
        images,
        torch.from_numpy(labels),
        presence=torch.from_numpy(presence),
        layers=layers,
    )


def tiny(layers: bool = False) -> Stroke:
    torch.manual_seed(0)
    courses = [courses_of(s, POINTS) for s in tables.characters(TEXT)["strokes"]]
    return Stroke(courses, SIZE, 2.0, layers, channels=(8, 16, 24, 32, 32))


def trained(net: Stroke, steps: int) -> Stroke:
    batch = page(600, 0)
    optimiser = torch.optim.AdamW(net.parameters(), 4e-3, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
    net.train()
    for _ in range(steps):
        i = torch.randint(600, (48,)).sort().values
        partial = i[i >= 300] - 300
        part = Batch(
            batch.images[i],
            batch.labels[i],
            presence=batch.presence[partial],
            layers=batch.layers[partial],
        )
        loss = net.loss(net(part.images), part)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


@pytest.fixture(scope="module")
def net() -> Stroke:
    return trained(tiny(layers=True), 200)


def test_the_table_has_the_strokes_that_a_hand_would_count():
    assert tuple(tables.characters(TEXT)["stroke_count"]) == COUNTS


def test_targets_computed_by_hand():
    """Of a whole 木 the first four; of a partial one what the batch says; of mixed images and of
    unknown characters the loss asks nothing."""
    images = torch.zeros(4, 1, SIZE, SIZE)
    presence = torch.zeros(1, 32, dtype=torch.int8)
    presence[0, [0, 2]] = 1
    share = torch.tensor([0.0, 0.3, 0.0, 0.0])
    labels = torch.tensor([TREE, TREE, NONE, TREE])
    target, asked = tiny().targets(Batch(images, labels, 0.1, labels, share, presence))
    assert target[0].tolist() == [1] * 4 + [0] * 28
    assert target[3].tolist() == [1, 0, 1] + [0] * 29
    four, none = [True] * 4 + [False] * 28, [False] * 32
    assert asked.tolist() == [four, none, none, four]


def test_the_loss_is_the_classes_and_the_weighted_mean_over_strokes():
    """Against probabilities: −log p of what is there, −log (1 − p) of what is not."""
    net, batch = tiny().eval(), page(6, 1)
    outputs = net(batch.images)
    p = net.judge(*outputs[1:], batch.labels).presence.sigmoid()
    written = [
        (i, k, bool(batch.presence[i - 3, k] if i >= 3 else True))
        for i, label in enumerate(batch.labels.tolist())
        for k in range(COUNTS[label])
    ]
    strokes = torch.stack([-(p[i, k] if there else 1 - p[i, k]).log() for i, k, there in written])
    classes = nn.functional.cross_entropy(outputs.logits[:3], batch.labels[:3])
    torch.testing.assert_close(net.loss(outputs, batch), classes + 2 * strokes.mean())


def test_the_loss_asks_of_partial_images_and_as_many_whole_ones():
    """Gradients of the grids, which classes do not reach here, are there for these rows alone."""
    net, batch = tiny(), page(8, 6)
    batch = batch._replace(presence=batch.presence[2:])  # leaves the last two
    outputs = net(batch.images)
    seen = outputs._replace(early=outputs.early.detach().requires_grad_())
    net.loss(seen, batch).backward()
    touched = seen.early.grad.abs().sum((1, 2, 3)) > 0
    assert touched.tolist() == [True] * 2 + [False] * 4 + [True] * 2


def test_the_missing_strokes_of_new_images_are_named(net):
    batch = page(200, 2)
    missing = net.missing(batch.images, batch.labels)
    whole = batch.whole()
    written = torch.arange(32) < torch.tensor(COUNTS)[batch.labels][:, None]
    expected = written.clone()
    expected[:100] = False
    expected[100:] &= batch.presence == 0
    assert (missing == expected)[whole].all(1).float().mean() > 0.9
    assert (missing == expected)[~whole].all(1).float().mean() > 0.7


def test_what_is_missing_depends_on_what_was_meant(net):
    """木 without its sweeps is a whole 十."""
    rng = np.random.default_rng(3)
    cross = torch.from_numpy(np.stack([drawn(TREE, [0, 1], rng)[0] for _ in range(20)]))[:, None]
    as_ten = net.missing(cross, torch.full((20,), TEN))
    as_tree = net.missing(cross, torch.full((20,), TREE))
    assert as_ten.any(1).float().mean() < 0.3
    assert (as_tree[:, :4] == torch.tensor([False, False, True, True])).all(1).float().mean() > 0.8


@pytest.fixture(scope="module")
def exported(net, tmp_path_factory) -> tuple[Batch, Path]:
    """A page, and a folder with the network in three formats that were calibrated on it."""
    batch, folder = page(60, 9), tmp_path_factory.mktemp("exports")
    gray = ((batch.images[:, 0] + 1) * 127.5).round().byte().numpy()
    read = gray, batch.labels.numpy()
    source = formats.Floats(net, SIZE, QUANTIZE, gray, read, folder)
    assert len(list(formats.make(["fp32", "int8", "int4"], source, folder))) == 3
    return batch, folder


@pytest.mark.parametrize("name", ["fp32", "int8", "int4"])
def test_exports_judge_when_they_are_asked(net, exported, name):
    batch, folder = exported
    session = open_session(folder / f"{name}.onnx")
    assert [i.name for i in session.get_inputs()] == ["input"]
    feed = {"input": batch.images.numpy()}
    assert all(nothing.size == 0 for nothing in session.run(["presence", "courses"], feed))
    feed["strokes"] = np.array(True)
    logits, presence, courses = session.run(None, feed | {"meant": batch.labels.numpy()})
    with torch.no_grad():
        expected = net.judge(*net(batch.images)[1:], batch.labels)
    agreed = (presence < 0) == (expected.presence < 0).numpy()
    assert agreed[:, :8].mean() > {"fp32": 0.999, "int8": 0.95, "int4": 0.9}[name]
    np.testing.assert_allclose(courses, expected.courses, atol=0.01)
    # Nothing was said: it answers for what it reads; one class stands for all. Whole numbers do
    # not tell two classes apart that are as likely but for a fiftieth of what logits span.
    likeliest = session.run(["presence"], feed)[0]
    same = session.run(["presence"], feed | {"meant": logits.argmax(1)})[0]
    lead = np.diff(np.sort(logits)[:, -2:])[:, 0]
    clear = lead > (0 if name == "fp32" else np.ptp(logits) / 50)
    assert clear.mean() > 0.8
    np.testing.assert_array_equal(likeliest[clear], same[clear])
    alone = session.run(["presence"], feed | {"meant": np.array([TREE])})[0]
    same = session.run(["presence"], feed | {"meant": np.full(60, TREE)})[0]
    np.testing.assert_array_equal(alone, same)


def test_pixels_are_given_to_strokes(net):
    batch = page(100, 4)
    numbers = net.stroke_of_pixels(batch.images[50:], batch.labels[50:])
    ink = batch.layers > 0
    assert (numbers == batch.layers)[ink].float().mean() > 0.45
    assert (numbers == 0)[~ink].float().mean() > 0.9


def test_layers_have_no_parameters_unless_they_are_learned():
    plain, more = ({n for n, _ in tiny(on).named_parameters()} for on in (False, True))
    assert plain < more
    assert all(name.startswith("pixel") for name in more - plain)

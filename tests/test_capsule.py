"""Capsules: routing finds parts wherever they stand, and what it costs to take it away."""

import copy
import itertools

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from kakitori.archs.capsule import Capsules, Routing, build, squash, vocabulary
from kakitori.export import export, int8
from kakitori.learning.blocks import STEM, convolution
from kakitori.learning.contract import Batch
from kakitori.reading.sessions import open_session
from tests import tables

PARTS = "木目口田人力"
PAIRS = list(itertools.permutations(range(len(PARTS)), 2))  # left and right: 木目 is not 目木
SIZE, LARGE = 32, 14  # pixels a side of the page, and of a part


def parts() -> list[list[np.ndarray]]:
    """Strokes of each part, about the origin, the larger side 1."""
    drawings = []
    for row in tables.characters(PARTS)["strokes"]:
        strokes = [np.reshape(stroke, (-1, 2)) for stroke in row]
        low, high = (bound(np.concatenate(strokes), 0) for bound in (np.min, np.max))
        drawings.append([(s - (low + high) / 2) / (high - low).max() for s in strokes])
    return drawings


def page(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two parts anywhere, one further left: images float32 (N, 1, S, S) and their pairs."""
    rng, strokes = np.random.default_rng(seed), parts()
    labels, images = rng.integers(len(PAIRS), size=count), []
    for label in labels:
        image = Image.new("L", (2 * SIZE, 2 * SIZE))
        while True:
            left, right = rng.uniform(LARGE / 2 + 1, SIZE - LARGE / 2 - 1, (2, 2))
            if right[0] - left[0] > 0.6 * LARGE:
                break
        for part, centre in zip(PAIRS[label], (left, right), strict=True):
            for stroke in strokes[part]:
                size = LARGE * np.exp(rng.normal(0, 0.08))
                points = 2 * (stroke * size + centre + rng.normal(0, 0.4, 2))
                ImageDraw.Draw(image).line([tuple(p) for p in points], 255, 3)
        images.append(np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)))
    scaled = torch.from_numpy(np.stack(images)).float()[:, None] / 127.5 - 1
    return scaled, torch.from_numpy(labels)


def tiny(iterations: int) -> Capsules:
    """Hardly any layers before the capsules, so that all the putting together is theirs."""
    torch.manual_seed(0)
    has = np.array([[k in pair for k in range(len(PARTS))] for pair in PAIRS])
    patches = nn.Sequential(nn.PixelUnshuffle(STEM), convolution(STEM**2, 32))
    return Capsules(patches, 32, has, iterations, 8, 1.0)


def taught(iterations: int, images: torch.Tensor, labels: torch.Tensor) -> Capsules:
    net, generator = tiny(iterations).train(), torch.Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(net.parameters(), 4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, 200)
    for _ in range(200):
        picked = torch.randint(len(images), (48,), generator=generator)
        loss = net.loss(net(images[picked]), Batch(images[picked], labels[picked]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def accuracy(net: Capsules, images: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.no_grad():
        return (net(images).logits.argmax(1) == labels).float().mean().item()


@pytest.fixture(scope="module")
def pages() -> tuple[tuple[torch.Tensor, torch.Tensor], ...]:
    return page(2000, 0), page(400, 1)


@pytest.fixture(scope="module")
def routed(pages) -> Capsules:
    return taught(2, *pages[0])


def test_routing_stays_in_floats_in_the_int8_file(routed, pages, tmp_path):
    """Lengths of capsules span three powers of ten: rounded, nothing was read any more."""
    (shown, _), (unseen, labels) = pages
    export.to_onnx(routed, SIZE, 21, tmp_path / "fp32.onnx")
    samples = [{"input": part.numpy()} for part in shown[:256].split(64)]
    int8.to_int8(tmp_path / "fp32.onnx", lambda: samples, tmp_path / "int8.onnx")
    session = open_session(tmp_path / "int8.onnx")
    answers = session.run(["logits"], {"input": unseen.numpy()})[0].argmax(1)
    right = (torch.from_numpy(answers) == labels).float().mean()
    assert right > accuracy(routed, unseen, labels) - 0.02


def test_without_routing_it_learns_less_and_what_it_learned_is_lost(routed, pages):
    shown, unseen = pages
    routed, plain = copy.deepcopy(routed), taught(1, *shown)
    reached = accuracy(routed, *unseen)
    assert reached > 0.75
    assert accuracy(plain, *unseen) < reached - 0.1, "never routed"
    routed.routing.iterations = 1
    assert accuracy(routed, *unseen) < reached - 0.4, "routing taken away"


def test_a_vote_of_a_sum_is_the_sum_of_votes():
    """The paper's order: every vote is formed, then weighted by couplings that sum to 1 over the
    capsules above."""
    torch.manual_seed(0)
    routing = Routing(width=5, capsules=3, pose=4, iterations=2).double()
    nn.init.normal_(routing.gain)
    primary = torch.randn(2, 7, 5).double()
    votes = torch.einsum("bpi,jio->bpjo", primary, routing.vote)
    first = squash(votes.mean(1))
    agreement = torch.einsum("bpjo,bjo->bpj", votes, first) * routing.gain[:, 0]
    coupling = (primary @ routing.expected.T + agreement).softmax(2) * 3 / 7
    expected = squash((coupling[..., None] * votes).sum(1))
    torch.testing.assert_close(routing(primary), expected)


def test_squash_keeps_directions_and_stays_below_one():
    poses = torch.tensor([[3.0, 4.0], [0.03, 0.04]])
    squashed = squash(poses)
    lengths = squashed.norm(dim=1)
    torch.testing.assert_close(lengths, torch.tensor([25 / 26, 0.0025 / 1.0025]), rtol=1e-4, atol=0)
    torch.testing.assert_close(squashed / lengths[:, None], poses / poses.norm(dim=1)[:, None])


def test_radicals_that_one_class_has_get_no_capsule():
    assert vocabulary([["木", "木"], ["木", "目"], ["あ"]]) == ["木"]
    classes = "林相杏"
    net = build(classes, tables.characters(classes), 64)
    assert net.names == ["木"] and net.has.tolist() == [[1.0]] * 3
    assert net.eval()(torch.zeros(2, 1, 64, 64)).radicals.shape == (2, 1)


def test_kana_alone_share_no_radical():
    net = build("あいう", tables.characters("あいう"), 64).eval()
    outputs = net(torch.zeros(2, 1, 64, 64))
    assert outputs.radicals.shape == (2, 0) and torch.isfinite(outputs.logits).all()
    loss = net.loss(outputs, Batch(torch.zeros(2, 1, 64, 64), torch.tensor([0, 1])))
    assert torch.isfinite(loss)

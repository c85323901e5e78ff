"""Explanations against networks whose answers can be worked out by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn

from kakitori.errors import DataError
from kakitori.learning import saved
from kakitori.learning.contract import Outputs
from kakitori.reading.normalising.photos import prepare
from kakitori.results import explanation
from kakitori.running import params
from tests import tables
from tests.networks import NAMES, VARIANTS, made
from tests.pictures import drawn


class Pooled(nn.Module):
    """Channels x and 1/2 - x of the pixels x, their means, and three classes of them."""

    weights = ((1.0, 0.0), (0.0, 2.0), (-1.0, -1.0))

    def __init__(self) -> None:
        super().__init__()
        self.grid = nn.Conv2d(1, 2, 1)
        self.grid.weight.data = torch.tensor([1.0, -1.0]).view(2, 1, 1, 1)
        self.grid.bias.data = torch.tensor([0.0, 0.5])
        self.aside = nn.Conv2d(2, 1, 1)  # a later grid that no class depends on
        self.unused = nn.Conv2d(2, 1, 1)

    def forward(self, images: torch.Tensor) -> Outputs:
        grid = self.grid(images)
        self.aside(grid)
        dropped = self.unused(grid).mean((1, 2, 3))[:, None] * 0.0
        features = grid.mean((2, 3))
        return Outputs(features @ torch.tensor(self.weights).T + dropped, features)


class Weighed(nn.Module):
    """The logit of the first class is a weighted sum of the ink, that of the second 0."""

    def __init__(self, weights: np.ndarray) -> None:
        super().__init__()
        self.weights = torch.tensor(weights, dtype=torch.float32)

    def forward(self, images: torch.Tensor) -> Outputs:
        ink = (images[:, 0] + 1) / 2
        logit = (ink * self.weights).sum((1, 2))
        return Outputs(torch.stack([logit, torch.zeros_like(logit)], 1), logit[:, None])


def test_grad_cam_by_hand():
    image = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    x = image / 127.5 - 1
    maps = explanation.grad_cam(Pooled().eval(), image, [0, 1, 2])
    for cam, (a, b) in zip(maps[:2], Pooled.weights, strict=False):
        wanted = np.maximum(a * x + b * (0.5 - x), 0)
        np.testing.assert_allclose(cam, wanted / wanted.sum(), atol=1e-6)
    assert not maps[2].any(), "-x - (1/2 - x) is negative everywhere"
    assert explanation.share(maps[2], image > 0) is None


def test_the_last_grid_is_one_that_the_class_depends_on():
    network = Pooled().eval()
    assert explanation.last_grid(network, torch.zeros(1, 1, 8, 8), 0) is network.grid


def test_a_network_without_a_grid_says_so():
    with pytest.raises(DataError, match="expected a network with a grid of 4 cells"):
        explanation.grad_cam(Weighed(np.ones((8, 8))), np.zeros((8, 8), np.uint8), [0])


@pytest.mark.parametrize(("name", "net"), VARIANTS, ids=NAMES)
def test_every_architecture_has_a_grid(name, net):
    network = made(name, net).eval()
    image = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    maps = explanation.grad_cam(network, image, [0, 5])
    assert maps.shape == (2, 64, 64) and (maps >= 0).all()
    for cam in maps:
        assert cam.sum() == pytest.approx(1) or not cam.any()
    assert maps.any()


def test_shares_of_mass():
    cam = np.zeros((4, 4))
    cam[0, 0], cam[3, 3] = 0.75, 0.25
    mask = np.zeros((4, 4), bool)
    mask[0] = True
    assert explanation.share(cam, mask) == 0.75


def test_the_answer_hangs_on_the_stroke_with_the_weight():
    strokes = np.zeros((8, 8), np.uint8)
    strokes[1, :4], strokes[5, :] = 1, 2
    image = np.where(strokes > 0, 255, 0).astype(np.uint8)
    weights = np.zeros((8, 8))
    weights[1, :4], weights[5] = 1.0, -0.25  # logit 4 - 2
    probabilities = explanation.occluded(Weighed(weights), image, strokes, 2, temperature=2.0)

    def probability(logit: float) -> float:
        return 1 / (1 + np.exp(-logit / 2))

    assert probabilities[:, 0] == pytest.approx([probability(-2), probability(4)])


class Dotted(nn.Module):
    """犬 where there is ink at the upper right, 大 elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.ink = nn.Conv2d(1, 1, 1)
        self.ink.weight.data.fill_(0.5)
        self.ink.bias.data.fill_(0.5)

    def forward(self, images: torch.Tensor) -> Outputs:
        seen = self.ink(images)[:, 0, :20, 40:].sum((1, 2)) - 4
        return Outputs(torch.stack([-seen, seen], 1), seen[:, None])


@pytest.fixture
def project(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    tables.characters("大犬").to_parquet(tmp_path / "data/characters.parquet")
    monkeypatch.setattr(params, "ROOT", tmp_path)
    monkeypatch.setattr(saved, "load", lambda _: (Dotted(), ["大", "犬"], 64))
    return tmp_path


def recognizer(classes: str = "大犬", size: int = 64) -> SimpleNamespace:
    return SimpleNamespace(classes=classes, size=size, temperature=1.0, path="int8.onnx")


def test_a_dog_hangs_on_its_dot(project):
    image = np.where(prepare(drawn("犬"), 64) >= 128, 255, 0).astype(np.uint8)
    explained = explanation.Explainer(recognizer()).explain(image, "犬", "大")
    strokes = [np.reshape(s, (-1, 2)) for s in tables.characters("犬")["strokes"][0]]
    dot = int(np.argmax([s[:, 0].min() - s[:, 1].max() for s in strokes]))  # right and high
    row = explained.row()
    assert (explained.answer, row["stroke"]) == ("犬", dot + 1)
    assert row["fall"] > 0.9 and np.delete(explained.falls, dot).max() < 0.5
    # The gradient is the same everywhere, so that the map is the ink.
    assert row["on_ink_of_one"] == 1 and row["on_ink_of_other"] == ""
    assert explained.difference[explained.strokes == dot + 1].mean() > 0.9
    assert row["on_difference_of_one"] == pytest.approx(
        explained.difference[explained.ink].mean(), abs=1e-3
    )
    explanation.draw(project / "why.png", explained)
    explanation.draw(project / "again.png", explained)
    assert (project / "why.png").read_bytes() == (project / "again.png").read_bytes()
    assert Image.open(project / "why.png").width > 1000


def test_a_network_of_other_classes_or_size_is_refused(project):
    for other in (recognizer("大太"), recognizer(size=128)):
        with pytest.raises(DataError, match="expected the network that int8"):
            explanation.Explainer(other)
    (project / "data/characters.parquet").unlink()
    with pytest.raises(DataError, match="expected the characters, found no file"):
        explanation.Explainer(recognizer())


# The command, and whether torch was imported in it.
RUN = """
import runpy, sys
sys.argv = ["recognize.py", *sys.argv[1:]]
sys.path.insert(0, "stages")
runpy.run_path("stages/recognize.py", run_name="__main__")
print("torch" in sys.modules, file=sys.stderr)
"""


def test_recognize_explains_and_needs_torch_for_nothing_else(finished, tmp_path):
    folder = tmp_path / "U+3042"
    folder.mkdir()
    drawn("あ").save(folder / "a.png")
    drawn("い").save(tmp_path / "a.png")
    plain = finished.run("python", "-c", RUN, str(tmp_path))
    assert plain.stderr.strip().splitlines()[-1] == "False"
    why = tmp_path.with_name("why")
    explained = finished.stage("recognize", "--explain", str(why), str(tmp_path))
    assert explained.stdout == plain.stdout
    table = pd.read_csv(why / "explanation.csv")
    assert table["picture"].tolist() == ["0001-a.png", "0002-a.png"]
    assert table["one"][0] == "あ" and (table["one"] != table["other"]).all()
    for name in table["picture"]:
        assert Image.open(why / name).width > 1000
    done = finished.stage(
        "recognize", "--candidates", "あ", "--explain", str(why), str(folder), check=False
    )
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert "expected two candidates or more, found one" in done.stderr

import pytest
import torch

from kakitori.learning import augment
from kakitori.learning.augment import Augmenter
from kakitori.params import Augment, load

OFF = Augment(
    rotation=0, scale=0, shear=0, shift=0, elastic=0, thicken=0, thicken_more=0, thin=0, blur=0,
    contrast=0, brightness=0, noise=0,
)  # fmt: skip
ALL = load().train.augment


def letter_l() -> torch.Tensor:
    """An image that differs from its mirror images."""
    image = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    image[0, 0, 12:52, 20:25] = 255
    image[0, 0, 47:52, 20:46] = 255
    return image


def distorted(settings: Augment, count: int = 64, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    augment = Augmenter(settings, 64, torch.device("cpu"))
    return augment(letter_l().expand(count, -1, -1, -1), generator)


def test_nothing_switched_on_changes_nothing():
    expected = letter_l().float() / 127.5 - 1
    torch.testing.assert_close(distorted(OFF, 2), expected.expand(2, -1, -1, -1), atol=1e-4, rtol=0)


def test_range_shape_and_variety():
    images = distorted(ALL)
    assert images.shape == (64, 1, 64, 64) and images.dtype == torch.float32
    assert images.min() >= -1 and images.max() <= 1
    assert (images[0] - images[1]).abs().mean() > 0.01


def test_the_generator_decides():
    torch.testing.assert_close(distorted(ALL, seed=1), distorted(ALL, seed=1), atol=0, rtol=0)
    assert not torch.equal(distorted(ALL, seed=1), distorted(ALL, seed=2))


def test_never_flips():
    """The field of displacements keeps its orientation: det J > 0 nearly everywhere, and over
    every image as a whole."""
    generator = torch.Generator().manual_seed(0)
    augment = Augmenter(ALL, 64, torch.device("cpu"))
    field = augment._field(lambda *shape: torch.randn(shape, generator=generator), 512)
    right, down = field[:, :-1, 1:] - field[:, :-1, :-1], field[:, 1:, :-1] - field[:, :-1, :-1]
    determinant = right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]
    assert (determinant > 0).float().mean() > 0.999
    assert (determinant.mean((1, 2)) > 0).all()


@pytest.mark.parametrize(
    ("name", "value", "grows"),
    [("thicken", 1.0, True), ("thicken_more", 1.0, True), ("thin", 1.0, False)],
)
def test_thickness(name, value, grows):
    plain = distorted(OFF, 4).add(1).sum()
    changed = distorted(OFF.model_copy(update={name: value}), 4).add(1).sum()
    assert (changed > 1.2 * plain) if grows else (changed < 0.95 * plain)


@pytest.mark.parametrize("name", [n for n in Augment.model_fields if n != "thin"])
def test_every_distortion_does_something(name):
    changed = distorted(OFF.model_copy(update={name: 0.5 if name != "rotation" else 20.0}))
    assert (changed - distorted(OFF)).abs().max() > 0.05


def test_rotation_turns_by_about_its_sigma():
    bar = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    bar[0, 0, 30:34, 8:56] = 255
    augment = Augmenter(OFF.model_copy(update={"rotation": 5.0}), 64, torch.device("cpu"))
    images = augment(bar.expand(400, -1, -1, -1), torch.Generator().manual_seed(0))[:, 0] + 1
    y, x = torch.meshgrid(torch.arange(64.0) - 31.5, torch.arange(64.0) - 31.5, indexing="ij")
    total = images.sum((1, 2))
    angle = torch.rad2deg((images * x * y).sum((1, 2)) / (images * x * x).sum((1, 2)))
    assert total.min() > 0
    assert 4.0 < angle.std() < 6.0
    assert abs(angle.mean()) < 1.0


def test_a_forgotten_stroke_leaves_the_image_and_the_list():
    """Two bars: one goes, with its soft rim; the other stays as it is; a single stroke stays."""
    images = torch.zeros(3, 1, 32, 32, dtype=torch.uint8)
    layers = torch.zeros_like(images)
    presence = torch.zeros(3, 4)
    for row, number in ((8, 1), (20, 2)):
        images[:, :, row - 1 : row + 3, 4:28] = 120
        images[:, :, row : row + 2, 4:28] = 255
        layers[:, :, row : row + 2, 4:28] = number
        presence[:, number - 1] = 1
    images[2, :, 18:], layers[2, :, 18:], presence[2, 1] = 0, 0, 0
    generator = torch.Generator().manual_seed(0)
    out, left = augment.drop_strokes(images, layers, presence, 1.0, generator)
    for k in (0, 1):
        gone = int((left[k, :2] == 0).nonzero()[0, 0])
        at, other = ((8, 20), (20, 8))[gone]
        assert left[k].sum() == 1 and not out[k, 0, at - 1 : at + 3].any()
        assert torch.equal(out[k, 0, other - 1 : other + 3], images[k, 0, other - 1 : other + 3])
    assert torch.equal(out[2], images[2]) and torch.equal(left[2], presence[2])
    same, still = augment.drop_strokes(images, layers, presence, 0.0, generator)
    assert torch.equal(same, images) and torch.equal(still, presence)

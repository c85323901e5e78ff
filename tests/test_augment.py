import math

import pytest
import torch

from kakitori.learning import augment
from kakitori.learning.augment import Augmenter, Draws
from kakitori.learning.contract import NONE, Batch, Outputs, class_loss
from kakitori.running.params import Augment, load

OFF = Augment(
    rotation=0, scale=0, shear=0, shift=0, elastic=0, thicken=0, thicken_more=0, thin=0, blur=0,
    contrast=0, brightness=0, noise=0, erase=0, mixup=0, cutmix=0, nothing=0, drop_strokes=0,
)  # fmt: skip
ALL = load().train.augment
OF_BATCHES = ("thin", "mixup", "cutmix", "nothing", "drop_strokes")  # tested on their own


def letter_l() -> torch.Tensor:
    """An image that differs from its mirror images."""
    image = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    image[0, 0, 12:52, 20:25] = 255
    image[0, 0, 47:52, 20:46] = 255
    return image


def distorted(settings: Augment, count: int = 64, seed: int = 0) -> torch.Tensor:
    augment = Augmenter(settings, 64, torch.device("cpu"))
    return augment(letter_l().expand(count, -1, -1, -1), draws(count, seed))[0]


def draws(count: int, seed: int = 0, rows: slice | None = None) -> Draws:
    return Draws(torch.Generator().manual_seed(seed), count, rows)


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
    field = Augmenter(ALL, 64, torch.device("cpu"))._field(draws(512), None)
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


@pytest.mark.parametrize("name", [n for n in Augment.model_fields if n not in OF_BATCHES])
def test_every_distortion_does_something(name):
    changed = distorted(OFF.model_copy(update={name: 0.5 if name != "rotation" else 20.0}))
    assert (changed - distorted(OFF)).abs().max() > 0.05


def test_rotation_turns_by_about_its_sigma():
    bar = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    bar[0, 0, 30:34, 8:56] = 255
    augment = Augmenter(OFF.model_copy(update={"rotation": 5.0}), 64, torch.device("cpu"))
    images = augment(bar.expand(400, -1, -1, -1), draws(400))[0][:, 0] + 1
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
    out, below, left = augment.drop_strokes(images, layers, presence, 1.0, draws(3))
    for k in (0, 1):
        gone = int((left[k, :2] == 0).nonzero()[0, 0])
        at, other = ((8, 20), (20, 8))[gone]
        assert left[k].sum() == 1 and set(below[k].unique().tolist()) == {0, 2 - gone}
        assert not out[k, 0, at - 1 : at + 3].any()
        assert torch.equal(out[k, 0, other - 1 : other + 3], images[k, 0, other - 1 : other + 3])
    assert torch.equal(out[2], images[2]) and torch.equal(left[2], presence[2])
    same, under, still = augment.drop_strokes(images, layers, presence, 0.0, draws(3))
    assert torch.equal(same, images) and torch.equal(still, presence)
    assert torch.equal(under, layers)


def test_layers_move_with_their_image():
    """Where the image has a stroke after distortion, its layer has the stroke's number."""
    images, settings = letter_l().expand(40, -1, -1, -1), ALL.model_copy(update={"blur": 0})
    layers = (images > 0).to(torch.uint8) * 7
    settings = settings.model_copy(update={"noise": 0, "thicken": 0, "thicken_more": 0})
    moved, below = Augmenter(settings, 64, torch.device("cpu"))(images, draws(40), layers=layers)
    assert set(below.unique().tolist()) == {0, 7}
    assert ((moved > 0.2) == (below == 7)).float().mean() > 0.98


def test_a_share_of_a_batch_is_distorted_like_the_whole():
    """Two processes with half of a batch each see what one sees."""
    settings = ALL.model_copy(update={"erase": 0.3})
    augment = Augmenter(settings, 64, torch.device("cpu"))
    images = letter_l().expand(8, -1, -1, -1)
    whole, _ = augment(images, draws(8))
    halves = [augment(images[rows], draws(8, rows=rows))[0] for rows in (slice(0, 4), slice(4, 8))]
    torch.testing.assert_close(torch.cat(halves), whole, atol=1e-6, rtol=0)


def test_stronger_is_farther():
    settings = OFF.model_copy(update={"shift": 0.05})
    augment = Augmenter(settings, 64, torch.device("cpu"))
    images = letter_l().expand(64, -1, -1, -1)
    plain, _ = augment(images, draws(64))
    same, _ = augment(images, draws(64), torch.ones(64))
    farther, _ = augment(images, draws(64), torch.full((64,), 3.0))
    torch.testing.assert_close(plain, same)
    still = images.float() / 127.5 - 1
    assert (farther - still).abs().mean() > 1.5 * (plain - still).abs().mean()


def test_an_erased_rectangle_is_paper():
    settings = OFF.model_copy(update={"erase": 1.0})
    ink = torch.full((64, 1, 64, 64), 255, dtype=torch.uint8)
    images, _ = Augmenter(settings, 64, torch.device("cpu"))(ink, draws(64))
    gone = (images < 0).float().mean((1, 2, 3))
    assert gone.min() > 0.02 and gone.max() < 0.27
    rows = (images < 0).any(3)[:, 0]
    assert ((rows.int().diff(dim=1) != 0).sum(1) <= 2).all(), "one rectangle an image"


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_a_mixture_says_how_much_is_whose(name):
    """Of paper and ink: the share of the other image is the share of its pixels."""
    augment = Augmenter(OFF.model_copy(update={name: 1.0}), 64, torch.device("cpu"))
    images = torch.full((16, 1, 64, 64), -1.0)
    images[::2] = 1.0
    labels = torch.arange(16)
    mixed, others, share = augment.mix(images, labels, draws(16))
    assert torch.equal(others, labels.roll(1))
    of_other = ((mixed - images) / (images.roll(1, 0) - images)).mean((1, 2, 3))
    torch.testing.assert_close(share, of_other, atol=1e-5, rtol=0)
    assert share.max() <= 0.5 and share.std() > 0.01
    same, none, nothing = Augmenter(OFF, 64, torch.device("cpu")).mix(images, labels, draws(16))
    assert torch.equal(same, images) and none is None and nothing is None


# --- what is no character -----------------------------------------------------------------------


def without_characters(share: float, seed: int = 0, rows: slice | None = None):
    """Of eight images of even grey, each a little darker than the one before."""
    grey = (30 * torch.arange(8, dtype=torch.uint8)).view(-1, 1, 1, 1).expand(-1, 1, 64, 64)
    some = torch.arange(8)[rows or slice(None)]
    augmenter = Augmenter(OFF.model_copy(update={"nothing": share}), 64, torch.device("cpu"))

    def others(k: int, chosen: torch.Tensor) -> torch.Tensor:
        return grey[(some[chosen] + k + 1) % 8]

    images = grey[some].float() / 127.5 - 1
    return images, *augmenter.nothing(images, others, draws(8, seed, rows))


def test_some_images_become_no_characters():
    before, after, none = without_characters(1.0)
    assert none.all() and (after != before).flatten(1).any(1).all()
    assert after.min() >= -1 and after.max() <= 1
    before, after, none = without_characters(0.5)
    assert 0 < none.sum() < 8
    assert torch.equal((after != before).flatten(1).any(1), none)


def test_they_are_the_same_whichever_process_has_them():
    _, whole, _ = without_characters(0.6, 3)
    parts = [without_characters(0.6, 3, rows)[1] for rows in (slice(0, 4), slice(4, 8))]
    assert torch.equal(torch.cat(parts), whole)


def test_corners_of_four_images_stand_where_they_did_not():
    """What was in the last one's upper left corner comes to the middle, in the lower right one; in
    the first one's, nowhere."""
    images = [torch.full((1, 1, 64, 64), -1.0) for _ in range(4)]
    for image in (images[0], images[3]):
        image[..., 2:6, 2:6] = 1
    ink = (augment._corners(images)[0, 0] + 1) / 2
    assert ink.shape == (64, 64)
    # Seven eighths of the picture, from the fourth pixel on.
    assert ink.sum() == pytest.approx(16 * (7 / 8) ** 2, rel=0.35)
    middle = 4 + 7 / 8 * (32 + 4) - 0.5
    for axis in (0, 1):
        at = (ink.sum(axis) * torch.arange(64)).sum() / ink.sum()
        assert at.item() == pytest.approx(middle, abs=0.5)


def test_a_level_line_is_as_wide_as_its_pen():
    """Of two planes that are zero along the same upright line."""
    plane = (torch.arange(64) - 31.5).expand(1, 2, 64, 64) / 10
    thin, thick = (augment._level_lines(plane, torch.full((1, 1, 1, 1), p)) for p in (0.0, 1.0))
    for lines, half in ((thin, augment.PENS[0]), (thick, augment.PENS[1])):
        ink = (lines[0, 0, 20] + 1) / 2
        assert ink.sum() == pytest.approx(2 * half + (1 if half > 0.5 else 0.0), abs=1.01)
        assert ink[31] == ink[32] and ink[:20].sum() == 0


def test_images_in_a_row_are_a_third_as_large():
    images = [torch.full((1, 1, 63, 63), value) for value in (-0.5, 0.0, 0.5)]
    row = augment._in_a_row(images)[0, 0]
    assert row[31, [10, 31, 52]].tolist() == [-0.5, 0.0, 0.5]
    assert (row > -1).sum() == 63 * 21


def test_of_what_is_no_character_every_class_is_as_probable():
    logits = torch.tensor([[0.0, 0, 0, 0], [9, 0, 0, 0], [9, 0, 0, 0]], requires_grad=True)
    batch = Batch(
        torch.zeros(3, 1, 64, 64),
        torch.tensor([0, 0, 0]),
        others=torch.tensor([NONE, NONE, 0]),
        share=torch.tensor([1.0, 1, 0]),
    )
    alone = [
        class_loss(Outputs(logits[k : k + 1], logits), batch._replace(
            images=batch.images[:1], labels=batch.labels[:1], others=batch.others[k : k + 1],
            share=batch.share[k : k + 1],
        ))
        for k in range(3)
    ]  # fmt: skip
    assert alone[0].item() == pytest.approx(math.log(4))
    assert alone[1].item() > 6 and alone[2].item() < 0.001
    (slope,) = torch.autograd.grad(class_loss(Outputs(logits, logits), batch), logits)
    assert slope[0].abs().max() < 1e-7 and slope[1, 0] > 0.2
    assert not batch.pure()[:2].any() and batch.pure()[2]

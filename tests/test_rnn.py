"""What an LSTM reads, and how CTC spells what a character is made of."""

import itertools
import math

import pytest
import torch

from kakitori.archs.rnn import (
    BLANK,
    COLUMNS,
    RNN,
    ROWS,
    SYMBOLS,
    UNNAMED,
    SpelledOutputs,
    WrittenOut,
    build,
    ctc,
    spelling,
)
from kakitori.learning.contract import NONE, Batch
from kakitori.reading.characters.radicals import Component
from tests import tables, toy

TEXT = "林相杏"
SIZE = 32


def tiny(**net) -> RNN:
    torch.manual_seed(0)
    return build(list(TEXT), tables.characters(TEXT + "大"), SIZE, hidden=16, **net)


def noise(labels: list[int]) -> Batch:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(len(labels), 1, SIZE, SIZE, generator=generator) * 2 - 1
    return Batch(images, torch.tensor(labels))


def test_radicals_are_the_leaves_of_a_tree_in_order():
    over = Component("杏", parts=(Component("木", "top"), Component("口", "bottom")))
    tree = Component(
        "", parts=(Component("氵", "left"), Component("", "right", parts=(over, Component(""))))
    )
    assert spelling(tree.to_json(), ["水"]) == ["氵", "木", "口", UNNAMED]


def test_without_a_tree_they_are_those_that_kradfile_lists():
    assert spelling("", ["日", "月"]) == ["日", "月"]


def test_the_whole_table_gives_the_vocabulary():
    """Classes that were set aside are spelled with the same radicals."""
    assert tiny().radicals == sorted("木目口大")


def test_best_path_drops_repeats_and_blanks():
    net = tiny()
    tree, eye, mouth = (1 + net.radicals.index(r) for r in "木目口")
    paths = [
        [0, tree, tree, 0, 0, tree],  # 木 twice: a blank stands between
        [mouth, mouth, mouth, tree, tree, 0],
        [0, 0, 0, 0, 0, 0],
        [eye, 0, mouth, 0, 0, eye],
    ]
    posterior = torch.full((6, 4, 5), -3.0)
    for image, path in enumerate(paths):
        for step, number in enumerate(path):
            posterior[step, image, number] = 1.0
    outputs = SpelledOutputs(torch.zeros(4, 3), torch.zeros(4, 3), posterior)
    assert net.radicals_of(outputs) == [["木", "木"], ["口", "木"], [], ["目", "口", "目"]]


def test_the_loss_is_that_of_all_paths():
    """Against the sum over every path of four steps that spells 木木 or 木目."""
    net = tiny()
    posterior = torch.randn(4, 2, 5, generator=torch.Generator().manual_seed(3))
    outputs = SpelledOutputs(torch.zeros(2, 3), torch.zeros(2, 3), posterior)
    probabilities = posterior.softmax(-1)
    likelihood = [0.0, 0.0]
    for image, path in itertools.product(range(2), itertools.product(range(5), repeat=4)):
        spelled = [net.radicals[n - 1] for n, _ in itertools.groupby(path) if n]
        if "".join(spelled) == ("木木", "木目")[image]:
            steps = enumerate(path)
            likelihood[image] += math.prod(float(probabilities[t, image, n]) for t, n in steps)
    expected = sum(-math.log(p) / 2 for p in likelihood) / 2  # per radical, over images
    loss = net._radical_loss(outputs, noise([0, 1]))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_what_gpus_compute_is_what_torch_s_own_ctc_does():
    """Beside a radical that follows itself, and one path without room for what it has to say."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(6, 9, 4, generator=generator, dtype=torch.double, requires_grad=True)
    wanted = torch.randint(1, 4, (9, 5), generator=generator)
    wanted[0], wanted[1, :2] = 1, 2
    lengths = torch.tensor([5, 2, 1, 2, 3, 4, 5, 3, 1])
    full = torch.full_like(lengths, 6)

    def with_gradient(losses: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return losses, torch.autograd.grad(losses.sum(), scores)[0]

    options = {"reduction": "none", "zero_infinity": True}
    read = scores.log_softmax(-1)
    theirs = torch.nn.functional.ctc_loss(read, wanted, full, lengths, BLANK, **options)
    expected = with_gradient(theirs)
    assert expected[0][0] == 0 and (expected[0][1:] > 0).all()
    torch.testing.assert_close(
        with_gradient(ctc(scores.log_softmax(-1), wanted, lengths)), expected
    )


def test_only_whole_images_of_one_class_are_spelled():
    net = tiny()
    batch = toy.first_alone_is_pure(noise([0, 1, NONE, 2]))
    posterior = torch.zeros(SYMBOLS, 4, 5, requires_grad=True)
    net._radical_loss(
        SpelledOutputs(torch.zeros(4, 3), torch.zeros(4, 3), posterior), batch
    ).backward()
    assert posterior.grad.abs().sum((0, 2)).gt(0).tolist() == [True, False, False, False]


def test_it_reads_column_by_column():
    net = tiny().eval()
    given = []
    net.lstm.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    images = noise([0, 1]).images
    with torch.no_grad():
        net(images)
        grid = net.cells(net.encoder(images))
    for row, column in itertools.product(range(ROWS), range(COLUMNS)):
        assert torch.equal(given[0][column * ROWS + row], grid[:, :, row, column])


def test_it_learns_to_spell():
    net, batch = tiny(radicals=1.0), noise([0, 1, 2, 0, 1, 2])
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3)
    for _ in range(90):
        loss = net.loss(net(batch.images), batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    spelled = net.radicals_of(net(batch.images))
    assert spelled == [["木", "木"], ["木", "目"], ["木", "口"]] * 2


def test_what_the_table_says_is_not_saved():
    assert not {"spellings", "lengths"} & tiny().state_dict().keys()


def test_every_cell_spells_two_symbols_in_turn():
    net = tiny().eval()
    given = []
    net.lstm.register_forward_hook(lambda _, inputs, outputs: given.append(outputs[0]))
    with torch.no_grad():
        radicals = net(noise([0, 1]).images).radicals
        spelled = net.speller(given[0])
    assert radicals.shape == (SYMBOLS, 2, 5)
    assert torch.equal(radicals[6], spelled[3, :, :5]) and torch.equal(
        radicals[7], spelled[3, :, 5:]
    )
    assert net.speller.bias[[BLANK, 5 + BLANK]].gt(3).all()


def test_a_character_must_fit_into_what_is_spelled():
    """17 times 木 take 33 steps: there must be a blank between any two."""

    def grove(count: int) -> RNN:
        table = tables.characters(TEXT).copy()
        table.loc[0, "decomposition"] = Component("林", parts=(Component("木"),) * count).to_json()
        return build(list(TEXT), table, SIZE, hidden=4)

    assert grove(16).lengths.tolist() == [16, 2, 2]
    with pytest.raises(ValueError, match=r"radicals: expected 1 to 32 a .* found 33 of 林"):
        grove(17)


def test_the_lstm_written_out_is_that_of_torch():
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(5, 7, bidirectional=True)
    steps = torch.randn(4, 3, 5)
    torch.testing.assert_close(WrittenOut(lstm)(steps)[0], lstm(steps)[0])

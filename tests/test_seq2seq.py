"""What the decoder writes down, and what it learns from."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kakitori.archs.seq2seq import (
    END,
    PADDING,
    SYMBOLS,
    Seq2Seq,
    Writer,
    WrittenOutputs,
    build,
)
from kakitori.evaluation import sequences
from kakitori.export import formats
from kakitori.learning.contract import NONE, Batch
from kakitori.reading.characters.strokes import TYPES
from kakitori.reading.sessions import open_session
from kakitori.reading.stroke_answers import decode
from tests import tables, toy
from tests.networks import QUANTIZE

TEXT = "十大二"
SIZE = 32


def tiny(text: str = TEXT, **net) -> Seq2Seq:
    torch.manual_seed(0)
    return build(list(text), tables.characters("森" + TEXT), SIZE, **({"hidden": 16} | net))


def noise(labels: list[int], size: int = SIZE) -> Batch:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(len(labels), 1, size, size, generator=generator) * 2 - 1
    return Batch(images, torch.tensor(labels))


def seen(net: Seq2Seq, count: int) -> WrittenOutputs:
    with torch.no_grad():
        return net.eval()(noise([0] * count).images)


@torch.no_grad()
def written_by(net: Seq2Seq, outputs: WrittenOutputs) -> torch.Tensor:
    return Writer(net.decoder, net.steps)(outputs.features, outputs.grid).sequence


def test_all_steps_at_once_are_the_same_as_one_by_one():
    net = tiny()
    outputs = seen(net, 3)
    cells, state = net.decoder.cells_of(outputs.grid), net.decoder.begin(outputs.features)
    previous = torch.randint(SYMBOLS, (3, 7), generator=torch.Generator().manual_seed(2))
    at_once, _ = net.decoder(previous, cells, state)
    rows = []
    for k in range(7):
        logits, state = net.decoder(previous[:, k : k + 1], cells, state)
        rows.append(logits)
    torch.testing.assert_close(torch.cat(rows, 1), at_once)


def test_it_goes_on_from_what_it_wrote_itself():
    net = tiny(steps=9)
    outputs = seen(net, 4)
    sequence = written_by(net, outputs)
    assert sequence.shape == (4, 9, SYMBOLS)
    torch.testing.assert_close(sequence.sum(2), torch.ones(4, 9))
    written = sequence.argmax(2)
    previous = torch.cat([torch.full((4, 1), END), written[:, :-1]], 1)
    cells, state = net.decoder.cells_of(outputs.grid), net.decoder.begin(outputs.features)
    logits, _ = net.decoder(previous, cells, state)
    torch.testing.assert_close(sequence, logits.softmax(-1))


def test_the_loss_is_the_mean_over_symbols():
    """Written out symbol by symbol, 十 and 大 with two and three strokes."""
    net = tiny()
    outputs = seen(net, 2)
    table = tables.characters(TEXT).set_index("character")["stroke_types"]
    losses = []
    for image, character in enumerate("十大"):
        cells = net.decoder.cells_of(outputs.grid[image : image + 1])
        state = net.decoder.begin(outputs.features[image : image + 1])
        right = [list(TYPES).index(symbol) for symbol in table[character]] + [END]
        for k, symbol in enumerate(right):
            logits, _ = net.decoder(torch.tensor([[END, *right[:k]]]), cells, state)
            losses.append(-logits[0, -1].log_softmax(-1)[symbol].item())
    assert len(losses) == 3 + 4
    loss = net._sequence_loss(outputs, noise([0, 1]))
    assert loss.item() == pytest.approx(np.mean(losses), rel=1e-5)


def test_only_whole_images_of_one_class_are_written_down():
    net = tiny()
    torch.nn.init.normal_(net.decoder.first.weight, std=0.1)  # zero at first, it passes nothing on
    batch = toy.first_alone_is_pure(noise([0, 1, NONE, 2]))
    outputs = seen(net, 4)
    for each in (outputs.grid, outputs.features):
        each.requires_grad_()
    net.train()._sequence_loss(outputs, batch).backward()
    for each in (outputs.grid, outputs.features):
        assert each.grad.abs().flatten(1).sum(1).gt(0).tolist() == [True, False, False, False]
    none = net._sequence_loss(outputs, batch._replace(share=torch.full((4,), 0.5)))
    assert none.item() == 0


def test_what_the_pen_drew_goes_before_the_sequence_of_the_class():
    net, batch = tiny(), noise([0, 1, 2])
    written = torch.full((3, 32), NONE, dtype=torch.int8)
    written[1, :2] = torch.tensor([5, 7])
    own, drawn = (
        [[symbol for symbol in row if symbol != PADDING] for row in net._wanted(each).tolist()]
        for each in (batch, batch._replace(written=written))
    )
    assert drawn == [own[0], [5, 7, END], own[2]]
    written[1] = 3  # as many as can be told of
    assert net._wanted(batch._replace(written=written))[1].tolist() == [3] * net.steps


def test_it_learns_to_write():
    """And decodes to the table's types of each class."""
    net, batch = tiny(), noise([0, 1, 2, 0, 1, 2])
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3, fused=True)
    for _ in range(150):
        outputs = net(batch.images)
        loss = net.loss(outputs, batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        probabilities = written_by(net, outputs).numpy()
    answers, confidence = decode(probabilities, "".join(TYPES))
    assert answers == sequences.looked_up(TEXT * 2, tables.characters(TEXT))
    assert (confidence > 0.3).all()


def test_long_sequences_are_cut_and_counted():
    whole, cut = tiny("森十"), tiny("森十", steps=4)
    assert (whole.cut, cut.cut) == (0, 1)
    assert torch.equal(cut.sequences[0], whole.sequences[0, :4])
    assert cut.sequences[1].tolist() == [*whole.sequences[1, :2], END, PADDING]
    assert "sequences" not in whole.state_dict()


def test_it_looks_at_grids_of_any_side():
    net = tiny()
    for side in (16, 64):
        batch = noise([0, 1], side)
        assert torch.isfinite(net.train().loss(net(batch.images), batch))


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> tuple[Seq2Seq, Path]:
    """A network and a folder with its files."""
    net, folder = tiny(steps=3).eval(), tmp_path_factory.mktemp("exports")
    images = noise([0] * 3).images
    gray = ((images[:, 0] + 1) * 127.5).round().byte().numpy()
    read = gray, np.zeros(3, np.int64)
    source = formats.Floats(net, SIZE, QUANTIZE, gray, read, folder)
    assert len(list(formats.make(["fp32", "int8"], source, folder))) == 2
    return net, folder


@pytest.mark.parametrize(("name", "tolerance"), [("fp32", 2e-4), ("int8", 0.1)])
def test_exports_write_when_they_are_told_to(exported, name, tolerance):
    net, folder = exported
    images = noise([0] * 3).images
    session = open_session(folder / f"{name}.onnx")
    assert [i.name for i in session.get_inputs()] == ["input"]
    assert [o.name for o in session.get_outputs()] == ["logits", "sequence"]
    for count in (1, 3):
        few = {"input": images[:count].numpy()}
        logits, nothing = session.run(None, few)
        assert nothing.size == 0
        again, sequence = session.run(None, few | {"strokes": np.array(True)})
        np.testing.assert_array_equal(again, logits)
        with torch.no_grad():
            outputs = net(images[:count])
        np.testing.assert_allclose(logits, outputs.logits, atol=tolerance)
        np.testing.assert_allclose(sequence, written_by(net, outputs), atol=tolerance)

import itertools

import numpy as np
import onnx
import pandas as pd
import pytest
import torch

from kakitori.archs import hiercode
from kakitori.export import export
from kakitori.learning.contract import Batch
from kakitori.reading.characters import radicals
from kakitori.reading.characters.radicals import Component
from kakitori.reading.characters.strokes import TYPES
from kakitori.reading.sessions import open_session
from tests import committed
from tests.tables import characters

# 林 and 相 have trees, 目 and 口 are their own, 土 and 圭 share their set of radicals, as do the
# strange 己 and 巳.
TEXT = "木林相目口土圭明己巳"
TINY = (8, 8, 16, 16, 24)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return characters(TEXT)


def made(classes: str, table: pd.DataFrame, prototypes: bool = False) -> hiercode.HierCode:
    torch.manual_seed(0)
    codes = hiercode.Codes(classes, table)
    model = hiercode.HierCode(codes, classes, 32, 0.1, prototypes, TINY)
    for _ in range(3):  # statistics of the norms
        model.train()(images(16))
    return model.eval()


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


def said(codes: hiercode.Codes, character: str) -> set[str]:
    """The columns of a character, those of its strokes' types apart."""
    return {f for f in whole(codes, character) if f[0] not in TYPES}


def whole(codes: hiercode.Codes, character: str) -> set[str]:
    return {codes.columns[k] for k in codes.of[character]}


def test_codes_count_the_strokes_of_each_type(table):
    codes = hiercode.Codes(TEXT, table)
    assert whole(codes, "木") - said(codes, "木") == {"㇐1", "㇑1", "㇒1", "㇏1"}
    # 口 has one of each of its three strokes, 目 two bars more.
    assert whole(codes, "目") ^ whole(codes, "口") > {"㇐1", "㇐3"}


def test_codes_are_the_codebooks(table):
    codes = hiercode.Codes(TEXT, table)
    matrix = codes.matrix(TEXT)
    assert len(matrix.unique(dim=0)) == len(TEXT)
    tree = Component.from_json(table.set_index("character").loc["相", "decomposition"])
    book = radicals.codebook([tree])
    assert said(codes, "相") == set(book.columns)
    for character in "木土明":  # no trees: KRADFILE's radicals, and what the strokes tell
        facts = said(codes, character)
        assert set(radicals.kradfile(character)) < facts
        rest = facts - set(radicals.kradfile(character))
        assert all(fact[0] in "⿰⿱#" or fact.startswith("strokes:") for fact in rest)
    assert {"⿰", "⿰0:4", "⿰1:4"} < said(codes, "明")
    assert "strokes:4" in said(codes, "木")
    for row, character in zip(matrix, TEXT, strict=True):
        assert np.flatnonzero(row).tolist() == codes.of[character]


def test_equal_codes_are_told_apart_where_they_are_trained(table):
    both = hiercode.Codes(TEXT, table)
    assert both.collisions == (("己", "巳"),)
    assert said(both, "巳") - said(both, "己") == {"#巳"}
    codes = hiercode.Codes(TEXT.replace("巳", ""), table)
    assert codes.collisions == (("己", "巳"),)
    assert codes.of["己"] == codes.of["巳"]


def test_what_no_trained_class_has_says_nothing(table):
    codes = hiercode.Codes("木林目土", table)
    assert said(codes, "相") == {"木", "⿰@", "木@0", "目"}  # where 目 stands nobody has seen
    assert not any("口" in column for column in codes.columns)
    model = made("木林目土", table)
    assert model.answering("相口")(images(2)).logits.shape == (2, 2)
    with pytest.raises(ValueError, match="characters: expected those of the table, found 森"):
        model.answering("木森")


def test_a_class_scores_the_sum_over_its_code(table):
    model = made(TEXT, table)
    outputs = model(images(4))
    for k, character in enumerate(TEXT):
        expected = outputs.evidence[:, model.codes.of[character]].sum(1)
        assert torch.allclose(outputs.logits[:, k], expected, atol=1e-5)


def test_prototypes_are_compared_as_directions(table):
    """A class scores the product of the features with its prototype of length one, the sum of the
    vectors that its columns are told by; of columns' own constants as well."""
    model = made(TEXT, table, prototypes=True)
    with torch.no_grad():
        outputs = model(images(4))
        head = model.head.classifier
        for k, character in enumerate(TEXT):
            columns = model.codes.of[character]
            prototype, constant = head.weight[columns].sum(0), head.bias[columns].sum()
            expected = (outputs.features @ prototype + constant) / prototype.norm()
            expected = expected * model.factors.scale.exp()
            assert torch.allclose(outputs.logits[:, k], expected, atol=1e-5)


@pytest.mark.parametrize("prototypes", [False, True])
def test_answering_does_not_depend_on_who_else_is_asked(table, prototypes):
    model = made(TEXT, table, prototypes)
    with torch.no_grad():
        expected = model(images(4)).logits
        assert torch.equal(model.answering(TEXT)(images(4)).logits, expected)
        some = model.answering("明木")
        logits = some(images(4)).logits
    places = [TEXT.index(c) for c in "明木"]
    assert torch.allclose(logits, expected[:, places], atol=1e-6)
    assert torch.equal(model(images(4)).logits, expected)  # the original stays as it was
    assert some.state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize("prototypes", [False, True])
def test_the_file_has_sparse_codes(table, prototypes, tmp_path):
    """Also for classes that the network was not trained on; and no number of 64 bits."""
    model = made("木林目土", table, prototypes)
    with torch.no_grad():
        model.factors.scale += 0.5
    model.eval()
    model = model.answering(TEXT)
    small = model.deployed()
    assert isinstance(small.scores, hiercode.Sparse)
    with torch.no_grad():
        expected = model(images(3)).logits
        assert torch.allclose(small(images(3)).logits, expected, atol=1e-5)
    path = tmp_path / "model.onnx"
    export.to_onnx(model, 32, committed.settings().quantize.opset, path)
    (logits,) = open_session(path).run(None, {"input": images(3).numpy()})
    np.testing.assert_allclose(logits, expected.numpy(), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize(("rows", "kind"), [(2**15 - 1, "INT16"), (2**15 + 2, "INT32")])
def test_numbers_take_sixteen_bits_in_a_file_where_they_fit(rows, kind, tmp_path):
    numbers = torch.randint(rows, (300, 4), generator=torch.Generator().manual_seed(0)).int()
    numbers[0, 0] = rows - 1
    path = tmp_path / "model.onnx"
    export.write(Rows(numbers), {"input": torch.zeros(2, rows)}, ["logits"], 21, path)
    tensors = [t for t in onnx.load(path).graph.initializer if np.prod(t.dims) == 1200]
    assert [onnx.TensorProto.DataType.Name(t.data_type) for t in tensors] == [kind]
    values = torch.rand(3, rows)
    (sums,) = open_session(path).run(None, {"input": values.numpy()})
    np.testing.assert_array_equal(sums, values[:, numbers.long()].sum(2))


class Rows(torch.nn.Module):
    def __init__(self, numbers: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("numbers", numbers)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.embedding(self.numbers, values.T).sum(1).T


def test_only_whole_characters_of_one_class_teach_the_code(table):
    model = made(TEXT, table)
    outputs = model(images(4))
    labels = torch.tensor([0, 1, 2, -1])
    mixed = Batch(images(4), labels, others=labels, share=torch.tensor([0.0, 0.3, 0.0, 0.0]))
    partial = torch.ones(2, 32, dtype=torch.int8)  # the last two
    model.bits = 1e6  # the rest of the loss does not count
    expected = []
    for k in (0, 2):
        code = model.scores.codes[labels[k]]
        p = (outputs.evidence[k] + model.prior).sigmoid()
        expected.append(-(code * p.log() + (1 - code) * (1 - p).log()).sum())
    both, first = sum(expected) / 2, expected[0]
    assert model.loss(outputs, mixed).item() == pytest.approx(1e6 * both.item(), rel=1e-4)
    loss = model.loss(outputs, mixed._replace(presence=partial)).item()
    assert loss == pytest.approx(1e6 * first.item(), rel=1e-4)


# ---------------------------------------------------------------------------------------------
# Characters of two drawn parts, of which some were never seen together


def drawn(shape: int, rng: np.random.Generator) -> np.ndarray:
    """A part, float (32, 16): a frame, a cross, two bars, a slope, a block, a half frame."""
    part = np.zeros((32, 16))
    top, left = rng.integers(6, 10), rng.integers(2, 4)
    box = part[top : top + 16, left : left + 11]
    if shape in (0, 5):
        box[:2] = box[:, :2] = 1
    if shape == 0:
        box[-2:] = box[:, -2:] = 1
    if shape == 1:
        box[7:9] = box[:, 5:7] = 1
    if shape == 2:
        box[3:5] = box[11:13] = 1
    if shape == 3:
        box[np.arange(16), np.arange(16) * 11 // 16] = box[
            np.arange(1, 16), np.arange(15) * 11 // 16
        ] = 1
    if shape == 4:
        box[4:12, 2:9] = 1
    return part


SHAPES = "框十二斜塊半"


def test_combinations_never_seen_are_read():
    """Of the 36 pairs of six parts 28 are trained; the others are told apart among all."""
    names = [chr(0x4E00 + k) for k in range(36)]
    pairs = list(itertools.product(range(6), repeat=2))
    trees = [
        Component("", parts=(Component(SHAPES[a], "left"), Component(SHAPES[b], "right"))).to_json()
        for a, b in pairs
    ]
    table = pd.DataFrame({"character": names, "decomposition": trees, "stroke_types": ""})
    unseen = [k for k, (a, b) in enumerate(pairs) if (a - b) % 6 == 1 or (a, b) in ((2, 4), (5, 3))]
    seen = [k for k in range(36) if k not in unseen]

    rng = np.random.default_rng(0)

    def images_of(numbers: list[int]) -> torch.Tensor:
        both = [np.hstack([drawn(part, rng) for part in pairs[k]]) for k in numbers]
        ink = np.stack(both) + rng.normal(0, 0.1, (len(both), 32, 32))
        return torch.from_numpy(ink[:, None] * 2 - 1).float()

    torch.manual_seed(0)
    classes = [names[k] for k in seen]
    model = hiercode.HierCode(hiercode.Codes(classes, table), classes, 32, 0.1, False, TINY)
    optimiser = torch.optim.AdamW(model.parameters(), 5e-3)
    for _ in range(70):
        labels = torch.from_numpy(rng.integers(len(seen), size=56))
        batch = Batch(images_of([seen[k] for k in labels]), labels)
        loss = model.train().loss(model(batch.images), batch)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    asked = unseen * 10
    with torch.no_grad():
        logits = model.eval().answering(names)(images_of(asked)).logits
    right = (logits.argmax(1) == torch.tensor(asked)).float().mean()
    assert right > 0.6  # chance is 0.03
    among = logits[:, unseen].argmax(1) == torch.arange(len(asked)) % len(unseen)
    assert among.float().mean() > 0.8

"""Images and descriptions of characters in one space."""

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch

from kakitori.archs import align
from kakitori.export import exporting
from kakitori.learning import descriptions
from kakitori.learning.contract import Batch
from kakitori.reading.characters.framing import EXTENT
from kakitori.reading.characters.radicals import Component
from kakitori.reading.characters.strokes import TYPES
from tests import committed
from tests.tables import characters

CLASSES = "木林相目口杏"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return characters(CLASSES + "明")


@pytest.fixture
def model(table) -> align.Align:
    torch.manual_seed(0)
    return align.build(CLASSES, table, 32, width=16).eval()


def images(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1


def row(strokes: list[list[float]], tree: Component | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "character": "十",
                "strokes": strokes,
                "stroke_types": ["㇐", "㇑"][: len(strokes)],
                "decomposition": tree.to_json() if tree else "",
                "radicals": ["十"],
            }
        ]
    )


def test_a_description_says_what_lies_where():
    """A cross twice as wide as high, whose bar is a part of its own."""
    tree = Component("十", strokes=(0, 1), parts=(Component("一", "", (0,)), Component("㇑")))
    cross = row([[0.0, 0.3, 0.8, 0.3], [0.4, 0.1, 0.4, 0.5]], tree)
    description = descriptions.described(cross)["十"]
    low, high = 0.5 - EXTENT / 2, 0.5 + EXTENT / 2
    assert description.types == ("㇐", "㇑")
    np.testing.assert_allclose(description.courses[0], [[low, 0.5], [0.5, 0.5], [high, 0.5]])
    upper, lower = 0.5 - EXTENT / 4, 0.5 + EXTENT / 4
    np.testing.assert_allclose(description.courses[1], [[0.5, upper], [0.5, 0.5], [0.5, lower]])
    assert description.names == ("一",)  # types of strokes are no names
    np.testing.assert_allclose(description.boxes, [[[low, 0.5], [high, 0.5]]])


def test_of_unknown_strokes_radicals_are_known_and_no_place():
    description = descriptions.described(row([]))["十"]
    assert (description.types, description.names, len(description.courses)) == ((), ("十",), 0)
    assert description.boxes.tolist() == [[[0, 0], [1, 1]]]


def test_logits_are_cosines_at_each_level(model):
    """Of the scale of each; the order of tokens means nothing."""
    with torch.no_grad():
        outputs = model(images(3))
        features = outputs.features.unflatten(1, (align.LEVELS, -1))
        classes = outputs.classes.unflatten(1, (align.LEVELS, -1))
        scales = model.scales.exp()
        torch.testing.assert_close(features.norm(dim=2), scales.expand(3, -1))
        torch.testing.assert_close(classes.norm(dim=2), torch.ones(len(CLASSES), align.LEVELS))
        cosines = torch.cosine_similarity(features[:, None], classes[None], dim=3)
        torch.testing.assert_close(outputs.logits, (cosines * scales).sum(2))
        order = torch.randperm(len(model.strokes_of))
        for field in descriptions.Tokens._fields:
            setattr(model, f"strokes_{field}", getattr(model, f"strokes_{field}")[order])
        torch.testing.assert_close(model.eval()(images(3)).logits, outputs.logits)


def test_classes_move_while_it_learns_and_stay_while_it_reads(model):
    batch = Batch(images(6), torch.arange(6))
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    before = model(batch.images).classes
    assert model(batch.images).classes is before
    model.train().loss(model(batch.images), batch).backward()
    optimiser.step()
    with torch.no_grad():
        during = model(batch.images).classes
        after = model.eval()(batch.images).classes
    assert not torch.allclose(before, during, atol=1e-4)
    torch.testing.assert_close(during, after)


def test_it_answers_what_it_was_not_trained_on_alone_or_among_others(model, table):
    with torch.no_grad():
        expected = model(images(2)).logits
        other = model.answering("明木")(images(2)).logits
        torch.testing.assert_close(other[:, 1], expected[:, 0])
        assert torch.equal(model(images(2)).logits, expected)
        assert model.answering("明").state_dict().keys() == model.state_dict().keys()
    with pytest.raises(ValueError, match="characters: expected those of the table, found 森"):
        model.answering("木森")


def test_both_encoders_are_files_whose_products_are_the_logits(model, table, tmp_path):
    opset = committed.settings().quantize.opset
    written = exporting.write_encoders(model, opset, tmp_path)
    assert written == {n: {"bytes": (tmp_path / f"{n}.onnx").stat().st_size} for n in written}
    known = descriptions.described(table)
    strokes = np.zeros((7, align.MOST), np.int64), np.zeros((7, align.MOST, 6), np.float32)
    parts = np.zeros((7, align.MOST), np.int64), np.zeros((7, align.MOST, 4), np.float32)
    metadata = {p.key: p.value for p in onnx.load(tmp_path / "text.onnx").metadata_props}
    types, names = metadata["types"].split(" "), metadata["components"].split(" ")
    assert types == [*TYPES] and names[0] == ""
    for k, character in enumerate(CLASSES + "明"):
        each = known[character]
        strokes[0][k, : len(each.types)] = [1 + types.index(t) for t in each.types]
        strokes[1][k, : len(each.types)] = each.courses.reshape(-1, 6)
        numbers = [1 + (names.index(n) if n in names else 0) for n in each.names]
        parts[0][k, : len(numbers)] = numbers
        parts[1][k, : len(numbers)] = each.boxes.reshape(-1, 4)

    def vectors(name: str, **inputs: np.ndarray) -> np.ndarray:
        session = onnxruntime.InferenceSession(tmp_path / f"{name}.onnx")
        return session.run(["vectors"], inputs)[0]

    shown = vectors("image", input=images(3).numpy())
    text_vectors = vectors(
        "text", types=strokes[0], courses=strokes[1], components=parts[0], boxes=parts[1]
    )
    with torch.no_grad():
        expected = model.answering(CLASSES + "明")(images(3)).logits.numpy()
    np.testing.assert_allclose(shown @ text_vectors.T, expected, atol=2e-4)

"""What one trained model gives to the next."""

import json

import pytest
import torch
from safetensors.torch import save_file

from kakitori.errors import DataError
from kakitori.learning import saved, transfer
from kakitori.learning.saved import Described
from kakitori.params import load
from tests.toy import linear

DISTILLATION = load().train.distillation


def earlier(model, classes: str, tmp_path, size: int = 64) -> Described:
    save_file(model.state_dict(), tmp_path / "old.safetensors")
    about = {"model": "cnn", "net": {}, "size": size, "classes": classes}
    (tmp_path / "old.json").write_text(json.dumps(about), "utf-8")
    return saved.describe(tmp_path, "old")


def test_rows_of_the_classifier_follow_their_character(tmp_path):
    old, new = linear(5, seed=1), linear(4, seed=2)
    fresh = {k: v.clone() for k, v in new.state_dict().items()}
    taken = transfer.start_from(new, list("うえおか"), earlier(old, "あいうえお", tmp_path))
    assert (taken.tensors, taken.of, taken.classes) == (4, 4, 3)
    found = new.state_dict()
    assert torch.equal(found["hidden.weight"], old.hidden.weight)
    for name in ("classifier.weight", "classifier.bias"):
        assert torch.equal(found[name][:3], old.state_dict()[name][2:])  # うえお
        assert torch.equal(found[name][3], fresh[name][3])  # か is new


def test_the_same_classes_in_another_order(tmp_path):
    old, new = linear(4, seed=1), linear(4, seed=2)
    transfer.start_from(new, list("えういあ"), earlier(old, "あいうえ", tmp_path))
    assert torch.equal(new.classifier.weight, old.classifier.weight.flip(0))
    images = torch.rand(3, 1, 64, 64)
    torch.testing.assert_close(new(images).logits, old(images).logits.flip(1))


def test_heads_that_only_one_of_them_has_stay_fresh(tmp_path):
    old, new = linear(seed=1), linear(seed=2)
    old.extra = torch.nn.Linear(3, 3)
    new.other = torch.nn.Linear(2, 2)
    before = new.other.weight.clone()
    taken = transfer.start_from(new, list("あいうえ"), earlier(old, "あいうえ", tmp_path))
    assert (taken.tensors, taken.of) == (4, 6)
    assert torch.equal(new.other.weight, before)


def test_weights_that_do_not_fit_are_named(tmp_path):
    old = torch.nn.ModuleDict({"hidden": torch.nn.Linear(10, 7), "b": torch.nn.Linear(3, 3)})
    with pytest.raises(
        DataError,
        match=r"old\.safetensors: .*found 0 of 4 tensors.*hidden\.weight \(7, 10\) for \(16, 64\)",
    ):
        transfer.start_from(linear(), list("あいうえ"), earlier(old, "かきくけ", tmp_path))


@pytest.mark.parametrize(
    ("classes", "size", "message"),
    [
        ("あいうか", 64, "knows the 4 classes, found one that knows 3 of them and not か"),
        ("あいう", 128, "of 128 pixels .*found one of 64"),
    ],
)
def test_a_teacher_must_know_the_classes_and_the_size(tmp_path, classes, size, message):
    with pytest.raises(DataError, match=message):
        transfer.teacher(list(classes), size, earlier(linear(), "あいうえ", tmp_path), DISTILLATION)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("old.json", None, r"old\.json: expected a trained model, found no file"),
        ("old.safetensors", None, r"old\.safetensors: expected a trained model, found no file"),
        ("old.json", b"{", "expected a trained model of ours, found: JSONDecodeError"),
        ("old.json", b"{}", "expected a trained model of ours, found: KeyError"),
        ("old.safetensors", b"\0" * 20, "expected a trained model of ours, found: SafetensorError"),
    ],
)
def test_files_that_are_no_model(tmp_path, name, content, message):
    earlier(linear(), "あいうえ", tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        saved.describe(tmp_path, "old")


def test_a_checksum_is_the_files_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")  # the example of FIPS 180-4
    assert transfer.checksum(tmp_path / "file").startswith("ba7816bf8f01cfea414140de5dae2223")

"""What one trained model gives to the next."""

import dataclasses
import json
import os
import stat

import pytest
import torch
from safetensors.torch import save_file

from kakitori.errors import DataError
from kakitori.learning import saved, transfer
from kakitori.learning.saved import Described
from kakitori.running.params import load
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
    state = new.state_dict()
    assert torch.equal(state["hidden.weight"], old.hidden.weight)
    for name in ("classifier.weight", "classifier.bias"):
        assert torch.equal(state[name][:3], old.state_dict()[name][2:])  # うえお
        assert torch.equal(state[name][3], fresh[name][3])  # か is new


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
        ("old.json", b"{", r"old\.json: expected what train writes, found: JSONDecodeError"),
        ("old.json", b"{}", r"old\.json: expected what train writes, found: KeyError"),
        ("old.json", b"[]", r"old\.json: expected what train writes, found: TypeError"),
        ("old.json", b"[" * 9999, r"old\.json: expected what train writes, found: RecursionError"),
        ("old.safetensors", b"\0" * 20, "expected weights as safetensors, found: SafetensorError"),
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


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model", "../cnn", "one of .*cnn, .*, found '../cnn'"),
        ("model", ["cnn"], r"one of .*cnn, .*, found \['cnn'\]"),
        ("net", [], r"settings by name, found \[\]"),
        ("size", "64", "64 or 128, found '64'"),
        ("size", 0, "64 or 128, found 0"),
        ("size", True, "64 or 128, found True"),
        ("precision", "float8", "float32 or bfloat16, found 'float8'"),
        ("precision", ["float32"], r"float32 or bfloat16, found \['float32'\]"),
        ("classes", "", "different characters, found ''"),
        ("classes", "ああ", "different characters, found 'ああ'"),
        ("classes", ["あ"], r"different characters, found \['あ'\]"),
        ("classes", 3, "different characters, found 3"),
    ],
)
def test_what_a_model_says_of_itself_is_checked(tmp_path, key, value, message):
    earlier(linear(), "あいうえ", tmp_path)
    about = json.loads((tmp_path / "old.json").read_text("utf-8"))
    (tmp_path / "old.json").write_text(json.dumps(about | {key: value}), "utf-8")
    with pytest.raises(DataError, match=rf"old\.json: {key}: expected {message}$"):
        saved.describe(tmp_path, "old")


@pytest.mark.parametrize(
    ("net", "message"),
    [({"hiden": 3}, "net.hiden: expected one of"), ({"reduction": 0}, "equal to 1")],
)
def test_a_net_that_cannot_be_is_the_models_fault(tmp_path, monkeypatch, net, message):
    """And not that of params.yaml."""
    monkeypatch.setattr(saved.table, "read", lambda *given: None)
    described = dataclasses.replace(earlier(linear(), "あいうえ", tmp_path), net=net)
    with pytest.raises(DataError, match=rf"^.*old\.json: expected a net that cnn .*{message}"):
        described.network()


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_weights_have_the_rights_of_any_other_file(tmp_path, umask):
    before = os.umask(umask)
    try:
        saved.write(tmp_path / "a.safetensors", linear().state_dict())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.safetensors").stat().st_mode) == 0o666 & ~umask
    save_file(linear().state_dict(), tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_checksum_is_the_files_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")  # the example of FIPS 180-4
    assert transfer.checksum(tmp_path / "file").startswith("ba7816bf8f01cfea414140de5dae2223")

"""The loop, on a network that learns in seconds."""

import math
import shutil

import pandas as pd
import pytest
import torch

from kakitori.learning import checkpoints, inference, machine, training
from kakitori.learning.contract import NONE, Batch, Outputs, class_loss
from kakitori.learning.objectives import Imitation
from tests import networks
from tests.toy import Linear, linear, part, partial, parts, same, settings

# Every method of training that changes what a step or an epoch does.
METHODS = {
    "plain": {},
    "muon": {"optimiser": "muon"},
    "sgd": {"optimiser": "sgd", "learning_rate": 0.05, "schedule": "one_cycle"},
    "adam": {"optimiser": "adam", "schedule": "plateau", "clip": 1.0},
    "ema": {"ema": 0.9},
    "sampling": {"sampling": {"balance": 1.0, "confused": 1.0, "curriculum": 0.5}},
    "partial": {"sampling": {"partial": 0.25}, "augment": {"drop_strokes": 0.5}},
    "mixed": {"augment": {"mixup": 0.5, "cutmix": 0.5, "erase": 0.3}},
    "sides": {"sides": [32, 64]},
    "qat": {"qat": 0.4, "ema": 0.5},
    "style": {"style_adversary": 0.1},
    "release": {"transfer": {"freeze": 0.5, "layer_decay": 0.5}},
}
methods = pytest.mark.parametrize("changes", METHODS.values(), ids=METHODS.keys())


@pytest.fixture(autouse=True)
def own_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path / ".checkpoints")


def trained(changes: dict, run: str, model=None, seed: int = 0) -> training.Trained:
    options = settings(**changes)
    some = partial() if options.sampling.partial else None
    return training.train(model or linear(), parts(), options, seed, run, some)


@methods
def test_every_method_learns(changes):
    options = {"learning_rate": 0.02, "epochs": 12} | changes
    result = trained(options, "run")
    # Rates of 0.5 per stage, frozen ones and mixtures slow this net down.
    assert result.best["val_top1"] > 0.9
    assert result.curve["val_loss"].min() < 0.8 * math.log(4)
    assert result.state.keys() == linear().state_dict().keys()


def test_figures_of_a_run():
    result = trained({"learning_rate": 0.02}, "run")
    assert result.best["val_top1"] == 1.0
    assert result.curve["train_loss"].iloc[-1] < 0.5 * result.curve["train_loss"].iloc[0]
    assert result.images_seen == 4 * 96
    assert result.curve["learning_rate"].iloc[-1] < 0.05 * 0.02


def test_what_was_misread_in_the_last_epoch_is_doubtful():
    """Two wrong labels, and of all samples as many as the curve says."""
    data, wrong = parts(), [3, 50]
    data["train"].labels[wrong] = 3 - data["train"].labels[wrong]
    result = training.train(linear(), data, settings(learning_rate=0.02), 0, "run")
    assert result.doubtful[wrong].all()
    share = 1 - result.curve["train_top1"].iloc[-1]
    assert result.doubtful.float().mean().item() == pytest.approx(share) and share < 0.1


def test_what_the_last_epoch_did_not_see_is_doubtful():
    """Seven batches of 13 are in each of two epochs, and five samples are not."""
    result = trained({"learning_rate": 0.02, "batch": 13}, "run")
    right = result.curve["train_top1"].iloc[-1] * 7 * 13
    assert (~result.doubtful).sum().item() == round(right)


def test_the_same_seed_ends_with_the_same_weights():
    first = trained({}, "a").state
    assert same(first, trained({}, "b").state)
    assert not same(first, trained({}, "c", seed=1).state)


@pytest.fixture(scope="module", params=METHODS.values(), ids=METHODS.keys())
def whole_run(request, tmp_path_factory) -> tuple[dict, Linear, training.Trained]:
    """Changes of the settings, and what a run with them ends with when nothing happens to it."""
    model = linear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "FOLDER", tmp_path_factory.mktemp("whole"))
        return request.param, model, trained(request.param, "whole", model)


@pytest.mark.parametrize("share", [0.45, 0.85])
def test_an_interrupted_run_ends_as_if_it_had_not_been(whole_run, share):
    changes, uninterrupted, whole = whole_run
    killed, resumed = linear(), linear()
    killed.fail_at = int(share * uninterrupted.seen)
    with pytest.raises(KeyboardInterrupt):
        trained(changes, "killed", killed)
    result = trained(changes, "killed", resumed)
    assert resumed.seen < uninterrupted.seen, "it did not start again from the beginning"
    assert same(whole.state, result.state)
    assert torch.equal(whole.doubtful, result.doubtful)
    pd.testing.assert_frame_equal(whole.curve, result.curve)


def test_a_run_goes_on_in_the_precision_that_it_began_in(monkeypatch):
    """Although the machine, busier now, would choose another."""
    seconds = {torch.bfloat16: 1.0, torch.float32: 5.0}
    monkeypatch.setattr(machine, "_seconds", lambda device: seconds)
    auto = {"precision": "auto"}
    whole, killed = trained(auto, "whole"), linear()
    assert whole.precision == torch.bfloat16
    killed.fail_at = 19
    with pytest.raises(KeyboardInterrupt):
        trained(auto, "killed", killed)
    seconds[torch.bfloat16] = 9.0
    assert machine.pick_precision("auto", torch.device("cpu")) == torch.float32
    resumed = trained(auto, "killed")
    assert resumed.precision == torch.bfloat16
    assert same(whole.state, resumed.state)


@pytest.mark.parametrize("damage", ["torn", "flipped"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(damage, capsys):
    """Torn, or with five bytes of a weight flipped, which torch reads without a word."""
    whole = trained({}, "whole")
    killed = linear()
    killed.fail_at = 19
    with pytest.raises(KeyboardInterrupt):
        trained({}, "killed", killed)
    last = max((checkpoints.FOLDER / "killed").glob("*.pt"))
    content = bytearray(last.read_bytes())
    if damage == "torn":
        last.write_bytes(content[:200])
    else:
        weights = torch.load(last, weights_only=True)["model"]["hidden.weight"]
        where = content.index(weights.numpy().tobytes())
        content[where : where + 20 : 4] = bytes(255 - b for b in content[where : where + 20 : 4])
        last.write_bytes(content)
        changed = torch.load(last, weights_only=True)["model"]["hidden.weight"]
        assert not torch.equal(changed, weights)
    assert same(whole.state, trained({}, "killed").state)
    output = capsys.readouterr().out
    assert f"{last}: expected content of checksum" in output and "goes on after epoch" in output
    left = [path.name[:4] for path in sorted((checkpoints.FOLDER / "killed").iterdir())]
    assert left == ["0001", "0002", "0003", "0004"], "the damaged one has made room"


def test_the_last_five_checkpoints_are_kept():
    trained({"epochs": 8, "patience": 8}, "run")
    kept = sorted(p.stem[:4] for p in (checkpoints.FOLDER / "run").iterdir())
    assert kept == ["0004", "0005", "0006", "0007", "0008"]


def test_it_stops_when_validation_no_longer_improves():
    result = trained({"epochs": 30, "patience": 2, "learning_rate": 1e-12}, "run")
    assert len(result.curve) < 30
    assert result.best["epoch"] == len(result.curve) - 2


def test_it_stops_in_the_middle_of_its_schedule():
    whole = trained({"patience": 9}, "whole").curve
    cut = trained({"patience": 9, "stop_after": 2}, "cut").curve
    pd.testing.assert_frame_equal(cut, whole.head(2))


def test_a_loss_that_is_no_number_names_its_step_and_leaves_the_checkpoint():
    broken = linear()
    broken.classifier.weight.data.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="step 0: expected a finite loss, found nan"):
        trained({}, "run", broken)
    model = linear()
    forward = model.forward

    def breaks_later(images):
        outputs = forward(images)
        return outputs._replace(logits=outputs.logits * (math.nan if model.seen >= 8 else 1))

    model.forward = breaks_later
    with pytest.raises(FloatingPointError, match="step 8: expected a finite loss"):
        trained({}, "later", model)
    assert len(checkpoints.load("later")["curve"]) == 1


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_too_little_memory_says_what_to_set(error):
    model = linear()

    def too_large(outputs, batch):
        raise error

    model.loss = too_large
    with pytest.raises(MemoryError, match=r"a batch of 16 images.*set train\.batch: 8"):
        trained({}, "run", model)


def test_other_errors_stay_what_they_are():
    model = linear()

    def wrong(outputs, batch):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    model.loss = wrong
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        trained({}, "run", model)


def test_smaller_images_come_first():
    model = linear()
    sides = []
    forward = model.forward

    def noted(images):
        if model.training:
            sides.append(images.shape[-1])
        return forward(images)

    model.forward = noted
    trained({"sides": [32, 48, 64], "epochs": 6, "patience": 9}, "run", model)
    assert sides == [32] * 12 + [48] * 12 + [64] * 12


def test_validation_reads_images_as_large_as_training_s():
    model, sides = linear(), []
    forward = model.forward

    def noted(images):
        if not model.training and len(images) == 40:
            sides.append(images.shape[-1])
        return forward(images)

    model.forward = noted
    trained({"sides": [32, 64], "epochs": 4, "patience": 9}, "run", model)
    assert sides == [32, 32, 64, 64]
    images = parts()["val"].images
    small = (images.double().unflatten(2, (32, 2)).unflatten(4, (32, 2))).mean((3, 5)) / 127.5 - 1
    logits = inference.logits_of(model, images, side=32)
    with torch.no_grad():
        torch.testing.assert_close(logits, forward(small.float()).logits)


@pytest.mark.parametrize(("top1", "best", "epochs"), [
    ([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], 4, 6),  # small ones read better, but are not what is used
    ([0.5, 0.5, 0.5, 0.6, 0.7, 0.7], 5, 6),
])  # fmt: skip
def test_the_best_epoch_is_one_of_the_last_size(top1, best, epochs, monkeypatch):
    """However long smaller images have learned nothing, the larger ones come."""
    values = iter(top1)
    monkeypatch.setattr(
        inference,
        "measure",
        lambda logits, labels: {"val_loss": 1.0, "val_top1": next(values), "val_top5": 1.0},
    )
    result = trained({"sides": [32, 64], "epochs": 6, "patience": 2}, "run")
    assert result.best["epoch"] == best and len(result.curve) == epochs


def test_a_batch_holds_its_share_of_partial_characters():
    model, seen = linear(), []
    loss = model.loss

    def noted(outputs, batch):
        seen.append(batch)
        return loss(outputs, batch)

    model.loss = noted
    trained({"sampling": {"partial": 0.25}}, "run", model)
    for batch in seen:
        assert len(batch.images) == 16 and batch.whole().tolist() == [True] * 12 + [False] * 4
        assert len(batch.layers) == 4 and batch.layers.amax() == 2
        assert (batch.presence[:, :2] == 1).all() and not batch.presence[:, 2:].any()
    assert len(seen) == 4 * (96 // 12)


def test_the_mean_of_the_weights_is_what_is_kept():
    """With a decay of nearly one the kept weights are still nearly those after the first step."""
    kept = trained({"ema": 0.999999, "learning_rate": 0.02}, "run").state
    plain = trained({"learning_rate": 0.02}, "plain").state
    start = linear().state_dict()
    moved = {k: (kept[k] - start[k]).abs().max().item() for k in start}
    assert max(moved.values()) < 0.01
    assert all((plain[k] - start[k]).abs().max() > 3 * moved[k] for k in start)


@pytest.mark.parametrize(
    ("bfloat16", "picked"), [(1.0, torch.bfloat16), (4.0, torch.float32), (9.0, torch.float32)]
)
def test_short_numbers_are_for_machines_that_are_faster_with_them(bfloat16, picked, monkeypatch):
    seconds = {torch.bfloat16: bfloat16, torch.float32: 5.0}
    monkeypatch.setattr(machine, "_seconds", lambda device: seconds)
    assert machine.pick_precision("auto", torch.device("cpu")) == picked
    assert machine.pick_precision("bfloat16", torch.device("cpu")) == torch.bfloat16


@pytest.mark.parametrize(
    ("bfloat16", "read_in"), [(1.0, torch.bfloat16), (9.0, torch.bfloat16), (90.0, torch.float32)]
)
def test_a_model_is_read_as_it_was_trained(bfloat16, read_in, monkeypatch):
    """On a busy machine, too; but not in software."""
    seconds = {torch.bfloat16: bfloat16, torch.float32: 5.0}
    monkeypatch.setattr(machine, "_seconds", lambda device: seconds)
    device = torch.device("cpu")
    assert machine.reading_precision(torch.bfloat16, device) == read_in
    assert machine.reading_precision(torch.float32, device) == torch.float32


def test_a_product_takes_time_in_either_precision():
    seconds = machine._seconds(torch.device("cpu"))
    assert all(0 < seconds[precision] < 5 for precision in (torch.bfloat16, torch.float32))


def test_compiling_is_for_long_runs_and_needs_a_compiler(monkeypatch):
    processor = torch.device("cpu")
    monkeypatch.setattr(machine.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert machine.pays("auto", processor, 10**6) and not machine.pays("auto", processor, 1800)
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    assert not machine.pays("auto", processor, 10**6) and machine.pays(True, processor, 1)


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_learns_the_same():
    plain = training.train(linear(), parts(), settings(), 0, "plain")
    compiled = training.train(linear(), parts(), settings(compile=True), 0, "compiled")
    for name, weight in plain.state.items():
        torch.testing.assert_close(compiled.state[name], weight, rtol=1e-3, atol=1e-4)


@pytest.mark.long  # a minute of compiling
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler")
def test_a_compiled_run_takes_images_of_two_sizes():
    model = networks.made("compact", {"channels": [8, 8, 16, 16, 16], "rank": 8})
    options = settings(compile=True, sides=[32, 64], epochs=2)
    result = training.train(model, parts(), options, 0, "run")
    assert len(result.curve) == 2


def test_a_teacher_is_imitated():
    """A learner whose own labels are all wrong follows a teacher who knows."""
    teacher = linear(seed=5)
    teacher.load_state_dict(trained({"learning_rate": 0.02, "epochs": 8}, "teacher").state)
    data = parts()
    wrong = data["train"].labels.roll(1)
    data["train"] = data["train"].__class__(
        data["train"].images, wrong, data["train"].rows, data["train"].weights
    )
    options = settings(learning_rate=0.02, epochs=8, label_smoothing=0.0)
    imitating = Imitation(teacher, torch.arange(4), 1.0, 2.0)
    taught = training.train(linear(), data, options, 0, "taught", None, imitating)
    alone = training.train(linear(), data, options, 0, "alone")
    assert taught.best["val_top1"] > 0.9 > 0.5 > alone.curve["val_top1"].iloc[-1]


def test_the_teachers_columns_are_the_learners_classes():
    outputs, images = Outputs(torch.tensor([[2.0, -1.0, 0.5]]), torch.zeros(1, 2)), torch.zeros(1)

    class Fixed(torch.nn.Module):
        def forward(self, images):
            return Outputs(torch.tensor([[0.5, 2.0, -1.0]]), None)

    same_order = Imitation(Fixed(), torch.tensor([1, 2, 0]), 1.0, 3.0)
    assert same_order(torch.tensor(9.0), outputs, images).item() == pytest.approx(0, abs=1e-6)
    other = Imitation(Fixed(), torch.tensor([0, 1, 2]), 1.0, 3.0)
    p = torch.softmax(torch.tensor([0.5, 2.0, -1.0]) / 3, 0)
    q = torch.softmax(torch.tensor([2.0, -1.0, 0.5]) / 3, 0)
    expected = 9 * (p * (p / q).log()).sum().item()
    assert other(torch.tensor(9.0), outputs, images).item() == pytest.approx(expected, rel=1e-5)
    half = Imitation(Fixed(), torch.tensor([0, 1, 2]), 0.5, 3.0)
    mean = (expected + 9) / 2
    assert half(torch.tensor(9.0), outputs, images).item() == pytest.approx(mean, rel=1e-5)


def test_the_teacher_reads_in_the_learners_precision():
    seen = []

    class Teacher(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 3)

        def forward(self, images):
            logits = self.layer(images)
            seen.append(logits.dtype)
            return Outputs(logits, None)

    for precision in (torch.bfloat16, torch.float32):
        outputs = Outputs(torch.zeros(2, 3, dtype=precision), torch.zeros(2, 2))
        imitation = Imitation(Teacher(), torch.arange(3), 0.5, 3.0)
        assert imitation(torch.tensor(1.0), outputs, torch.rand(2, 4)).dtype == torch.float32
    assert seen == [torch.bfloat16, torch.float32]


def test_class_loss_by_hand():
    """Mixed images count for both classes by their share, partial ones not at all."""
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [5.0, -5.0]])
    outputs = Outputs(logits, torch.zeros(3, 1))
    labels = torch.tensor([0, 0, 1])
    each = -torch.log_softmax(logits, 1)
    plain = class_loss(outputs, Batch(None, labels))
    assert plain.item() == pytest.approx(each[range(3), labels].mean().item())
    presence = torch.ones(1, 32, dtype=torch.int8)
    partial = class_loss(outputs, Batch(None, labels, presence=presence))
    assert partial.item() == pytest.approx((each[0, 0] + each[1, 0]).item() / 2)
    mixed = Batch(None, labels, others=torch.tensor([1, 1, 0]), share=torch.tensor([0, 0.25, 0.5]))
    wanted = each[0, 0] + 0.75 * each[1, 0] + 0.25 * each[1, 1] + (each[2, 0] + each[2, 1]) / 2
    assert class_loss(outputs, mixed).item() == pytest.approx(wanted.item() / 3)
    none = Batch(None, torch.tensor([0, NONE, NONE]))
    assert class_loss(outputs, none).item() == pytest.approx(each[0, 0].item())


def test_another_setting_is_another_run(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("1")
    key = checkpoints.key({"a": 1}, [path])
    assert checkpoints.key({"a": 2}, [path]) != key
    path.write_text("2")
    assert checkpoints.key({"a": 1}, [path]) != key


def test_writer_groups_are_numbered():
    some = part(16, writers=3)
    groups, count = some.groups()
    assert count == 3 and groups.tolist() == [k // 4 % 3 for k in range(16)]
    some.rows.loc[0, "writer_group"] = ""
    assert some.groups()[0][0] == -1

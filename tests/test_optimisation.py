import itertools

import pytest
import torch
from torch import nn

from kakitori.learning import optimisation
from kakitori.learning.optimisation import Release, Schedule
from tests.toy import linear, settings


def rates(total: int = 1000, **changes: object) -> list[float]:
    options = settings(**{"learning_rate": 1.0, "warmup": 0.15} | changes)
    optimiser = optimisation.optimiser(nn.Linear(2, 2), options)
    schedule = Schedule(optimiser, options, total)
    learning_rates = []
    for _ in range(total):
        learning_rates.append(optimiser.param_groups[0]["lr"])
        schedule.advance()
    return learning_rates


def test_cosine_rises_and_falls_to_zero():
    learning_rates = rates()
    assert learning_rates[149] == 1.0 and max(learning_rates) == 1.0
    assert learning_rates[0] == pytest.approx(1 / 150)
    assert learning_rates[-1] < 1e-4
    assert all(a > b for a, b in itertools.pairwise(learning_rates[150:]))


def test_one_cycle_is_torchs():
    """Up and down by half cosines, as torch's own scheduler has them."""
    optimiser = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1.0, 1000, pct_start=0.15)
    expected = []
    for _ in range(1000):
        expected.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        theirs.step()
    # It reaches the peak one step sooner.
    assert rates(schedule="one_cycle") == pytest.approx(expected, abs=0.02)


def test_constant_stays_and_may_warm_up():
    assert set(rates(schedule="constant", warmup=0.0)) == {1.0}
    assert rates(schedule="constant")[:3] == pytest.approx([1 / 150, 2 / 150, 3 / 150])
    assert set(rates(schedule="constant")[150:]) == {1.0}


def test_plateau_falls_when_validation_stays():
    options = settings(learning_rate=0.9, warmup=0.0, schedule="plateau")
    optimiser = optimisation.optimiser(nn.Linear(2, 2), options)
    schedule = Schedule(optimiser, options, 100)
    learning_rates = []
    for better in (True, False, True, False):
        schedule.advance()
        schedule.ended(better)
        learning_rates.append(optimiser.param_groups[0]["lr"])
    assert learning_rates == pytest.approx([0.9, 0.3, 0.3, 0.1])
    again = Schedule(optimisation.optimiser(nn.Linear(2, 2), options), options, 100)
    again.load_state_dict(schedule.state_dict())
    assert again.optimiser.param_groups[0]["lr"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_norms_and_biases_are_not_decayed(name, kind):
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4))
    optimiser = optimisation.optimiser(model, settings(optimiser=name))
    decayed, others = sorted(optimiser.param_groups, key=lambda g: -g["weight_decay"])
    assert type(optimiser) is kind
    assert [p.ndim for p in decayed["params"]] == [4] and decayed["weight_decay"] > 0
    assert [p.ndim for p in others["params"]] == [1, 1, 1] and others["weight_decay"] == 0


def test_earlier_stages_learn_more_slowly():
    model = nn.ModuleDict({"body": nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))})
    model["head"] = nn.Linear(2, 2)
    assert optimisation.stages(model) == [model["body"][0], model["body"][2], model["head"]]
    further = nn.Linear(2, 2)
    options = settings(learning_rate=1.0, transfer={"layer_decay": 0.5})
    optimiser = optimisation.optimiser(model, options, further)
    rate = {p: g["lr"] for g in optimiser.param_groups for p in g["params"]}
    assert len(rate) == 8
    for module, expected in (
        (model["body"][0], 0.25),
        (model["body"][2], 0.5),
        (model["head"], 1.0),
        (further, 1.0),
    ):
        assert {rate[p] for p in module.parameters()} == {expected}


def test_stages_are_released_one_after_the_other():
    model = nn.Sequential(*(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)) for _ in range(2)))
    model.append(nn.Linear(2, 2))
    release = Release(model, settings(transfer={"freeze": 0.5}), 80)
    learning = []
    for step in range(80):
        release.apply(step)
        learning.append([m.weight.requires_grad for m in release.parts])
        assert [m.training for m in release.parts] == learning[-1]
    counts = [sum(row) for row in learning]
    assert counts[0] == 1 and learning[0][-1], "the last stage alone"
    assert counts == sorted(counts) and counts[40:] == [5] * 40
    assert all(row == sorted(row) for row in learning), "no stage before a later one"
    assert set(counts) == {1, 2, 3, 4, 5}


def test_nothing_is_frozen_by_default():
    assert Release(linear(), settings(), 80).steps == 0


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution, self.norm = nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16)
        self.depthwise = nn.Conv2d(16, 16, 3, groups=16)
        self.inner, self.classifier = nn.Linear(16, 24), nn.Linear(24, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.depthwise(self.norm(self.convolution(x)).relu()).amax((2, 3))
        return self.classifier(self.inner(x).relu())


def stepped(
    name: str, steps: int = 1, layout: torch.memory_format = torch.contiguous_format
) -> tuple[Small, Small]:
    """A network before and after some steps of an optimiser, without decay."""
    before, after = Small(), Small().to(memory_format=layout)
    options = settings(optimiser=name, learning_rate=0.01, weight_decay=0.0)
    optimiser = optimisation.optimiser(after, options)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        optimiser.zero_grad()
        after(torch.randn(6, 8, 7, 7, generator=generator)).square().sum().backward()
        optimiser.step()
    return before, after


def test_muon_turns_hidden_weights_alone():
    """Its step is of nearly one length in the main directions (Jordan et al. 2024: of 0.7 to 1.2),
    and of the root mean square of AdamW's, 0.2 of the rate (Liu et al. 2025)."""
    before, muon = stepped("muon")
    _, adamw = stepped("adamw")
    for name in ("convolution", "inner"):
        change = (getattr(muon, name).weight - getattr(before, name).weight).flatten(1)
        scale = 0.2 * 0.01 * max(change.shape) ** 0.5
        values = torch.linalg.svdvals(change.detach()) / scale
        # A batch of 6 has no more than as many directions; the gradient's own lengths differ more.
        assert values[3] > 0.6 and values[0] < 1.3, name
    for name in ("classifier.weight", "depthwise.weight", "norm.weight", "convolution.bias"):
        assert torch.equal(muon.get_parameter(name), adamw.get_parameter(name)), name


def test_muon_sees_the_same_matrix_in_either_layout():
    plain, last = (
        stepped("muon", 3, layout)[1] for layout in (torch.contiguous_format, torch.channels_last)
    )
    assert last.convolution.weight.is_contiguous(memory_format=torch.channels_last)
    for name in ("convolution", "inner"):
        weight, other = getattr(plain, name).weight, getattr(last, name).weight
        # Against steps of about 0.005; the iteration rounds to bfloat16, in another order.
        torch.testing.assert_close(weight, other, atol=5e-4, rtol=0)


def test_muon_decays_and_schedules_like_the_others():
    options = settings(optimiser="muon", learning_rate=0.5, weight_decay=0.05)
    optimiser = optimisation.optimiser(Small(), options)
    schedule = Schedule(optimiser, options, 1000)
    for _ in range(500):
        schedule.advance()
    assert len({group["lr"] for group in optimiser.param_groups}) == 1
    decayed = [sum(p.numel() for p in g["params"]) for g in optimiser.param_groups]
    kept = [g["weight_decay"] for g in optimiser.param_groups]
    assert sum(n for n, w in zip(decayed, kept, strict=True) if w == 0) == sum(
        p.numel() for p in Small().parameters() if p.ndim < 2
    )


def test_a_network_without_hidden_weights_has_muon_too():
    optimiser = optimisation.optimiser(nn.BatchNorm2d(3), settings(optimiser="muon"))
    assert [len(group["params"]) for group in optimiser.param_groups] == [2]


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (8, 8)])
def test_newton_and_schulz_work_on_the_singular_values_alone(shape):
    """The polynomial of each, by a decomposition of its own; same directions."""
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    a, b, c = 3.4445, -4.775, 2.0315
    u, s, v = torch.linalg.svd(matrix / matrix.norm(), full_matrices=False)
    for _ in range(3):
        s = a * s + b * s**3 + c * s**5
    orthogonalised = optimisation.orthogonal(matrix, (a, b, c), 3)
    torch.testing.assert_close(orthogonalised, (u * s) @ v)


def test_muon_in_float32_is_torchs_but_for_its_rounding():
    torch.manual_seed(0)
    start, gradients = torch.randn(24, 40), torch.randn(5, 24, 40)
    ends = []
    for precision in (torch.float32, torch.bfloat16):
        weight = nn.Parameter(start.clone())
        groups = [{"params": [weight], "lr": 0.01, "weight_decay": 0.05}]
        optimiser = optimisation.Muon(groups, [], precision)
        for gradient in gradients:
            weight.grad = gradient
            optimiser.step()
        ends.append(weight.detach() - start)
    # Steps of about 0.01 each, and bfloat16 has 8 bits: some per cent.
    assert (ends[0] - ends[1]).norm() < 0.03 * ends[1].norm()
    assert not torch.equal(*ends)


def test_no_bfloat16_in_a_step_of_float32(monkeypatch):
    """Without instructions for it, it is 20 times slower: the whole run waits for the optimiser."""
    model = Small()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    options = settings(optimiser="muon")
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda _: pytest.fail("bfloat16"))
    optimisation.optimiser(model, options, precision=torch.float32).step()

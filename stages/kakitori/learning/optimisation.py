"""Which weights move, how far, and when."""

import math

import torch
from torch import nn

from kakitori.params import Train

RISE = 25  # one-cycle begins at so small a part of the peak rate, and ends at its square's


def stages(model: nn.Module) -> list[nn.Module]:
    """The parts of a network in the order of its layers, from image to classes: its children, those
    of a Sequential in its place. Without those that have nothing to learn."""
    found: list[nn.Module] = []
    for child in model.children():
        found += stages(child) if isinstance(child, nn.Sequential) else [child]
    return [module for module in found if any(True for _ in module.parameters())]


def optimiser(model: nn.Module, settings: Train, *further: nn.Module) -> torch.optim.Optimizer:
    """The optimiser of `train.optimiser` for a model and whatever else learns with it.

    AdamW (Loshchilov and Hutter 2019), Adam (Kingma and Ba 2015) or SGD with Nesterov's momentum.
    No weight decay on norms and biases. A stage's rate is `transfer.layer_decay` of the next one's
    (Howard and Ruder 2018).
    """
    parts = stages(model)
    decay = settings.transfer.layer_decay
    factor: dict[nn.Parameter, float] = {}
    for depth, part in enumerate(reversed(parts)):
        for parameter in part.parameters():
            factor.setdefault(parameter, decay**depth)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for module in (model, *further):
        for parameter in module.parameters():
            key = (factor.get(parameter, 1.0), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    options = [
        {
            "params": parameters,
            "lr": settings.learning_rate * scale,
            "weight_decay": settings.weight_decay if matrix else 0.0,
        }
        for (scale, matrix), parameters in groups.items()
    ]
    if settings.optimiser == "sgd":
        return torch.optim.SGD(options, momentum=0.9, nesterov=True)
    kind = torch.optim.Adam if settings.optimiser == "adam" else torch.optim.AdamW
    return kind(options, fused=True)


class Schedule:
    """The learning rate of every step, as a share of each group's own.

    A line up over `train.warmup` of the steps, then by `train.schedule`
    cosine     half a cosine to zero,
    one_cycle  the same, but up by a cosine too (Smith and Topin 2018),
    plateau    a third of it after each epoch without a better validation accuracy,
    constant   no change.
    """

    def __init__(self, optimiser: torch.optim.Optimizer, settings: Train, total: int) -> None:
        self.optimiser, self.settings, self.total = optimiser, settings, total
        self.peaks = [group["lr"] for group in optimiser.param_groups]
        self.step, self.drops = 0, 0
        self._set()

    def _set(self) -> None:
        share = self.share(self.step) / 3**self.drops
        for group, peak in zip(self.optimiser.param_groups, self.peaks, strict=True):
            group["lr"] = peak * share

    def share(self, step: int) -> float:
        """Of the peak rate, at a step from 0."""
        kind, rising = self.settings.schedule, max(int(self.settings.warmup * self.total), 1)
        if step < rising:
            if kind == "one_cycle":
                return 1 - (1 - 1 / RISE) * _half_cosine(step / rising)
            return (step + 1) / rising if self.settings.warmup else 1.0
        if kind in ("plateau", "constant"):
            return 1.0
        return _half_cosine((step - rising) / max(self.total - rising, 1))

    def advance(self) -> None:
        """After each step."""
        self.step += 1
        self._set()

    def ended(self, better: bool) -> None:
        """After each epoch: whether validation has become better."""
        if self.settings.schedule == "plateau" and not better:
            self.drops += 1
            self._set()

    def state_dict(self) -> dict[str, int]:
        return {"step": self.step, "drops": self.drops}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.step, self.drops = state["step"], state["drops"]
        self._set()


def _half_cosine(share: float) -> float:
    """From 1 at 0 down to 0 at 1."""
    return 0.5 * (1 + math.cos(math.pi * share))


class Release:
    """Gradual unfreezing (Howard and Ruder 2018): only the last stage learns at first, and over
    `transfer.freeze` of the steps one more after the other is released, the first one last. Frozen
    stages keep their norms' statistics too."""

    def __init__(self, model: nn.Module, settings: Train, total: int) -> None:
        self.parts = stages(model)
        self.steps = int(settings.transfer.freeze * total)

    def frozen(self, step: int) -> int:
        """How many stages, from the first, do not learn in a step."""
        if step >= self.steps:
            return 0
        return math.ceil((len(self.parts) - 1) * (1 - step / self.steps))

    def apply(self, step: int) -> bool:
        """Freeze and release for a step; whether anything changed. Sets the mode of all stages."""
        count, changed = self.frozen(step), False
        for number, part in enumerate(self.parts):
            learns = number >= count
            part.train(learns)
            for parameter in part.parameters():
                changed |= parameter.requires_grad != learns
                parameter.requires_grad_(learns)
        return changed

"""Which weights move, how far, and when."""

import math

import torch
from torch import nn

from kakitori.running.params import Train

ITERATIONS = 3  # of Newton and Schulz in Muon: 5 read no better after an epoch, and took longer
RISE = 25  # one-cycle begins at so small a part of the peak rate, and ends at its square's


def stages(model: nn.Module) -> list[nn.Module]:
    """The parts of a network in the order of its layers, from image to classes: its children, those
    of a Sequential in its place. Without those that have nothing to learn."""
    modules: list[nn.Module] = []
    for child in model.children():
        modules += stages(child) if isinstance(child, nn.Sequential) else [child]
    return [module for module in modules if any(True for _ in module.parameters())]


def optimiser(
    model: nn.Module,
    settings: Train,
    *further: nn.Module,
    precision: torch.dtype = torch.bfloat16,
) -> "torch.optim.Optimizer | Muon":
    """The optimiser of `train.optimiser` for a model and whatever else learns with it; Muon turns
    its matrices in `precision`.

    Muon, AdamW (Loshchilov and Hutter 2019), Adam (Kingma and Ba 2015) or SGD with Nesterov's
    momentum. No weight decay on norms and biases. A stage's rate is `transfer.layer_decay` of the
    next one's (Howard and Ruder 2018).
    """
    parts = stages(model)
    decay = settings.transfer.layer_decay
    factor: dict[nn.Parameter, float] = {}
    for depth, part in enumerate(reversed(parts)):
        for parameter in part.parameters():
            factor.setdefault(parameter, decay**depth)
    turned = hidden(model) if settings.optimiser == "muon" else set()
    groups: dict[tuple[bool, float, bool], list[nn.Parameter]] = {}
    for module in (model, *further):
        for parameter in module.parameters():
            key = (parameter in turned, factor.get(parameter, 1.0), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    options: dict[bool, list[dict]] = {True: [], False: []}
    for (turn, scale, matrix), parameters in groups.items():
        options[turn].append(
            {
                "params": parameters,
                "lr": settings.learning_rate * scale,
                "weight_decay": settings.weight_decay if matrix else 0.0,
            }
        )
    if settings.optimiser == "muon":
        return Muon(options[True], options[False], precision)
    if settings.optimiser == "sgd":
        return torch.optim.SGD(options[False], momentum=0.9, nesterov=True)
    kind = torch.optim.Adam if settings.optimiser == "adam" else torch.optim.AdamW
    return kind(options[False], fused=True)


@torch.no_grad()
def follow(mean: nn.Module, model: nn.Module, decay: float) -> None:
    """Move a copy of a model, in place, to the running mean of its weights and statistics: `decay`
    of it stays. torch's AveragedModel waits for the device in every step."""
    pairs = zip(mean.state_dict().values(), model.state_dict().values(), strict=True)
    floats, counts = [], []
    for pair in pairs:
        (floats if pair[0].is_floating_point() else counts).append(pair)
    torch._foreach_lerp_(*map(list, zip(*floats, strict=True)), 1 - decay)
    for ours, theirs in counts:
        ours.copy_(ours * decay + theirs * (1 - decay))


def hidden(model: nn.Module) -> set[nn.Parameter]:
    """The weights of all convolutions and linear layers but classifiers and depthwise ones."""
    return {
        module.weight
        for name, module in model.named_modules()
        if (isinstance(module, nn.Conv2d) and module.groups == 1)
        or (isinstance(module, nn.Linear) and name.rpartition(".")[2] != "classifier")
    }


class Muon:
    """Muon (Jordan et al. 2024) for some weights, AdamW for the others, at rates that fit both (Liu
    et al. 2025). Each weight is for torch's Muon a matrix with a row per output."""

    def __init__(self, turned: list[dict], others: list[dict], precision: torch.dtype) -> None:
        """`turned`, `others` : groups of parameters with `params`, `lr` and `weight_decay`."""
        self.matrices = {p: nn.Parameter(_matrix(p, p)) for g in turned for p in g["params"]}
        groups = [{**g, "params": [self.matrices[p] for p in g["params"]]} for g in turned]
        self.parts: list[torch.optim.Optimizer] = []
        if groups:
            # torch's is bfloat16 whatever the machine: without its instructions, 20 times slower.
            kind = torch.optim.Muon if precision == torch.bfloat16 else ExactMuon
            self.parts.append(kind(groups, adjust_lr_fn="match_rms_adamw", ns_steps=ITERATIONS))
        if others:
            self.parts.append(torch.optim.AdamW(others, fused=True))

    @property
    def param_groups(self) -> list[dict]:
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for parameter in self.matrices:
            parameter.grad = None
        for part in self.parts:
            part.zero_grad(set_to_none)

    def step(self) -> None:
        for parameter, matrix in self.matrices.items():
            matrix.data = _matrix(parameter, parameter)  # the same memory
            gradient = parameter.grad
            matrix.grad = None if gradient is None else _matrix(gradient, parameter)
        for part in self.parts:
            part.step()

    def state_dict(self) -> list[dict]:
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict]) -> None:
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


class ExactMuon(torch.optim.Muon):
    """torch's Muon, in the parameters' own precision."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            rate, momentum = group["lr"], group["momentum"]
            matrices, gradients, means = [], [], []
            self._init_group(group, matrices, gradients, means)
            for matrix, gradient, mean in zip(matrices, gradients, means, strict=True):
                mean.lerp_(gradient, 1 - momentum)
                update = gradient.lerp(mean, momentum)
                turned = orthogonal(update, group["ns_coefficients"], group["ns_steps"])
                matrix.mul_(1 - rate * group["weight_decay"])
                matrix.add_(turned, alpha=-0.2 * math.sqrt(max(matrix.shape)) * rate)


def orthogonal(
    matrix: torch.Tensor, coefficients: tuple[float, float, float], iterations: int
) -> torch.Tensor:
    """The matrix (R, C) with its singular values near one, by Newton and Schulz: scaled to a norm
    of one, each iteration makes a s + b s³ + c s⁵ of every singular value s."""
    a, b, c = coefficients
    wide = matrix.T if len(matrix) > matrix.shape[1] else matrix
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(iterations):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide.T if len(matrix) > matrix.shape[1] else wide


def _matrix(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A row per output, in the order in which the memory of `like` has the columns."""
    tensor = tensor.detach()
    if like.ndim == 4 and like.is_contiguous(memory_format=torch.channels_last):
        tensor = tensor.permute(0, 2, 3, 1)
    return tensor.reshape(len(tensor), -1)


class Schedule:
    """The learning rate of every step, as a share of each group's own.

    A line up over `train.warmup` of the steps, then by `train.schedule`
    cosine     half a cosine to zero,
    one_cycle  the same, but up by a cosine too (Smith and Topin 2018),
    plateau    a third of it after each epoch without a better validation accuracy,
    constant   no change.
    """

    def __init__(
        self, optimiser: torch.optim.Optimizer | Muon, settings: Train, total: int
    ) -> None:
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

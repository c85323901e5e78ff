"""Which samples an epoch draws, and how strongly each is distorted."""

import torch

from kakitori.learning.samples.data import Part
from kakitori.running.params import Train

ALL_FROM = 0.5  # share of the epochs after which a curriculum holds every class
WORST = 64  # confused pairs that come more often


class Sampler:
    """Draws a part's samples epoch by epoch.

    A sample's weight is what `data.mix.weights` says of its corpus and `sampling.scripts` of its
    script, times its class's: classes of few samples come more often (`sampling.balance`), those
    outside the curriculum not yet, those that validation confuses most more often, and more
    distorted (`sampling.confused`).
    """

    def __init__(self, part: Part, classes: int, settings: Train) -> None:
        self.part, self.settings = part, settings
        counts = part.labels.bincount(minlength=classes).clamp(min=1)
        self.even = (counts.double().mean() / counts) ** settings.sampling.balance
        self.confused = torch.zeros(classes, dtype=torch.bool, device=part.labels.device)
        ink = torch.zeros(classes, dtype=torch.float64, device=part.labels.device)
        for chunk, labels in zip(part.images.split(4096), part.labels.split(4096), strict=True):
            ink.index_add_(0, labels, chunk.double().mean((1, 2, 3)))
        self.by_ink = (ink / counts).argsort()  # the simplest classes first

    def strength(self, labels: torch.Tensor) -> torch.Tensor | None:
        """How much stronger than the settings say each sample is distorted, float (B,)."""
        if not self.settings.sampling.confused:
            return None
        return 1 + 0.5 * self.confused[labels].float()

    def learn_from(self, answers: torch.Tensor, labels: torch.Tensor) -> None:
        """Take the pairs of classes that validation's answers confuse most, both int64 (N,)."""
        classes, wrong = len(self.confused), answers != labels
        pairs, errors = (labels[wrong] * classes + answers[wrong]).unique(return_counts=True)
        # Stable, so that ties do not depend on the device.
        worst = pairs[errors.argsort(descending=True, stable=True)[:WORST]]
        self.confused.zero_()
        self.confused[worst // classes] = True
        self.confused[worst % classes] = True

    def complete_from(self) -> int:
        """The first epoch, from 0, that holds every class."""
        return round(ALL_FROM * self.settings.epochs) if self.settings.sampling.curriculum else 0

    def drawn(self, epoch: int) -> int:
        """How many samples an epoch, from 0, draws."""
        return int(self._mass(epoch).sum().item() + 1e-6)

    def order(self, epoch: int, generator: torch.Generator) -> torch.Tensor:
        """The samples of an epoch, from 0, shuffled, int64: sample k ⌊w⌋ or ⌈w⌉ times, w in the
        mean (systematic sampling, Madow 1949)."""
        weights = self._mass(epoch)
        if self.settings.sampling.confused:
            raised = 1 + self.settings.sampling.confused * self.confused[self.part.labels].double()
            weights = weights * raised
            weights *= self.drawn(epoch) / weights.sum()  # an epoch stays as long as it is
        count, device = len(weights), weights.device
        if (weights == 1).all():
            return torch.randperm(count, generator=generator, device=device)
        start = torch.rand((), generator=generator, device=device, dtype=torch.float64)
        upto = torch.floor(weights.cumsum(0) + start).long()
        times = upto.diff(prepend=upto.new_zeros(1))
        drawn = torch.repeat_interleave(torch.arange(count, device=device), times)
        return drawn[torch.randperm(len(drawn), generator=generator, device=device)]

    def _mass(self, epoch: int) -> torch.Tensor:
        weights = self.part.weights * self.even[self.part.labels]
        first, whole = self.settings.sampling.curriculum, self.complete_from()
        if epoch >= whole:
            return weights
        share = first + (1 - first) * epoch / whole
        ready = torch.zeros_like(self.confused)
        ready[self.by_ink[: max(round(share * len(self.by_ink)), 2)]] = True
        return weights * ready[self.part.labels]

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"confused": self.confused}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self.confused = state["confused"].to(self.confused.device)

"""Further losses that any architecture can be trained with."""

import torch
import torch.nn.functional as F
from torch import nn

from kakitori.learning.contract import Batch, Outputs


class Imitation:
    """A trained network that another one learns to imitate (Hinton et al. 2015).

    Parameters
    ----------
    columns : int64 (C,), for each class of the learner the teacher's.
    share : of the loss that is the teacher's.
    temperature : of both models' logits.
    """

    def __init__(
        self, teacher: nn.Module, columns: torch.Tensor, share: float, temperature: float
    ) -> None:
        self.teacher = teacher.eval().requires_grad_(False)
        self.columns, self.share, self.temperature = columns, share, temperature

    def to(self, device: torch.device) -> "Imitation":
        teacher = self.teacher.to(device, memory_format=torch.channels_last)
        return Imitation(teacher, self.columns.to(device), self.share, self.temperature)

    def __call__(self, loss: torch.Tensor, outputs: Outputs, images: torch.Tensor) -> torch.Tensor:
        """The learner's own loss and the Kullback–Leibler divergence from the teacher's answers,
        times the temperature's square so that both keep their weight."""
        # In the learner's precision: autocast ended with its forward.
        half = outputs.logits.dtype == torch.bfloat16
        with torch.no_grad(), torch.autocast(images.device.type, torch.bfloat16, half):
            logits = self.teacher(images).logits
        wanted = logits.float()[:, self.columns] / self.temperature
        log_probabilities = F.log_softmax(outputs.logits.float() / self.temperature, 1)
        divergence = F.kl_div(
            log_probabilities, F.log_softmax(wanted, 1), log_target=True, reduction="none"
        )
        imitation = self.temperature**2 * divergence.sum(1).mean()
        return torch.lerp(loss, imitation, self.share)


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
        return -gradient


class WriterAdversary(nn.Module):
    """A head that tells writer groups apart by the features behind a reversed gradient, so that
    these come to say nothing of who wrote (Ganin et al. 2016).

    Parameters
    ----------
    features : how many there are.
    groups : writer groups in training.
    weight : of this loss.
    """

    def __init__(self, features: int, groups: int, weight: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features, 128), nn.ReLU(inplace=True), nn.Linear(128, groups)
        )
        self.weight = weight

    def forward(self, outputs: Outputs, batch: Batch, groups: torch.Tensor) -> torch.Tensor:
        """The loss for writer groups int64 (B,), the mean over images of a known one (the others
        have -1); mixed and partial ones add nothing to it."""
        logits = self.layers(_Reverse.apply(outputs.features.float()))
        known = groups.masked_fill(~batch.pure(), -1)
        loss = F.cross_entropy(logits, known, ignore_index=-1, reduction="sum")
        return self.weight * loss / (groups >= 0).sum().clamp(min=1)

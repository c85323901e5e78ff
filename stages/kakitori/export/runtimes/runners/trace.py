"""Writes a run's network as TorchScript, for a converter that takes no ONNX.

    PYTHONPATH=RUN/stages python trace.py RUN/models FILE

With the code of the run itself, which its weights fit; the batch is one image.
"""

import sys
from pathlib import Path

import torch
from torch import nn

from kakitori.learning import saved
from kakitori.learning.folding import folded


class Logits(nn.Module):
    """The first output alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(images)[0]


def main() -> None:
    described = saved.describe(Path(sys.argv[1]))
    model = described.network()
    model = folded(model.plain())
    image = torch.zeros(1, 1, described.size, described.size)
    with torch.no_grad():
        traced = torch.jit.trace(Logits(model).eval(), image, check_trace=False)
    torch.jit.save(traced, sys.argv[2])


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        print(f"{type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)

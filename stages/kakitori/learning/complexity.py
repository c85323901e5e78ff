"""How large a network is and how much it computes."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def measure(model: nn.Module, size: int) -> dict[str, int]:
    """`parameters`, and `multiply_adds` for one image of `size` pixels a side."""
    training = model.training
    model.eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 1, size, size))
    model.train(training)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
    }

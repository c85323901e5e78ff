"""How large a network is and how much it computes."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def _lstm(
    x: tuple, inner: tuple, recurrent: tuple, *rest: object, out_shape: object = None, **kw: object
) -> int:
    """Operations of one direction of one LSTM layer, of whose inside nothing is seen."""
    return 2 * x[0] * x[1] * (inner[0] * inner[1] + recurrent[0] * recurrent[1])


def measure(model: nn.Module, size: int) -> dict[str, int]:
    """`parameters`, and `multiply_adds` for one image of `size` pixels a side."""
    training = model.training
    model.eval()
    with (
        torch.inference_mode(),
        FlopCounterMode(
            display=False, custom_mapping={torch.ops.aten.mkldnn_rnn_layer: _lstm}
        ) as counter,
    ):
        model(torch.zeros(1, 1, size, size))
    model.train(training)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "multiply_adds": counter.get_total_flops() // 2,
    }

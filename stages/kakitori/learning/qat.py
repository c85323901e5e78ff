"""Quantisation-aware training of any network (Jacob et al. 2018).

In its last steps a network computes with weights and activations rounded as its INT8 export rounds
them: weights symmetrically per output channel to seven bits, the inputs of each layer to 256 levels
over their range, the image to those of int8.INPUT. Gradients pass the rounding unchanged. A scale
per channel is the same whether a batch-norm behind the layer is folded into it or not, so the
export need not know of any of this.
"""

import torch
from torch import nn
from torch.nn.utils import parametrize

LAYERS = (nn.Conv2d, nn.Linear)
LARGEST = 64  # of a rounded weight; int8.py says why it is not 127
IMAGE = 1 / 127, 127  # step and zero of the image, as int8.INPUT
MOMENTUM = 0.01  # of the running range of a layer's inputs


class _Weight(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        flat = weight.detach().flatten(1)
        scale = (flat.abs().amax(1) / LARGEST).clamp(min=1e-12).float()
        zero = torch.zeros_like(scale, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(
            weight.float(), scale, zero, 0, -LARGEST, LARGEST
        )


class _Input(nn.Module):
    def __init__(self, image: bool) -> None:
        super().__init__()
        self.image = image
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))

    def forward(self, layer: nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        x = inputs[0].float()
        if self.image:
            return (torch.fake_quantize_per_tensor_affine(x, *IMAGE, 0, 255),)
        if self.training:
            low, high = x.detach().aminmax()
            first = self.high == self.low
            momentum = torch.where(first, 1.0, MOMENTUM)
            self.low.lerp_(low.clamp(max=0), momentum)
            self.high.lerp_(high.clamp(min=0), momentum)
        scale = ((self.high - self.low) / 255).clamp(min=1e-8)
        zero = (-self.low / scale).round().clamp(0, 255).int()
        return (torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, 255),)


def begin(model: nn.Module) -> None:
    """Round from now on, in place; the names of the state's tensors change until `end`."""
    layers = [m for m in model.modules() if isinstance(m, LAYERS)]
    for layer in layers:
        # Networks begin with the layer that sees the image.
        layer.rounding = _Input(image=layer is layers[0]).to(layer.weight.device)
        layer.rounding.handle = layer.register_forward_pre_hook(layer.rounding)
        parametrize.register_parametrization(layer, "weight", _Weight())


def end(model: nn.Module) -> None:
    """Round no more, in place; the weights keep the values that they were rounded to."""
    for layer in [m for m in model.modules() if isinstance(m, LAYERS)]:
        if parametrize.is_parametrized(layer, "weight"):
            layer.rounding.handle.remove()
            del layer.rounding
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)

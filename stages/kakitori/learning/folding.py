"""Networks in the form that runs best: layers that follow each other as one."""

import copy

import torch
from torch import nn


def folded(net: nn.Module, norms: bool = True) -> nn.Module:
    """A copy of a network for export, equal to it in eval mode and quicker.

    A space-to-depth stem becomes one strided convolution. With `norms` the batch-norm between a
    pooling and its classifier (`norm` and `classifier` of one module) becomes part of the layer
    behind it, whose output alone may then be looked at.
    """
    net = copy.deepcopy(net).eval()
    for module in list(net.modules()):
        if isinstance(module, nn.Sequential) and isinstance(next(iter(module)), nn.PixelUnshuffle):
            _fold_stem(module)
        elif norms and isinstance(getattr(module, "norm", None), nn.BatchNorm1d):
            behind = getattr(module, "reduce", None)
            _fold_norm(module.norm, module.classifier if behind is None else behind)
            module.norm = nn.Identity()
    return net


def _fold_norm(norm: nn.BatchNorm1d, linear: nn.Linear) -> None:
    """Change a linear layer in place so that it does the work of the norm before it as well."""
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    shift = norm.bias - norm.running_mean * scale
    with torch.no_grad():
        linear.bias += linear.weight @ shift
        linear.weight *= scale


def _fold_stem(layers: nn.Sequential) -> None:
    """Make one strided convolution on the image, in place, of an encoder's space-to-depth and the
    convolution that follows it: exports run faster, and stay in whole numbers."""
    r, (old, *_) = layers[0].downscale_factor, layers[1]
    out, _, k, _ = old.weight.shape
    strided = nn.Conv2d(1, out, k * r, r, k // 2 * r, bias=False)
    # Channel r·i + j of space-to-depth is the pixel (i, j) of each r × r cell.
    weight = old.weight.view(out, r, r, k, k).permute(0, 3, 1, 4, 2)
    strided.weight = nn.Parameter(weight.reshape(out, 1, k * r, k * r).detach().contiguous())
    layers[1][0], layers[0] = strided, nn.Identity()

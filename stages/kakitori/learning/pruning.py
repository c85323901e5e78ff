"""Structured pruning: the channels of a trained `cnn` that matter most, as the start of a narrower
one."""

import torch
from torch import nn

from kakitori.learning.blocks import Classifier, Head, SqueezeExcite


@torch.no_grad()
def prune(large: Classifier, small: Classifier) -> None:
    """Give `small` the channels of `large` that count for most, and the best approximation of its
    classifier that the rank allows, in place; training has to follow.

    A channel counts for the size of its norm's scale times the weights by which the next layer
    looks at it (after Liu et al. 2017, who look at the scales alone). The classifier's rank falls
    by its singular value decomposition.

    Raises ValueError where `small` has a stage wider than `large`, or other classes.
    """
    convolutions = [layer for layer in large.encoder if _is_convolution(layer)]
    looks = [layer[0].weight.square().sum((0, 2, 3)).sqrt() for layer in convolutions[1:]]
    looks.append(_looks(large.head))
    kept = torch.arange(convolutions[0][0].in_channels)
    for large_layer, other in zip(large.encoder, small.encoder, strict=True):
        if _is_convolution(large_layer):
            (convolution, norm, _), (narrow, its_norm, _) = large_layer, other
            counts = norm.weight.abs() * looks.pop(0)
            chosen = _largest(counts, narrow.out_channels)
            narrow.weight.copy_(convolution.weight[chosen][:, kept])
            _copy_norm(norm, its_norm, chosen)
            kept = chosen
        elif isinstance(large_layer, SqueezeExcite):
            squeeze, excite = large_layer.squeeze.weight[:, kept], large_layer.excite.weight[kept]
            counts = squeeze.flatten(1).norm(dim=1) * excite.flatten(2).norm(dim=(0, 2))
            hidden = _largest(counts, other.squeeze.out_channels)
            other.squeeze.weight.copy_(squeeze[hidden])
            other.squeeze.bias.copy_(large_layer.squeeze.bias[hidden])
            other.excite.weight.copy_(excite[:, hidden])
            other.excite.bias.copy_(large_layer.excite.bias[kept])
    head, its_head = large.head, small.head
    if len(head.classifier.bias) != len(its_head.classifier.bias):
        raise ValueError(
            f"classes: expected {len(head.classifier.bias)}, found {len(its_head.classifier.bias)}"
        )
    its_head.pool.weight.copy_(head.pool.weight[:, kept])
    _copy_norm(head.norm, its_head.norm, kept)
    weight = head.classifier.weight[:, kept]
    if its_head.reduce is None:
        its_head.classifier.weight.copy_(weight)
    else:
        rank = its_head.reduce.out_features
        u, s, v = torch.linalg.svd(weight, full_matrices=False)
        root = s[:rank].sqrt()
        its_head.classifier.weight.copy_(u[:, :rank] * root)
        its_head.reduce.weight.copy_(root[:, None] * v[:rank])
        its_head.reduce.bias.zero_()
    its_head.classifier.bias.copy_(head.classifier.bias)


def _is_convolution(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Sequential)


def _looks(head: Head) -> torch.Tensor:
    """How much a head looks at each channel of its grid, float (channels,)."""
    if head.reduce is not None:
        raise ValueError("expected a network with a whole classifier, found one of low rank")
    scale = head.norm.weight.abs() / (head.norm.running_var + head.norm.eps).sqrt()
    return head.pool.weight[0].flatten(1).norm(dim=1) * scale * head.classifier.weight.norm(dim=0)


def _largest(counts: torch.Tensor, wanted: int) -> torch.Tensor:
    if wanted > len(counts):
        raise ValueError(f"channels: expected at most {len(counts)} in a stage, found {wanted}")
    return counts.topk(wanted).indices.sort().values


def _copy_norm(norm: nn.Module, its_norm: nn.Module, chosen: torch.Tensor) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(its_norm, name).copy_(getattr(norm, name)[chosen])

"""Convolutional network of the published shape: five stages of 32, 64, 128, 256 and 512 channels,
channel attention on the last three, global pooling and one linear layer.

Where it departs from the published one (archs/published.py): plain instead of depthwise-separable
convolutions behind a space-to-depth stem, which is the most accuracy per second of training, a
pooling that knows places, and no hidden layer.
"""

from collections.abc import Sequence

from kakitori.learning.blocks import CHANNELS, Classifier, Head, encoder


def build(
    classes: Sequence[str],
    characters: object,
    size: int,
    reduction: int = 8,
    dropout: float = 0.0,
    noise: float = 0.0,
) -> Classifier:
    """The network for images of `size` pixels.

    reduction : of the channels inside the attention.
    dropout : share of the features that the classifier does not see in a training step.
    noise : deviation of the normal noise on them in a training step, against their own of 1.
    """
    if not (isinstance(reduction, int) and reduction >= 1):
        raise ValueError(f"reduction: expected a whole number from 1, found {reduction!r}")
    layers = encoder(CHANNELS, reduction)
    return Classifier(layers, Head(CHANNELS[-1], size // 16, len(classes), dropout, noise))

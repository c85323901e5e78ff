"""Convolutional network of the published shape: five stages of 32, 64, 128, 256 and 512 channels,
channel attention on the last three, global pooling and one linear layer.

Where it departs from the published one (archs/published.py): plain instead of depthwise-separable
convolutions behind a space-to-depth stem, which is the most accuracy per second of training, a
pooling that knows places, and no hidden layer.
"""

from collections.abc import Sequence

from kakitori.learning.blocks import CHANNELS, Classifier, Head, encoder
from kakitori.running.params import Count, NotNegative, Share


def build(
    classes: Sequence[str],
    characters: object,
    size: int,
    reduction: Count = 8,
    dropout: Share = 0.0,
    noise: NotNegative = 0.0,
) -> Classifier:
    """The network for images of `size` pixels.

    reduction : of the channels inside the attention.
    dropout : share of the features that the classifier does not see in a training step.
    noise : deviation of the normal noise on them in a training step, against their own of 1.
    """
    layers = encoder(CHANNELS, reduction)
    return Classifier(layers, Head(CHANNELS[-1], size // 16, len(classes), dropout, noise))

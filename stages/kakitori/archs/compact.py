"""The smallest network nearly as accurate as the largest: `cnn` with other widths and a head
of low rank (Sainath et al. 2013), made to be 1.5 MB in INT8 and 0.9 MB in four bits.

Half of cnn's weights tell 3,036 classes apart, each by 512 numbers; here 104 do, made of all
features. The widths grow more slowly, since the last stages hold most of the rest. It learns best
from a teacher (`train.distillation`), and begins best with what stages/prune.py leaves of it.
"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from kakitori.learning.blocks import Classifier, Head, encoder
from kakitori.running.params import Count

CHANNELS = (32, 64, 112, 184, 256)

Channels = Annotated[Sequence[Annotated[int, Field(ge=2)]], Field(min_length=5, max_length=5)]


def build(
    classes: Sequence[str],
    characters: object,
    size: int,
    channels: Channels = CHANNELS,
    rank: Count = 104,
    reduction: Count = 8,
) -> Classifier:
    """The network for images of `size` pixels.

    channels : of the five stages.
    rank : numbers that the classes are told apart by.
    reduction : of the channels inside the attention.
    """
    head = Head(channels[-1], size // 16, len(classes), rank=rank)
    return Classifier(encoder(channels, reduction), head)

"""The smallest network that reads nearly as well as the largest: `cnn` with other widths and a head
of low rank (Sainath et al. 2013), made to be 1.5 MB in INT8 and 0.9 MB in four bits.

Half of cnn's weights tell 3,036 classes apart, each by 512 numbers; here 104 do, made of all
features. The widths grow more slowly, since the last stages hold most of the rest. It learns best
from a teacher (`train.distillation`), and begins best with what stages/prune.py leaves of it.
"""

from collections.abc import Sequence

from kakitori.learning.blocks import Classifier, Head, encoder

CHANNELS = (32, 64, 112, 184, 256)


def build(
    classes: Sequence[str],
    characters: object,
    size: int,
    channels: Sequence[int] = CHANNELS,
    rank: int = 104,
    reduction: int = 8,
) -> Classifier:
    """The network for images of `size` pixels.

    channels : of the five stages.
    rank : numbers that the classes are told apart by.
    reduction : of the channels inside the attention.
    """
    if len(channels) != 5 or not all(isinstance(c, int) and c >= 2 for c in channels):
        raise ValueError(f"channels: expected five whole numbers from 2, found {channels!r}")
    for name, value in (("rank", rank), ("reduction", reduction)):
        if not (isinstance(value, int) and value >= 1):
            raise ValueError(f"{name}: expected a whole number from 1, found {value!r}")
    head = Head(channels[-1], size // 16, len(classes), rank=rank)
    return Classifier(encoder(channels, reduction), head)

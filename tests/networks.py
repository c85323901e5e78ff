"""Every architecture, as untrained networks of a few classes."""

import torch
from torch import nn

from kakitori.learning import contract
from kakitori.running import params
from tests import committed, tables

SETTINGS = committed.settings()
CLASSES = list("あいう一二三書林杏木相目")
# One way to calibrate: which is most accurate is tested in test_int8.py.
QUANTIZE = SETTINGS.quantize.model_copy(update={"calibration": ["minmax"]})
QUICKER = {  # an export holds every step of these
    "seq2seq": {"steps": 6},
    "rnn": {"hidden": 64},
    "vit": {"layers": 2},
}
VARIANTS = [
    (name, SETTINGS.archs.get(name, params.Arch()).net | QUICKER.get(name, {}))
    for name in params.known_models()
]
NAMES = [name for name, _ in VARIANTS]
TWICE = ("cascade", "cnn", "compact", "hiercode", "rnn")  # every way that a file is made


def made(name: str, net: dict, classes: list[str] = CLASSES, size: int = 64) -> nn.Module:
    torch.manual_seed(0)
    settings = SETTINGS.model_copy(
        update={
            "model": name,
            "archs": {name: params.Arch(net=net)},
            "data": SETTINGS.data.model_copy(update={"size": size}),
        }
    )
    return contract.network(settings, classes, tables.characters("".join(classes) + "大森"))


def shaken(model: nn.Module) -> nn.Module:
    """With statistics and scales, some negative, that are not their initial zeros and ones."""
    generator = torch.Generator().manual_seed(2)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor in (module.weight.data, module.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            module.weight.data[::3].neg_()
            for tensor in (module.bias.data, module.running_mean):
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.3)
    return model.eval()

"""PyTorch's exporter, with its table of operators kept once it is made.

It parses five hundred sources for it, the same ones at every export, which is half of the time of a
small one. Importing this module changes it for the process. What stages export in processes of
their own (test_pipeline.py's `dvc repro`) is without it, and the same to the byte.
"""

import functools
import logging

from torch.onnx._internal.exporter._registration import ONNXRegistry

logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision; we do not
ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
ONNXRegistry.from_torchlib(opset_version=21)  # params.yaml's; any other is made when asked for

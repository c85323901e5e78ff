"""PyTorch's exporter, warm, and with its table of operators kept once it is made.

It parses five hundred sources for it, the same ones at every export, which is half of the time of a
small one. And what is imported by then is put aside from Python's collector, which would look for
garbage in a million objects after every training. Importing this module changes both for the
process. What stages export in processes of their own (test_runs.py's `dvc repro`) is without it,
and the same to the byte.
"""

import functools
import gc
import io
import logging
import warnings

import torch
import tqdm
from torch.onnx._internal.exporter._registration import ONNXRegistry

logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision; we do not
ONNXRegistry.from_torchlib = staticmethod(functools.cache(ONNXRegistry.from_torchlib))
ONNXRegistry.from_torchlib(opset_version=21)  # params.yaml's; any other is made when asked for

# The first export imports hundreds of modules. A thread of tqdm's would not survive a fork.
tqdm.tqdm.monitor_interval = 0
with torch.no_grad(), warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # torch's, about its own internals
    torch.onnx.export(
        torch.nn.Linear(2, 2).eval(),
        (torch.zeros(2, 2),),
        io.BytesIO(),
        dynamo=True,
        opset_version=21,
        dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        verbose=False,
    )

gc.collect()
gc.freeze()

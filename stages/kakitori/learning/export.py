"""From a trained network to ONNX files that carry all that is needed to use them."""

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from kakitori import outputs


class _LogitsOnly(nn.Module):
    """The export's first output by name, whatever further heads a network has."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(images).logits


def to_onnx(model: nn.Module, size: int, opset: int, path: Path) -> None:
    """Write a float32 ONNX file: `input` (batch, 1, S, S) to `logits` (batch, C).

    A network may offer `deployed()`, an equal network in the form that runs best.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision; we do not
    model = model.deployed() if hasattr(model, "deployed") else model
    with outputs.whole(path) as part, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's, about its own internals
        torch.onnx.export(
            _LogitsOnly(model).eval(),
            (torch.zeros(2, 1, size, size),),  # an example batch of 1 would be baked in
            str(part),
            dynamo=True,
            opset_version=opset,
            external_data=False,
            dynamic_shapes={"images": {0: torch.export.Dim.DYNAMIC}},
            input_names=["input"],
            output_names=["logits"],
            verbose=False,
        )
        _clean(part)


def to_int8(source: Path, images: np.ndarray, path: Path) -> None:
    """Write a statically quantised copy of an ONNX file (QDQ, per channel).

    Parameters
    ----------
    source : the float32 file.
    images : calibration samples, uint8 (N, S, S).
    """
    with outputs.whole(path) as part:
        prepared = part.with_suffix(".prepared")
        try:
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(part),
                _Samples(images),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={"ActivationSymmetric": False},
            )
        finally:
            prepared.unlink(missing_ok=True)
        _clean(part)


class _Samples(CalibrationDataReader):
    def __init__(self, images: np.ndarray) -> None:
        scaled = images[:, None].astype(np.float32) / 127.5 - 1
        self.batches = iter([scaled[i : i + 64] for i in range(0, len(scaled), 64)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self.batches, None)
        return None if batch is None else {"input": batch}


def _clean(path: Path) -> None:
    """Drop what exporters leave behind: paths of this machine's source files among them."""
    model = onnx.load(path)
    del model.metadata_props[:]
    model.doc_string = ""
    model.producer_name, model.producer_version = "kakitori", ""
    for item in (*model.graph.node, *model.graph.input, *model.graph.output):
        del item.metadata_props[:]
        item.doc_string = ""
    for item in (*model.graph.value_info, *model.graph.initializer, model.graph):
        del item.metadata_props[:]
        item.doc_string = ""
    onnx.save(model, path)


def annotate(path: Path, classes: list[str], size: int, temperature: float) -> None:
    """Write classes, preprocessing and temperature into an ONNX file's metadata."""
    model = onnx.load(path)
    onnx.helper.set_model_props(
        model,
        {
            "classes": "".join(classes),
            "size": str(size),
            "range": "-1 (paper) to 1 (ink)",
            "temperature": str(temperature),
        },
    )
    with outputs.whole(path) as part:
        onnx.save(model, part)

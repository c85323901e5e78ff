"""CoreML's converter, which works on Linux; what it writes runs on Apple's systems alone, and
coremltools has no NumPy reference of its operators. What can be checked here: the saved program
opens again, takes and gives what it should, and holds the weights of the ONNX file.

Takes the network as TorchScript (`network.pt`), since coremltools takes no ONNX.
"""

import coremltools as ct
import feeding
import numpy as np
import onnx
import torch

LARGE = 1000  # numbers of a tensor that is looked for


def convert(folder, kind):
    network = torch.jit.load(folder / "network.pt").eval()
    size = np.load(folder / "images.npy", mmap_mode="r").shape[-1]
    half = kind == "fp16"
    model = ct.convert(
        network,
        inputs=[ct.TensorType("input", shape=(1, 1, size, size), dtype=np.float32)],
        outputs=[ct.TensorType("logits", dtype=np.float32)],
        compute_precision=ct.precision.FLOAT16 if half else ct.precision.FLOAT32,
        minimum_deployment_target=ct.target.iOS16,
        skip_model_load=True,
    )
    path = folder / "model.mlpackage"
    model.save(str(path))
    check(path, folder / "fixed.onnx", 1e-3 if half else 1e-5)
    return [path]


def check(path, export, tolerance):
    """Raises ValueError where the saved program has other inputs, outputs or weights."""
    model = ct.models.MLModel(str(path), skip_model_load=True)
    description = model.get_spec().description
    names = [[value.name for value in side] for side in (description.input, description.output)]
    if names != [["input"], ["logits"]]:
        raise ValueError(f"expected input and logits in the saved program, found {names}")
    weights = map(onnx.numpy_helper.to_array, onnx.load(export).graph.initializer)
    expected = magnitudes(w for w in weights if w.size > LARGE)
    stored = ct.optimize.coreml.get_weights_metadata(model, weight_threshold=LARGE)
    sums = magnitudes(weight.val for weight in stored.values())
    if len(sums) != len(expected) or not np.allclose(sums, expected, rtol=tolerance):
        raise ValueError(
            f"expected weights in the saved program whose magnitudes add up to {expected}, "
            f"found {sums}"
        )


def magnitudes(weights):
    """The sum of magnitudes of each, smallest first: layouts differ, and so does the order."""
    return np.sort([float(np.abs(weight.astype(np.float64)).sum()) for weight in weights])


if __name__ == "__main__":
    feeding.main("coremltools", convert, lambda _files, _kind: None)

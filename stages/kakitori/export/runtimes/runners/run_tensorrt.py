"""TensorRT, by ONNX Runtime's provider. Written without an NVIDIA GPU: it has never run."""

import feeding
import onnxruntime
import tensorrt  # noqa: F401, its libraries are what the provider loads
from run_onnxruntime import load

if __name__ == "__main__":
    onnxruntime.preload_dlls()
    feeding.main(
        "tensorrt-cu12",
        feeding.as_it_is,
        lambda files, kind: load(
            files, kind, ("TensorrtExecutionProvider", "CUDAExecutionProvider")
        ),
    )

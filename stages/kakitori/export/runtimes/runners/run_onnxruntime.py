"""ONNX Runtime, which the others are held against; its provider for TensorRT on request."""

import feeding
import onnxruntime


def load(files, _kind, providers=("CPUExecutionProvider",)):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(files[0]), options, providers=list(providers))
    if session.get_providers()[0] != providers[0]:
        raise RuntimeError(f"expected {providers[0]}, found {session.get_providers()[0]}")
    return lambda image: session.run(["logits"], {"input": image})[0]


if __name__ == "__main__":
    feeding.main("onnxruntime", feeding.as_it_is, load)

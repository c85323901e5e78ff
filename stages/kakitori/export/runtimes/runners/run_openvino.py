"""OpenVINO reads ONNX files as they are."""

import feeding
import openvino


def load(files, _kind):
    # Else it computes in bfloat16 or with several threads where the processor has them.
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1}
    model = openvino.Core().compile_model(str(files[0]), "CPU", settings)
    return lambda image: model([image])[0]


if __name__ == "__main__":
    feeding.main("openvino", feeding.as_it_is, load)

"""tract, an engine in Rust, reads ONNX files as they are."""

import feeding
import tract


def load(files, _kind):
    model = tract.onnx().load(str(files[0]))
    runnable = model.into_model().into_runnable()
    return lambda image: runnable.run([image])[0].to_numpy()


if __name__ == "__main__":
    feeding.main("tract", feeding.as_it_is, load)

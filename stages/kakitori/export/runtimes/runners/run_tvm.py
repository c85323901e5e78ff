"""TVM compiles the network to a shared library for this processor, here without tuning."""

import feeding
import onnx
import tvm
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx


def convert(folder, _kind):
    module = from_onnx(onnx.load(folder / "fixed.onnx"))
    processor = tvm.get_global_func("target.llvm_get_system_cpu")()
    target = tvm.target.Target({"kind": "llvm", "mcpu": processor, "num-cores": 1})
    compiled = tvm.compile(module, target=target)
    compiled.export_library(str(folder / "model.so"))
    return [folder / "model.so"]


def load(files, _kind):
    machine = relax.VirtualMachine(tvm.runtime.load_module(str(files[0])), tvm.cpu())

    def read(image):
        output = machine["main"](tvm.runtime.tensor(image))
        return (output if hasattr(output, "numpy") else output[0]).numpy()

    return read


if __name__ == "__main__":
    feeding.main("apache-tvm", convert, load)

"""ncnn, by pnnx: two files, the network as text and its weights."""

import subprocess

import feeding
import ncnn
import numpy as np
import pnnx


def convert(folder, kind):
    size = np.load(folder / "images.npy", mmap_mode="r").shape[-1]
    command = [pnnx.EXEC_PATH, "fixed.onnx", f"inputshape=[1,1,{size},{size}]"]
    command.append(f"fp16={int(kind == 'fp16')}")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    files = [folder / "fixed.ncnn.param", folder / "fixed.ncnn.bin"]
    if done.returncode or not all(file.is_file() for file in files):
        raise RuntimeError(f"pnnx: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    return files


def load(files, kind):
    net = ncnn.Net()
    net.opt.num_threads = 1
    if kind == "fp32":  # else what flows between layers is halved where the processor can
        net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    if net.load_param(str(files[0])) or net.load_model(str(files[1])):
        raise RuntimeError("ncnn refuses the files of pnnx")

    def read(image):
        with net.create_extractor() as extractor:
            extractor.input("in0", ncnn.Mat(image[0]))
            status, logits = extractor.extract("out0")
            if status:
                raise RuntimeError(f"ncnn ends with status {status}")
            return np.array(logits)

    return read


if __name__ == "__main__":
    feeding.main("ncnn", convert, load)

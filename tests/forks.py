"""Scripts run in processes that are forked from one with PyTorch and the like already imported.

A script behaves as after `python SCRIPT ARGUMENTS`, and begins seconds earlier. Nothing of kakitori
is imported before the fork: it comes from beside the script.
"""

import faulthandler
import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests import settings_read

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # as kakitori does, which comes too late here
SETTINGS_READ = "TESTS_SETTINGS_READ"  # a variable: the file for what a script reads of params.yaml
ROOT = Path(__file__).resolve().parents[1]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "tests", "torch", "torch.export", "torch.utils.flop_counter", "sympy", "networkx",
        "torch.onnx._internal.exporter._core", "onnxscript.function_libs.torch_lib.ops", "pandas",
        "pyarrow.parquet", "h5py", "matplotlib.pyplot", "scipy.stats", "onnx", "onnxruntime",
        "onnxruntime.quantization", "safetensors.torch", "PIL.ImageFont", "tqdm", "cv2",
        "ruamel.yaml", "requests", "fontTools.ttLib", "pydantic.main", "pyarrow.dataset",
        "matplotlib.backends.backend_agg",
        "tests.meter", "tests.exporter",  # found where the tests run in the repository
    ]
)  # fmt: skip


def start(
    root: Path, script: str, arguments: Sequence[str], variables: Mapping[str, str], folder: Path
) -> BaseProcess:
    """A process that runs `script` of `root` there, with these arguments and environment; what it
    says goes to the files `out` and `err` of `folder`."""
    files = [folder / "out", folder / "err"]
    for file in files:
        file.touch()
    given = (str(root), script, list(arguments), dict(variables), [str(file) for file in files])
    process = FORKS.Process(target=_become, args=given)
    process.start()
    return process


def _become(
    root: str, script: str, arguments: list[str], variables: dict[str, str], files: list[str]
) -> None:
    for descriptor, name in enumerate(files, 1):
        os.dup2(os.open(name, os.O_WRONLY), descriptor)
    faulthandler.enable()
    os.chdir(root)
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = None  # what was imported may have asked for it
    sys.argv = [script, *arguments]
    ours = {str(ROOT), str(ROOT / "stages"), ""}
    sys.path[:] = [str(Path(root, script).parent), *(p for p in sys.path if p not in ours)]
    for name in [name for name in sys.modules if name.split(".")[0] == "kakitori"]:
        del sys.modules[name]  # whoever started this process may have brought it along
    read = settings_read.record() if SETTINGS_READ in variables else set()
    try:
        runpy.run_path(str(Path(root, script)), run_name="__main__")
    finally:
        if read:
            Path(variables[SETTINGS_READ]).write_text("\n".join(sorted(read)), "utf-8")

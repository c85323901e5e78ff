"""Sessions of ONNX Runtime, and batches that are read at the same time."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import onnxruntime

from kakitori.errors import DataError

T = TypeVar("T")
PROVIDER = "ExecutionProvider"  # how ONNX Runtime ends their names
OLDEST_RUNTIME = "1.18.1"  # of ONNX Runtime, for IR version 10; pyproject.toml asks pip for it
# How ONNX Runtime says that a file is newer than it; there is no public kind of error.
TOO_NEW = (
    r"Unsupported model IR version: (?P<ir>\d+), max supported IR version: (?P<to_ir>\d+)"
    r"|Opset (?P<opset>\d+) is under development.* till opset (?P<to_opset>\d+)"
)


def in_turns(
    read: Callable[[T], list[np.ndarray]], batches: Iterable[T], threads: int = 0
) -> list[np.ndarray]:
    """What `read` gives for each batch, joined along the first axis; so many batches at a time,
    0 for one per core."""
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        parts = list(pool.map(read, batches))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _asked(providers: Sequence[str]) -> list[str]:
    """Providers by ONNX Runtime's names, the CPU last; DataError for one that it does not have."""
    known = {name.removesuffix(PROVIDER): name for name in onnxruntime.get_available_providers()}
    spelled = {name.lower(): whole for name, whole in known.items()}
    whole_names = []
    for name in [providers] if isinstance(providers, str) else providers:
        whole = spelled.get(str(name).removesuffix(PROVIDER).lower())
        if whole is None:
            raise DataError(
                f"providers: expected some of {', '.join(known)}, which the installed ONNX Runtime "
                f"{onnxruntime.__version__} has, found {name!r}; in place of onnxruntime, "
                "onnxruntime-gpu brings CUDA and onnxruntime-openvino OpenVINO; macOS has CoreML"
            )
        whole_names.append(whole)
    return list(dict.fromkeys([*whole_names, f"CPU{PROVIDER}"]))


def open_session(
    path: Path, threads: int = 1, providers: Sequence[str] = ()
) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session with `providers` before the CPU, and the settings that the file's
    metadata asks for (`session.…`); DataError for a file that is no model, or too new for the one
    installed, and for a provider that is not there or does not start."""
    asked = _asked(providers)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3

    def opened() -> onnxruntime.InferenceSession:
        return onnxruntime.InferenceSession(str(path), options, providers=asked)

    try:
        session = opened()
        metadata = session.get_modelmeta().custom_metadata_map
        wanted = {k: v for k, v in metadata.items() if k.startswith("session.")}
        for key, value in wanted.items():
            options.add_session_config_entry(key, value)
        session = opened() if wanted else session
    except Exception as error:  # ONNX Runtime raises its own kinds, none of them public
        reason = " ".join(str(error).split())
        if newer := re.search(TOO_NEW, reason):
            kind = "opset" if newer["opset"] else "IR version"
            wanted, most = filter(None, newer.group("ir", "to_ir", "opset", "to_opset"))
            raise DataError(
                f"{path}: expected an ONNX Runtime that reads {kind} {wanted}, found "
                f"{onnxruntime.__version__}, which reads up to {most}; `pip install --upgrade "
                f"onnxruntime` brings a newer one (our files need {OLDEST_RUNTIME})"
            ) from None
        raise DataError(f"{path}: expected an ONNX model, found: {reason[:200]}") from None
    # One whose libraries are missing is left out with no more than a line on stderr.
    if failed := [name for name in asked if name not in session.get_providers()]:
        raise DataError(
            f"providers: expected {failed[0].removesuffix(PROVIDER)} to start, found that ONNX "
            "Runtime leaves it out: its libraries or its device are missing"
        )
    return session

"""Which runtimes the files have been tried on."""

RUN, CHECKED, UNTRIED = "run here", "operators checked", "untried"


def table(quantize: dict) -> list[tuple[str, str, str]]:
    """Backend, state and what is known of it, from the metrics of `quantize`.

    "Operators checked" says that every operator of strict.onnx is in the backend's own list
    (learning/export.py, STRICT); nothing has been run there.
    """
    strict = "strict" in quantize
    agreed = [name for name, line in quantize.items() if _second(line) == "agrees"]
    checked = (CHECKED, "`strict.onnx`") if strict else (UNTRIED, "")
    return [
        ("ONNX Runtime, CPU", RUN, "every file"),
        ("onnx.reference", RUN, f"the same logits: {', '.join(agreed)}"),
        ("ONNX Runtime Web, WASM", CHECKED, "the CPU's operators, all files"),
        ("TensorRT", *checked),
        ("CoreML", *checked),
        ("TFLite, by onnx2tf", *checked),
        ("OpenVINO", UNTRIED, ""),
        ("TVM", UNTRIED, ""),
        ("NNAPI", UNTRIED, ""),
        ("ONNX Runtime, ARM CPU", UNTRIED, "the same operators as on x86"),
    ]


def _second(line: object) -> str:
    return line.get("second_runtime", "") if isinstance(line, dict) else ""

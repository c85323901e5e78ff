"""Which runtimes have run the files, as stages/runtimes.py and quantize measured it."""

import json
from pathlib import Path

from kakitori.reading.formats import FORMATS

COMMAND = "`python stages/runtimes.py`"


def read(path: Path) -> dict:
    """metrics/runtimes.json; nothing where it has not been measured."""
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def table(measured: dict, evaluate: dict, quantize: dict) -> list[tuple[str, ...]]:
    """Rows of text: runtime, file, state, size beside its ONNX file's, share of the same first
    answers, largest difference of a probability, top-1, milliseconds beside ONNX Runtime's.

    Parameters
    ----------
    measured : metrics/runtimes.json; empty, or of another run, when nothing is known of this one.
    evaluate, quantize : the metrics of this run.
    """
    agreed = [name for name, line in quantize.items() if _second(line) == "agrees"]
    rows = [_row("onnx.reference", ", ".join(agreed), "run here")] if agreed else []
    if not measured:
        return [*rows, _row("all others", "", f"not tried: {COMMAND}")]
    if not is_of_run(measured, evaluate):
        why = f"not tried: `metrics/runtimes.json` is of another run; {COMMAND}"
        return [*rows, _row("all others", "", why)]
    for runtime in measured["runtimes"].values():
        title = " ".join(filter(None, [runtime["title"], runtime.get("version")]))
        rows += [_measured(title, kind, line) for kind, line in runtime["formats"].items()]
    return rows


def is_of_run(measured: dict, evaluate: dict) -> bool:
    """Whether the runtimes read the run that `evaluate` is of."""
    own = {
        "model": evaluate["model"],
        "dataset": evaluate["dataset"]["fingerprint"],
        "test_nll": evaluate["fp32"]["nll"],
    }
    return own.items() <= measured["run"].items()


def _measured(title: str, kind: str, line: dict) -> tuple[str, ...]:
    state = f"{line['state']}: {_cell(line['why'])}" if "why" in line else line["state"]
    file = line.get("file") or line.get("onnx")
    numbers = FORMATS[kind].title.removeprefix("ONNX ")
    label = f"{numbers}, `{file}`" if file else numbers
    figures = []
    if "bytes" in line:
        figures.append(f"{line['bytes'] / 1e6:.2f} MB of {line['onnx_bytes'] / 1e6:.2f}")
    if "equal" in line:
        if not figures:
            figures.append("")
        figures += [
            f"{line['equal']:.2%}",
            f"{line['probability_difference']:.1g}",
            f"{line['top1']:.2%}",
            f"{line['milliseconds']:.2f} of {line['onnx_milliseconds']:.2f}",
        ]
    return _row(title, label, state, *figures)


def _row(*cells: str) -> tuple[str, ...]:
    return (*cells, *[""] * (8 - len(cells)))


def _cell(text: str) -> str:
    """What a program said, as text of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _second(line: object) -> str:
    return line.get("second_runtime", "") if isinstance(line, dict) else ""

"""The report: one HTML page of everything that a run measured."""

import base64
import io
import tempfile
from pathlib import Path
from typing import NamedTuple

import jinja2
import pandas as pd
from PIL import Image

from kakitori.accuracy import figures
from kakitori.card.metrics import read
from kakitori.reading.formats import FORMATS, FORMER, GATED
from kakitori.results import gate

TEMPLATE = Path(__file__).with_name("report.html")
COLOURS = 64  # of a picture: enough for plots and grey sheets, a third of the bytes
PICTURES = {  # below metrics/plots: what is to be seen
    "evaluate/worst.png": "The classes read worst: a sample, what it is, what it was taken for",
    "evaluate/confused.png": "The pairs confused most, the strokes that tell them apart in red",
    "evaluate/reliability.png": "How often it is right when it says how sure it is",
    "evaluate/risk_coverage.png": "Errors left when the least sure answers are not given",
    "evaluate/strokes.png": "Errors by number of strokes",
    "quantize/formats.png": "What each format costs",
    "audit/audit.png": "Samples whose label the network contradicts",
    "synthesize/writers.png": "The synthetic writers",
}


class Change(NamedTuple):
    """A figure of the base and of this run."""

    name: str
    before: float
    after: float


def page(root: Path, base: str | None = None) -> str:
    """The page of the metrics of a working tree; FileNotFoundError where one is missing, DataError
    where one is damaged or of another run's model (stale)."""
    metrics, _ = read(root)
    plots = root / "metrics/plots"
    leaderboard = root / "metrics/leaderboard.csv"
    slices = pd.read_csv(plots / "evaluate/slices.csv")
    worst = slices[slices["slice"].isin(["radical", "component"]) & (slices["samples"] >= 50)]
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["percent"] = lambda x: f"{100 * x:.2f} %"
    return environment.from_string(TEMPLATE.read_text("utf-8")).render(
        **metrics,
        formats=[
            (each.title, metrics["quantize"].get(key, {}), metrics["evaluate"].get(key, {}))
            for key, each in FORMATS.items()
            if key in metrics["quantize"]
        ],
        worst=worst.sort_values(["top1", "value"]).head(12).to_dict("records"),
        writers=_writers(pd.read_csv(root / "metrics/by_writer.csv")),
        leaderboard=pd.read_csv(leaderboard).to_dict("records") if leaderboard.is_file() else [],
        changes=_changes(root, base, metrics),
        pictures=_pictures(plots),
    )


def _changes(root: Path, base: str | None, metrics: dict[str, dict]) -> dict:
    """What the gate says, and each format's figures before and after; empty without a base."""
    verdict = gate.compare(root, base)
    revision, old = gate.base_of(root, base)
    if revision is None:
        return {}
    changes = [
        Change(f"{name} {key}", old[name][key], metrics["evaluate"][name][key])
        for name in GATED
        if name in old
        for key in ("top1", "top5", "nll", "ece")
    ]
    return {"revision": revision[:12], "verdict": verdict.lines, "figures": changes}


def _writers(table: pd.DataFrame) -> list[dict]:
    """Writer groups, best first: name, samples, top1."""
    top1 = table.rename(columns=FORMER)["fp32"] / table["total"]
    return table.assign(top1=top1).sort_values("top1", ascending=False).to_dict("records")


def _pictures(plots: Path) -> list[tuple[str, str]]:
    """What is to be seen and its data URL, of those that are there; and the curve of learning."""
    there = [(text, plots / name) for name, text in PICTURES.items() if (plots / name).is_file()]
    curve = plots / "train/curve.csv"
    with tempfile.TemporaryDirectory() as folder:
        if curve.is_file():
            there.insert(2, ("Learning", Path(folder) / "curve.png"))
            figures.learning_curve(there[2][1], pd.read_csv(curve))
        return [(text, _picture(path)) for text, path in there]


def _picture(path: Path) -> str:
    """A picture as a data URL, in fewer colours where that is smaller."""
    whole, few = path.read_bytes(), io.BytesIO()
    Image.open(path, formats=("PNG",)).convert("RGB").quantize(COLOURS).save(
        few, "PNG", optimize=True
    )
    content = min(whole, few.getvalue(), key=len)
    return "data:image/png;base64," + base64.b64encode(content).decode()

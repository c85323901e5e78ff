"""What the run cost, and what using its models costs: energy, carbon on several grids, equivalents.

    python stages/carbon.py

Reads metrics/energy/ and the exports; writes metrics/carbon.json. A grid of your own is one more
entry of `carbon.grids`.
"""

import json
from pathlib import Path

import codecarbon
import numpy as np

from kakitori import outputs
from kakitori.reading.recognizer import Recognizer
from kakitori.running import energy, stage
from kakitori.running.params import ROOT, Carbon, Settings

STAGES = ("characters", "synthesize", "extract", "train", "quantize", "evaluate", "audit")


def main(settings: Settings) -> None:
    options = settings.carbon
    stages = {
        name: json.loads((ROOT / f"metrics/energy/{name}.json").read_text(encoding="utf-8"))
        for name in STAGES
    }
    keys = ("seconds", "kwh", "cpu_kwh", "gpu_kwh", "ram_kwh")
    total = {key: sum(record[key] for record in stages.values()) for key in keys}
    example = stages["train"]
    inference = {
        path.stem: _inference_wh(path, settings)
        for path in sorted((ROOT / "models/exports").glob("*.onnx"))
    }
    a_year = 365 * options.images_a_day / 1000 / 1000  # from Wh per 1,000 to kWh
    metrics = {
        "stages": {name: {key: record[key] for key in keys} for name, record in stages.items()},
        "total_seconds": round(total["seconds"], 3),
        "total_kwh": total["kwh"],
        "shares": {part: total[f"{part}_kwh"] / total["kwh"] for part in ("cpu", "gpu", "ram")},
        "rated_kwh": energy.rated(total["seconds"], options.rated_watts),
        "kg_co2e": energy.on_grids(total["kwh"], options.grids),
        "equivalents": energy.equivalents(
            total["kwh"], options.grids["world"], options.equivalents
        ),
        "wh_per_1000_inferences": inference,
        "a_year": {
            name: {"kwh": wh * a_year, "kg_co2e": energy.on_grids(wh * a_year, options.grids)}
            for name, wh in inference.items()
        },
        "savings": energy.savings(inference, options.grids),
        "hardware": {key: example[key] for key in ("cpu", "cpu_watt", "gpu", "ram_gb", "tracking")},
        "assumptions": _assumptions(options),
    }
    outputs.write_json(ROOT / "metrics/carbon.json", metrics)
    print(
        f"carbon: {1000 * metrics['total_kwh']:.2f} Wh in {metrics['total_seconds']:.0f} s of "
        "measured stages"
    )


def _assumptions(options: Carbon) -> dict[str, str]:
    """What the figures rest on, for whoever reads them."""
    return {
        "power": f"codecarbon {codecarbon.__version__}; without a power meter (RAPL) it "
        "assumes 4 W per thread times the load and 20 W for memory, right to an order of "
        "magnitude",
        "rated": f"the published way beside it: {options.rated_watts:g} W for the whole time",
        "inference": "one image at a time on one thread, the machine's whole estimated power",
        "a_year": f"{options.images_a_day:,} images a day",
        "stages": "a stage that was restored rather than run brings its original run's energy",
        "grids": "; ".join(
            f"{name} {grid.intensity:g} g/kWh ({grid.source}, {grid.year})"
            for name, grid in options.grids.items()
        ),
        "equivalents": "; ".join(
            f"{name}: {each.amount:g} {each.unit} ({each.source}, {each.year})"
            for name, each in options.equivalents.items()
        ),
    }


def _inference_wh(path: Path, settings: Settings) -> float:
    """Wh of 1,000 inferences, one by one."""
    recognizer = Recognizer(path, threads=1)
    image = np.zeros((1, recognizer.size, recognizer.size), np.uint8)
    image[:, recognizer.size // 4 : recognizer.size // 2] = 255
    recognizer.logits(image)
    with energy.tracked(settings.carbon.country) as record:
        for _ in range(settings.carbon.inferences):
            recognizer.logits(image)
    return 1000 * record["kwh"] / settings.carbon.inferences * 1000


if __name__ == "__main__":
    stage.run(main, __doc__)

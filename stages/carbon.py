"""What the run cost: energy per stage and per inference, and its carbon on several grids.

    python stages/carbon.py

Reads metrics/energy/ and the exports; writes metrics/carbon.json.
"""

import json

import numpy as np

from kakitori import outputs, stage
from kakitori.params import ROOT, Settings
from kakitori.recognizer import Recognizer
from kakitori.results import energy

STAGES = ("characters", "synthesize", "extract", "train", "quantize", "evaluate", "audit")
EXPORTS = {"onnx": "fp32.onnx", "int8": "int8.onnx"}


def main(settings: Settings) -> None:
    stages = {
        name: json.loads((ROOT / f"metrics/energy/{name}.json").read_text(encoding="utf-8"))
        for name in STAGES
    }
    metrics: dict = {"stages": {}}
    for name, record in stages.items():
        metrics["stages"][name] = {"seconds": record["seconds"], "kwh": record["kwh"]}
    metrics["total_seconds"] = round(sum(r["seconds"] for r in stages.values()), 3)
    metrics["total_kwh"] = sum(r["kwh"] for r in stages.values())
    metrics["kg_co2e"] = {
        name: metrics["total_kwh"] * grid.intensity / 1000
        for name, grid in settings.carbon.grids.items()
    }
    metrics["wh_per_1000_inferences"] = {
        name: _inference_wh(ROOT / "models/exports" / file, settings)
        for name, file in EXPORTS.items()
    }
    example = next(iter(stages.values()))
    metrics["assumptions"] = {
        "processor": example["cpu"],
        "power": "codecarbon's estimate; without a power meter (RAPL) it assumes 4 W per thread "
        "times the load and 20 W for memory, right to an order of magnitude",
        "inference": "one image at a time on one thread, the machine's whole estimated power",
        "stages": "a stage that was restored rather than run brings its original run's energy",
        "grids": "; ".join(
            f"{name} {grid.intensity:g} g/kWh ({grid.source}, {grid.year})"
            for name, grid in settings.carbon.grids.items()
        ),
    }
    outputs.write_json(ROOT / "metrics/carbon.json", metrics)
    print(
        f"carbon: {1000 * metrics['total_kwh']:.2f} Wh in {metrics['total_seconds']:.0f} s of "
        "measured stages"
    )


def _inference_wh(path, settings: Settings) -> float:
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

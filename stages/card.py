"""The model card, from the metrics alone.

    python stages/card.py

Reads metrics/*.json and models/model.json; writes models/README.md and models/classes.json.
"""

import json

from kakitori import outputs, stage
from kakitori.params import ROOT, Settings
from kakitori.results import card


def main(settings: Settings) -> None:
    def read(name: str) -> dict:
        return json.loads((ROOT / name).read_text(encoding="utf-8"))

    metrics = {
        name: read(f"metrics/{name}.json")
        for name in ("extract", "split", "train", "quantize", "evaluate", "carbon")
    }
    model = read("models/model.json")
    outputs.write_json(
        ROOT / "models/classes.json", {str(k): c for k, c in enumerate(model["classes"])}
    )
    with outputs.whole(ROOT / "models/README.md") as part:
        part.write_text(card.text(metrics, model), encoding="utf-8")


if __name__ == "__main__":
    stage.run(main, __doc__)

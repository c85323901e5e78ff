"""The model card, from the metrics alone.

    python stages/card.py

Reads metrics/*.json (runtimes.json where it is there), metrics/leaderboard.csv and
models/model.json; writes models/README.md and models/classes.json.
"""

from kakitori import outputs
from kakitori.card import backends, card, choice, metrics
from kakitori.running import stage
from kakitori.running.params import ROOT, Settings


def main(settings: Settings) -> None:
    measured, model = metrics.read(ROOT)
    runtimes = backends.read(ROOT / "metrics/runtimes.json")
    text = card.text(measured, model, choice.read(ROOT / "metrics/leaderboard.csv"), runtimes)
    outputs.write_json(
        ROOT / "models/classes.json", {str(k): c for k, c in enumerate(model["classes"])}
    )
    with outputs.whole(ROOT / "models/README.md") as part:
        part.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    stage.run(main, __doc__)

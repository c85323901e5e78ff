"""Writer-independent parts: no writer group in two of them.

    python stages/split.py

Reads data/index.parquet; writes data/split.parquet and metrics/split.json.
"""

import pandas as pd

from kakitori import outputs, stage
from kakitori.corpora.split import assign_parts, summary
from kakitori.params import ROOT, Settings


def main(settings: Settings) -> None:
    index = pd.read_parquet(ROOT / "data/index.parquet")
    part = assign_parts(index, settings.split, settings.seed)
    table = pd.DataFrame({"sample": index["sample"], "part": part})
    outputs.write_parquet(ROOT / "data/split.parquet", table)
    outputs.write_json(ROOT / "metrics/split.json", summary(index, part, settings.split.scheme))


if __name__ == "__main__":
    stage.run(main, __doc__)

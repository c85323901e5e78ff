"""Writer-independent parts: no writer group in two of them.

    python stages/split.py

Reads data/index.parquet and the shards; writes data/split.parquet, metrics/split.json and the list
of images that are in two parts.
"""

import pandas as pd

from kakitori import outputs
from kakitori.running import stage
from kakitori.running.params import ROOT, Settings
from kakitori.splitting import duplicates
from kakitori.splitting.split import assign_parts, check, summary


def main(settings: Settings) -> None:
    index = pd.read_parquet(ROOT / "data/index.parquet")
    part = assign_parts(index, settings.split, settings.data.mix, settings.seed)
    copies = duplicates.exact(index, part)
    part[index["sample"].isin(copies["sample"])] = "none"  # learned, they would give the answer
    check(index, part, settings.split.scheme)
    alike = duplicates.near(index, part, ROOT / "data/shards")
    with outputs.whole_folder(ROOT / "metrics/plots/split") as folder:
        listed = pd.concat([copies.assign(kind="exact"), alike.assign(kind="near")])
        outputs.write_csv(folder / "duplicates.csv", listed)
    table = pd.DataFrame({"sample": index["sample"], "part": part})
    outputs.write_parquet(ROOT / "data/split.parquet", table)
    counts = {"exact_removed": len(copies), "near_listed": len(alike)}
    metrics = summary(index, part, settings.split.scheme) | {"duplicates_across_parts": counts}
    outputs.write_json(ROOT / "metrics/split.json", metrics)


if __name__ == "__main__":
    stage.run(main, __doc__)

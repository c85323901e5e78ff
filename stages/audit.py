"""Samples whose label the trained network contradicts: the first to look at for wrong labels.

    python stages/audit.py

Reads by the INT8 export, the quickest, validation and of training what was misread in the last
epoch, and takes from `evaluate` what it saw on test; writes metrics/plots/audit/: audit.csv,
largest margin of the answer over the label first (Northcutt et al. 2021), and a contact sheet. A
network that has seen a wrong label a few times, distorted anew each time, often contradicts it
still.
"""

import pandas as pd

from kakitori import outputs
from kakitori.accuracy import figures, scoring
from kakitori.learning.samples import data, shards
from kakitori.reading.recognizer import Recognizer
from kakitori.running import stage
from kakitori.running.params import ROOT, Settings

PARTS = ("train", "val")


def main(settings: Settings) -> None:
    export = Recognizer(ROOT / "models/exports/int8.onnx", threads=0)
    classes = list(export.classes)
    index = data.placed_index(ROOT)
    doubtful = index["sample"].isin(pd.read_parquet(ROOT / "data/doubtful.parquet")["sample"])
    index = index[doubtful | (index["part"] != "train")]
    tables = [pd.read_parquet(ROOT / "data/contradicted.parquet")]
    for name in PARTS:
        part = data.load_part(ROOT, index, name, classes)
        images, labels = part.images[:, 0].numpy(), part.labels.numpy()
        predictions = scoring.predict(export.logits, images, labels, export.temperature)
        tables.append(scoring.contradicted(predictions, part.rows, classes))
    table = pd.concat(tables).sort_values(["margin", "sample"], ascending=[False, True])
    table = table.head(settings.evaluate.audited)
    images = shards.load_images(ROOT / "data/shards", table)
    with outputs.whole_folder(ROOT / "metrics/plots/audit") as folder:
        outputs.write_csv(folder / "audit.csv", table)
        figures.audited(folder / "audit.png", table, images)
    print(f"audit: {len(table)} samples listed, {sum(map(len, tables)):,} contradicted in all")


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True)

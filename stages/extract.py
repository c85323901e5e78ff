"""ETL records to HDF5 shards and one index.

    python stages/extract.py

Reads the corpora that data.corpora names below data/synthetic and data/raw (folders or zips);
writes data/shards/, data/index.parquet and metrics/extract.json.
"""

import time

from kakitori import outputs, stage
from kakitori.corpora import etl, extraction
from kakitori.errors import DataError
from kakitori.params import ROOT, Settings
from kakitori.writing.charset import script


def main(settings: Settings) -> None:
    corpora = settings.data.names()
    if len(set(corpora)) < len(corpora) or not corpora:
        raise DataError(f"data.corpora: expected different corpora, found {corpora}")
    sources = [s for name in corpora for s in etl.find_sources(ROOT / "data", name)]
    started = time.perf_counter()
    with outputs.whole_folder(ROOT / "data/shards") as folder:
        index = extraction.write_shards(sources, folder, settings.data.size)
    rate = len(index) / (time.perf_counter() - started)
    outputs.write_parquet(ROOT / "data/index.parquet", index)
    scripts = index.drop_duplicates("codepoint")["codepoint"].map(script).value_counts()
    metrics = {
        "samples": len(index),
        "classes": int(index["codepoint"].nunique()),
        "writer_groups": int(index["writer_group"].nunique()),
        "model_sheet_samples": int(index["is_model_sheet"].sum()),
        "shards": len(sources),
        "corpora": {
            name: {
                "files": sum(s.corpus == name for s in sources),
                "samples": int((index["corpus"] == name).sum()),
            }
            for name in corpora
        },
        "classes_by_script": {name: int(n) for name, n in sorted(scripts.items())},
    }
    outputs.write_json(ROOT / "metrics/extract.json", metrics)
    print(f"extract: {len(index):,} samples from {len(sources)} files, {rate:,.0f} records/s")


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True)

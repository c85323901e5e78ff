"""Files of every corpus to HDF5 shards and one index.

    python stages/extract.py [--verify]

Reads the corpora that data.corpora names below data/synthetic and data/raw (folders or archives);
writes data/shards/, data/index.parquet, metrics/extract.json and the list of what was left out. Of
characters with strokes left out that synthesize wrote, data/shards has a file of their own.
With --verify it writes nothing and prints, for every ETL set found there, what the official
specifications say beside what its files hold.
"""

import itertools
import sys
import time
from collections import Counter

from kakitori import outputs
from kakitori.corpora import catalog, extraction, partial, summary
from kakitori.corpora.records.database import set_name
from kakitori.corpora.source import PassedOver, Reject
from kakitori.running import stage
from kakitori.running.params import ROOT, Settings


def main(settings: Settings) -> None:
    # Only here: worker processes import this file anew, and need no pandas.
    import pandas as pd

    sources = catalog.chosen(ROOT / "data", settings.data.corpora)
    left = catalog.all_passed_over(ROOT / "data", sources, settings.data.corpora == "auto")
    started = time.perf_counter()
    with (
        outputs.whole_folder(ROOT / "data/shards") as folder,
        outputs.whole_folder(ROOT / "metrics/plots/extract") as plots,
    ):
        index, rejects, errata = extraction.write_shards(sources, folder, settings.data.size)
        partial.write(ROOT / "data/synthetic", folder, settings.data.size)
        rate = len(index) / (time.perf_counter() - started)
        rejects = {name: [_portable(r) for r in some] for name, some in rejects.items()}
        every = list(itertools.chain.from_iterable(rejects.values()))
        outputs.write_csv(plots / "rejects.csv", pd.DataFrame(every, columns=Reject._fields))
        outputs.write_csv(plots / "passed_over.csv", pd.DataFrame(left, columns=PassedOver._fields))
        metrics = summary.of(index, sources, rejects, errata, left)
        # Before shards take their place, so that a full disk leaves none beside another's index.
        outputs.write_parquet(ROOT / "data/index.parquet", index)
        outputs.write_json(ROOT / "metrics/extract.json", metrics)
    for name, corpus in metrics["corpora"].items():
        if corpus["files_missing"]:
            print(f"extract: {name}: not all files of the set: {corpus['files_missing']}")
    for (name, reason), count in Counter((p.corpus or "data/raw", p.reason) for p in left).items():
        print(f"extract: {name}: {count} passed over: {reason}")
    print(
        f"extract: {len(index):,} samples from {len(sources)} files, {len(every)} records left "
        f"out, {len(left)} files passed over (metrics/plots/extract), {rate:,.0f} records/s"
    )


def _portable(reject: Reject) -> Reject:
    """With names below the project's folder alone: what is written is the same wherever it is."""
    here = f"{ROOT}/"
    return Reject(reject.source.replace(here, ""), reject.offset, reject.reason.replace(here, ""))


def verify(_: Settings) -> None:
    # Only here: it is no part of the stage, and changes of it must not run it again.
    from kakitori.results import verification

    corpora = catalog.corpora(ROOT / "data", both_renderings=True)
    names = [name for name in corpora if set_name(name.rpartition("/")[2])]
    files = [file for name in names for file in catalog.sources(ROOT / "data", name)]
    if verification.report(files):
        sys.exit(1)


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True, instead={"verify": verify})

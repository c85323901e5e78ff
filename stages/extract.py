"""Files of every corpus to HDF5 shards and one index.

    python stages/extract.py [--verify]

Reads the corpora that data.corpora names below data/synthetic and data/raw (folders or archives);
writes data/shards/, data/index.parquet, metrics/extract.json and the list of what was left out.
With --verify it writes nothing and prints, for every ETL set found there, what the official
specifications say beside what its files hold.
"""

import itertools
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from kakitori import outputs, stage
from kakitori.corpora import catalog, etl, extraction, images
from kakitori.corpora.database import set_name
from kakitori.corpora.source import PassedOver, Reject, Source
from kakitori.errors import DataError
from kakitori.params import ROOT, Settings
from kakitori.writing.charset import LOOK_ALIKES, script

if TYPE_CHECKING:
    import pandas as pd

FAINT = 64  # levels between paper and ink, of 255


def main(settings: Settings) -> None:
    # Only here: worker processes import this file anew, and need no pandas.
    import pandas as pd

    sources = named(settings.data.corpora)
    left = passed_over(sources, settings.data.corpora == "auto")
    started = time.perf_counter()
    with (
        outputs.whole_folder(ROOT / "data/shards") as folder,
        outputs.whole_folder(ROOT / "metrics/plots/extract") as plots,
    ):
        index, rejects, errata = extraction.write_shards(sources, folder, settings.data.size)
        rate = len(index) / (time.perf_counter() - started)
        rejects = {name: [_portable(r) for r in some] for name, some in rejects.items()}
        every = list(itertools.chain.from_iterable(rejects.values()))
        outputs.write_csv(plots / "rejects.csv", pd.DataFrame(every, columns=Reject._fields))
        outputs.write_csv(plots / "passed_over.csv", pd.DataFrame(left, columns=PassedOver._fields))
        found = summary(index, sources, rejects, errata, left)
        # Before shards take their place, so that a full disk leaves none beside another's index.
        outputs.write_parquet(ROOT / "data/index.parquet", index)
        outputs.write_json(ROOT / "metrics/extract.json", found)
    for name, corpus in found["corpora"].items():
        if corpus["files_missing"]:
            print(f"extract: {name}: not all files of the set: {corpus['files_missing']}")
    for (name, reason), count in Counter((p.corpus or "data/raw", p.reason) for p in left).items():
        print(f"extract: {name}: {count} passed over: {reason}")
    print(
        f"extract: {len(index):,} samples from {len(sources)} files, {len(every)} records left "
        f"out, {len(left)} files passed over (metrics/plots/extract), {rate:,.0f} records/s"
    )


def named(corpora: str | list[str]) -> list[Source]:
    """The files of the corpora that the settings name."""
    if corpora == "auto":
        names = catalog.corpora(ROOT / "data")
    else:
        asked = [corpora] if isinstance(corpora, str) else corpora
        names = []
        for name in asked:
            whole = name == "synthetic"  # whatever synthesize wrote
            names += catalog.corpora(ROOT / "data", places=(name,)) if whole else [name]
    if len(set(names)) < len(names) or not names:
        raise DataError(f"data.corpora: expected different corpora, found {names}")
    return [s for name in names for s in catalog.sources(ROOT / "data", name)]


def passed_over(sources: list[Source], with_strays: bool) -> list[PassedOver]:
    """The files of the corpora that no source reads; `with_strays` those that are in none too."""
    found = catalog.strays(ROOT / "data") if with_strays else []
    for name in dict.fromkeys(source.corpus for source in sources):
        own = [source for source in sources if source.corpus == name]
        found += catalog.passed_over(ROOT / "data", name, own)
    return found


def _portable(reject: Reject) -> Reject:
    """With names below the project's folder alone: what is written is the same wherever it is."""
    here = f"{ROOT}/"
    return Reject(reject.source.replace(here, ""), reject.offset, reject.reason.replace(here, ""))


def verify(_: Settings) -> None:
    # Only here: it is no part of the stage, and changes of it must not run it again.
    from kakitori.corpora import verification

    found = catalog.corpora(ROOT / "data", both_renderings=True)
    names = [name for name in found if set_name(name.rpartition("/")[2])]
    files = [file for name in names for file in catalog.sources(ROOT / "data", name)]
    if verification.report(files):
        sys.exit(1)


def summary(
    index: "pd.DataFrame",
    sources: list[Source],
    rejects: dict[str, list[Reject]],
    errata: dict[str, dict[str, int]],
    left: list[PassedOver],
) -> dict:
    """What metrics/extract.json says."""
    every = list(itertools.chain.from_iterable(rejects.values()))
    characters = index.drop_duplicates("codepoint")["codepoint"]
    have = {chr(c) for c in characters}
    alike = ["".join(c for c in group if c in have) for group in LOOK_ALIKES]
    # Of their own sets people write as much as they like.
    official = {s.corpus for s in sources if isinstance(s, etl.EtlFile) and "raw/" in s.corpus}
    corpora = {}
    for name, rows in index.groupby("corpus", sort=False):
        own = [source for source in sources if source.corpus == name]
        corpora[name] = {
            "files": len(own),
            "files_missing": etl.missing(own) if name in official else "",
            "samples": len(rows),
            "classes": int(rows["codepoint"].nunique()),
            "writer_groups": int(rows.loc[rows["writer_group"] != "", "writer_group"].nunique()),
            "rejected": len(rejects.get(name, [])),
            "blank": int((rows["contrast"] < images.MIN_CONTRAST).sum()),
            "faint": int(rows["contrast"].between(images.MIN_CONTRAST, FAINT - 1).sum()),
            "passed_over": dict(Counter(p.reason for p in left if p.corpus == name)),
            "errata": errata.get(name, {}),
        }
    return {
        "samples": len(index),
        "classes": len(characters),
        "writer_groups": int(index.loc[index["writer_group"] != "", "writer_group"].nunique()),
        "model_sheet_samples": int(index["is_model_sheet"].sum()),
        "shards": len(sources),
        "rejected": len(every),
        # By name and offset, for a reader of this file alone; rejects.csv lists all of them.
        "first_rejects": {f"{r.source} at {r.offset}": r.reason for r in every[:20]},
        "corpora": corpora,
        "classes_by_script": {
            name: int(n) for name, n in sorted(characters.map(script).value_counts().items())
        },
        # Classes of their own, though only the context tells them apart.
        "look_alikes": " ".join(group for group in alike if len(group) > 1),
    }


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True, instead={"verify": verify})

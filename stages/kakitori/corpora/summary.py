"""What was extracted, in figures: metrics/extract.json."""

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from kakitori.corpora import etl
from kakitori.corpora.source import PassedOver, Reject, Source
from kakitori.reading.characters.charset import LOOK_ALIKES, script
from kakitori.reading.characters.framing import MIN_CONTRAST

if TYPE_CHECKING:
    import pandas as pd

FAINT = 64  # levels between paper and ink, of 255


def of(
    index: "pd.DataFrame",
    sources: list[Source],
    rejects: dict[str, list[Reject]],
    errata: dict[str, dict[str, int]],
    left: list[PassedOver],
) -> dict:
    """The figures of an index and of what is not in it."""
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
            "blank": int((rows["contrast"] < MIN_CONTRAST).sum()),
            "faint": int(rows["contrast"].between(MIN_CONTRAST, FAINT - 1).sum()),
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

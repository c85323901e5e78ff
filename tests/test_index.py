"""The sample index in memory."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kakitori.errors import DataError
from kakitori.learning.samples import data
from tests import forks
from tests.projects import LIMIT, environment

MOST = 80  # bytes a row while it loads; sixty million take 4.8 GB then

SCRIPT = f"""
import json, resource, sys
from pathlib import Path
sys.path[:0] = [{str(forks.ROOT / "stages")!r}]
from kakitori.learning.samples import data
most = []
for name in sys.argv[1:]:
    index = data.placed_index(Path(name))
    most.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
Path("found.json").write_text(json.dumps([most, int(index.memory_usage(deep=True).sum())]))
"""


def written(root: Path, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """An index of so many samples, as extract writes it, and their parts."""
    sample = np.arange(count, dtype=np.int64)
    rng, group = np.random.default_rng(0), sample // 3036
    index = pd.DataFrame(
        {
            "sample": sample,
            "shard": (sample // 12_000).astype(np.int16),
            "row": (sample % 12_000).astype(np.int32),
            "codepoint": (0x4E00 + sample % 3036).astype(np.int32),
            "corpus": pd.Series(["raw/ETL9G", "raw/ETL8B2"])[group % 2].to_numpy(),
            "writer_group": "ETL9/set" + pd.Series(1000 - group).astype(str).str.zfill(4),
            "sheet": group.astype(np.int32),
            "quality": np.full(count, -1, np.int16),
            "is_model_sheet": sample % 7 == 0,
            "contrast": np.full(count, 200, np.uint8),
            "digest": rng.integers(-(2**62), 2**62, count),
            "look": rng.integers(-(2**62), 2**62, count),
        }
    )
    split = pd.DataFrame({"sample": sample, "part": np.array(["train", "val", "test"])[group % 3]})
    (root / "data").mkdir(parents=True)
    for name, table in (("index", index), ("split", split)):
        table.to_parquet(root / f"data/{name}.parquet", index=False, row_group_size=10_000)
    return index, split


def test_it_holds_what_was_written(tmp_path):
    index, split = written(tmp_path, 50_000)
    samples = data.placed_index(tmp_path)
    for name in samples.columns:
        column = split[name] if name == "part" else index[name]
        assert samples[name].tolist() == column.tolist(), name
    rows = samples[samples["part"] == "train"]
    part = data.Part(None, pd.Series(0, rows.index), rows, None)
    codes, names = pd.factorize(index["writer_group"][split["part"] == "train"], sort=True)
    assert len(names) == len(set(rows["writer_group"]))
    assert pd.factorize(part.rows["writer_group"], sort=True)[0].tolist() == codes.tolist()


def test_a_split_of_another_index_is_named(tmp_path):
    _, split = written(tmp_path, 100)
    split[1:].to_parquet(tmp_path / "data/split.parquet")
    with pytest.raises(DataError, match=r"split.parquet: expected a part for each of the 100 samp"):
        data.placed_index(tmp_path)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory in other units")
def test_what_a_row_takes_in_memory(tmp_path):
    """While three million more are loaded, and then: of fewer, what any index takes tells."""
    for name, count in (("few", 100_000), ("many", 3_100_000)):
        written(tmp_path / name, count)
    (tmp_path / "script.py").write_text(SCRIPT)
    forks.start(tmp_path, "script.py", ["few", "many"], environment(), tmp_path).join(LIMIT)
    (few, many), kept = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert 1024 * (many - few) < 3_000_000 * MOST
    assert kept < 25 * 3_100_000

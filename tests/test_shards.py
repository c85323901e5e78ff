"""Shards as arrays."""

import h5py
import numpy as np
import pandas as pd
import pytest

from kakitori.learning.samples import shards


@pytest.mark.parametrize("share", [0.5, 0.0], ids=["in memory", "memory-mapped"])
def test_images_come_in_the_order_of_the_index(share, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARE", share)
    images = np.random.default_rng(0).integers(0, 256, (2, 40, 8, 8), np.uint8)
    for k, part in enumerate(images):
        with h5py.File(tmp_path / f"shard-{k:03d}.h5", "w") as file:
            file["images"] = part
    index = pd.DataFrame({"shard": [1, 0, 1, 1, 0], "row": [39, 3, 0, 7, 3]})
    loaded = shards.load_images(tmp_path, index)
    np.testing.assert_array_equal(loaded, images[index["shard"], index["row"]])
    loaded[0] = 0  # it is the caller's own
    assert isinstance(loaded.base, np.memmap) == (share == 0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shard-000.h5", "shard-001.h5"]

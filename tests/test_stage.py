import pandas as pd
import pytest

from kakitori import stage


@pytest.mark.parametrize("read", [pd.read_parquet, pd.read_csv, open])
def test_a_file_that_is_not_there_is_named(tmp_path, read):
    path = tmp_path / "index.parquet"
    with (
        pytest.raises(SystemExit, match=f"^split: {path}: expected a file, found none; "),
        stage.ended_well("split"),
    ):
        read(path)

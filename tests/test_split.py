import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakitori.corpora.split import assign_parts, check
from kakitori.errors import DataError
from kakitori.params import Split

SETTINGS = Split(scheme="writer", val_groups=4, test_groups=10, zero_shot_classes=0)


def index_of(groups: int, classes: int = 5, models: int = 0) -> pd.DataFrame:
    rows = [
        {"codepoint": 0x4E00 + c, "writer_group": f"ETL9/set{g:03d}", "is_model_sheet": g > groups}
        for g in range(1, groups + 1 + models)
        for c in range(classes)
    ]
    return pd.DataFrame(rows).assign(sample=np.arange(len(rows)))


@given(
    groups=st.integers(3, 40),
    val=st.integers(1, 10),
    test=st.integers(1, 10),
    seed=st.integers(0, 9),
)
def test_no_writer_group_in_two_parts(groups, val, test, seed):
    index = index_of(groups)
    settings = Split(scheme="writer", val_groups=val, test_groups=test, zero_shot_classes=0)
    if groups <= val + test:
        with pytest.raises(DataError, match=f"expected more than {val + test} writer groups"):
            assign_parts(index, settings, seed)
        return
    part = assign_parts(index, settings, seed)
    assert (part.groupby(index["writer_group"]).nunique() == 1).all()
    counts = index.assign(part=part).groupby("part")["writer_group"].nunique()
    assert counts.to_dict() == {"train": groups - val - test, "val": val, "test": test}


def test_parts_are_contiguous_blocks():
    index = index_of(40)
    part = assign_parts(index, SETTINGS, 0).drop_duplicates().tolist()
    assert part == ["train", "val", "test"]


def test_a_mixture_is_tested_on_real_writers():
    real, made = index_of(14), index_of(30)
    made["writer_group"] = "synthetic/" + made["writer_group"]
    index = pd.concat([real, made], ignore_index=True)
    part = assign_parts(index, SETTINGS, 0)
    assert not index.loc[part != "train", "writer_group"].str.startswith("synthetic/").any()


def test_model_sheets_are_in_no_part():
    index = index_of(20, models=1)
    part = assign_parts(index, SETTINGS, 0)
    assert (part[index["is_model_sheet"]] == "none").all()


def test_a_planted_leak_is_named():
    index = index_of(20)
    part = assign_parts(index, SETTINGS, 0)
    part.iloc[0] = "test"
    with pytest.raises(DataError, match="found ETL9/set001 in test and train"):
        check(index, part, "writer")
    check(index, part, "random")


def test_a_class_that_nobody_trains_is_named():
    index = index_of(20)
    part = assign_parts(index, SETTINGS, 0)
    part[(part == "train") & (index["codepoint"] == 0x4E02)] = "none"
    with pytest.raises(DataError, match=r"U\+4E02 丂 only outside"):
        check(index, part, "writer")


def test_zero_shot_classes_are_never_trained():
    index = index_of(20, classes=12)
    part = assign_parts(index, SETTINGS.model_copy(update={"zero_shot_classes": 3}), 0)
    aside = set(index.loc[part == "zero_shot", "codepoint"])
    assert len(aside) == 3
    assert not aside & set(index.loc[part.isin(["train", "val", "test"]), "codepoint"])
    assert (part == "zero_shot").sum() == 3 * SETTINGS.test_groups


def test_random_scheme_is_80_to_20_per_class():
    index = index_of(50)
    part = assign_parts(index, SETTINGS.model_copy(update={"scheme": "random"}), 0)
    shares = part.groupby(index["codepoint"]).value_counts(normalize=True).unstack()
    np.testing.assert_allclose(shares["test"], 0.2)
    np.testing.assert_allclose(shares["val"], 0.08)

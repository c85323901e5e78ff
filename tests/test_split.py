import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakitori.corpora.extraction import _digests
from kakitori.errors import DataError
from kakitori.running.params import Mix, Split
from kakitori.splitting import duplicates
from kakitori.splitting.split import assign_parts as assign_parts_of
from kakitori.splitting.split import check, corpora_of

NO_MIX = Mix(train=[], val=[], test=[], external=[], weights={})
SETTINGS = Split(scheme="writer", val_groups=4, test_groups=10, zero_shot_classes=0)


def assign_parts(index, settings, seed, mix=NO_MIX):
    return assign_parts_of(index, settings, mix, seed)


def index_of(groups: int, classes: int = 5, models: int = 0) -> pd.DataFrame:
    rows = [
        {"codepoint": 0x4E00 + c, "writer_group": f"ETL9/set{g:03d}", "is_model_sheet": g > groups}
        for g in range(1, groups + 1 + models)
        for c in range(classes)
    ]
    corpus = "raw/ETL9G"
    return pd.DataFrame(rows).assign(sample=np.arange(len(rows)), contrast=200, corpus=corpus)


def renamed(index: pd.DataFrame, corpus: str, collection: str) -> pd.DataFrame:
    groups = index["writer_group"].str.replace("ETL9", collection) if collection else ""
    return index.assign(corpus=corpus, writer_group=groups)


def mixture(*indexes: pd.DataFrame) -> pd.DataFrame:
    index = pd.concat(indexes, ignore_index=True)
    return index.assign(sample=np.arange(len(index)))


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
        expected = f"expected more than {val + test} writer groups of ETL9"
        with pytest.raises(DataError, match=expected):
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
    made = renamed(index_of(30), "synthetic/ETL9G", "synthetic/ETL9")
    index = mixture(index_of(15), made)
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


def test_an_alphabet_can_be_set_aside():
    """Of U+4E00 to U+4E26 only 丐 丕 丗, JIS X 0208's 48-02, 48-03 and 50-34, are of level 2."""
    index = index_of(20, classes=39)
    part = assign_parts(index, SETTINGS.model_copy(update={"zero_shot_classes": "jis2"}), 0)
    aside = {chr(c) for c in index.loc[part == "zero_shot", "codepoint"]}
    assert aside == set("丐丕丗")
    trained = {chr(c) for c in index.loc[part == "train", "codepoint"]}
    assert len(trained) == 39 - 3 and not aside & trained


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("level 2", r"^split.zero_shot_classes: expected a number, etl9, .*jis2, found level 2$"),
        ("hiragana", r"expected some of the 12 classes there are in hiragana, found 0; synth"),
        (12, "expected fewer than the 12 classes there are, found 12"),
    ],
)
def test_classes_that_cannot_be_set_aside_are_named(wanted, message):
    settings = SETTINGS.model_copy(update={"zero_shot_classes": wanted})
    with pytest.raises(DataError, match=message):
        assign_parts(index_of(20, classes=12), settings, 0)


def test_random_scheme_is_80_to_20_per_class():
    index = index_of(50)
    part = assign_parts(index, SETTINGS.model_copy(update={"scheme": "random"}), 0)
    shares = part.groupby(index["codepoint"]).value_counts(normalize=True).unstack()
    np.testing.assert_allclose(shares["test"], 0.2)
    np.testing.assert_allclose(shares["val"], 0.08)


# --- many corpora ------------------------------------------------------------------------------


def test_every_collection_holds_out_writers_of_its_own():
    index = mixture(index_of(20), renamed(index_of(16, classes=2), "raw/ETL7", "ETL7"))
    part = assign_parts(index, SETTINGS, 0)
    counts = index.assign(part=part).groupby(["corpus", "part"])["writer_group"].nunique()
    assert counts.to_dict() == {
        ("raw/ETL7", "train"): 2, ("raw/ETL7", "val"): 4, ("raw/ETL7", "test"): 10,
        ("raw/ETL9G", "train"): 6, ("raw/ETL9G", "val"): 4, ("raw/ETL9G", "test"): 10,
    }  # fmt: skip
    alone = assign_parts(index_of(20), SETTINGS, 0)
    assert (part[: len(alone)] == alone).all(), "the same ETL9 test, whatever else is trained on"


def test_both_renderings_of_a_sheet_are_on_one_side():
    index = mixture(index_of(20), renamed(index_of(20), "raw/ETL9B", "ETL9"))
    mix = NO_MIX.model_copy(update={"test": ["raw/ETL9G"]})
    part = assign_parts(index, SETTINGS, 0, mix)
    held = set(index.loc[part == "test", "writer_group"])
    assert len(held) == 10
    assert set(part[index["writer_group"].isin(held) & (index["corpus"] == "raw/ETL9B")]) == {
        "none"
    }


def test_a_mix_trains_on_synthetic_and_tests_on_real_writers():
    made = renamed(index_of(12), "synthetic/ETL9G", "synthetic/ETL9")
    index = mixture(index_of(20), made)
    mix = NO_MIX.model_copy(update={"train": ["synthetic/ETL9G"]})
    part = assign_parts(index, SETTINGS, 0, mix)
    counts = index.assign(part=part).groupby(["corpus", "part"])["writer_group"].nunique()
    # No real writer is trained on, so all but those who validate can be tested.
    assert counts.to_dict() == {
        ("raw/ETL9G", "test"): 16, ("raw/ETL9G", "val"): 4, ("synthetic/ETL9G", "train"): 12,
    }  # fmt: skip


def test_difficult_writers_are_a_part_of_their_own():
    hard = renamed(index_of(3), "synthetic/ETL9G-hard2", "synthetic/ETL9-hard2")
    index = mixture(index_of(20), hard)
    part = assign_parts(index, SETTINGS, 0)
    assert set(part[index["corpus"] == "synthetic/ETL9G-hard2"]) == {"hard"}
    assert (part[:100] == assign_parts(index_of(20), SETTINGS, 0)).all()
    with pytest.raises(DataError, match="which is a test part of its own"):
        corpora_of(index, NO_MIX.model_copy(update={"train": ["synthetic/ETL9G-hard2"]}))


def test_a_corpus_without_writers_is_a_test_set_of_its_own():
    index = mixture(index_of(20), renamed(index_of(2), "raw/Kuzushiji", ""))
    part = assign_parts(index, SETTINGS, 0)
    assert set(part[index["writer_group"] == ""]) == {"external"}
    trained = NO_MIX.model_copy(update={"train": ["raw/Kuzushiji", "raw/ETL9G"]})
    part = assign_parts(index, SETTINGS, 0, trained)
    assert set(part[index["writer_group"] == ""]) == {"train"}


def test_corpora_without_writers_alone_are_divided_by_samples_where_that_is_asked_for():
    index = renamed(index_of(20), "raw/kkanji2", "")
    index.loc[0, "codepoint"] = 0x4EFF  # a class of one sample, which trains
    with pytest.raises(
        DataError, match=r"found only raw/kkanji2; add one .* split\.scheme: random"
    ):
        assign_parts(index, SETTINGS, 0)
    random = SETTINGS.model_copy(update={"scheme": "random"})
    part = assign_parts(index, random, 0)
    assert part[0] == "train"
    assert part.value_counts().to_dict() == {"train": 70, "val": 10, "test": 20}
    beside = mixture(index_of(20), renamed(index_of(2), "raw/kkanji2", ""))
    part = assign_parts(beside, random, 0)
    assert set(part[beside["writer_group"] == ""]) == {"external"}


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"test": ["raw/Kuzushiji"]}, "data.mix.test: expected corpora that say who wrote, found"),
        ({"val": ["raw/Kuzushiji"]}, "data.mix.val: expected corpora that say who wrote, found"),
        ({"train": ["raw/ETL1"]}, "data.mix.train: expected some of raw/ETL9G, raw/Kuzushiji"),
        ({"weights": {"raw/ETL1": 2.0}}, "data.mix.weights: expected some of"),
        (
            {"external": ["raw/ETL9G"], "train": ["raw/ETL9G"]},
            "data.mix.external: expected corpora that are in no other part, found raw/ETL9G",
        ),
    ],
)
def test_a_mix_that_cannot_be(update, message):
    index = mixture(index_of(20), renamed(index_of(2), "raw/Kuzushiji", ""))
    with pytest.raises(DataError, match=message):
        corpora_of(index, NO_MIX.model_copy(update=update))


def test_blank_images_are_in_no_part():
    index = index_of(20)
    index.loc[7, "contrast"] = 15
    assert assign_parts(index, SETTINGS, 0)[7] == "none"


# --- the same image twice ----------------------------------------------------------------------


def test_copies_across_parts_stay_where_they_are_asked_for(tmp_path):
    """Sample 5 (test) is 0 (train), pixel by pixel; 6 (val) nearly 1 (train); 2 is 3, in one part;
    7 looks like 4 by its hash, but not by its pixels."""
    rng = np.random.default_rng(0)
    strokes = rng.integers(0, 2, (8, 8, 8), dtype=np.uint8).repeat(8, 1).repeat(8, 2) * 255
    strokes[5], strokes[3] = strokes[0], strokes[2]
    strokes[6] = strokes[1]
    strokes[6, :8, :2] ^= 60
    strokes[7] = strokes[4] // 4
    exact, look = _digests(strokes)
    assert exact[5] == exact[0] != exact[1] and exact[6] != exact[1]
    look[7] = look[4]
    with h5py.File(tmp_path / "shard-000.h5", "w") as file:
        file["images"] = strokes
    index = pd.DataFrame(
        {"sample": range(8), "shard": 0, "row": range(8), "codepoint": 0x4E00, "digest": exact}
    ).assign(look=look)
    part = pd.Series(["train"] * 5 + ["test", "val", "test"])
    copies = duplicates.exact(index, part)
    assert copies.to_dict("records") == [
        {"sample": 0, "part": "train", "kept": 5, "kept_in": "test"}
    ]
    part[0] = "none"
    alike = duplicates.near(index, part, tmp_path)
    assert alike.to_dict("records") == [{"sample": 1, "part": "train", "kept": 6, "kept_in": "val"}]

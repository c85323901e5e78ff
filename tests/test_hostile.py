"""Every reader against damaged files; `python -m tests.hostile` tries a million."""

import pytest

from tests import hostile

READERS = hostile.readers()


@pytest.mark.parametrize("name", READERS)
def test_no_crash_no_hang_no_silent_loss(tmp_path, name):
    count = 5 if name == "params.yaml" else 60
    outcome = hostile.attack(name, READERS[name], count, tmp_path / "x")
    assert set(outcome) == {"read", "refused"} and sum(outcome.values()) == count


@pytest.mark.long
@pytest.mark.parametrize("name", READERS)
def test_no_crash_no_hang_no_silent_loss_of_a_million(tmp_path, name):
    count = round(1_000_000 * READERS[name].share)
    outcome = hostile.attack(name, READERS[name], count, tmp_path / "x", seed=1)
    assert set(outcome) == {"read", "refused"} and sum(outcome.values()) == count

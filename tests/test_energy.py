"""What electricity stands for, by hand."""

import pytest
import yaml

from kakitori.errors import SettingsError
from kakitori.running import energy, params
from kakitori.running.params import Equivalent, Grid
from tests import committed

GRIDS = {
    "world": Grid(intensity=500, year=2020, source="a"),
    "clean": Grid(intensity=25, year=2020, source="b"),
}


def test_rated_power_is_taken_for_the_whole_time():
    assert energy.rated(3600, 350) == pytest.approx(0.35)


def test_grids():
    assert energy.on_grids(2, GRIDS) == {"world": pytest.approx(1.0), "clean": pytest.approx(0.05)}


def test_equivalents_by_energy_and_by_carbon():
    each = {
        "phone_days": Equivalent(amount=0.0125, unit="kWh", year=2020, source="a"),
        "car_km": Equivalent(amount=0.25, unit="kg CO2e", year=2020, source="b"),
    }
    equivalents = energy.equivalents(0.5, GRIDS["world"], each)
    assert equivalents == {"phone_days": pytest.approx(40), "car_km": pytest.approx(1)}


def test_savings_may_be_losses():
    savings = energy.savings({"fp32": 4.0, "int8": 1.0, "int4": 5.0}, GRIDS)
    assert savings == {
        "int8_against_float32": 0.75,
        "int4_against_float32": -0.25,
        "clean_against_world": pytest.approx(0.95),
    }


def test_a_grid_of_ones_own_and_the_worlds():
    settings = committed.settings_tree()
    own = {"intensity": 12.5, "year": 2026, "source": "our roof"}
    settings["carbon"]["grids"]["own"] = own
    assert params.parse(yaml.safe_dump(settings)).carbon.grids["own"].intensity == 12.5
    del settings["carbon"]["grids"]["world"]
    with pytest.raises(SettingsError, match=r"carbon\.grids: expected world among them"):
        params.parse(yaml.safe_dump(settings))

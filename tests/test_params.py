import pytest
import yaml

from kakitori import params
from kakitori.errors import SettingsError

TEXT = (params.ROOT / "params.yaml").read_text("utf-8")


def changed(place: str, value: object) -> str:
    settings = yaml.safe_load(TEXT)
    *path, last = place.split(".")
    group = settings
    for key in path:
        group = group[key]
    group[last] = value
    return yaml.safe_dump(settings)


def test_the_committed_settings_are_valid():
    settings = params.parse(TEXT)
    assert settings.model in params.known_models()
    assert settings.split.test_groups >= 10


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (
            "train.learnin_rate",
            0.1,
            r"train\.learnin_rate: expected one of .*learning_rate.*unknown",
        ),
        (
            "train.learning_rate",
            "1e-2",
            r"train\.learning_rate: expected number, found '1e-2'; write",
        ),
        ("train.epochs", 2.5, r"train\.epochs: expected integer, found 2\.5"),
        ("train.epochs", True, r"train\.epochs: expected integer, found True"),
        ("train.augment.blur", 1.5, r"train\.augment\.blur: expected less than or equal to 1"),
        ("split.scheme", "sheet", r"split\.scheme: expected 'writer' or 'random', found 'sheet'"),
        ("data.size", 96, r"data\.size: expected 64 or 128, found 96"),
        ("seed", None, r"seed: expected integer, found None"),
        ("extra", 1, r"extra: expected one of .*unknown setting"),
        ("archs.cnnn", {}, r"archs: expected keys among .*cnn.*not cnnn"),
        ("archs.cnn.foo", 1, r"archs\.cnn\.foo: expected one of net, train, found an unknown"),
        (
            "carbon.grids.eu.yeer",
            1,
            r"carbon\.grids\.eu\.yeer: expected one of intensity, source, y",
        ),
        ("carbon.country", "Japan", r"carbon\.country: expected .*found 'Japan'"),
        ("synthesize.sets", ["ETL9G", "ETL9G"], r"synthesize\.sets: expected each set once"),
        ("synthesize.writers", 2000, r"synthesize\.writers: expected less than or equal to 1445"),
        ("data.corpora", 3, r"data\.corpora: expected string, found 3"),
        ("archs.cnn.train", {"epoch": 3}, r"archs\.cnn\.train\.epoch: expected one of .*epochs"),
    ],
)
def test_bad_settings_are_named_in_one_line(place, value, message):
    with pytest.raises(SettingsError, match=message) as caught:
        params.parse(changed(place, value))
    assert "\n" not in str(caught.value)


def test_a_missing_setting_is_named():
    with pytest.raises(SettingsError, match=r"model: expected a value, found none"):
        params.parse(TEXT.replace("\nmodel: cnn", "\n"))


def test_text_that_is_no_yaml():
    with pytest.raises(SettingsError, match="expected YAML"):
        params.parse("a: [")


def test_an_architecture_overrides_training():
    settings = params.parse(changed("archs.cnn.train", {"epochs": 9, "augment": {"blur": 0.5}}))
    assert settings.training().epochs == 9
    assert settings.training().augment.blur == 0.5
    assert settings.training().augment.noise == settings.train.augment.noise

import time

import pytest
import yaml
from dvc.utils.serialize._yaml import parse_yaml

from kakitori.errors import SettingsError
from kakitori.running import params
from tests import committed

TEXT = committed.settings_text()


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
            "0.01",
            r"train\.learning_rate: expected number, found '0\.01'; write numbers without quotes",
        ),
        ("train.epochs", 2.5, r"train\.epochs: expected integer, found 2\.5"),
        ("train.epochs", True, r"train\.epochs: expected integer, found True"),
        ("train.augment.blur", 1.5, r"train\.augment\.blur: expected less than or equal to 1"),
        ("split.zero_shot_classes", -1, "split.zero_shot_classes: expected greater .* 0, found -1"),
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


@pytest.mark.parametrize("written", ["5e-05", "5.0e-05", "0.00005", "5E-5"])
def test_a_number_is_one_however_it_is_written(written):
    """DVC writes 5e-05 for 0.00005, which YAML 1.1 reads as text."""
    text = TEXT.replace("learning_rate: 0.011 ", f"learning_rate: {written} ")
    assert params.parse(text).train.learning_rate == 0.00005


def test_settings_are_read_as_dvc_reads_them():
    assert params.tree(TEXT) == parse_yaml(TEXT, "params.yaml")


def test_text_that_is_no_yaml():
    with pytest.raises(SettingsError, match="line 1: expected YAML"):
        params.parse("a: [")


MULTIPLY = "a0: &a0 [x, x]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 12)
)
DEEPER = "a0: &a0 {}\n" + "".join(f"a{k}: &a{k} [*a{k - 1}]\n" for k in range(1, 40))
MERGED = "a0: &a0 {x: 1}\n" + "".join(
    f"a{k}: &a{k} {{<<: [{', '.join([f'*a{k - 1}'] * 9)}]}}\n" for k in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: " + "[" * 2000, "line 1: groups in more than 20 groups"),
        ("a: " + "[" * 2000 + "]" * 2000, "line 1: groups in more than 20 groups"),
        ("a: " + "{b: " * 2000, "line 1: groups in more than 20 groups"),
        ("- " * 3000 + "a", "line 1: groups in more than 20 groups"),
        (DEEPER, r"line \d+: groups in more than 20 groups"),
        (f"seed: {'1' * 5000}", "line 1: a value of 5,000 characters"),
        (f"? {'x' * 5000}\n: 1", "line 1: a value of 5,000 characters"),
        (MULTIPLY, "line 5: more than 10,000 values"),
        (MERGED, r"line \d: more than 10,000 values"),
        ("a: &a [*a]", r"line 1: an alias of nothing before it, \*a"),
        ("a: *b", r"line 1: an alias of nothing before it, \*b"),
        ("x: 1\nx: 2", "line 2: .*duplicate key"),
        ("a: 2026-99-99", "month must be in 1..12"),
        ("a: !!python/object:os.system x", "line 1: .*could not determine a constructor"),
        ("a: \0", "special characters"),
        ("x" * 200_000, "at most 100,000 characters, found 200,000"),
    ],
    ids=lambda value: value[:12],
)
def test_what_no_settings_are_is_one_short_line_at_once(text, message):
    started = time.process_time()
    with pytest.raises(SettingsError, match=message) as caught:
        params.parse(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    assert time.process_time() - started < 2  # a second, and room for a slow machine


def test_aliases_are_no_error_in_themselves():
    text = TEXT.replace("seed: 0", "seed: &zero 0").replace("val_groups: 4", "val_groups: *four")
    text = text.replace("epochs: 2\n", "epochs: &four 4\n", 1)
    text = text.replace("zero_shot_classes: 0", "zero_shot_classes: *zero")
    with pytest.raises(SettingsError, match=r"\*four"):  # split stands before train
        params.parse(text)
    assert params.parse(text.replace("*four", "4")).split.zero_shot_classes == 0


@pytest.mark.parametrize("value", ["x" * 900, [["x" * 900] * 50] * 50, {"x" * 900: 1}])
def test_what_is_found_is_shown_in_short(value):
    with pytest.raises(SettingsError) as caught:
        params.parse(changed("train.epochs", value))
    assert "train.epochs: expected integer, found" in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("cp932", "line 4: expected UTF-8, found byte 0x90, as Shift-JIS has; save it as UTF-8"),
        ("utf-16", "line 1: expected UTF-8, found UTF-16"),
        ("utf-16-le", "expected YAML, found: .*special characters"),
    ],
)
def test_a_file_in_another_encoding(tmp_path, encoding, message):
    path = tmp_path / "params.yaml"
    text = "model: cnn\nseed: 0\n\n# 設定\n" if encoding != "utf-16-le" else "model: cnn\n"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(SettingsError, match=message) as caught:
        params.load(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_mark_at_the_beginning_and_japanese_are_fine(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(("# 設定\n" + TEXT).encode("utf-8-sig"))
    assert params.load(path) == params.parse(TEXT)


def test_an_architecture_overrides_training():
    settings = params.parse(changed("archs.cnn.train", {"epochs": 9, "augment": {"blur": 0.5}}))
    assert settings.training().epochs == 9
    assert settings.training().augment.blur == 0.5
    assert settings.training().augment.noise == settings.train.augment.noise

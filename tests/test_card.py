import copy
import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from huggingface_hub import ModelCard
from PIL import Image

from kakitori.card import backends, card, choice, leaderboard, metrics
from kakitori.errors import DataError
from kakitori.learning.samples.shards import load_images
from kakitori.reading.recognizer import Recognizer
from tests import committed
from tests.projects import Project


def measured() -> dict[str, dict]:
    """The committed metrics."""
    return {name: committed.metrics(name) for name in metrics.EXPECTED}


def row(model: str, val: float, **figures) -> dict:
    figures = {"int8_bytes": 4e6, "int8_latency_ms": 1.0, "train_kwh": 0.01} | figures
    return dict.fromkeys(leaderboard.COLUMNS, 0.5) | {
        "model": model, "val_top1": val, "dataset": "aa", "commit": "bb", **figures,
    }  # fmt: skip


def table(*rows: dict) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=leaderboard.COLUMNS)


def made(measurements: dict[str, dict], rows: pd.DataFrame | None = None) -> str:
    return card.text(measurements, {"size": 64}, table() if rows is None else rows)


# --- metadata ----------------------------------------------------------------------------------


def test_hugging_faces_parser_gives_back_every_figure():
    measurements = measured()
    text = made(measurements)
    data = ModelCard(text).data  # raises for a model-index that is none
    assert data.eval_results == card.metadata(measurements).eval_results
    assert data.model_name == f"kakitori-{measurements['train']['model']}"
    assert (data.library_name, data.pipeline_tag) == ("onnxruntime", "image-classification")
    assert data.license == "other" and "synthetic-data" in data.tags
    assert data.datasets and all(re.fullmatch(r"[a-z0-9-]+", name) for name in data.datasets)
    # The same without that parser, against the metrics themselves.
    (entry,) = yaml.safe_load(text.split("---\n")[1])["model-index"]
    figures = {
        (part["dataset"]["split"], metric["name"].split(",")[0], metric["name"]): metric["value"]
        for part in entry["results"]
        for metric in part["metrics"]
    }
    seen = {(split, kind): value for (split, kind, _), value in reversed(figures.items())}
    assert seen["train", "top-1"] == pytest.approx(measurements["train"]["train_top1"], abs=1e-6)
    assert seen["validation", "top-1"] == pytest.approx(measurements["train"]["val_top1"], abs=1e-6)
    named = {name: value for (split, _, name), value in figures.items() if split == "test"}
    int8 = measurements["quantize"]["int8"]
    assert named["bytes, exports/int8.onnx"] == int8["bytes"]
    assert named["milliseconds an image, one thread, ONNX INT8"] == int8["latency_ms"]
    value = named["top-1, ONNX INT8, writers never seen"]
    assert value == pytest.approx(measurements["evaluate"]["int8"]["top1"], abs=1e-6)


def test_what_the_data_was_decides_warnings_and_terms():
    measurements = measured()
    assert "No real person's handwriting was used" in made(measurements)
    measurements["evaluate"]["glyphs"] = "font, kanjivg"
    assert ModelCard(made(measurements)).data.license == "other"
    assert "passed on under CC BY-SA 3.0" in made(measurements)
    measurements["evaluate"]["glyphs"] = "font"
    assert "passed on under CC BY-SA" not in made(measurements)
    measurements = measured()
    cell = measurements["extract"]["corpora"].pop("synthetic/ETL9G")
    measurements["extract"]["corpora"]["raw/ETL9G"] = cell
    text = made(measurements)
    assert "No real person" not in text and "The test data is synthetic" in text
    assert "Nobody's hand" not in text and ModelCard(text).data.license == "other"
    measurements["evaluate"]["synthetic"] = False
    assert "is synthetic" not in made(measurements)


# --- which model for which use -----------------------------------------------------------------

ROWS = [
    row("best", 0.990, int8_bytes=9e6),
    row("small", 0.9881, int8_bytes=3e6),
    row("smaller", 0.9879, int8_bytes=2e6),
    row("fast", 0.981, int8_latency_ms=0.3),
    row("faster", 0.979, int8_latency_ms=0.2),
    row("cheap", 0.985, train_kwh=0.001),
]


def test_each_use_has_the_model_that_its_columns_say():
    chosen = [leader["model"] for _, leader in choice.choose(table(*ROWS))]
    assert chosen == ["best", "small", "fast", "cheap"]
    # Test decides nothing.
    worse = [r | {"test_top1": 0.1, "int8_top1": 0.1} for r in ROWS[:1]] + ROWS[1:]
    assert [leader["model"] for _, leader in choice.choose(table(*worse))] == chosen
    standing = choice.standing(table(*ROWS), "cheap")
    assert (standing.rank, standing.models) == (4, 6) and standing.below == pytest.approx(0.005)


def test_only_rows_of_the_same_data_are_compared():
    measurements = measured()
    measurements["evaluate"]["dataset"]["fingerprint"] = "aa"
    other = [row("elsewhere", 0.999) | {"dataset": "cc"}]
    text = made(measurements, table(*other, *ROWS))
    assert "| fewest errors | best | 99.00% |" in text
    assert "Measured on other data (fingerprint cc) and not compared: elsewhere." in text
    assert "This card's model is not among them" in text
    text = made(measurements, table(*other))
    assert "so nothing is recommended" in text and "| fewest errors" not in text
    assert "There is no `metrics/leaderboard.csv`" in made(measurements)
    own = row(measurements["train"]["model"], 0.9)
    assert "Its row is of another run, which read 90.00%" in made(measurements, table(*ROWS, own))


def test_a_leaderboard_that_lacks_a_figure_is_refused(tmp_path):
    path = tmp_path / "leaderboard.csv"
    assert choice.read(path).empty
    table(ROWS[0], ROWS[1] | {"train_kwh": None}).to_csv(path, index=False)
    with pytest.raises(DataError, match=r"found none in train_kwh of small; remove its row"):
        choice.read(path)


# --- metrics that are missing, damaged or stale ------------------------------------------------


@pytest.fixture
def project(tmp_path):
    """The committed metrics and a model that fits them."""
    (tmp_path / "metrics").mkdir()
    (tmp_path / "models").mkdir()
    for name in metrics.EXPECTED:
        (tmp_path / f"metrics/{name}.json").write_text(committed.text(f"metrics/{name}.json"))
    evaluate = measured()["evaluate"]
    model = {"model": evaluate["model"], "size": 64, "classes": "x" * evaluate["classes"]}
    (tmp_path / "models/model.json").write_text(json.dumps(model), "utf-8")
    return tmp_path


def test_metrics_of_one_run_are_read(project):
    measurements, model = metrics.read(project)
    assert measurements == measured() and model["size"] == 64


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("evaluate", {"model": "vit"}, "expected the metrics of .*, found those of vit"),
        ("train", {"model": "vit"}, "expected the metrics of .*, found those of vit"),
        ("evaluate", {"classes": 7}, "expected the 3,036 classes of models/model.json, found 7"),
        ("quantize", {"scheme": "odd"}, "expected the split scheme .*, found odd"),
        ("evaluate", {"accepted": {"fp8": {}}}, "expected formats .*, found also fp8"),
        ("carbon", {"total_kwh": float("nan")}, "expected numbers, found NaN"),
        ("evaluate", {"accepted": None}, "expected accepted, .*, found none of accepted"),
    ],
    ids=["model", "trained", "classes", "scheme", "formats", "nan", "older"],
)
def test_bad_metrics_are_told_in_one_line(project, name, change, message):
    path = project / f"metrics/{name}.json"
    content = json.loads(path.read_text("utf-8")) | change
    content = {key: value for key, value in content.items() if value is not None}
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(DataError, match=rf"^metrics/{name}.json: {message}.*`dvc repro`[^\n]*$"):
        metrics.read(project)


def test_metrics_that_are_damaged_or_missing(project):
    path = project / "metrics/carbon.json"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"metrics/carbon.json: expected JSON, found: "):
        metrics.read(project)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"metrics/carbon\.json"):
        metrics.read(project)


def test_a_figure_that_the_card_needs_and_the_metrics_lack():
    measurements = copy.deepcopy(measured())
    del measurements["evaluate"]["by_writer"]["worst"]
    with pytest.raises(DataError, match=r"has no attribute 'worst'; `dvc repro`"):
        made(measurements)


# --- the card of a run -------------------------------------------------------------------------

RUN = """
import contextlib, io, json, sys
sys.path.insert(0, "stages")
answers = []
for code in json.load(open("codes.json")):
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(code, "the card", "exec"), {})
    answers.append(said.getvalue())
json.dump(answers, sys.stdout)
"""


def test_every_snippet_of_the_card_reads_the_character(finished, tmp_path):
    text = (finished.root / "models/README.md").read_text("utf-8")
    codes = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(codes) == 4
    for name in ("models", "stages"):
        (tmp_path / name).symlink_to(finished.root / name)
    # The test sample that INT8 is surest of, as ink on paper.
    index = pd.read_parquet(finished.root / "data/index.parquet")
    parts = pd.read_parquet(finished.root / "data/split.parquet")
    rows = index.merge(parts[parts["part"] == "test"], on="sample")
    images = np.asarray(load_images(finished.root / "data/shards", rows))
    recognizer = Recognizer(finished.root / "models/exports/int8.onnx")
    surest = recognizer.probabilities(images).max(1).argmax()
    character = chr(rows["codepoint"].iloc[surest])
    Image.fromarray(255 - images[surest]).save(tmp_path / "photo.png")
    (tmp_path / "run.py").write_text(RUN, "utf-8")
    (tmp_path / "codes.json").write_text(json.dumps(codes), "utf-8")
    done = Project(tmp_path).script("run.py")
    ours, plain, weights, network = json.loads(done.stdout)
    assert ours.startswith(f"[('{character}', 0.")
    lines = [line.split() for line in plain.splitlines()]
    exports = {path.stem for path in (finished.root / "models/exports").glob("*.onnx")}
    assert {name for name, *_ in lines} == exports
    assert {read for _, read, _ in lines} == {character}
    assert all(0 < float(probability) <= 1 for *_, probability in lines)
    assert weights.endswith(" True\n") and network == f"{character}\n"


def test_the_card_of_a_run_shows_its_own_figures(finished):
    text = (finished.root / "models/README.md").read_text("utf-8")
    measurements, model = metrics.read(finished.root)
    leaders = choice.read(finished.root / "metrics/leaderboard.csv")
    known = backends.read(finished.root / "metrics/runtimes.json")
    assert card.text(measurements, model, leaders, known) == text
    assert ModelCard.load(finished.root / "models/README.md").data.eval_results
    assert f"{measurements['evaluate']['int8']['top1']:.2%}" in text
    assert "nan" not in text.lower().replace("non", "").split()
    # Its sixty classes are other data than the leaderboard's.
    assert "so nothing is recommended" in text


def test_a_folders_name_is_no_markup():
    """Where it is text of the card, and where it is metadata."""
    name = "raw/<img src=x onerror=alert(1)>|`a_b`[c](d)"
    assert card.named(name) == r"raw/&lt;img src=x onerror=alert(1)&gt;\|\`a\_b\`\[c\](d)"
    assert card.named("synthetic/ETL9G-hard2") == "synthetic/ETL9G-hard2"
    assert card._dataset_id(f"{name}, raw/ETL1") == (
        "kakitori-raw-img-src-x-onerror-alert-1-a-b-c-d-and-raw-etl1"
    )
    template = card.TEMPLATE.read_text("utf-8")
    inserted = re.findall(r"{{ *([^}]*corp(?:us|ora)) *}}", template)
    assert not inserted, "a corpus's name without `named`"


# --- other runtimes ----------------------------------------------------------------------------


def runtimes(measurements: dict[str, dict]) -> dict:
    """As stages/runtimes.py writes it, of the committed run."""
    evaluate = measurements["evaluate"]
    ran = {
        "state": "run here", "onnx": "strict.onnx", "onnx_bytes": 2_000_000, "bytes": 2_010_000,
        "file": "models/runtimes/litert/fp32", "equal": 0.9995, "probability_difference": 0.0123,
        "top1": 0.975, "milliseconds": 1.234, "onnx_milliseconds": 2.0,
    }  # fmt: skip
    formats = {
        "fp32": ran,
        "fp16": {"state": "converted here", "onnx": "fp16.onnx", "onnx_bytes": 1, "bytes": 1},
        "int8": {"state": "failed", "why": "a|b <c>", "onnx": "int8.onnx", "onnx_bytes": 1},
    }
    return {
        "run": {
            "model": evaluate["model"],
            "dataset": evaluate["dataset"]["fingerprint"],
            "test_nll": evaluate["fp32"]["nll"],
            "samples": 1000,
        },
        "runtimes": {"litert": {"title": "LiteRT", "version": "2.1.0", "formats": formats}},
    }


def test_the_table_of_runtimes_says_what_was_measured():
    measurements = measured()
    text = card.text(measurements, {"size": 64}, table(), runtimes(measurements))
    assert (
        "| LiteRT 2.1.0 | float32, `models/runtimes/litert/fp32` | run here | 2.01 MB of 2.00 | "
        "99.95% | 0.01 | 97.50% | 1.23 of 2.00 |\n"
    ) in text
    assert "| LiteRT 2.1.0 | 16-bit float, `fp16.onnx` | converted here | 0.00 MB of" in text
    assert "| failed: a\\|b &lt;c> |" in text
    rows = text.split("| runtime | ")[1].split("\n\n")[0].splitlines()
    # Of its header and rule, the reference of ONNX and three formats each has as many cells.
    assert len(rows) == 6 and {len(re.split(r"(?<!\\)\|", row)) for row in rows[1:]} == {10}


@pytest.mark.parametrize("change", [{}, {"model": "vit"}, {"dataset": "x"}, {"test_nll": 0.5}])
def test_of_another_run_or_none_the_table_of_runtimes_says_nothing(change):
    measurements = measured()
    known = runtimes(measurements) if change else {}
    if change:
        known["run"] |= change
    rows = backends.table(known, measurements["evaluate"], measurements["quantize"])
    assert rows[0][:3] == ("onnx.reference", rows[0][1], "run here") and len(rows) == 2
    assert rows[1][2].startswith("not tried: ") and "`python stages/runtimes.py`" in rows[1][2]
    assert ("is of another run" in rows[1][2]) == bool(change)


def test_what_is_not_there_was_not_measured(tmp_path):
    assert backends.read(tmp_path / "runtimes.json") == {}

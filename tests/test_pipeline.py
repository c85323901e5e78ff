"""The whole chain on a tiny project, its stages one by one."""

import json
import re
import shutil

import numpy as np
import onnx
import pandas as pd
import pytest
import yaml

from tests.conftest import READ
from tests.pictures import drawn
from tests.projects import BEFORE_TRAINING, STAGES, TINY, Project, metric

SHAPE_NOTHING = {"carbon.country", "synthesize.workers"}  # the meter's, and how many work at a time


# --- the chain ---------------------------------------------------------------------------------


def test_every_output_is_there(finished):
    pipeline = yaml.safe_load((finished.root / "dvc.yaml").read_text("utf-8"))["stages"]
    assert STAGES == [
        "characters", "synthesize", "extract", "split", "train", "quantize", "evaluate", "audit",
        "carbon", "card",
    ]  # fmt: skip
    for stage in pipeline.values():
        for entry in [*stage.get("outs", []), *stage.get("metrics", [])]:
            path = entry if isinstance(entry, str) else next(iter(entry))
            assert (finished.root / path).exists(), path
    assert not list(finished.root.rglob("*.part")), "something was left half-written"
    assert not list((finished.root / ".checkpoints").glob("*/*.pt"))


def test_figures_of_the_tiny_run(finished):
    evaluate = metric(finished, "evaluate")
    assert evaluate["synthetic"] is True and evaluate["scheme"] == "writer"
    assert (evaluate["classes"], evaluate["test_samples"]) == (60, 600)
    assert evaluate["test_writer_groups"] == 10
    assert evaluate["torch"]["top1"] > 0.5, "sixty classes: chance is 0.017"
    # The network itself reads in bfloat16.
    assert evaluate["fp32"]["top1"] == pytest.approx(evaluate["torch"]["top1"], abs=0.015)
    assert evaluate["int8"]["top1"] == pytest.approx(evaluate["fp32"]["top1"], abs=0.02)
    (hard,) = evaluate["hard"].items()
    assert hard[0] == "synthetic/ETL9G-hard2" and hard[1]["samples"] == 120
    assert 0.1 < hard[1]["int8"]["top1"] <= evaluate["int8"]["top1"]
    keys = {"top1", "top1_low", "top1_high", "top1_alike", "top5", "error_rate", "nll", "ece"}
    for name in ("torch", "fp32", "int8", "int4"):
        assert set(evaluate[name]) == keys
        cell = evaluate[name]
        assert cell["top1_low"] < cell["top1"] < cell["top1_high"]
    accepted = evaluate["accepted"]["int8"]
    assert 0 < accepted["coverage"] <= 1 and accepted["precision"] >= evaluate["int8"]["top1"]
    writers = evaluate["by_writer"]
    assert (
        writers["groups"] == 10 and writers["worst"] < evaluate["torch"]["top1"] < writers["best"]
    )
    slices = evaluate["by_script"].values()
    assert sum(s["samples"] for s in slices) == 600
    mean = sum(s["samples"] * s["top1"] for s in slices) / 600
    assert mean == pytest.approx(evaluate["torch"]["top1"])
    table = pd.read_csv(finished.root / "metrics/by_writer.csv")
    assert table["total"].tolist() == [60] * 10
    assert table["int8"].sum() / 600 == pytest.approx(evaluate["int8"]["top1"])
    quantize = metric(finished, "quantize")
    # Of so small a network the files hold nearly as much else as weights; cnn's are below.
    assert quantize["int8"]["bytes"] < 0.5 * quantize["fp32"]["bytes"]
    assert quantize["fp32"]["agreement"] == 1.0 and quantize["fp32"]["max_abs_diff"] < 1e-3
    assert quantize["int4"]["bytes"] < quantize["int8"]["bytes"]
    assert evaluate["int4"]["top1"] == pytest.approx(evaluate["fp32"]["top1"], abs=0.05)
    for name in TINY["quantize"]["formats"]["all"]:
        line = quantize[name]
        assert line["second_runtime"] == "agrees"
        assert line["load_ms"] > 0 and line["peak_mb"] > 0 and line["latency_ms"] > 0
    carbon = metric(finished, "carbon")
    assert carbon["total_kwh"] == pytest.approx(sum(s["kwh"] for s in carbon["stages"].values()))
    assert carbon["kg_co2e"]["renewable"] < carbon["kg_co2e"]["eu"] < carbon["kg_co2e"]["world"]
    assert all(v > 0 for v in carbon["wh_per_1000_inferences"].values())


def test_tables_of_what_is_misread(finished):
    folder = finished.root / "metrics/plots/evaluate"
    evaluate = metric(finished, "evaluate")
    classes = pd.read_parquet(folder / "classes.parquet")
    assert len(classes) == 60 and classes["samples"].sum() == 600
    top1 = 1 - classes["errors"].sum() / 600
    assert top1 == pytest.approx(evaluate["torch"]["top1"])
    confusion = pd.read_parquet(folder / "confusion.parquet")
    assert confusion["samples"].sum() == 600
    right = confusion[confusion["truth"] == confusion["answer"]]
    assert right["samples"].sum() / 600 == pytest.approx(top1)
    for name in ("worst", "confused"):
        table = pd.read_csv(folder / f"{name}.csv", keep_default_na=False)
        assert 0 < len(table) <= 50 and (table["truth"] != table["answer"]).all()
        apart = table["strokes_of_truth"].astype(str) + table["strokes_of_answer"].astype(str)
        assert (apart != "").all()
        assert (folder / f"{name}.png").stat().st_size > 10_000
    curve = pd.read_csv(folder / "risk_coverage.csv")
    assert curve["coverage"].is_monotonic_increasing
    assert curve["risk"].iloc[-1] == pytest.approx(1 - top1)
    slices = pd.read_csv(folder / "slices.csv")
    assert set(slices["slice"]) == {"script", "strokes", "corpus", "quality", "radical"}


def test_the_report_is_one_page_that_needs_no_network(finished):
    done = finished.stage("report")
    assert "report: metrics/report.html" in done.stdout
    page = (finished.root / "metrics/report.html").read_text("utf-8")
    (finished.root / "metrics/report.html").unlink()
    evaluate = metric(finished, "evaluate")
    assert f"{100 * evaluate['int8']['top1']:.2f} %" in page
    assert "The data is synthetic." in page
    assert page.count("data:image/png;base64,") >= 8
    assert not re.search(r"(src|href)=\"(?!data:|#)", page) and "url(" not in page
    assert len(page) < 5e6


def test_a_report_of_stale_metrics_is_refused(finished, tmp_path):
    copy = finished.copy(tmp_path / "copy")
    path = copy.root / "models/model.json"
    path.unlink()  # may be a link into the cache
    model = json.loads((finished.root / "models/model.json").read_text("utf-8"))
    path.write_text(json.dumps(model | {"model": "vit"}), "utf-8")
    done = copy.stage("report", check=False)
    assert done.returncode == 1
    assert "metrics/evaluate.json: expected the metrics of models/model.json's vit" in done.stderr
    (copy.root / "metrics/carbon.json").unlink()
    done = copy.stage("report", check=False)
    assert done.returncode == 1 and "carbon.json: expected a file, found none" in done.stderr


@pytest.mark.parametrize("stage", STAGES)
def test_dvc_knows_the_settings_that_a_stage_reads(finished, stage):
    """A forgotten one would leave its results stale in silence."""
    deps = yaml.safe_load((finished.root / "dvc.yaml").read_text("utf-8"))["stages"][stage]
    listed = {name.partition(".${")[0] for name in deps.get("params", [])}
    path = finished.root / READ / stage
    read = set(path.read_text("utf-8").split()) - SHAPE_NOTHING if path.is_file() else set()

    def within(name: str, group: str) -> bool:
        return f"{name}.".startswith(f"{group}.")

    assert not [n for n in read if not any(within(n, group) for group in listed)], "not listed"
    assert not [group for group in listed if not any(within(n, group) for n in read)], "not read"


def test_metrics_hold_no_lists_and_the_gated_file_no_times(finished):
    def values(tree):
        for value in tree.values():
            yield from values(value) if isinstance(value, dict) else [value]

    for name in ("extract", "split", "train", "quantize", "evaluate", "carbon"):
        assert not any(isinstance(v, list) for v in values(metric(finished, name)))
    text = (finished.root / "metrics/evaluate.json").read_text("utf-8")
    assert "seconds" not in text and "latency" not in text and "NaN" not in text


def test_no_writer_group_in_two_parts_of_what_was_trained(finished):
    index = pd.read_parquet(finished.root / "data/index.parquet")
    split = pd.read_parquet(finished.root / "data/split.parquet")
    parts = index.merge(split, on="sample").groupby("writer_group")["part"].unique()
    assert (parts.map(len) == 1).all() and len(parts) == 24 + 2


def test_exports_tell_how_to_use_them(finished):
    classes = json.loads((finished.root / "models/classes.json").read_text("utf-8"))
    for name in ("fp32", "int8"):
        model = onnx.load(finished.root / f"models/exports/{name}.onnx")
        onnx.checker.check_model(model, full_check=True)
        properties = {p.key: p.value for p in model.metadata_props}
        assert properties["classes"] == "".join(classes.values())
        assert properties["size"] == "64" and float(properties["temperature"]) > 0
        assert str(finished.root) not in str(model) and "stages/" not in str(model)


def test_extract_verifies_without_writing(finished):
    """Every ETL set that is there, whatever data.corpora names."""
    before = (finished.root / "metrics/energy/extract.json").read_bytes()
    done = finished.stage("extract", "--verify")
    assert (
        "ok    synthetic/ETL9G: every set holds each code once: 24 sets of 60 codes" in done.stdout
    )
    assert "verify: 7 files, 0 checks failed" in done.stdout
    assert (finished.root / "metrics/energy/extract.json").read_bytes() == before


def test_glyph_sources_are_mixed_over_the_writers(project):
    """A font and a KanjiVG archive of three characters, drawn by hand here: both forms are kept,
    the decomposition is the archive's, and every second writer learned from it."""
    from tests.drawn_svg import HEAD, LEVEL, UPRIGHT, archive

    svg = HEAD % ("", LEVEL + UPRIGHT)
    members = [(f"kanji/{ord(c):05x}.svg", svg.replace("十", c)) for c in "あい"]
    archive(project.root / "data/external", *members)
    project.set(
        synthesize={"glyphs": ["font", "kanjivg"], "writers": 2, "classes": 4, "hard_writers": 0}
    )
    for stage in ("characters", "synthesize"):
        project.stage(stage)
    table = pd.read_parquet(project.root / "data/characters.parquet").set_index("character")
    assert [form["source"] for form in table.loc["あ", "forms"]] == ["font", "kanjivg"]
    assert [form["source"] for form in table.loc["う", "forms"]] == ["font"]
    assert table.loc["あ", "decomposition_source"] == "kanjivg"
    assert table.loc["う", "decomposition"] == "" and table.loc["あ", "stroke_source"] == "font"
    assert list(table.loc["あ", "radicals"]) == ["あ"], "kana are their own radical"
    kanjivg_form = table.loc["あ", "forms"][1]
    assert list(kanjivg_form["stroke_types"]) == ["㇐", "㇑"]
    first, second = np.fromfile(project.root / "data/synthetic/ETL9G/ETL9G_01", np.uint8).reshape(
        2, 4, 8199
    )
    # あ and い are the same cross for the second writer, but not for the first: their ink stands
    # in the same rows and columns.
    alike = []
    for page in (first, second):
        levels = np.stack([page[:2, 64:8192] >> 4, page[:2, 64:8192] & 15], 2).reshape(2, 127, 128)
        profiles = np.hstack([levels.mean(1), levels.mean(2)])
        alike.append(np.corrcoef(profiles)[0, 1])
    assert alike[0] < 0.6 < alike[1], alike


def test_what_no_source_draws_is_named_and_counted(project):
    """Of the first 182 characters beyond ETL9 the last three have no file in KanjiVG."""
    few = {"glyphs": ["kanjivg"], "sets": ["ALPHABET"], "classes": 182}
    project.set(synthesize=few)
    done = project.stage("characters", check=False)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1
    assert "expected at most 0 characters missing from kanjivg" in done.stderr
    assert "found 3: 〇〜…" in done.stderr
    assert not (project.root / "data/characters.parquet").exists()
    project.set(synthesize=few | {"max_missing": 3})
    output = project.stage("characters").stdout
    known = set(pd.read_parquet(project.root / "data/characters.parquet")["character"])
    assert "〇〜…" in output and not set("〇〜…") & known and "ゔ" in known


def test_a_character_is_shown(finished):
    done = finished.stage("characters", "--show", "あ")
    assert done.stdout.startswith("metrics/plots/characters/あ.png")
    assert (finished.root / "metrics/plots/characters/あ.png").stat().st_size > 5000
    done = finished.stage("characters", "--show", "☃", check=False)
    assert done.returncode == 1 and "expected characters of the table" in done.stderr


def test_wrong_labels_are_listed_first(finished, tmp_path):
    """Five pairs of labels exchanged in the sheets of test writers: several are among the first
    sixteen of 1,440 samples that the network contradicts, which reads four of five itself."""
    copy = tmp_path / "copy"
    shutil.copytree(finished.root, copy)
    path = copy / "data/synthetic/ETL9G/ETL9G_06"
    records = np.fromfile(path, np.uint8).reshape(-1, 8199)
    wrong = []
    for a, b in [(3, 20), (70, 100), (130, 160), (200, 230), (31, 52)]:
        records[[a, b], 2:4] = records[[b, a], 2:4]
        wrong += [a, b]
    records.tofile(path)
    project = Project(copy)
    for stage in ("extract", "split", "evaluate", "audit"):
        project.stage(stage)
    table = pd.read_csv(copy / "metrics/plots/audit/audit.csv")
    assert table["margin"].is_monotonic_decreasing
    suspects = table.head(16).query("shard == 5")
    assert len(set(suspects["row"]) & set(wrong)) >= 4, "chance would find one in ten runs"
    assert (copy / "metrics/plots/audit/audit.png").stat().st_size > 1000


def test_external_sets_are_reported_by_name(finished, tmp_path):
    """Drawings of two known characters and one that the model has no class for."""
    copy = tmp_path / "copy"
    shutil.copytree(finished.root, copy)
    for character in "あの鬱":
        folder = copy / f"data/raw/drawings/U+{ord(character):04X}"
        folder.mkdir(parents=True)
        drawn(character).save(folder / "1.png")
        drawn(character, side=70).save(folder / "2.png")
    project = Project(copy)
    project.set(data={"corpora": ["synthetic/ETL9G", "synthetic/ETL9G-hard2", "raw/drawings"]})
    for stage in ("extract", "split", "evaluate"):
        project.stage(stage)
    before, after = (metric(p, "evaluate") for p in (finished, project))
    figures = after["external"]["raw/drawings"]
    assert (figures["samples"], figures["samples_of_other_characters"]) == (4, 2)
    assert figures["other_characters"] == "鬱" and figures["torch"]["top5"] >= 0.5
    # Nobody says who drew them, so there is no interval.
    assert set(after["int8"]) - set(figures["int8"]) == {"top1_low", "top1_high"}
    assert (
        before["external"] == {}
        and after["hard"] == before["hard"]
        and after["torch"] == before["torch"]
    )


def test_many_corpora_in_one_label_space(project):
    """auto: synthetic sets, a set of drawings by nobody known, and what each is used for."""
    from PIL import Image

    for k, character in enumerate("あい木"):
        folder = project.root / f"data/raw/drawings/U+{ord(character):04X}"
        folder.mkdir(parents=True)
        page = np.full((50, 50), 255, np.uint8)
        page[10:40, 20 + k : 24 + k] = 0
        Image.fromarray(page).save(folder / "1.png")
    broken = project.root / "data/raw/drawings/U+3042/2.png"
    broken.write_bytes(b"no picture")
    project.set(
        synthesize={
            "sets": ["ETL4", "ETL5", "ETL9B", "ETL9G"], "glyphs": ["kanjivg"], "classes": 12,
            "writers": 8, "hard_writers": 0,
        },
        split={"val_groups": 1, "test_groups": 3},
        data={"corpora": "auto"},
    )  # fmt: skip
    for stage in BEFORE_TRAINING:
        project.stage(stage)
    seen = metric(project, "extract")
    assert list(seen["corpora"]) == [
        "raw/drawings", "synthetic/ETL4", "synthetic/ETL5", "synthetic/ETL9G",
    ]  # fmt: skip
    assert seen["corpora"]["raw/drawings"]["writer_groups"] == 0
    assert seen["corpora"]["raw/drawings"]["rejected"] == seen["rejected"] == 1
    rejects = pd.read_csv(project.root / "metrics/plots/extract/rejects.csv")
    assert "2.png" in rejects["reason"][0]
    split = metric(project, "split")
    assert split["external"]["samples"] == 3 and split["test"]["writer_groups"] == 9
    project.set(
        data={
            "mix": {"train": [], "val": [], "external": [], "weights": {}, "test": ["raw/drawings"]}
        }
    )
    done = project.stage("split", check=False)
    assert done.returncode == 1 and "expected corpora that say who wrote" in done.stderr

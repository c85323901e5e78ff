"""What README.md and docs/ say to run runs, on tiny files of the form that they speak of."""

import itertools
import json
import re
import shlex
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from ruamel.yaml import YAML

from kakitori.running import params
from kakitori.running.params import ROOT
from tests import committed, tables
from tests.benchmarks.photos import drawn
from tests.projects import FEW, Project, metric

DOCS = {
    path.name: path.read_text("utf-8") for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]
}
IN_TABLE = "あいうえお"  # of the 60 characters of a tiny project
OUTSIDE = {"们": "仏", "㍻": "平", "龘": "竜"}  # in no source, drawn here like others
WRITERS = 16
# Of what recipes ask for, as much as sixty characters by twenty-four writers have.
TINY = {
    r"zero_shot_classes=300": "zero_shot_classes=10",
    r"zero_shot_classes=jis2": "zero_shot_classes=katakana",  # which begin what ETL9 lacks
    r"writers=120": "writers=24",
}
# A tiny project's, whatever a recipe says: how often is no part of its form.
TINY_TRAIN = {"epochs": 1, "batch": 32, "stop_after": 0}


def commands(name: str) -> list[list[str]]:
    """The overrides, `group.setting=value`, of each `dvc exp run` of a document."""
    text = DOCS[name].replace("\\\n", " ")
    arguments = re.findall(r"dvc exp run((?: +(?:--queue|-S +(?:'[^']*'|[^\s`]+)))+)", text)
    return [[word for word in shlex.split(c) if not word.startswith("-")] for c in arguments]


def applied(tree: dict, overrides: list[str]) -> dict:
    """Settings with overrides, as DVC writes them: their values are YAML."""
    for override in overrides:
        path, value = override.split("=", 1)
        *groups, last = path.split(".")
        inner = tree
        for group in groups:
            inner = inner[group]
        inner[last] = YAML(typ="safe", pure=True).load(value)
    return tree


@pytest.mark.parametrize("name", DOCS)
def test_settings_that_documents_name_exist(name):
    text = DOCS[name].replace("\\\n", " ")
    named = [a or b for a, b in re.findall(r"-S\s+(?:'([^']+)'|([\w.]+=[^\s`'),]+))", text)]
    assert len(named) >= sum(map(len, commands(name)))
    for override in sorted(set(named)):
        setting, _, values = override.partition("=")
        values = values.replace("<name>", "vit")
        values = values.split(",") if setting == "model" else [values]
        for value in values:
            tree = applied(committed.settings_tree(), [f"{setting}={value}"])
            settings = params.parse(yaml.safe_dump(tree, allow_unicode=True))
            assert settings.model in params.known_models()
            settings.training()


# --- files of every form ------------------------------------------------------------------------


def strokes_of(character: str, hand: int) -> list[np.ndarray]:
    """Strokes in the unit square, a little different in every hand."""
    row = tables.characters("".join([*IN_TABLE, *OUTSIDE.values()])).set_index("character")
    strokes = row.at[OUTSIDE.get(character, character), "strokes"]
    turn = np.random.default_rng(hand).normal(0, 0.06, (2, 2)) + np.eye(2)
    return [np.clip(np.reshape(s, (-1, 2)) @ turn, -0.1, 1.1) for s in strokes]


def pictures(root: Path, characters: str) -> None:
    """Kuzushiji-Kanji's folders: `U+XXXX/`, and nobody says who wrote."""
    for character in characters:
        folder = root / f"U+{ord(character):04X}"
        folder.mkdir(parents=True)
        for hand in range(WRITERS):
            image = drawn(strokes_of(character, hand), 0.06, 64)
            Image.fromarray(image).save(folder / f"{hand}.png")


def hwdb(root: Path, characters: str) -> None:
    """A `.gnt` file a writer, labelled in GB 18030."""
    root.mkdir(parents=True)
    for hand in range(WRITERS):
        samples = []
        for character in characters:
            image = drawn(strokes_of(character, hand), 0.06, 64)
            tag = character.encode("gb18030")
            samples.append(struct.pack("<I", 8 + len(tag) + image.size) + tag)
            samples.append(struct.pack("<HH", *image.shape[::-1]) + image.tobytes())
        (root / f"{1001 + hand}-f.gnt").write_bytes(b"".join(samples))


def kuchibue(root: Path, characters: str) -> None:
    """A UNIPEN file a writer, labelled in EUC-JP's kind of text: here UTF-8."""
    root.mkdir(parents=True)
    for hand in range(WRITERS):
        lines, first = [".VERSION 1.0", ".COORD X Y", f".WRITER_ID w{hand}"], 0
        lines.append(".HIERARCHY TEXT CHARACTER")
        for character in characters:
            strokes = strokes_of(character, hand)
            last = first + len(strokes) - 1
            lines.append(f'.SEGMENT CHARACTER {first}-{last} ? "{character}"')
            for stroke in strokes:
                lines.append(".PEN_DOWN")
                lines += [f"{x:.0f} {y:.0f}" for x, y in 1000 * stroke]
                lines.append(".PEN_UP")
            first = last + 1
        (root / f"mdb{hand:04d}.dat").write_text("\n".join(lines) + "\n", "utf-8")


def etl9g(project: Project) -> None:
    """The project's own sheets as real ones, shifted by two pixels: no copies of each other."""
    target = project.root / "data/raw/ETL9G"
    target.mkdir(parents=True)
    for path in (project.root / "data/synthetic/ETL9G").iterdir():
        records = np.fromfile(path, np.uint8).reshape(-1, 8199)
        records[:, 64:8192] = np.roll(records[:, 64:8192], 1, 1)
        records.tofile(target / path.name)


BOTH = IN_TABLE + "".join(OUTSIDE)
GB = BOTH.replace("㍻", "")  # which no GB code of two bytes has
MAKERS = {
    "raw/kkanji2": lambda project: pictures(project.root / "data/raw/kkanji2", BOTH),
    "raw/HWDB1.1": lambda project: hwdb(project.root / "data/raw/HWDB1.1", GB),
    "raw/kuchibue": lambda project: kuchibue(project.root / "data/raw/kuchibue", BOTH),
    "raw/omniglot": lambda project: pictures(project.root / "data/raw/omniglot", IN_TABLE),
    "raw/ETL9G": etl9g,
}


# --- running them -------------------------------------------------------------------------------


def recipe(name: str, part: str) -> list[str]:
    """The one recipe of a document that says `part`."""
    (overrides,) = [c for c in commands(name) if part in " ".join(c)]
    return overrides


def prepared(finished: Project, folder: Path, overrides: list[str]) -> Project:
    """A project in which everything is there that a recipe needs, settings made small."""
    project = finished.copy(folder)
    path = project.root / "params.yaml"
    tree = applied(yaml.safe_load(path.read_text("utf-8")), overrides)
    own = tree["archs"].setdefault(tree["model"], {"net": {}, "train": {}})
    own["train"] = {**own["train"], **TINY_TRAIN}
    tree["train"] |= TINY_TRAIN
    tree["quantize"] |= FEW
    tree["evaluate"] |= {"worst": 4}
    path.write_text(yaml.safe_dump(tree, allow_unicode=True, sort_keys=False), "utf-8")
    corpora = tree["data"]["corpora"]
    mixed = itertools.chain(*(v for v in tree["data"]["mix"].values() if isinstance(v, list)))
    for corpus in {*([corpora] if isinstance(corpora, str) else corpora), *mixed}:
        MAKERS.get(corpus, lambda _: None)(project)
    begun = {tree["train"]["transfer"]["init_from"], tree["train"]["distillation"]["teacher"]} - {
        ""
    }
    if begun and tree["model"] == committed.settings().model:
        finished = of_the_default(finished, folder)
    for earlier in begun:
        keep(finished, project, earlier)
    return project


def of_the_default(finished: Project, folder: Path) -> Project:
    """The tiny project again, with the default's network, a little trained."""
    project = finished.copy(folder.with_name("earlier"))
    project.set(model=committed.settings().model, train=TINY_TRAIN)
    project.stage("train")
    return project


def keep(source: Project, project: Project, name: str) -> None:
    """`cp models/model.* models/pretrained/NAME.*`"""
    for kind in ("safetensors", "json"):
        content = (source.root / f"models/model.{kind}").read_bytes()
        (project.root / f"models/pretrained/{name}.{kind}").write_bytes(content)


def run(project: Project, *stages: str) -> str:
    return "".join(project.stage(stage).stdout for stage in stages)


def test_kuzushiji_kanji_alone(finished, tmp_path):
    """Of a corpus that does not say who wrote, with characters of old books."""
    overrides = recipe("training.md", "raw/kkanji2")
    project = prepared(finished, tmp_path / "project", overrides)
    output = run(project, "extract", "split", "train", "quantize", "evaluate")
    assert "5 of 8 classes by character" in output
    assert "nobody knows the strokes of ㍻们龘 (3 of 8)" in output
    evaluate = metric(project, "evaluate")
    assert evaluate["scheme"] == "random" and evaluate["classes"] == 8
    assert 0 <= evaluate["int8"]["top1"] <= 1


def hwdb_first(model: str) -> list[str]:
    """The recipe for the real ETL9G, "the same with `[raw/HWDB1.1]` as the first corpus"."""
    words = re.sub(r"\s+", " ", DOCS["training.md"])
    assert "the same with `[raw/HWDB1.1]` as the first corpus" in words
    overrides = [o.replace("ETL9G", "HWDB1.1") for o in recipe("training.md", "raw/ETL9G")]
    if model != committed.settings().model:  # what was trained before is another
        overrides.remove("train.transfer.init_from=synthetic")
    return [*overrides, f"model={model}"]


# stroke, which cannot learn them, is refused; the others go all the way.
@pytest.mark.parametrize(
    "model",
    [
        name if name in ("hiercode", "stroke") else pytest.param(name, marks=pytest.mark.long)
        for name in params.known_models()
    ],
)
def test_chinese_characters_of_casia(finished, tmp_path, model):
    project = prepared(finished, tmp_path / "project", hwdb_first(model))
    run(project, "extract", "split")
    assert metric(project, "split")["test"]["writer_groups"] == 10
    done = project.stage("train", check=model != "stroke")
    if model == "stroke":
        assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1
        assert "none of 们龘 (2 of 7); choose another model, or leave" in done.stderr
        return
    assert "nobody knows the strokes of 们龘 (2 of 7)" in done.stdout
    run(project, "quantize", "evaluate")
    evaluate = metric(project, "evaluate")
    assert (evaluate["model"], evaluate["classes"]) == (model, 7)
    assert evaluate["by_script"]["kanji"]["samples"] == 10 * 2


def test_from_a_pen_to_images(finished, tmp_path):
    """Kuchibue's strokes first, then the default data with what they taught."""
    pen = prepared(finished, tmp_path / "pen", recipe("training.md", "raw/kuchibue"))
    run(pen, "extract", "split", "train")
    assert metric(pen, "split")["train"]["samples"] == 2 * 8
    overrides = recipe("training.md", "init_from=pen")
    images = prepared(finished, tmp_path / "images", overrides)
    keep(pen, images, "pen")
    assert "5 of 60 classes by character" in run(images, "train")


def test_corpora_mixed_as_documented(finished, tmp_path):
    """The example of docs/corpora.md, and the corpora that it speaks of."""
    (example,) = re.findall(r"```yaml\n(data:.*?)```", DOCS["corpora.md"], re.S)
    data = yaml.safe_load(example)["data"]
    overrides = ["data.corpora=auto", f"data.mix={json.dumps(data['mix'])}"]
    project = prepared(finished, tmp_path / "project", overrides)
    run(project, "extract", "split")
    split = pd.read_parquet(project.root / "data/split.parquet")
    index = pd.read_parquet(project.root / "data/index.parquet").merge(split, on="sample")
    parts = {str(part): set(rows["corpus"]) for part, rows in index.groupby("part")}
    assert parts["train"] == {"raw/ETL9G", "synthetic/ETL9G"}
    assert parts["val"] == parts["test"] == {"raw/ETL9G"}
    assert parts["external"] == {"raw/omniglot"}


def others() -> list[tuple[str, str]]:
    """Document and overrides of every recipe that no test above runs."""
    run_above = ("raw/", "init_from=pen", "--queue")
    documents = {}
    for name in DOCS:
        for overrides in commands(name):
            text = shlex.join(overrides)
            if overrides and not any(part in text for part in run_above):
                documents.setdefault(text, name)
    return [(name, text) for text, name in documents.items()]


@pytest.mark.long
@pytest.mark.parametrize(("document", "overrides"), others(), ids=lambda text: text[:60])
def test_every_other_recipe(finished, tmp_path, document, overrides):
    overrides = [o for o in shlex.split(overrides) if not o.startswith("model=") or "," not in o]
    for long, short in TINY.items():
        overrides = [re.sub(long, short, override) for override in overrides]
    project = prepared(finished, tmp_path / "project", overrides)
    if "train.transfer.init_from=start" in overrides:
        keep(of_the_default(finished, tmp_path / "project"), project, "teacher")
        project.stage("prune", "teacher", "start")
    run(project, *project.stages()[: project.stages().index("evaluate") + 1])
    assert metric(project, "evaluate")["test_samples"] > 0

"""What depends on what: imports, dvc.yaml, and the sizes that keep both readable."""

import ast
import functools
import re
from pathlib import Path

import pytest
import yaml

from kakitori.running import params

KAKITORI = params.ROOT / "stages/kakitori"
PIPELINE = yaml.safe_load((params.ROOT / "dvc.yaml").read_text("utf-8"))["stages"]
# Errors, output files and what runs a stage shape no result, and --verify and --show are no part of
# their stages; to list them would train every model anew for a reworded message.
PLUMBING = {"errors", "outputs", "results/verification", "results/anatomy"}
PLUMBING |= {f"running/{path.stem}" for path in (KAKITORI / "running").glob("*.py")}
CONTRACT = KAKITORI / "learning/contract.py"  # which imports architectures by their names
LEVELS = {  # imports run downward
    "results": 9, "card": 8, "evaluation": 7, "export": 6, "accuracy": 5, "archs": 5,
    "splitting": 5, "synthesis": 4, "learning": 4, "corpora": 3, "writing": 3,
    "running": 2, "reading": 1,
}  # fmt: skip
# Where KanjiVG is installed, other ways to write are read from it; the package does without.
UPWARD = {
    ("reading/matching/reference.py", f"writing/{name}.py") for name in ("__init__", "kanjivg")
}
UPWARD |= {  # a script of its own, which serves the page to a browser
    ("export/runtimes/runners/run_chromium.py", f"results/{name}.py")
    for name in ("__init__", "demo")
}
UNSEEN = [  # by DVC
    params.ROOT / line.strip("/")
    for line in (params.ROOT / ".dvcignore").read_text("utf-8").splitlines()
    if line.startswith("/stages")
]


@functools.cache
def imports(path: Path) -> set[Path]:
    """Files of kakitori that a file imports, at its head or within."""
    files = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kakitori"):
            base = node.module.split(".")[1:]
            for name in ([*base], *([*base, alias.name] for alias in node.names)):
                file = KAKITORI.joinpath(*name)
                # A package's own imports come with it.
                files |= {f for f in (file.with_suffix(".py"), file / "__init__.py") if f.is_file()}
    return files - {KAKITORI / "__init__.py"}


def imported(script: Path) -> set[Path]:
    """Files of kakitori that a script reaches, PLUMBING and packages' __init__ left out; with
    a module its template, NAME.md beside NAME.py."""
    reached, queue = set(), [script]
    while queue:
        for path in imports(queue.pop()) - reached:
            if path.relative_to(KAKITORI).with_suffix("").as_posix() not in PLUMBING:
                reached.add(path)
                queue.append(path)
    templates = {path.with_suffix(".md") for path in reached}
    return {p for p in reached | templates if p.is_file() and p.name != "__init__.py"}


@pytest.mark.parametrize("stage", PIPELINE)
def test_dvc_knows_what_a_stage_imports(stage):
    deps = PIPELINE[stage]["deps"]
    listed = {params.ROOT / d for d in deps if "${model}" not in d}
    assert PIPELINE[stage]["cmd"] == f"python stages/{stage}.py"
    assert params.ROOT / f"stages/{stage}.py" in listed
    reached = imported(params.ROOT / f"stages/{stage}.py")
    if CONTRACT in reached:
        assert "stages/kakitori/archs/${model}.py" in deps
        for model in params.known_models():
            reached |= imported(KAKITORI / f"archs/{model}.py")
    covered = {p: {p, *p.parents} & listed for p in reached}
    assert not [p for p, by in covered.items() if not by], "imported, but not listed in dvc.yaml"
    assert not [p for p in reached if {*p.parents} & {*UNSEEN}], "imported, but not seen by DVC"
    code = {p for p in listed if KAKITORI in p.parents}
    assert code == set().union(*covered.values()) & code, "listed in dvc.yaml, but not imported"


def test_dvc_yaml_is_a_table_of_contents():
    assert len((params.ROOT / "dvc.yaml").read_text("utf-8").splitlines()) <= 200
    for stage, about in PIPELINE.items():
        assert sum(dep.startswith("stages/") for dep in about["deps"]) <= 6, stage


def test_imports_run_downward():
    for path in KAKITORI.glob("*/**/*.py"):
        here = path.relative_to(KAKITORI).parts[0]
        for other in imports(path):
            there = other.relative_to(KAKITORI).parts
            pair = path.relative_to(KAKITORI).as_posix(), "/".join(there)
            if len(there) > 1 and there[0] != here and pair not in UPWARD:
                assert LEVELS[there[0]] < LEVELS[here], f"{path} → {other}"


def test_no_architecture_imports_another():
    archs = {KAKITORI / f"archs/{name}.py" for name in params.known_models()}
    for path in archs:
        assert not imports(path) & archs, path


SCRIPT, MAIN, FUNCTION, MODULE = 120, 40, 60, 450  # lines at most
TABLES = {("stages/kakitori/synthesis/hand.py", "draw")}  # a line for each trait of a hand


def long_ones(path: Path) -> list[str]:
    """What of a file is longer than people read at once."""
    name, text = path.relative_to(params.ROOT).as_posix(), path.read_text("utf-8")
    sizes = [("", len(text.splitlines()), SCRIPT if path.parent.name == "stages" else MODULE)]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and (name, node.name) not in TABLES:
            size = node.end_lineno - node.lineno + 1
            sizes.append((node.name, size, MAIN if node.name == "main" else FUNCTION))
    return [f"{name} {of}: {size} lines, at most {most}" for of, size, most in sizes if size > most]


def test_everything_is_read_in_a_screenful_or_a_few():
    files = [p for room in ("stages", "tests") for p in (params.ROOT / room).rglob("*.py")]
    assert not [line for path in files for line in long_ones(path)]


def test_tests_do_not_import_tests():
    """What several need is in a module of its own; but for processes that a test starts anew."""
    for path in (params.ROOT / "tests").rglob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ImportFrom):
                assert not re.search(r"(^|\.)test_", node.module or ""), path

"""The page's modules that say whose twin they are have the same constants as that module."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from kakitori.running.params import ROOT

# Where a file's first comment names it; a sentence may name several.
NAMED = re.compile(r"stages/(kakitori/[\w/]+)\.py|(?<=[ (])(\w+)\.py")
CONSTANT = re.compile(r"^(?:export )?const ([A-Z][A-Z_0-9]*) = ([-+*/.\d\s()e]+);", re.M)


def twins(path: Path) -> list[str]:
    """Modules of kakitori that the first comment of a file of demo/ names."""
    comment = path.read_text("utf-8").split("*/")[0]
    modules, folder = [], "kakitori"
    for whole, short in NAMED.findall(comment):
        if whole:
            folder = whole.rpartition("/")[0]
        modules.append((whole or f"{folder}/{short}").replace("/", "."))
    return modules


TWINS = [path for path in sorted((ROOT / "demo").glob("*.js")) if twins(path)]


def test_there_are_twins():
    assert {"fitting.js", "segmentation.js", "memory.js", "drawing.js"} <= {p.name for p in TWINS}


@pytest.mark.parametrize("path", TWINS, ids=lambda path: path.name)
def test_constants_are_the_same(path):
    modules = [importlib.import_module(name) for name in twins(path)]
    own = {name: number(text) for name, text in CONSTANT.findall(path.read_text("utf-8"))}
    for name, value in own.items():
        theirs = [getattr(module, name) for module in modules if hasattr(module, name)]
        assert all(value == pytest.approx(other, rel=1e-12) for other in theirs), name


def number(text: str) -> float:
    """A sum or product of literals, without running it as code."""
    tree = ast.parse(text.strip(), mode="eval").body

    def value(node: ast.expr) -> float:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -value(node.operand)
        assert isinstance(node, ast.BinOp), text
        left, other = value(node.left), value(node.right)
        kinds = {ast.Add: left + other, ast.Sub: left - other, ast.Mult: left * other}
        return kinds.get(type(node.op), left / other if other else 0)

    return value(tree)

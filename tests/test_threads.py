"""Whether torch's threads sleep when they wait for long."""

import ast
import os
import subprocess
import sys

import pytest

from kakitori.running import params, threads

ROOT = params.ROOT
SETTLED = ("kakitori.learning", "kakitori.archs", "kakitori.export", "kakitori.accuracy")
TORCH = {"torch", "safetensors.torch", "sklearn"}  # and what brings it
SCRIPTS = [*sorted((ROOT / "stages").glob("*.py")), ROOT / "tests/benchmarks/bench.py"]


def seen_by_openmp(*command: str, **environment: str) -> str:
    """What libgomp says of its settings as it is loaded (OMP_DISPLAY_ENV, OpenMP 4.0)."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_", "KMP_"))}
    return subprocess.run(
        [sys.executable, *command],
        env=kept | environment | {"OMP_DISPLAY_ENV": "verbose"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stderr


@pytest.mark.skipif(sys.platform != "linux", reason="torch's wheels for Linux bring libgomp")
def test_openmp_is_told_before_it_is_loaded():
    script = "import sys; sys.path.insert(0, 'stages'); import kakitori.learning, torch"
    assert "GOMP_SPINCOUNT = '1000'" in seen_by_openmp("-c", script)


@pytest.mark.parametrize(
    "chosen", [{"OMP_WAIT_POLICY": "active"}, {"GOMP_SPINCOUNT": "7"}, {"KMP_BLOCKTIME": "200"}]
)
def test_who_chose_otherwise_has_it(chosen, monkeypatch):
    for name in ("OMP_WAIT_POLICY", *threads.SHORT):
        monkeypatch.delenv(name, raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    exec(
        compile(
            ast.parse((ROOT / "stages/kakitori/running/threads.py").read_text("utf-8")), "", "exec"
        )
    )
    assert dict(os.environ) == before


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_imports_torch_first(path):
    """OpenMP reads its settings once, when torch is imported. All of archs, learning and results
    set them first."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            names = {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        else:
            continue
        settled = any(name.startswith(SETTLED) for name in names)
        if settled or "kakitori.running.threads" in names:
            return
        assert not names & TORCH, (
            f"{path.name}: expected kakitori.running.threads before line {node.lineno}"
        )


@pytest.mark.parametrize(
    "package", ["accuracy", "archs", "evaluation", "export", "learning", "results"]
)
def test_what_works_with_torch_sets_them_as_a_package(package):
    text = (ROOT / f"stages/kakitori/{package}/__init__.py").read_text("utf-8")
    assert "from kakitori.running import threads" in text

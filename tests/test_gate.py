import copy
import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from kakitori.errors import DataError
from kakitori.reading.formats import GATED
from kakitori.results import gate
from tests import committed

PARAMS = re.sub(r"accept: .*", "accept: ''", committed.settings_text())
GROUPS = [f"synthetic/ETL9/set{n:03d}" for n in range(31, 41)]


class Repository:
    """A git repository with nothing but metrics."""

    def __init__(self, root) -> None:
        self.root = root
        (root / "metrics").mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "t@localhost")
        self.git("config", "user.name", "T")
        (root / "params.yaml").write_text(PARAMS)

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True)

    def write(self, accuracy: np.ndarray, **changes) -> None:
        """Metrics of a model with this accuracy per writer group, in every format."""
        total = 3036
        correct = np.rint(accuracy * total).astype(int)
        table = pd.DataFrame({"writer_group": GROUPS, "total": total})
        cells = {"top5": 0.999, "ece": 0.005, "top1": float(correct.sum() / (total * len(GROUPS)))}
        content: dict = {"dataset": {"fingerprint": "a"}}
        for name in GATED:
            table[name] = correct
            content[name] = dict(cells)
        for place, value in changes.items():
            *path, last = place.split("__")
            group = content
            for key in path:
                group = group[key]
            group[last] = value
        table.to_csv(self.root / "metrics/by_writer.csv", index=False)
        (self.root / "metrics/evaluate.json").write_text(json.dumps(content))
        sizes = {name: {"bytes": changes.get("bytes", 1000)} for name in GATED}
        (self.root / "metrics/quantize.json").write_text(json.dumps(sizes))

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")


@pytest.fixture
def repository(tmp_path) -> Repository:
    made = Repository(tmp_path)
    made.write(BASE)
    made.commit()
    return made


BASE = np.linspace(0.95, 0.985, 10)


def test_no_base_passes_with_a_notice(repository, monkeypatch):
    """At the beginning of a project, in CI too."""
    monkeypatch.setenv("CI", "true")
    verdict = gate.compare(repository.root)
    assert verdict.passed and "no earlier metrics" in verdict.lines[0]


@pytest.mark.parametrize(("ci", "passed"), [("true", False), ("", True), (None, True)])
@pytest.mark.parametrize("kind", ["shallow clone", "no git repository"])
def test_history_that_is_not_there_is_an_error_in_ci(
    repository, tmp_path_factory, monkeypatch, kind, ci, passed
):
    if kind == "shallow clone":
        repository.write(BASE - 0.05)  # a regression
        repository.commit()
        root = tmp_path_factory.mktemp("clone")
        repository.git("clone", "-q", "--depth", "1", f"file://{repository.root}", str(root))
    else:
        root = repository.root
        shutil.rmtree(root / ".git")
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(root.parent))
    monkeypatch.delenv("CI", raising=False)
    if ci is not None:
        monkeypatch.setenv("CI", ci)
    verdict = gate.compare(root)
    assert verdict.passed is passed
    assert kind in verdict.lines[0]
    assert verdict.lines[1].startswith("gate: NOTHING WAS" if passed else "gate: FAILS")


@pytest.mark.parametrize("drop", [0.005, 0.01, 0.05])
@pytest.mark.parametrize("committed", [False, True])
def test_a_planted_regression_fails(repository, drop, committed):
    repository.write(BASE - drop)
    if committed:
        repository.commit()
    verdict = gate.compare(repository.root)
    assert not verdict.passed
    assert any("top1" in line and "FAILS" in line for line in verdict.lines)


@pytest.mark.parametrize("seed", range(10))
def test_planted_noise_passes(repository, seed):
    """What another seed of the same training does: a third of a point for each writer."""
    repository.write(BASE + np.random.default_rng(seed).normal(0, 0.003, 10))
    verdict = gate.compare(repository.root)
    assert verdict.passed, verdict.lines


def test_a_drop_within_its_own_noise_passes(repository):
    """Half the writers better, half worse: mean drop 0.0045, standard error 0.004."""
    repository.write(BASE + np.tile([0.012, -0.012], 5) - 0.0045)
    verdict = gate.compare(repository.root)
    assert verdict.passed, verdict.lines


def test_a_drop_of_one_writer_alone_is_not_yet_significant(repository):
    accuracy = BASE.copy()
    accuracy[0] -= 0.04  # mean drop 0.004, standard error 0.004
    repository.write(accuracy)
    assert gate.compare(repository.root).passed


def test_an_improvement_passes(repository):
    repository.write(BASE + 0.004)
    assert gate.compare(repository.root).passed


@pytest.mark.parametrize(
    "changes", [{"int8__ece": 0.2}, {"torch__top5": 0.9}, {"bytes": 2000, "int8__ece": 0.0051}]
)
def test_other_regressions_fail(repository, changes):
    repository.write(BASE, **changes)
    assert not gate.compare(repository.root).passed


def test_a_format_that_disappears_fails(repository):
    repository.write(BASE)
    path = repository.root / "metrics/evaluate.json"
    content = json.loads(path.read_text())
    del content["int8"]
    path.write_text(json.dumps(content))
    assert not gate.compare(repository.root).passed


def test_a_commit_cannot_loosen_its_own_gate(repository):
    loose = PARAMS.replace("top1: 0.003", "top1: 0.9")
    assert loose != PARAMS
    (repository.root / "params.yaml").write_text(loose)
    repository.write(BASE - 0.01)
    assert not gate.compare(repository.root).passed


def test_another_dataset_needs_a_new_reason(repository):
    other = {"dataset__fingerprint": "b"}
    repository.write(BASE - 0.01, **other)
    assert not gate.compare(repository.root).passed
    accepted = PARAMS.replace("accept: ''", "accept: more writers")
    assert accepted != PARAMS
    (repository.root / "params.yaml").write_text(accepted)
    verdict = gate.compare(repository.root)
    assert verdict.passed and "more writers" in verdict.lines[-1]
    # The same reason does not serve twice.
    repository.commit()
    repository.write(BASE - 0.02, dataset__fingerprint="c")
    assert not gate.compare(repository.root).passed


def test_a_named_base(repository):
    repository.git("tag", "v1")
    repository.write(BASE - 0.02)
    repository.commit()
    repository.write(copy.copy(BASE) - 0.0201)
    repository.commit()
    assert gate.compare(repository.root).passed
    assert not gate.compare(repository.root, "v1").passed
    with pytest.raises(DataError, match=r"expected metrics/evaluate\.json in that commit"):
        gate.compare(repository.root, "absent")


@pytest.mark.parametrize("text", ['{"dataset": NaN}', "{", "{}"])
def test_broken_metrics_are_named(repository, text):
    (repository.root / "metrics/evaluate.json").write_text(text)
    with pytest.raises(DataError, match=r"metrics/evaluate\.json: expected"):
        gate.compare(repository.root)


@pytest.mark.parametrize(("drop", "passed"), [(0.0, True), (0.01, False)])
def test_a_base_of_an_earlier_version_is_understood(repository, drop, passed):
    """It called float32 onnx."""
    for path in (repository.root / "metrics").iterdir():
        path.write_text(path.read_text().replace("fp32", "onnx"))
    repository.commit()
    repository.write(BASE - drop)
    verdict = gate.compare(repository.root)
    assert verdict.passed is passed
    assert any(line.startswith("  fp32.top1: 0.9") for line in verdict.lines)
    assert any(line.startswith("  fp32.bytes: 1,000") for line in verdict.lines)

"""Stages killed, beside each other, and out of room; `python -m tests.losses` tries many."""

import contextlib
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import losses
from tests.projects import ROOT, Project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="process groups, small disks")


@pytest.fixture(scope="module")
def project(finished, tmp_path_factory) -> Project:
    """Whatever happens to it, it ends as it was."""
    return finished.copy(tmp_path_factory.mktemp("losses") / "project")


def mounted(folder: Path) -> losses.Disk:
    try:
        return losses.Disk(folder)
    except PermissionError:
        pytest.skip("a small disk needs root, or `unshare -rm make test`")


@pytest.mark.parametrize(("name", "alone"), [("extract", True), ("split", False)])
def test_a_killed_stage_loses_nothing(project, name, alone):
    """At a random moment of its first second."""
    usual = losses.Undisturbed(1, losses.state(project, name))
    faults = losses.kill(project, name, usual, random.random(), alone, cleared=alone)
    assert faults in ([], ["not killed"])


@pytest.mark.parametrize("pair", [("split", "split"), ("extract", "card")])
def test_of_two_stages_one_writes(project, pair):
    assert losses.meet(project, pair, 0) in ([], ["in turn"])


def test_a_full_disk_loses_nothing(project, tmp_path):
    with contextlib.closing(mounted(tmp_path / "disk")) as disk:
        there = disk.holding(project)
        for name in ("extract", "split"):
            room = random.choice(losses.places(losses.needed(there, name), 10))
            assert losses.fill(disk, there, name, room) == []


@pytest.mark.parametrize("pages", [16, 50])
def test_hdf5_on_a_full_disk_is_one_line(tmp_path, pages):
    """In a process of its own: HDF5 says it once more, or breaks down, when Python ends."""
    code = (
        "import sys, numpy; from pathlib import Path; from kakitori import outputs\n"
        "from kakitori.running import stage\n"
        "images = numpy.ones((50, 64, 64), numpy.uint8)\n"
        "with stage.ended_well('x'), outputs.hdf5(Path(sys.argv[1]), images.nbytes) as file:\n"
        "    file['images'] = images\n"
    )
    with contextlib.closing(mounted(tmp_path / "disk")) as disk:
        disk.leave(losses.ENOUGH._replace(pages=pages))
        done = subprocess.run(
            [sys.executable, "-c", code, str(disk.folder / "a.h5")],
            env={**os.environ, "PYTHONPATH": str(ROOT / "stages")},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert re.fullmatch(r"x: \S+: expected room on the disk, found it full: [^\n]*\n", done.stderr)


@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "count"), [(losses.kills, 100), (losses.pairs, 10), (losses.disks, 10)]
)
def test_nothing_is_lost(tmp_path, what, count):
    _, *rows = what(tmp_path, count)
    assert [(name, wrong) for name, *_, ends in rows for wrong in ends if wrong] == []

"""What the tests themselves stand on."""

import time

import pytest

from tests.projects import Project

HANGS = """
import subprocess, sys
def waits_for_ever():
    subprocess.run([sys.executable, "-c", "import time; time.sleep(60)"])
waits_for_ever()
"""


def test_a_command_that_hangs_says_where(tmp_path):
    started = time.monotonic()
    with pytest.raises(AssertionError, match=r"hung for 20 s:[\s\S]*in waits_for_ever"):
        Project(tmp_path).run("python", "-c", HANGS, limit=20)
    assert time.monotonic() - started < 90

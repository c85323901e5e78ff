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
    both = r"hung for 20 s:\n[\s\S]*in waits_for_ever\n[\s\S]*Current thread[\s\S]*in <module>\n"
    with pytest.raises(AssertionError, match=both):  # where it was, and what it waited for
        Project(tmp_path).run("python", "-c", HANGS, limit=20)
    assert time.monotonic() - started < 90

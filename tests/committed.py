"""What the last commit says, whatever has run here since.

`make repro` measures on this machine and writes metrics/, models/README.md and dvc.lock; an
experiment changes params.yaml too. Documents are held against what was committed with them, and
tests that need settings take the committed ones. To see before a commit whether documents fit new
metrics: `TESTS_READ=worktree pytest tests/test_figures.py`.
"""

import functools
import json
import os
import subprocess

import yaml

from kakitori.errors import SettingsError
from kakitori.reading.formats import renamed
from kakitori.running import params
from kakitori.running.params import ROOT

# What the pipeline writes or DVC changes among git's files.
PRODUCED = ("dvc.lock", "metrics", "models/README.md")
OF_LAST_COMMIT = os.environ.get("TESTS_READ", "commit") != "worktree"


@functools.cache
def content(name: str) -> bytes:
    """A file of the last commit; the working tree's where that lacks it, or where git is not."""
    if OF_LAST_COMMIT:
        command = ["git", "show", f"HEAD:./{name}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True)
        if not done.returncode:
            return done.stdout
    return (ROOT / name).read_bytes()


def text(name: str) -> str:
    return content(name).decode("utf-8")


def metrics(name: str) -> dict:
    """metrics/NAME.json."""
    return renamed(json.loads(text(f"metrics/{name}.json")))


@functools.cache
def settings_text() -> str:
    """params.yaml of the last commit; the working tree's while a setting is being added to it."""
    try:
        params.parse(text("params.yaml"))
    except SettingsError:
        return (ROOT / "params.yaml").read_text("utf-8")
    return text("params.yaml")


def settings() -> params.Settings:
    return params.parse(settings_text())


def settings_tree() -> dict:
    """The same as YAML reads it, for a test to change."""
    return yaml.safe_load(settings_text())

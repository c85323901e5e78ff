"""An environment of its own for each runtime, below .runtimes/, made once."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from kakitori import installing
from kakitori.results import demo
from kakitori.runtimes.catalogue import Runtime

FOLDER = ".runtimes"
INSTALL = ("install", "--quiet", "--disable-pip-version-check", "--no-input")


def install(root: Path, name: str, runtime: Runtime) -> list[str]:
    """The command that a runner is given to, once what it needs is there.

    Raises DataError for a package that could not be had.
    """
    if name == "chromium":
        demo.install(root)
    if runtime.npm:
        installing.npm(root / FOLDER / name, runtime.npm)
        return [shutil.which("node") or "node"]
    if not runtime.pip:
        return [sys.executable]
    return [str(_pip(root / FOLDER / name, runtime))]


def _pip(folder: Path, runtime: Runtime) -> Path:
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = "\n".join([sys.version, *runtime.pip])
    stamp = folder / "installed.txt"
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    if runtime.shares:
        # Behind its own packages, so that these come first.
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        (site / "kakitori.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    command = [sys.executable, "-m", "pip", "--python", str(python), *INSTALL, *runtime.pip]
    installing.run(command, folder, "pip", runtime.pip)
    stamp.write_text(wanted, "utf-8")
    return python

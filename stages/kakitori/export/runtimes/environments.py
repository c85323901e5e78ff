"""An environment of its own for each runtime, below .runtimes/, made once."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from kakitori.errors import DataError
from kakitori.export.runtimes.catalogue import Runtime
from kakitori.running import installing

FOLDER = ".runtimes"
INSTALL = ("install", "--quiet", "--disable-pip-version-check", "--no-input")


def install(root: Path, name: str, runtime: Runtime) -> list[str]:
    """The command that a runner is given to, once what it needs is there.

    Raises DataError for a package that could not be had.
    """
    if runtime.npm:
        installing.npm(root / FOLDER / name, runtime.npm)
        return [shutil.which("node") or "node"]
    if not runtime.pip:
        return [sys.executable]
    return [str(_pip(root / FOLDER / name, runtime))]


def installed(root: Path, name: str, runtime: Runtime) -> str:
    """The Python of a runtime's environment. DataError where it has not been made."""
    folder = root / FOLDER / name
    if not _has(folder, _wanted(runtime)):
        raise DataError(
            f"{FOLDER}/{name}: expected {runtime.title} {', '.join(runtime.pip)}, found no such "
            f"environment; `python stages/runtimes.py --install {name}` makes it"
        )
    return str(_python(folder))


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _wanted(runtime: Runtime) -> str:
    return "\n".join([sys.version, *runtime.pip])


def _has(folder: Path, wanted: str) -> bool:
    stamp = folder / "installed.txt"
    return stamp.is_file() and stamp.read_text("utf-8") == wanted


def _pip(folder: Path, runtime: Runtime) -> Path:
    python, wanted = _python(folder), _wanted(runtime)
    if _has(folder, wanted):
        return python
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    if runtime.shares:
        # Behind its own packages, so that these come first.
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        (site / "kakitori.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    command = [sys.executable, "-m", "pip", "--python", str(python), *INSTALL, *runtime.pip]
    installing.run(command, folder, "pip", runtime.pip)
    (folder / "installed.txt").write_text(wanted, "utf-8")
    return python

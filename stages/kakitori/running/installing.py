"""Packages that npm brings on request, in folders of their own."""

import shutil
import subprocess
from pathlib import Path

from kakitori.errors import DataError


def npm(folder: Path, packages: tuple[str, ...]) -> None:
    """Have `packages` ("name" or "name@version") below folder/node_modules; nothing is done where
    they are there already.

    Raises DataError where npm is not there or cannot get them.
    """
    wanted, stamp = "\n".join(packages), folder / "installed.txt"
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return
    program = shutil.which("npm")
    if program is None:
        raise DataError(
            f"expected the program npm, which brings {', '.join(packages)}, found none; Debian: "
            "`apt-get install npm`"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"private": true}', "utf-8")
    # Without scripts: onnxruntime-node's fetches CUDA's libraries from elsewhere.
    quiet = ("--no-audit", "--no-fund", "--loglevel=error")
    run([program, "install", "--ignore-scripts", *quiet, *packages], folder, "npm", packages)
    stamp.write_text(wanted, "utf-8")


def run(command: list[str], folder: Path, name: str, packages: tuple[str, ...]) -> None:
    """Run an installer in `folder`, which goes where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        shutil.rmtree(folder, ignore_errors=True)
        why = lines[-1][:200] if lines else f"status {done.returncode}"
        raise DataError(
            f"expected {', '.join(packages)} from {name}, found: {why}; look whether {name} "
            "reaches its registry, and try again"
        )

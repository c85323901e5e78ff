"""Stages that are killed, that meet each other and that run out of room: nothing may be lost.

    PYTHONPATH=stages python -m tests.losses kills 100    # in all, over the stages
    PYTHONPATH=stages python -m tests.losses pairs 10     # times each pair of stages
    PYTHONPATH=stages python -m tests.losses disks 10     # places in each stage where room ends

each print a table of counts; names of stages after the number choose them. Old results have the
time 0, so that none is taken for a new one. The disks are small ones in memory, which root may
mount, or anybody by `unshare -rm python -m …`.
"""

import collections
import contextlib
import ctypes
import functools
import getpass
import hashlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import yaml

from tests import forks
from tests.projects import Project, environment

SMALL = {  # each stage takes seconds
    "synthesize": {
        "glyphs": ["kanjivg"],
        "writers": 8,
        "hard_writers": 1,
        "partial_writers": 1,
        "classes": 6,
        "workers": 2,
    },
    "split": {"val_groups": 1, "test_groups": 3},
    "model": "compact",
    "archs": {"compact": {"net": {"channels": [8, 8, 16, 16, 32], "rank": 8}, "train": {}}},
    "train": {"epochs": 3, "batch": 16, "precision": "float32", "compile": False},
    "quantize": {
        "calibration_samples": 16,
        "validation_samples": 6,
        "calibration": ["minmax"],
        "formats": {"all": ["fp32", "int8"]},
    },
    "evaluate": {"worst": 2, "audited": 2},
    "carbon": {"inferences": 50},
}
# Times and energy, others in every run; the card quotes them.
MEASURED = re.compile(r"metrics/(energy/|quantize|carbon|plots/quantize/formats)|models/README")
PART = re.compile(r"\.\d+(-old)?\.part$")
LIMIT = 300  # seconds for one stage
END = 30  # seconds in which processes notice that the one that started them is gone


def small(root: Path) -> Project:
    """The smallest project in which every stage has something to do; all have run."""
    project = Project.at(root)
    project.set(**SMALL)
    for name in project.stages():
        project.stage(name)
    return project


# --- what there is -------------------------------------------------------------------------------


@functools.cache
def outputs(root: Path, name: str) -> list[Path]:
    """Files and folders that a stage writes."""
    stage = yaml.safe_load((root / "dvc.yaml").read_text("utf-8"))["stages"][name]
    entries = [*stage.get("outs", ()), *stage.get("metrics", ())]
    return [root / (e if isinstance(e, str) else next(iter(e))) for e in entries]


def files(project: Project, name: str) -> list[Path]:
    """Those that a stage has written."""
    every = [p for o in outputs(project.root, name) for p in (o, *o.rglob("*"))]
    return [path for path in every if path.is_file()]


def state(project: Project, name: str) -> dict[str, str]:
    """A checksum of each file of a stage that is there; of what is measured whether it is whole."""
    checksums = {}
    for path in files(project, name):
        content, key = path.read_bytes(), str(path.relative_to(project.root))
        checksums[key] = hashlib.sha256(content).hexdigest()
        if MEASURED.match(key):
            if key.endswith(".json"):
                json.loads(content)
            checksums[key] = "whole" if content else "empty"
    return checksums


def age(project: Project, name: str) -> None:
    """Make the results of a stage old ones."""
    for path in files(project, name):
        os.utime(path, (0, 0))


def ages(project: Project, name: str) -> set[str]:
    return {"new" if path.stat().st_mtime else "old" for path in files(project, name)}


def clear(project: Project, name: str) -> None:
    """Remove them, as DVC does before a stage."""
    for path in outputs(project.root, name):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def left(project: Project) -> list[str]:
    """What is half-written."""
    return [f"{p.name} is left" for p in project.root.rglob(".*.part") if PART.search(p.name)]


# --- kills ---------------------------------------------------------------------------------------


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether it holds within so many seconds."""
    until = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < until:
        time.sleep(0.02)
    return held


@contextlib.contextmanager
def begun(project: Project, name: str) -> Iterator[subprocess.Popen]:
    """A stage, in a process group of its own as a shell starts one, that has begun its work."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            ["python", f"stages/{name}.py"],
            cwd=project.root,
            env=environment(),
            process_group=0,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        about = project.root / ".checkpoints/stages.json"

        def writes() -> bool:
            with contextlib.suppress(OSError, ValueError):
                return json.loads(about.read_text("utf-8"))["pid"] == process.pid
            return process.poll() is not None

        within(LIMIT, writes)
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def group(number: int) -> list[psutil.Process]:
    """The processes of a group that are not yet dead."""
    processes = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) == number and process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
    return processes


class Undisturbed(NamedTuple):
    """How long the work of a stage takes, and what it leaves, when nothing happens to it."""

    seconds: float
    state: dict[str, str]


def undisturbed(project: Project, name: str) -> Undisturbed:
    with begun(project, name) as process:
        started = time.monotonic()
        assert process.wait(LIMIT) == 0, name
        return Undisturbed(time.monotonic() - started, state(project, name))


def kill(
    project: Project, name: str, usual: Undisturbed, moment: float, alone: bool, cleared: bool
) -> list[str]:
    """Kills a stage at a moment, a share of the time that it usually takes: it alone, or its
    process group; with its old results there, or `cleared`. Then runs it again. Returns what was
    wrong, ["not killed"] where it had ended before."""
    clear(project, name) if cleared else age(project, name)
    wrong = []
    with begun(project, name) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment * usual.seconds)
        if process.poll() is not None:
            return ["not killed"]
        process.kill() if alone else os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if not within(END, lambda: not group(process.pid)):
            wrong.append(f"{len(group(process.pid))} processes are left")
    checksums = state(project, name)
    lost = {} if cleared else usual.state.keys() - checksums.keys()
    torn = [file for file, content in checksums.items() if usual.state.get(file) != content]
    done = project.stage(name, check=False)
    if done.returncode:
        wrong.append(f"the next ends with {done.returncode}: {done.stderr}")
    last = state(project, name).items() ^ usual.state.items()
    wrong += [f"{file} is lost" for file in lost] + [f"{file} is torn" for file in torn]
    return wrong + [f"{file} differs in the end" for file in dict(last)] + left(project)


# --- pairs ---------------------------------------------------------------------------------------


def meet(project: Project, pair: tuple[str, str], after: float) -> list[str]:
    """Starts two stages, the second some seconds after the first. One writes; the other says who
    does, or comes later. Returns what was wrong, ["in turn"] where both ended well."""
    usual = {name: state(project, name) for name in pair}
    for name in usual:
        age(project, name)
    with contextlib.ExitStack() as stack:
        runs = []
        for name, wait in zip(pair, (after, 0), strict=True):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            process = forks.start(project.root, f"stages/{name}.py", (), environment(), folder)
            runs.append((name, folder, process))
            time.sleep(wait)
        for *_, process in runs:
            process.join(LIMIT)
        ends = [
            (name, run.exitcode, (folder / "err").read_text("utf-8")) for name, folder, run in runs
        ]
    ran = [name for name, status, _ in ends if status == 0]
    wrong = left(project) + ([] if ran else ["neither ends well"])
    for name, status, error in ends:
        other = pair[pair[0] == name]
        refused = (
            rf"{name}: \S+/stages\.lock: expected no other script that writes in this folder, "
            rf"found {other} \(process \d+, since \d\d:\d\d\), [^\n]*\n"
        )
        if status and not (status == 1 and re.fullmatch(refused, error)):
            wrong.append(f"{name} ends with {status}: {error}")
    for name, before in usual.items():
        if state(project, name) != before:
            wrong.append(f"{name}: results are lost or differ")
        if ages(project, name) != {"new" if name in ran else "old"}:
            wrong.append(f"{name}: results are {ages(project, name)}")
    return wrong or (["in turn"] if len(ran) == 2 else [])


# --- full disks ----------------------------------------------------------------------------------

MS_REMOUNT, MNT_DETACH = 32, 2  # of Linux's <sys/mount.h>


class Room(NamedTuple):
    """Of a disk: pages of 4 KiB, and files."""

    pages: int
    files: int


ENOUGH = Room(1 << 17, 1 << 16)
CACHES = {f"torchinductor_{getpass.getuser()}"}  # that torch keeps among temporary files


class Disk:
    """A disk in memory of a size to be chosen, mounted on a new folder."""

    def __init__(self, folder: Path) -> None:
        """Raises PermissionError where this user may mount none."""
        self.folder = folder
        folder.mkdir()
        self._mount(0, ENOUGH)

    def _mount(self, flags: int, room: Room) -> None:
        libc, place = ctypes.CDLL(None, use_errno=True), os.fsencode(self.folder)
        options = f"nr_blocks={room.pages},nr_inodes={room.files}".encode()
        if libc.mount(b"tmpfs", place, b"tmpfs", flags, options):
            raise OSError(number := ctypes.get_errno(), os.strerror(number), str(self.folder))

    def holding(self, project: Project) -> Project:
        """A copy of a project there, without git's objects and DVC's cache."""
        root = self.folder / "project"
        shutil.copytree(project.root, root, ignore=shutil.ignore_patterns(".git", "cache"))
        (self.folder / "tmp").mkdir()  # now: later there may be room for no folder more
        return Project(root)

    def used(self) -> Room:
        now = os.statvfs(self.folder)
        return Room(now.f_blocks - now.f_bfree, now.f_files - now.f_ffree)

    def leave(self, room: Room) -> None:
        """Make it so large that there is so much room left."""
        self._mount(MS_REMOUNT, Room(*map(sum, zip(self.used(), room, strict=True))))

    def close(self) -> None:
        ctypes.CDLL(None).umount2(os.fsencode(self.folder), MNT_DETACH)


def stage_on(disk: Disk, project: Project, name: str) -> subprocess.CompletedProcess:
    """Runs a stage whose temporary files lie on the disk too."""
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(disk.folder / "tmp"))
    return project.script(f"stages/{name}.py", check=False, limit=LIMIT, variables=places)


def needed(project: Project, name: str) -> Room:
    """How much room the results of a stage take. Temporary files and checkpoints come to it."""
    every = [p for o in outputs(project.root, name) for p in (o, *o.rglob("*"))]
    return Room(sum(-(-p.stat().st_size // 4096) for p in every if p.is_file()), len(every))


def places(most: Room, count: int) -> list[Room]:
    """Where room is to end: after some pages, and after some files; all where there are fewer than
    so many."""
    of_files = min(most.files, max(count // 3, count - most.pages))
    of_pages = min(most.pages, count - of_files)
    return [ENOUGH._replace(pages=k * most.pages // of_pages) for k in range(of_pages)] + [
        ENOUGH._replace(files=k * most.files // of_files) for k in range(of_files)
    ]


def fill(disk: Disk, project: Project, name: str, room: Room) -> list[str]:
    """Runs a stage with so much room. Returns what was wrong."""
    usual = state(project, name)
    age(project, name)
    disk.leave(room)
    done = stage_on(disk, project, name)
    disk.leave(ENOUGH)
    temporary = [p.name for p in (disk.folder / "tmp").iterdir() if p.name not in CACHES]
    wrong = left(project) + [f"tmp/{name} is left" for name in temporary]
    message = re.fullmatch(
        rf"{name}: [^\n]*expected (room on the disk, found it full|a folder for temporary files)"
        r"[^\n]*; nothing was left half-written, and the results before it were kept\n",
        done.stderr,
    )
    if done.returncode != 1 or not message:
        wrong.append(f"ends with {done.returncode}: {done.stderr}")
    if state(project, name) != usual or ages(project, name) != {"old"}:
        wrong.append("old results are lost or replaced")
    return wrong


# --- counts --------------------------------------------------------------------------------------


def kills(folder: Path, count: int, *stages: str) -> Iterator[tuple]:
    yield "stage", "group killed", "parent killed"
    project, rng = small(folder / "project"), random.Random(0)
    names = stages or project.stages()
    for place, name in enumerate(names):
        usual, ends = undisturbed(project, name), []
        for number in range(place, count, len(names)):
            how = {"alone": number // len(names) % 2 == 1, "cleared": rng.random() < 0.5}
            faults = ["not killed"]
            while faults == ["not killed"]:
                faults = kill(project, name, usual, rng.random(), **how)
            ends.append((how["alone"], faults))
        alone = sum(parent_alone for parent_alone, _ in ends)
        yield name, len(ends) - alone, alone, [faults for _, faults in ends]


def pairs(folder: Path, times: int, *stages: str) -> Iterator[tuple]:
    yield "pair", "met", "one refused", "one after the other"
    project, rng = small(folder / "project"), random.Random(0)
    names = stages or project.stages()
    usual = {name: undisturbed(project, name).seconds for name in names}
    for pair in itertools.combinations_with_replacement(usual, 2):
        ends = []
        for number in range(times):
            ordered = pair[:: 1 - 2 * (number % 2)]
            # At once, or at some moment of the first, which begins sooner as a fork.
            after = rng.choice([0.0, rng.random() * usual[ordered[0]] / 2])
            ends.append(meet(project, ordered, after))
        turns = ends.count(["in turn"])
        wrong = [[] if faults == ["in turn"] else faults for faults in ends]
        yield " and ".join(pair), times, times - turns, turns, wrong


def disks(folder: Path, count: int, *stages: str) -> Iterator[tuple]:
    yield "stage", "KiB needed", "files needed", "ends of room"
    disk = Disk(folder / "disk")
    try:
        project = disk.holding(small(folder / "project"))
        for name in stages or project.stages():
            most = needed(project, name)
            before = state(project, name)
            ends = [fill(disk, project, name, room) for room in places(most, count)]
            stage_on(disk, project, name)
            if state(project, name) != before or ages(project, name) != {"new"}:
                ends[-1].append("with room again other results")
            yield name, 4 * most.pages, most.files, len(ends), ends
    finally:
        disk.close()


def main() -> None:
    what, count, *stages = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        tried = {"kills": kills, "pairs": pairs, "disks": disks}[what]
        rows = tried(Path(folder), int(count), *stages)
        head = next(rows)
        print("|", " | ".join([*head, "wrong", "seconds"]), "|\n" + "|---" * (len(head) + 2) + "|")
        sums, started = collections.Counter(), time.monotonic()
        for name, *counts, ends in rows:
            wrong = [line for faults in ends for line in faults]
            counts.append(sum(map(bool, ends)))
            sums.update(dict(enumerate(counts)))
            took, started = time.monotonic() - started, time.monotonic()
            print(f"| {name} |", *(f"{n:,} |" for n in counts), f"{took:.0f} |", flush=True)
            for line in wrong:
                print(f"{name}: {line}", file=sys.stderr, flush=True)
        print("| all |", *(f"{sums[k]:,} |" for k in range(len(sums))), "|")


if __name__ == "__main__":
    main()

"""The model that ships, made by the pipeline's own stages in a checkout of its own: where the
settings have a teacher, first that, then the student, which may learn from it.

Each step is a `dvc repro` with other settings, so that DVC knows what is done: a run that was
killed goes on where it was, and one that has ended is restored in seconds. The checkout,
models/flagship, is a clone of the last commit; it shares the cache and nothing else with this one.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

from kakitori.errors import DataError, SettingsError
from kakitori.running import params

SETTINGS, FOLDER = "flagship.yaml", "models/flagship"
# What DVC is asked for, of the last everything; the first where the settings have it.
STEPS = {"teacher": ["train"], "student": []}
TEACHER, START = "teacher", "start"  # names in models/pretrained
KEPT = "models/kept"  # where they stand while the teacher is made, which knows of none
CODE = ("stages", "dvc.yaml")


def groups(root: Path) -> dict[str, dict]:
    """The groups of flagship.yaml; SettingsError where they are not those that it may have."""
    over = params.tree(params.read(root / SETTINGS), SETTINGS)
    if not isinstance(over, dict) or not {"both", "student"} <= over.keys() <= {"both", *STEPS}:
        content = ", ".join(map(str, over)) if isinstance(over, dict) else over
        raise SettingsError(
            f"{SETTINGS}: expected the groups both, student and, if there is one, teacher, found "
            f"{content}"
        )
    return over


def steps(root: Path) -> list[str]:
    """What there is to do, in its order: the student, and before it the teacher if it has one."""
    over = groups(root)
    return [step for step in STEPS if step in over]


def settings(root: Path, step: str) -> dict:
    """params.yaml with what flagship.yaml sets for a step; SettingsError where either is wrong."""
    over = groups(root)
    tree = params.tree(params.read(root / "params.yaml"))
    for group in ("both", step):
        if not isinstance(over[group], dict):
            raise SettingsError(f"{SETTINGS}: {group}: expected settings, found {over[group]}")
        tree = params.merged(tree, over[group])
    try:
        params.check(tree)
    except SettingsError as error:
        raise SettingsError(f"{SETTINGS}, {step}: {error}") from None
    return tree


def prepare(root: Path, folder: Path) -> None:
    """A clone of `root` at its last commit, with its cache; settings, metrics and dvc.lock of what
    ran there stay while the commit is the same."""
    commit = _git(root, "rev-parse", "HEAD")
    if not (folder / ".git").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = folder.with_name(f".{folder.name}.part")  # a clone that was killed is none
        shutil.rmtree(part, ignore_errors=True)
        _git(root, "clone", "-q", "--no-checkout", str(root), str(part))
        _git(part, "checkout", "-q", "--force", "--detach", commit)
        # DVC's settings are written as git's are.
        _git(part, "config", "--file", ".dvc/config.local", "cache.dir", str(cache_of(root)))
        part.rename(folder)
    changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", *CODE)
    if changed or _git(folder, "rev-parse", "HEAD") != commit:
        _git(folder, "fetch", "-q", "origin", commit)
        # What ran there before comes back from the cache, wherever it is still right.
        _git(folder, "checkout", "-q", "--force", "--detach", commit)


def cache_of(root: Path) -> Path:
    """Where DVC keeps what a checkout has produced."""
    ask = ["git", "config", "--get", "cache.dir", "--file"]
    for name in (".dvc/config.local", ".dvc/config"):
        done = subprocess.run([*ask, name], cwd=root, capture_output=True, text=True)
        if folder := done.stdout.strip():
            return (root / ".dvc" / folder).resolve()
    return root / ".dvc/cache"


def run(folder: Path, step: str, taught: bool) -> None:
    """One step, from wherever it is; `taught` : the student has a teacher."""
    if step == TEACHER or not taught:
        _set_aside(folder)
    else:
        _teach(folder)
    repro(folder, f"the {step}", *STEPS[step])


def repro(folder: Path, what: str, *stages: str) -> None:
    """`dvc repro` of a checkout; DataError with `what` it is of where it fails."""
    command = [sys.executable, "-m", "dvc", "repro", *stages]
    if status := subprocess.run(command, cwd=folder).returncode:
        raise DataError(
            f"{folder}: expected `dvc repro` of {what} to end well, found status {status}; its "
            "own message stands above"
        )


def place(folder: Path, tree: dict) -> None:
    """Settings as the clone's params.yaml; left alone where they are there already."""
    path = folder / "params.yaml"
    if params.tree(params.read(path)) != tree:
        written = YAML()
        with path.open("w", encoding="utf-8") as file:
            written.dump(tree, file)


def left(root: Path, folder: Path) -> dict[str, list[str]]:
    """By step the stages that are still to run, without running any. A step that has not begun has
    all of its stages left, one before the step under way none."""
    stages = list(YAML(typ="safe", pure=True).load(root / "dvc.yaml")["stages"])
    all_of = {"teacher": stages[: stages.index("train") + 1], "student": stages}
    all_of = {step: all_of[step] for step in steps(root)}
    if not (folder / "params.yaml").exists():
        return all_of
    here = params.tree(params.read(folder / "params.yaml"))
    under_way = next((step for step in all_of if settings(root, step) == here), None)
    if under_way is None:
        return all_of
    stale = json.loads(_said(folder, "dvc", "status", "--json"))
    open_stages = [stage for stage in all_of[under_way] if stage in stale]
    if under_way == "teacher":
        # What the student shares with it has run by then.
        return {"teacher": open_stages, "student": stages[stages.index("train") :]}
    return {step: [] for step in all_of} | {"student": open_stages}


def epoch(folder: Path) -> int:
    """Epochs of the training that was under way last; 0 where none is."""
    checkpoints = sorted(
        (folder / ".checkpoints").glob("*/*.pt"), key=lambda path: path.stat().st_mtime
    )
    return int(checkpoints[-1].name.partition("-")[0]) if checkpoints else 0


def uncommitted(root: Path) -> str:
    """What of the code and settings is not in the last commit, and so not in the flagship."""
    names = _git(root, "status", "--porcelain", "--", *CODE, "params.yaml", SETTINGS)
    return ", ".join(line.split(maxsplit=1)[1] for line in names.splitlines())


def _set_aside(folder: Path) -> None:
    """Earlier models out of the way: with them, the teacher's training would be another one."""
    for path in (folder / "models/pretrained").glob("*.*"):
        if path.name != ".gitignore":
            (folder / KEPT).mkdir(exist_ok=True)
            path.replace(folder / KEPT / path.name)


def _teach(folder: Path) -> None:
    """The clone's model becomes the teacher, and pruned the student's start. Files that were kept
    and are its own stay, so that the student's training meets the same bytes again."""
    models, pretrained = folder / "models", folder / "models/pretrained"
    for path in (folder / KEPT).glob("*.*"):
        path.replace(pretrained / path.name)
    start = pretrained / f"{START}.json"
    model, teacher = models / "model.safetensors", pretrained / f"{TEACHER}.safetensors"
    if not teacher.is_file() or model.read_bytes() != teacher.read_bytes():
        start.unlink(missing_ok=True)
        shutil.copy2(models / "model.json", teacher.with_suffix(".json"))
        shutil.copy2(model, teacher)
    net = params.load(folder / "params.yaml").archs["compact"].net
    if start.is_file() and json.loads(start.read_text("utf-8"))["net"] == net:
        return
    prune = [sys.executable, "stages/prune.py", TEACHER, START]
    if status := subprocess.run(prune, cwd=folder).returncode:
        raise DataError(
            f"{folder}: expected prune.py to end well, found status {status}; its own message "
            "stands above"
        )


def _git(folder: Path, *arguments: str) -> str:
    return _said(folder, "git", *arguments)


def _said(folder: Path, program: str, *arguments: str) -> str:
    """What a command says; DataError with its last line where it fails."""
    command = [sys.executable, "-m", "dvc"] if program == "dvc" else [program]
    done = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        last_line = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise DataError(
            f"{folder}: expected `{program} {arguments[0]}` to end well, found: {last_line}"
        )
    return done.stdout.strip()

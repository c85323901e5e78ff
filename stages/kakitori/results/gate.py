"""Is this commit's model worse than its base's, beyond what chance explains?"""

import dataclasses
import io
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
from pydantic import ValidationError

from kakitori.errors import DataError, SettingsError
from kakitori.reading.formats import FORMER, GATED, renamed
from kakitori.running import params


@dataclasses.dataclass
class Verdict:
    passed: bool
    lines: list[str]


def compare(root: Path, base: str | None = None) -> Verdict:
    """The working tree's metrics against those of `base`.

    Tolerances come from the base's params.yaml, so that a commit cannot loosen its own gate.
    Top-1 is compared paired over writer groups: a drop counts when it exceeds the tolerance and
    twice its standard error, or three tolerances whatever the error. Another dataset passes only
    with a reason in gate.accept that the base did not have yet.
    """
    new = _evaluation((root / "metrics/evaluate.json").read_text("utf-8"), "metrics/evaluate.json")
    revision, old = base_of(root, base)
    if revision is None:
        return _no_base(root)
    tolerances = _tolerances(root, _show(root, revision, "params.yaml", True), revision)
    lines = [f"gate: against {revision[:12]}, tolerances from there"]

    if old["dataset"] != new["dataset"]:
        lines.append(f"  dataset: {old['dataset']} -> {new['dataset']}")
        reason = params.load(root / "params.yaml").gate.accept
        if reason and reason != tolerances.accept:
            return Verdict(True, [*lines, f"gate: another dataset, accepted: {reason}"])
        lines.append(
            "gate: FAILS: the dataset has changed, figures cannot be compared; give a new reason "
            "in gate.accept of params.yaml"
        )
        return Verdict(False, lines)

    old_writers = _writers(_show(root, revision, "metrics/by_writer.csv", False))
    new_writers = _writers((root / "metrics/by_writer.csv").read_text("utf-8"))
    failures = 0
    for name in GATED:
        if name not in old:
            continue
        if name not in new:
            lines.append(f"  {name}: gone")
            failures += 1
            continue
        drop, error = _paired_drop(old, new, old_writers, new_writers, name)
        worse = drop > tolerances.top1 and (drop > 2 * error or drop > 3 * tolerances.top1)
        rows = [
            ("top1", worse, f"(paired standard error {error:.5f})"),
            ("top5", old[name]["top5"] - new[name]["top5"] > tolerances.top5, ""),
            ("ece", new[name]["ece"] - old[name]["ece"] > tolerances.ece, ""),
        ]
        for key, failed, note in rows:
            before, after = old[name][key], new[name][key]
            mark = "FAILS" if failed else "ok"
            lines.append(
                f"  {name}.{key}: {before:.5f} -> {after:.5f} ({after - before:+.5f}) {mark} {note}"
            )
            failures += failed
    failures += _sizes(root, revision, tolerances, lines)
    lines.append(f"gate: {'FAILS' if failures else 'passes'}")
    return Verdict(not failures, lines)


def _no_base(root: Path) -> Verdict:
    """Nothing earlier is fine at a project's beginning; where git's history is missing or cut off,
    a regression would pass unseen: an error in CI, elsewhere a notice."""
    shallow = _git(root, "rev-parse", "--is-shallow-repository").stdout.strip()
    if shallow == "false":
        return Verdict(True, ["gate: no earlier metrics to compare with; passes"])
    what = (
        "a shallow clone; `git fetch --unshallow` brings the rest (in CI: fetch-depth: 0)"
        if shallow == "true"
        else "no git repository; a clone has what a source archive lacks"
    )
    wanted = f"gate: expected earlier metrics in git's history, found {what}"
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        return Verdict(True, [wanted, "gate: NOTHING WAS COMPARED; a regression would not be seen"])
    return Verdict(False, [wanted, "gate: FAILS"])


def base_of(root: Path, base: str | None = None) -> tuple[str | None, dict]:
    """The revision that `compare` compares with and its metrics/evaluate.json; None and nothing
    where there is none."""
    revision = base or _newest_different(root)
    if revision is None:
        return None, {}
    shown = _show(root, revision, "metrics/evaluate.json", True)
    return revision, _evaluation(shown, f"{revision}'s metrics")


def _evaluation(text: str, where: str) -> dict:
    def refuse(constant: str) -> None:
        raise DataError(f"{where}: expected numbers, found {constant}")

    try:
        evaluation = json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: expected JSON, found: {error}") from None
    if "dataset" not in evaluation:
        raise DataError(f"{where}: expected a key dataset, found {', '.join(evaluation)}")
    return renamed(evaluation)


def _tolerances(root: Path, text: str, revision: str) -> params.Gate:
    current = params.load(root / "params.yaml").gate.model_dump()
    try:
        tolerances = params.tree(text, f"{revision}:params.yaml")["gate"]
        # A tolerance that the base did not have yet comes from here.
        known = {key: tolerances[key] for key in current if key in tolerances}
        return params.Gate.model_validate(current | known)
    except (ValidationError, KeyError, TypeError, SettingsError):
        raise DataError(
            f"{revision}: expected gate tolerances in params.yaml, found none"
        ) from None


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)


def _show(root: Path, revision: str, path: str, needed: bool) -> str:
    # Relative to this folder, which need not be the top of the repository.
    shown = _git(root, "show", f"{revision}:./{path}")
    if shown.returncode and needed:
        raise DataError(
            f"{revision}: expected {path} in that commit, found: {shown.stderr.strip()}"
        )
    return shown.stdout


def _newest_different(root: Path) -> str | None:
    current = (root / "metrics/evaluate.json").read_text("utf-8")
    history = _git(root, "log", "--format=%H", "--", "metrics/evaluate.json").stdout.split()
    for revision in history:
        shown = _git(root, "show", f"{revision}:./metrics/evaluate.json")
        if shown.returncode == 0 and shown.stdout != current:
            return revision
    return None


def _writers(text: str) -> pd.DataFrame | None:
    if not text:
        return None
    return pd.read_csv(io.StringIO(text)).set_index("writer_group").rename(columns=FORMER)


def _paired_drop(
    old: dict, new: dict, old_writers: pd.DataFrame | None, new_writers: pd.DataFrame, name: str
) -> tuple[float, float]:
    """Mean drop of top-1 over writer groups and its standard error (0 where it has none)."""
    tables = (old_writers, new_writers)
    if any(table is None or name not in table or len(table) < 2 for table in tables):
        return old[name]["top1"] - new[name]["top1"], 0.0
    return paired(
        old_writers[name] / old_writers["total"], new_writers[name] / new_writers["total"]
    )


def paired(before: pd.Series, after: pd.Series) -> tuple[float, float]:
    """Mean drop of a fraction over writer groups, each in its own row, and its standard error."""
    both = pd.concat([before.rename("before"), after.rename("after")], axis=1, join="inner")
    drops = (both["before"] - both["after"]).to_numpy()
    return float(drops.mean()), float(drops.std(ddof=1) / np.sqrt(len(drops)))


def _sizes(root: Path, revision: str, tolerances: params.Gate, lines: list[str]) -> int:
    """Exports must not grow; nothing else of quantize.json is gated, its times least of all."""
    shown = _show(root, revision, "metrics/quantize.json", False)
    if not shown:
        return 0
    old = renamed(json.loads(shown))
    new = renamed(json.loads((root / "metrics/quantize.json").read_text("utf-8")))
    failures = 0
    for name in old.keys() & new.keys() & set(GATED):
        before, after = old[name]["bytes"], new[name]["bytes"]
        failed = after > before * (1 + tolerances.bytes)
        mark = "FAILS" if failed else "ok"
        lines.append(f"  {name}.bytes: {before:,} -> {after:,} {mark}")
        failures += failed
    return failures

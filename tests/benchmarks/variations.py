"""What a setting is worth: runs of the pipeline that differ in it, over several seeds, paired.

    python tests/benchmarks/variations.py tests/benchmarks/variations.yaml tomoe.zip kanjicanvas.zip

The settings file has a group `base`, over params.yaml, and groups of variations, each over the
base. A seed gives other writers and other weights to begin with, the same ones to all that are
compared. Runs are made in a clone of the last commit, models/variations, which shares DVC's cache:
what has run is not run again, so that it may be stopped at any time. One row a variation, in
points: of the base what its float32 export reads, of all others the mean difference to it, with
its standard error over seeds.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "stages"), str(ROOT)]

from tests.benchmarks import people  # noqa: E402

from kakitori.reading.recognizer import Recognizer  # noqa: E402
from kakitori.results import flagship  # noqa: E402
from kakitori.running import params  # noqa: E402

FOLDER = "models/variations"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("settings", type=Path)
    parser.add_argument("archives", nargs="*", type=Path, help="people's drawings")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    groups = params.tree(params.read(options.settings), str(options.settings))
    base = params.merged(params.tree(params.read(ROOT / "params.yaml")), groups.pop("base"))
    trees = {"base": base} | {name: params.merged(base, over) for name, over in groups.items()}
    for tree in trees.values():
        params.check(tree)
    folder = ROOT / FOLDER
    flagship.prepare(ROOT, folder)
    read: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    for seed in range(options.seeds):
        for name, tree in trees.items():
            flagship.place(folder, tree | {"seed": seed})
            flagship.repro(folder, name, "evaluate")
            read[name].append(figures(folder, options.archives))
            print(name, seed, {key: f"{share:.2%}" for key, share in read[name][-1].items()})
    print("\n".join(rows(read)))


def figures(folder: Path, archives: list[Path]) -> dict[str, float]:
    """Top-1 of the run in a checkout, look-alikes as one."""
    metrics = json.loads((folder / "metrics/evaluate.json").read_text("utf-8"))
    of = {"test": metrics["fp32"]["top1_alike"]}
    for name, hard in metrics["hard"].items():
        (reading,) = (value for value in hard.values() if isinstance(value, dict))
        of[name.partition("-")[2]] = reading["top1_alike"]
    recognizer = Recognizer(folder / "models/exports/fp32.onnx", threads=0)
    for archive in archives:
        images, labels = people.read(archive, recognizer.size)
        of[archive.stem] = people.scored(recognizer, images, labels)[0]["top1_alike"]
    return of


def rows(read: dict[str, list[dict[str, float]]]) -> list[str]:
    """The table in Markdown; a variation's seeds are paired with the base's."""
    base = read["base"]
    lines = [f"| | {' | '.join(base[0])} |", "|---" * (1 + len(base[0])) + "|"]
    for name, runs in read.items():
        cells = []
        for key in base[0]:
            shares = [100 * run[key] for run in runs]
            if name == "base":
                cells.append(f"{statistics.mean(shares):.2f} %")
                continue
            more = [share - 100 * run[key] for share, run in zip(shares, base, strict=True)]
            error = statistics.stdev(more) / len(more) ** 0.5 if len(more) > 1 else float("nan")
            cells.append(f"{statistics.mean(more):+.2f} ± {error:.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()

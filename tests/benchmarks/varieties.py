"""What each kind of variety of the synthetic hands is worth: short runs, each without one.

    python tests/benchmarks/varieties.py tomoe.zip kanjicanvas.zip --fonts KleeOne-Regular.ttf

One row a run: of the whole, what its float32 export reads of people's drawings and of fonts that no
writer has as a model; of every other the difference in points. A writer who lacks a kind has the
rest of his habits as before. One seed: what differs by less than two seeds of the same do (--seed)
is nothing. Runs are made in models/varieties, a clone of the last commit, one after the other.
"""

import argparse
import dataclasses
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "stages"), str(ROOT)]

from kakitori.results import flagship  # noqa: E402
from kakitori.running import params, stage  # noqa: E402
from kakitori.synthesis.hand import Hand  # noqa: E402

FOLDER = "models/varieties"
KINDS = {  # habits of a Hand that nobody has in a run without them
    "running forms": ["running"],
    "joined strokes": ["joining", "reach", "link", "flow", "runs_on", "rounding"],
    "brushes": ["nib", "contrast", "waist", "pulse", "lifted", "brushwork", "flair"],
    "habits of strokes, parts and halves": ["kinds", "parts", "sides", "bow"],
    "noise of the moment": ["unsteadiness", "looseness"],
    "ends": ["overshoot", "brevity", "closing", "gap", "bare", "hook"],
    "pressure, ink, paper and scanner": [
        *("pressure", "taper", "darkness", "grain", "bleed"),
        *("blur", "harden", "noise", "specks", "paper"),
    ],
}
OVER = {  # params.yaml: a run of some minutes
    "synthesize": {"writers": 26, "hard_writers": 0, "partial_writers": 0, "workers": 1},
    "split": {"val_groups": 2, "test_groups": 2},
    "quantize": {"calibration": ["minmax"], "formats": {"all": ["fp32", "int8"]}},
}
SOURCES = {  # runs without a glyph source, of ordinary hands
    "KanjiVG's brush-regular forms": ["kanjivg", "font"],
    "KanjiVG": ["font"],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archives", nargs="*", type=Path, help="people's drawings")
    parser.add_argument("--fonts", nargs="*", type=Path, default=[])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--synthesize", choices=["", *KINDS], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.synthesize is not None:  # in the clone
        synthesize(options.synthesize)
        return
    folder = ROOT / FOLDER
    flagship.prepare(ROOT, folder)
    tree = params.merged(params.tree(params.read(ROOT / "params.yaml")), OVER)
    tree["seed"] = options.seed
    read = {}
    for name in ("", *KINDS, *SOURCES):
        glyphs = SOURCES.get(name, tree["synthesize"]["glyphs"])
        flagship.place(folder, params.merged(tree, {"synthesize": {"glyphs": glyphs}}))
        run(folder, name if name in KINDS else "")
        read[name] = figures(folder, options.archives, options.fonts)
        print(name or "all of it", {key: f"{share:.2%}" for key, share in read[name].items()})
    print("\n".join(rows(read)))


def without(hand: Hand, kind: str) -> Hand:
    """A hand whose habits of a kind are those of no one."""
    nobody = Hand.printed()
    return dataclasses.replace(hand, **{name: getattr(nobody, name) for name in KINDS[kind]})


def synthesize(kind: str) -> None:
    """The stage, by one process, by writers who lack a kind, or none where it is ""."""
    import runpy

    draw = Hand.draw.__func__

    def drawn(cls: type[Hand], *given: object) -> Hand:
        hand = draw(cls, *given)
        return without(hand, kind) if kind else hand

    Hand.draw = classmethod(drawn)
    sys.argv = [str(ROOT / "stages/synthesize.py")]
    runpy.run_path(sys.argv[0], run_name="__main__")


def run(folder: Path, kind: str) -> None:
    """Train in a clone on the hands of writers who lack a kind; DVC knows of characters alone."""
    flagship.repro(folder, "characters", "characters")
    steps = [["tests/benchmarks/varieties.py", "--synthesize", kind]]
    steps += [[f"stages/{name}.py"] for name in ("extract", "split", "train", "quantize")]
    for step in steps:
        subprocess.run([sys.executable, *step], cwd=folder, check=True)


def figures(folder: Path, archives: Sequence[Path], fonts: Sequence[Path]) -> dict[str, float]:
    """Top-1 of the run in a clone, look-alikes as one."""
    from tests.benchmarks import font, people

    from kakitori.reading.recognizer import Recognizer

    recognizer = Recognizer(folder / "models/exports/fp32.onnx", threads=0)
    drawings = {path.stem: people.read(path, recognizer.size) for path in archives}
    drawings |= {path.stem: font.read(path, recognizer) for path in fonts}
    scored = {name: people.scored(recognizer, *each)[0] for name, each in drawings.items()}
    return {name: of["top1_alike"] for name, of in scored.items()}


def rows(read: dict[str, dict[str, float]]) -> list[str]:
    """The table in Markdown."""
    whole = read[""]
    cells = [f"{share:.2%}" for share in whole.values()]
    lines = [f"| | {' | '.join(whole)} |", "|---" * (1 + len(whole)) + "|"]
    lines.append(f"| all of it | {' | '.join(cells)} |")
    for name, of in read.items():
        if name:
            cells = [f"{100 * (of[key] - whole[key]):+.2f}" for key in whole]
            lines.append(f"| without {name} | {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    with stage.by_hand("varieties"):
        main()

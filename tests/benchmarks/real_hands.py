"""How often stroke feedback accepts what people wrote: drawings of which each is meant to be right.

    python tests/benchmarks/real_hands.py DRAWINGS.zip … [--every 1] [--alike] [--faults]

DRAWINGS.zip holds a file as `recognize.py --pen` reads it. References are KanjiVG's, its variant
files among them. Drawings that tests/benchmarks/deviations.csv names were really written against
every accepted way, each for the reason given there, and are counted apart: at most 2 % of a file.
Rules were chosen on one half of the characters (by a hash); the other is told apart. With --alike
each drawing is also held against the look-alikes of what was meant among all characters of the
files, which takes minutes; with --faults one fault is planted in each accepted drawing.
"""

import argparse
import collections
import csv
import hashlib
import json
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "stages")]

from tests.benchmarks.matching import FAULTS, said  # noqa: E402

from kakitori.reading import matching  # noqa: E402
from kakitori.reading.characters import charset  # noqa: E402
from kakitori.reading.matching import drawing, reference  # noqa: E402
from kakitori.writing import kanjivg  # noqa: E402

KINDS = ("missing", "extra", "swapped", "early", "late", "reversed", "alike")
MOST = 0.02  # of a file may be real deviations


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("drawings", type=Path, nargs="+")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th drawing")
    parser.add_argument("--alike", action="store_true")
    parser.add_argument("--faults", action="store_true")
    options = parser.parse_args()
    files = {path: read(path) for path in options.drawings}
    chosen = {path: known[:: options.every] for path, known in files.items()}
    names = {pen_drawing.character for known in chosen.values() for pen_drawing in known}
    every = {pen_drawing.character for known in files.values() for pen_drawing in known}
    archive = ROOT / "data/external/kanjivg.zip"
    references = references_of(names, every if options.alike else set(), archive)
    for path, known in chosen.items():
        known = [pen_drawing for pen_drawing in known if pen_drawing.character in references]
        if len(deviations(path.name)) > MOST * len(files[path]):
            print(f"{path.name}: more than {MOST:.0%} of its drawings are listed as deviations")
        accepted = judge(path, known, references)
        if options.faults:
            plant(accepted, references)


def references_of(names: set[str], alike: set[str], archive: Path) -> dict[str, tuple]:
    """What `matching.match` takes after the drawing, by character."""
    release = kanjivg.release(archive)
    base = {c.character: c for c in kanjivg.read(release, sorted(names | alike))}
    others = reference.variants(names, archive)
    looks = matching.Looks({c: base[c].strokes for c in alike & set(base)})
    references = {}
    for name in sorted(names & set(base)):
        model = {"source": "kanjivg", "strokes": [s.ravel().tolist() for s in base[name].strokes]}
        ways = reference.ways([model], base[name].tree.to_json(), others.get(name, ()))
        groups = charset.LOOK_ALIKES, reference.CONFUSED
        near = matching.look_alikes(name, looks, *groups) if alike else {}
        references[name] = base[name].strokes, True, ways, near
    return references


def judge(path: Path, known: list[drawing.Drawing], references: dict) -> list[drawing.Drawing]:
    """Print how many of a file are accepted, and what is said of the others; give the accepted."""
    listed = deviations(path.name)
    right, total = collections.Counter(), collections.Counter()
    accepted, refused = [], collections.defaultdict(list)
    for pen_drawing in known:
        judgement = matching.match(pen_drawing.strokes, *references[pen_drawing.character])
        half = hashlib.sha1(pen_drawing.character.encode()).digest()[0] % 2
        kind = "listed" if pen_drawing.character in listed else half
        total[kind] += 1
        if judgement.accepted:
            right[kind] += 1
            accepted.append(pen_drawing)
        else:
            faults = "+".join(k for k in KINDS if getattr(judgement, k))
            refused["listed" if kind == "listed" else faults].append(pen_drawing.character)
    rest = total[0] + total[1]
    print(
        f"{path.name}: {sum(right.values()) / len(known):.1%} of {len(known)}; {total['listed']} "
        f"listed as real deviations, {(right[0] + right[1]) / rest:.1%} of the other {rest} "
        f"(rules chosen on: {right[0] / max(total[0], 1):.1%} of {total[0]}, "
        f"not: {right[1] / max(total[1], 1):.1%} of {total[1]})"
    )
    for kind, characters in sorted(refused.items(), key=lambda item: -len(item[1])):
        print(f"  {kind:<24}{len(characters):4}  {''.join(characters)}")
    return accepted


def plant(drawings: list[drawing.Drawing], references: dict) -> None:
    """Print how often one planted fault is named: just it and nothing else, or, of joined and split
    strokes that were there before, those besides. A fault that is another right way is none."""
    rng = np.random.default_rng(1)
    for name, fault in FAULTS.items():
        right = total = 0
        for pen_drawing in drawings:
            given = references[pen_drawing.character]
            before = matching.match(pen_drawing.strokes, *given)
            if before.way or before.joined or before.split or len(pen_drawing.strokes) < 2:
                continue
            drawn, due = fault(pen_drawing.strokes, rng)
            judgement = matching.match(drawn, *given)
            if judgement.accepted and judgement.way:
                continue
            total += 1
            right += said(judgement) == due
        print(f"  {name:<24}named {right / max(total, 1):.1%} of {total}")


def deviations(file: str) -> dict[str, str]:
    """By character why it counts apart."""
    with (Path(__file__).parent / "deviations.csv").open(encoding="utf-8", newline="") as table:
        return {r["character"]: r["reason"] for r in csv.DictReader(table) if r["file"] == file}


def read(archive: Path) -> list[drawing.Drawing]:
    """Drawings of one character each."""
    with zipfile.ZipFile(archive) as bundle, tempfile.TemporaryDirectory() as folder:
        content = [entry for name in bundle.namelist() for entry in json.loads(bundle.read(name))]
        single = [entry for entry in content if len(entry["character"]) == 1]
        path = Path(folder) / "drawings.json"
        path.write_text(json.dumps(single), "utf-8")
        return drawing.read(path)


if __name__ == "__main__":
    main()

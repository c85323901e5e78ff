"""How often stroke feedback accepts what people wrote: drawings of which each is meant to be right.

    python tests/benchmarks/real_hands.py DRAWINGS.zip … [--every 1] [--alike]

DRAWINGS.zip holds a file as `recognize.py --pen` reads it. References are KanjiVG's. Characters of
odd and even code points are told apart, for tolerances to be chosen on one and looked at on the
other; today's orders were chosen with a look at both. With --alike each drawing is also held
against the look-alikes of what was meant among all characters of the files, which takes minutes.
"""

import argparse
import collections
import json
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "stages"))

from kakitori import drawing, matching, reference  # noqa: E402
from kakitori.writing import charset, kanjivg  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("drawings", type=Path, nargs="+")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th drawing")
    parser.add_argument("--alike", action="store_true")
    options = parser.parse_args()
    files = {path: read(path) for path in options.drawings}
    chosen = {path: known[:: options.every] for path, known in files.items()}
    of = files if options.alike else chosen
    names = sorted({one.character for known in of.values() for one in known})
    release = kanjivg.release(ROOT / "data/external/kanjivg.zip")
    base = {c.character: c for c in kanjivg.read(release, names)}
    brush = {c.character: c for c in kanjivg.read(release, names, form="Kaisho")}
    models = {name: known.strokes for name, known in base.items()}
    for path, known in chosen.items():
        known = [one for one in known if one.character in base]
        right, refused = collections.Counter(), collections.defaultdict(list)
        for one in known:
            forms = [{"source": "kanjivg", "strokes": flat(base[one.character])}]
            if one.character in brush:
                forms.append({"source": "kaisho", "strokes": flat(brush[one.character])})
            ways = reference.ways(forms, base[one.character].tree.to_json())
            alike = {}
            if options.alike:
                alike = matching.look_alikes(one.character, models, charset.LOOK_ALIKES)
            strokes = models[one.character], True, [way.strokes for way in ways], alike
            found = matching.match(one.strokes, *strokes)
            if found.accepted:
                right[ord(one.character) % 2] += 1
            else:
                kinds = ("missing", "extra", "swapped", "early", "late", "reversed", "alike")
                refused["+".join(k for k in kinds if getattr(found, k))].append(one.character)
        total = collections.Counter(ord(one.character) % 2 for one in known)
        both = ", ".join(f"{right[k] / max(total[k], 1):.1%} of {total[k]}" for k in (1, 0))
        print(f"{path.name}: {sum(right.values()) / len(known):.1%} of {len(known)} ({both})")
        for kind, characters in sorted(refused.items(), key=lambda item: -len(item[1])):
            print(f"  {kind:<24}{len(characters):4}  {''.join(characters)}")


def read(archive: Path) -> list[drawing.Drawing]:
    """Drawings of one character each."""
    with zipfile.ZipFile(archive) as bundle, tempfile.TemporaryDirectory() as folder:
        content = [one for name in bundle.namelist() for one in json.loads(bundle.read(name))]
        single = [one for one in content if len(one["character"]) == 1]
        path = Path(folder) / "drawings.json"
        path.write_text(json.dumps(single), "utf-8")
        return drawing.read(path)


def flat(known: kanjivg.Character) -> list[list[float]]:
    return [stroke.ravel().tolist() for stroke in known.strokes]


if __name__ == "__main__":
    main()

"""How often stroke feedback is right: of writing without a fault, of one planted fault, and of
look-alikes.

    python tests/benchmarks/matching.py [KANJIVG_ARCHIVE] [--seed 3] [--preset varied] [--alike]

Writes 500 of ETL9's characters in the hands of 25 synthetic writers, the strokes in KanjiVG's order
and the pen lifted between them, and compares them with KanjiVG's own. A fault counts as named when
just this fault of just this stroke is said and nothing else.

With --alike, instead: pairs of characters that people confuse, and of each of 75 drawn by lot the
two that look most like it, all of as many strokes as each other and the former both ways round; one
drawn where the other was meant, as KanjiVG has it and by synthetic hands. Takes minutes.
"""

import argparse
import dataclasses
import functools
import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "stages"))

from kakitori.reading import matching  # noqa: E402
from kakitori.reading.characters import charset  # noqa: E402
from kakitori.reading.matching import (  # noqa: E402
    Looks,
    Match,
    match,
    reference,
)
from kakitori.synthesis.hand import Hand  # noqa: E402
from kakitori.synthesis.paths import pen_paths  # noqa: E402
from kakitori.synthesis.table import StrokeTable  # noqa: E402
from kakitori.writing import glyphs  # noqa: E402

CHARACTERS = 500
HANDS = 25
LOT = 75
SEED = 3  # no tolerance was chosen on any seed of this file

KINDS = (
    *("missing", "extra", "joined", "split", "swapped", "early", "late", "reversed"),
    *("alike", "differs"),
)

Strokes = list[np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path, nargs="?", default=ROOT / "data/external/kanjivg.zip")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--preset", choices=["plain", "varied", "hard"], default="varied")
    parser.add_argument("--alike", action="store_true")
    options = parser.parse_args()
    if options.alike:
        look_alikes(options.archive, options.seed, options.preset)
        return
    made = written(options.archive, options.seed, options.preset)
    started = time.perf_counter()
    print(f"{len(made)} characters, {HANDS} hands ({options.preset}), seed {options.seed}")
    for name, (right, total) in measure(made, options.seed).items():
        print(f"  {name:<42}{right / total:8.1%} of {total}")
    right, total = taken_for_another(made)
    print(f"  {'another of as many strokes, accepted':<42}{right / total:8.1%} of {total}")
    print(f"{time.perf_counter() - started:.0f} s")


class Written(NamedTuple):
    character: str
    drawn: Strokes
    reference: Strokes


def written(
    archive: Path, seed: int, preset: str = "varied", count: int = CHARACTERS
) -> list[Written]:
    """Characters drawn by lot, a run of them in each hand."""
    rng = np.random.default_rng(seed)
    names = rng.choice(list(charset.etl9_characters()), count, replace=False).tolist()
    forms = {c: form for c, (form, _) in glyphs.forms_of("kanjivg", names, archive, 1).items()}
    return by_hands(names, forms, rng, preset)


def by_hands(names: list[str], forms: dict, rng: np.random.Generator, preset: str) -> list[Written]:
    """Characters, repeated as often as they are named, a run of them in each hand."""
    made = []
    for text in np.array_split(np.array(names), HANDS):
        # Who is to be told of a slip writes as taught.
        hand = dataclasses.replace(Hand.draw(rng, preset), swaps=0.0, running=None)
        table = StrokeTable.of(forms, text.tolist())
        # What the pen does before it is drawn; draw_page gives the drawing alone.
        paths = pen_paths(table, hand, rng)
        for k, character in enumerate(text.tolist()):
            own = slice(paths.first[k], paths.first[k + 1])
            lifted = paths.points[own][paths.number[own] > 0]
            made.append(Written(character, list(lifted), forms[character].strokes))
    return made


def missing(strokes: Strokes, rng: np.random.Generator) -> tuple[Strokes, dict]:
    k = int(rng.integers(len(strokes)))
    return strokes[:k] + strokes[k + 1 :], {"missing": [k + 1]}


def swapped(strokes: Strokes, rng: np.random.Generator) -> tuple[Strokes, dict]:
    a, b = sorted(rng.choice(len(strokes), 2, replace=False).tolist())
    order = list(range(len(strokes)))
    order[a], order[b] = b, a
    return [strokes[k] for k in order], {"swapped": [(a + 1, b + 1)]}


def backwards(strokes: Strokes, rng: np.random.Generator) -> tuple[Strokes, dict]:
    k = int(rng.integers(len(strokes)))
    return [s[::-1] if i == k else s for i, s in enumerate(strokes)], {"reversed": [k + 1]}


# Each takes strokes and a generator, and gives the strokes with a fault and what should be said.
FAULTS: dict[str, Callable] = {
    "one stroke missing": missing,
    "two strokes swapped": swapped,
    "one stroke reversed": backwards,
}


def measure(made: list[Written], seed: int) -> dict[str, tuple[int, int]]:
    """How many are judged right, and of how many. Characters of one stroke lack none and have none
    to swap."""
    rng = np.random.default_rng([seed, 1])
    right = {"correct writing accepted": sum(match(w.drawn, w.reference).accepted for w in made)}
    total = {"correct writing accepted": len(made)}
    for name, fault in FAULTS.items():
        able = [w for w in made if len(w.drawn) > 1 or fault is backwards]
        planted = [(w, *fault(w.drawn, rng)) for w in able]
        right[name] = sum(said(match(drawn, w.reference)) == due for w, drawn, due in planted)
        total[name] = len(able)
    return {name: (right[name], total[name]) for name in right}


def taken_for_another(made: list[Written]) -> tuple[int, int]:
    """How many are accepted as the next character of as many strokes, and of how many."""
    ranked = sorted(made, key=lambda w: len(w.reference))
    pairs = itertools.pairwise(ranked)
    others = [(a, b) for a, b in pairs if len(a.reference) == len(b.reference)]
    return sum(match(a.drawn, b.reference).accepted for a, b in others), len(others)


def look_alikes(archive: Path, seed: int, preset: str) -> None:
    """Print how often a look-alike is accepted where another was meant, and how often what was
    meant is not when it is drawn."""
    rng = np.random.default_rng(seed)
    names = [name for name in charset.alphabet() if name not in "゛゜"]
    known = glyphs.forms_of("kanjivg", names, archive, 1)
    forms = {c: form for c, (form, _) in known.items()}
    looks = Looks({name: form.strokes for name, form in forms.items()})
    groups = charset.LOOK_ALIKES, reference.CONFUSED
    lot = rng.choice(list(charset.etl9_characters()), LOT, replace=False).tolist()
    by_people = [p for group in reference.CONFUSED for p in itertools.permutations(group, 2)]
    alike = functools.cache(lambda own: matching.look_alikes(own, looks, *groups))
    near = [(c, other) for c in lot for other in list(alike(c))[:2]]
    others = reference.variants({meant for meant, _ in (*by_people, *near)}, archive)
    print(f"{preset}, seed {seed}")
    for name, pairs in (("that people confuse", by_people), ("nearest of a lot", near)):
        pairs = [p for p in pairs if p[0] in forms and p[1] in forms and _as_many(p, forms)]
        drawn = by_hands([other for _, other in pairs], forms, rng, preset)
        meant = by_hands([own for own, _ in pairs], forms, rng, preset)
        wrong, refused = {"KanjiVG": [], "hands": []}, []
        for (own, other), lured, right in zip(pairs, drawn, meant, strict=True):
            model = {
                "source": "kanjivg",
                "strokes": [s.ravel().tolist() for s in forms[own].strokes],
            }
            ways = reference.ways([model], known[own][1].to_json(), others.get(own, ()))
            given = forms[own].strokes, True, ways, alike(own)
            for kind, strokes in (("KanjiVG", forms[other].strokes), ("hands", lured.drawn)):
                if match(strokes, *given).accepted:
                    wrong[kind].append(own + other)
            judgement = match(right.drawn, *given)
            if judgement.alike:
                refused.append(own + judgement.alike)
        print(f"  {len(pairs)} pairs {name}:")
        for kind, taken in wrong.items():
            print(f"    accepted, by {kind:<10}{len(taken) / len(pairs):7.1%}  {' '.join(taken)}")
        print(f"    the one meant refused {len(refused) / len(pairs):7.1%}  {' '.join(refused)}")


def _as_many(pair: tuple[str, str], forms: dict) -> bool:
    own, other = pair
    same = any(own in group and other in group for group in charset.LOOK_ALIKES)
    return len(forms[own].strokes) == len(forms[other].strokes) and not same


def said(judgement: Match) -> dict:
    """The faults that were found, without those that were not."""
    return {kind: getattr(judgement, kind) for kind in KINDS if getattr(judgement, kind)}


if __name__ == "__main__":
    main()

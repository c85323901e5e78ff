"""How true traced strokes, their order and their types are, and what the codebooks hold.

    python tests/benchmarks/strokes.py [KANJIVG_ARCHIVE [FONT]]

Compares a font's traced strokes (IPAexGothic by default) with KanjiVG's over the 2,965 kanji of
JIS level 1, and the types told from shapes with those that KanjiVG gives.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import kendalltau

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "stages"))

from kakitori.reading.characters import charset, radicals, strokes  # noqa: E402
from kakitori.writing import glyphs, kanjivg  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path, nargs="?", default=ROOT / "data/external/kanjivg.zip")
    parser.add_argument("font", type=Path, nargs="?", default=glyphs.bundled_font())
    options = parser.parse_args()
    names = charset.etl9_characters()
    characters = {c.character: c for c in kanjivg.read(kanjivg.release(options.archive), names)}
    kanji = {n: c for n, c in characters.items() if charset.script(ord(n)) == "kanji"}

    started = time.perf_counter()
    forms = glyphs.trace_font(options.font, list(names))
    traced = {name: form.strokes for name, form in forms.items()}
    print(f"{options.font.name}: {len(traced)} traced in {time.perf_counter() - started:.0f} s")
    print(f"against KanjiVG, {len(kanji)} kanji")
    for name, value in tracing(kanji, traced).items():
        print(f"  {name:<44}{value:8.4f}")
    print("KanjiVG's own strokes")
    for name, value in shapes(kanji).items():
        print(f"  {name:<44}{value:8.4f}")
    print("codebooks (classes, columns), classes told apart only by a #")
    for name, decompositions in (
        ("trees", [characters[n].tree for n in names]),
        ("KRADFILE", [radicals.kradfile(n) for n in names]),
    ):
        book = radicals.codebook(decompositions)
        print(f"  {name:<12}{book.codes.shape}, {sum(len(g) - 1 for g in book.collisions)}")


def tau(order: list[int]) -> float:
    """Kendall's rank correlation of 0, 1, 2, … and `order`, without ties; 1 of fewer than two."""
    return round(kendalltau(range(len(order)), order).statistic, 12) if len(order) > 1 else 1.0


def tracing(kanji: dict[str, kanjivg.Character], traced: dict[str, strokes.Strokes]) -> dict:
    counts, taus, matched, directions, types = [], [], [], [], []
    for name, true in kanji.items():
        traced_strokes = traced[name]
        pairs = strokes.paired(traced_strokes, true.strokes)
        counts.append(len(traced_strokes) - len(true.strokes))
        taus.append(tau([other for _, other in pairs]))
        matched.append(len(pairs) / len(true.strokes))
        symbols = strokes.classify(traced_strokes)
        for own, other in pairs:
            a, b = traced_strokes[own], true.strokes[other]
            directions.append((a[-1] - a[0]) @ (b[-1] - b[0]) > 0)
            types.append(symbols[own] == true.types[other])
    return {
        "stroke count, mean absolute error": np.abs(counts).mean(),
        "stroke count, mean error": np.mean(counts),
        "characters with the true count": np.mean(np.equal(counts, 0)),
        "true strokes that a traced one matches": np.mean(matched),
        "order of matched strokes, Kendall's tau": np.mean(taus),
        "characters with the true order (tau 1)": np.mean(np.equal(taus, 1)),
        "direction of matched strokes": np.mean(directions),
        "type of matched strokes": np.mean(types),
    }


def shapes(kanji: dict[str, kanjivg.Character]) -> dict:
    """The rules of order and the types, where the strokes themselves are true."""
    taus = [tau(strokes.writing_order(c.strokes)) for c in kanji.values()]
    started = time.perf_counter()
    symbols = {n: strokes.classify(c.strokes) for n, c in kanji.items()}
    seconds = time.perf_counter() - started
    right = {n: np.equal(symbols[n], c.types) for n, c in kanji.items()}
    # The courses of strokes.TYPES come from every second kanji, from the second on.
    unseen = np.concatenate([right[n] for n in list(kanji)[::2]])
    return {
        "order by rule, Kendall's tau": np.mean(taus),
        "type by shape": np.concatenate(list(right.values())).mean(),
        "type by shape, kanji without a prototype": unseen.mean(),
        "seconds to tell the types": seconds,
    }


if __name__ == "__main__":
    main()

"""How long stroke feedback takes in a browser, of people's drawings, look-alikes among it.

    python tests/benchmarks/practice.py DRAWINGS.zip … [--count 300]

Takes drawings by lot from each file as `recognize.py --pen` reads it, and the strokes of all their
characters and of 2,000 others as the page has them. Needs Debian's chromium.
"""

import argparse
import random
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "stages")]

from tests.benchmarks import real_hands  # noqa: E402
from tests.browser.conftest import FLAGS  # noqa: E402
from tests.browser.pages import opened  # noqa: E402

from kakitori.reading.characters import charset  # noqa: E402
from kakitori.reading.matching import reference  # noqa: E402
from kakitori.results import packing  # noqa: E402
from kakitori.writing import kanjivg  # noqa: E402

OTHERS = 2000
TIMED = """async ({ drawings, table, ways, same, confused }) => {
    const { lookAlikes, match } = await import("/matching.js");
    const known = new Map(Object.entries(table).map(([name, strokes]) => [name, { strokes }]));
    const timed = [];
    for (const { character, strokes } of drawings) {
        const alike = lookAlikes(character, known, same, confused);
        const started = performance.now();
        const reference = known.get(character).strokes;
        const { accepted } = match(strokes, reference, { ways: ways[character], alike });
        timed.push({ accepted, took: performance.now() - started });
    }
    return timed;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("drawings", type=Path, nargs="+")
    parser.add_argument("--count", type=int, default=300, help="drawings of a file")
    options = parser.parse_args()
    lot = random.Random(0)
    archive = ROOT / "data/external/kanjivg.zip"
    files = {path: real_hands.read(path) for path in options.drawings}
    files = {path: lot.sample(all_, min(options.count, len(all_))) for path, all_ in files.items()}
    drawn = {drawing.character for chosen in files.values() for drawing in chosen}
    names = drawn | set(lot.sample(charset.alphabet(), OTHERS))
    base = {c.character: c for c in kanjivg.read(kanjivg.release(archive), sorted(names))}
    others = reference.variants(drawn, archive)
    ways = {}
    for name in drawn & set(base):
        model = {"source": "kanjivg", "strokes": [s.ravel().tolist() for s in base[name].strokes]}
        right_ways = reference.ways([model], base[name].tree.to_json(), others.get(name, ()))
        ways[name] = [way if isinstance(way[0], int) else thinned(way) for way in right_ways]
    given = {
        "table": {name: thinned(character.strokes) for name, character in base.items()},
        "ways": ways,
        "same": list(charset.LOOK_ALIKES),
        "confused": list(reference.CONFUSED),
    }
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        page = browser.new_page()
        opened(page)
        for path, chosen in files.items():
            lines = [
                {"character": drawing.character, "strokes": [s.tolist() for s in drawing.strokes]}
                for drawing in chosen
                if drawing.character in base
            ]
            told(path.name, page.evaluate(TIMED, given | {"drawings": lines}))
        browser.close()


def told(name: str, timed: list[dict]) -> None:
    for kind, chosen in (
        ("all", timed),
        ("accepted", [timing for timing in timed if timing["accepted"]]),
        ("refused", [timing for timing in timed if not timing["accepted"]]),
    ):
        if chosen:
            took = np.percentile([timing["took"] for timing in chosen], (50, 95))
            print(
                f"{name}: {kind:<9}{len(chosen):5} median {took[0]:.1f} ms, 95th {took[1]:.1f} ms"
            )


def thinned(strokes: list[np.ndarray]) -> list[list[list[float]]]:
    """Polylines simplified as the page's are."""
    lines = [np.asarray(stroke, np.float32)[:, None] for stroke in strokes]
    return [cv2.approxPolyDP(line, packing.TOLERANCE, False)[:, 0].tolist() for line in lines]


if __name__ == "__main__":
    main()

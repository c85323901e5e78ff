"""The table of characters: codes, scripts, strokes and radicals of every class.

    python stages/characters.py

Reads the glyph source named by synthesize.glyphs and KRADFILE; writes data/characters.parquet.
"""

from typing import get_args

import pandas as pd

from kakitori import outputs, stage
from kakitori.errors import DataError
from kakitori.params import ROOT, SetName, Settings, Synthesize
from kakitori.writing import charset, glyphs, radicals


def main(settings: Settings) -> None:
    wanted, needed = _characters(settings.synthesize)
    source = settings.synthesize.glyphs
    strokes = glyphs.strokes_of(
        source, wanted, ROOT / "data/external/kanjivg.zip", settings.synthesize.workers
    )
    without = [c for c in wanted if c not in strokes]
    if without:
        print(f"characters: {len(without)} without a glyph in {source}: {''.join(without)}")
    missing = [c for c in without if c in needed]
    if len(missing) > settings.synthesize.max_missing:
        raise DataError(
            f"synthesize.glyphs: expected at most {settings.synthesize.max_missing} characters "
            f"missing from {source} (synthesize.max_missing), found {len(missing)}: "
            f"{''.join(missing[:20])}"
        )
    characters = list(strokes)
    double = {chr(c) for c in charset.jis_table() if c}
    table = pd.DataFrame(
        {
            "character": characters,
            "codepoint": [ord(c) for c in characters],
            "jis": [charset.jis_code(c) if c in double else 0 for c in characters],
            "script": [charset.script(ord(c)) for c in characters],
            "stroke_count": [len(strokes[c]) for c in characters],
            # Polylines in order, each flat: x0, y0, x1, y1, … in the unit square.
            "strokes": [[s.ravel().tolist() for s in strokes[c]] for c in characters],
            "radicals": [radicals.kradfile(c) for c in characters],
            "stroke_source": source,
        }
    ).astype({"codepoint": "int32", "jis": "int32", "stroke_count": "int16"})
    outputs.write_parquet(ROOT / "data/characters.parquet", table)
    print(f"characters: {len(table)}, {table['stroke_count'].mean():.2f} strokes each on average")


def _characters(settings: Synthesize) -> tuple[list[str], set[str]]:
    """The characters of all handwritten ETL sets, and those that the sets to be written need. Of
    each set the first `classes` alone: fewer for a trial."""
    of_set = {name: charset.etl_positions(name) for name in get_args(SetName)}
    first = {name: characters[: settings.classes] for name, characters in of_set.items()}
    wanted = set().union(*first.values())
    needed = set().union(*(first[name] for name in settings.sets))
    return [c for c in charset.etl_repertoire() if c in wanted], needed


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True)

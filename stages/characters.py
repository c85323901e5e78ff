"""The table of characters: codes, scripts, strokes and radicals of every class.

    python stages/characters.py [--show TEXT]

Reads the glyph sources named by synthesize.glyphs, KanjiVG's trees and KRADFILE; writes
data/characters.parquet.
With --show it writes nothing but a picture of each character of TEXT: its strokes numbered in
order, and its decomposition where a source knows it.
"""

from typing import get_args

import numpy as np
import pandas as pd

from kakitori import outputs
from kakitori.errors import DataError
from kakitori.reading.characters import charset, radicals
from kakitori.running import stage
from kakitori.running.params import ROOT, SetName, Settings, Synthesize
from kakitori.writing import columns, glyphs, kanjivg


def main(settings: Settings) -> None:
    wanted, needed = _characters(settings.synthesize)
    archive = ROOT / "data/external/kanjivg.zip"
    sources = settings.synthesize.sources()
    forms_by_source: dict[str, dict] = {}
    for source in sources:
        # Those that no set needs have a form of their own in the first source that knows them.
        known = set().union(*forms_by_source.values()) - needed
        asked = [c for c in wanted if c not in known]
        forms_by_source[source] = glyphs.forms_of(
            source, asked, archive, settings.synthesize.workers
        )
    trees = {}
    if "kanjivg" not in forms_by_source:  # what it knows of structure is of use anyway
        trees = {c.character: c.tree for c in kanjivg.read(kanjivg.release(archive), wanted)}
    drawn = set().union(*forms_by_source.values())
    have = [c for c in wanted if c in drawn]
    without = [c for c in wanted if c not in drawn]
    named = ", ".join(sources)
    if without:
        print(f"characters: {len(without)} without a glyph in {named}: {''.join(without)}")
    missing = [c for c in without if c in needed]
    if len(missing) > settings.synthesize.max_missing:
        raise DataError(
            f"synthesize.glyphs: expected at most {settings.synthesize.max_missing} characters "
            f"missing from {named} (synthesize.max_missing), found {len(missing)}: "
            f"{''.join(missing[:20])}"
        )
    table = columns.table(have, forms_by_source, trees)
    outputs.write_parquet(ROOT / "data/characters.parquet", table)
    print(f"characters: {len(table)}, {table['stroke_count'].mean():.2f} strokes each on average")


def show(text: str, settings: Settings) -> None:
    # Only here: a picture is no part of the stage, and changes of it must not run it again.
    from kakitori.results import anatomy

    table = pd.read_parquet(ROOT / "data/characters.parquet").set_index("character")
    folder = ROOT / "metrics/plots/characters"
    folder.mkdir(parents=True, exist_ok=True)
    for character in text:
        if character not in table.index:
            raise DataError(f"--show: expected characters of the table, found {character!r}")
        row = table.loc[character]
        strokes = [np.asarray(s).reshape(-1, 2) for s in row["strokes"]]
        tree = row["decomposition"] and radicals.Component.from_json(row["decomposition"])
        path = folder / f"{character}.png"
        anatomy.draw(path, f"{character} ({row['stroke_source']})", strokes, tree or None)
        print(path.relative_to(ROOT))


def _characters(settings: Synthesize) -> tuple[list[str], set[str]]:
    """The characters of all handwritten sets, and those that the sets to be written need. Of each
    set the first `classes` alone: fewer for a trial."""
    of_set = {name: charset.etl_positions(name) for name in get_args(SetName)}
    first = {name: characters[: settings.classes] for name, characters in of_set.items()}
    wanted = set().union(*first.values())
    needed = set().union(*(first[name] for name in settings.sets))
    every = dict.fromkeys(charset.etl_repertoire() + charset.alphabet())
    return [c for c in every if c in wanted], needed


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True, instead={"show TEXT": show})

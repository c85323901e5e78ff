"""ETL files in the hands of synthetic writers, in the official record layouts.

    python stages/synthesize.py

Reads data/characters.parquet; writes data/synthetic/ETL9G/ETL9G_01… (and ETL9B on request) and
contact sheets of the writers' hands; data/synthetic/partial.h5, characters with strokes left out,
for training alone; and feedback.h5, some by other hands, for measuring what is said of strokes.
"""

import pandas as pd
from PIL import Image

from kakitori import outputs
from kakitori.running import stage
from kakitori.running.params import ROOT, Settings
from kakitori.synthesis import partial, slips, synthesis

SAMPLE_TEXT = "あきのゆ書東機識愛永飛国一人口職"  # easy and hard, kana and kanji


def main(settings: Settings) -> None:
    chosen, seed = settings.synthesize, settings.seed
    everyone = range(min(chosen.writers, 100))
    copybooks = synthesis.Copybooks(pd.read_parquet(ROOT / "data/characters.parquet"))
    page = "".join(copybooks.characters[::15][:200])
    sheets = {
        "writers": (everyone[:40], SAMPLE_TEXT, len(SAMPLE_TEXT)),
        "one_character": (everyone, SAMPLE_TEXT[4], 10),
        "one_writer": (everyone[:1], page, 20),
    }
    with (
        outputs.whole_folder(ROOT / "metrics/plots/synthesize") as plots,
        outputs.whole_folder(ROOT / "data/synthetic") as folder,
    ):
        for name, (writers, text, columns) in sheets.items() if chosen.writers else ():
            sheet = synthesis.contact_sheet(copybooks, seed, writers, text, chosen.preset)
            sheet = synthesis.folded(sheet, columns)
            Image.fromarray(255 - sheet).save(plots / f"{name}.png")
        rate = synthesis.write_corpora(copybooks, folder, chosen, seed)
        if chosen.partial_writers:
            path = folder / "partial.h5"
            partial.write(copybooks, path, chosen.partial_writers, chosen.classes, seed)
            slips.write(copybooks, folder / "feedback.h5", chosen.classes, seed)
    print(f"synthesize: {chosen.writers} writers, {rate:,.0f} images/s")


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True)

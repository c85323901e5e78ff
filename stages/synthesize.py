"""ETL files in the hands of synthetic writers, in the official record layouts.

    python stages/synthesize.py

Reads data/characters.parquet; writes data/synthetic/ETL9G/ETL9G_01… (and ETL9B on request) and
a contact sheet of every writer's hand.
"""

import pandas as pd
from PIL import Image

from kakitori import outputs, stage
from kakitori.corpora import synthesis
from kakitori.params import ROOT, Settings

SAMPLE_TEXT = "あきのゆ書東機識愛永飛国一人口職"  # easy and hard, kana and kanji


def main(settings: Settings) -> None:
    characters = pd.read_parquet(ROOT / "data/characters.parquet")
    sheet = synthesis.contact_sheet(
        characters, settings.seed, min(settings.synthesize.writers, 40), SAMPLE_TEXT
    )
    with outputs.whole_folder(ROOT / "metrics/plots/synthesize") as folder:
        Image.fromarray(255 - sheet).save(folder / "writers.png", optimize=True)
    with outputs.whole_folder(ROOT / "data/synthetic") as folder:
        rate = synthesis.write_corpora(characters, folder, settings.synthesize, settings.seed)
    print(f"synthesize: {settings.synthesize.writers} writers, {rate:,.0f} images/s")


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True)

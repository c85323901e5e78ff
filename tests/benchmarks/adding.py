"""How well characters are read that were added by what they are made of.

    python tests/benchmarks/adding.py

Of a finished run that set classes aside (`split.zero_shot_classes`): those whose KanjiVG tree is
two parts beside or below each other are described once as the table has them and once by a sequence
of the two, as `recognize.py --add` does, and read among all classes.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "stages"))

from kakitori.errors import DataError  # noqa: E402
from kakitori.learning import inference, saved  # noqa: E402
from kakitori.learning.samples import data, table  # noqa: E402
from kakitori.reading.characters.radicals import Component  # noqa: E402
from kakitori.results import adding  # noqa: E402

OPERATORS = {("left", "right"): "⿰", ("top", "bottom"): "⿱"}


def sequence(decomposition: str) -> str:
    """Of two named parts; "" of anything else."""
    parts = Component.from_json(decomposition).parts if decomposition else ()
    operator = OPERATORS.get(tuple(part.position for part in parts), "")
    whole = operator and all(len(part.element) == 1 for part in parts)
    return operator + "".join(part.element for part in parts) if whole else ""


def main() -> None:
    described = saved.describe(ROOT / "models")
    known = table.read(ROOT / "data/characters.parquet", described.classes)
    part = data.load_part(ROOT, data.placed_index(ROOT), "zero_shot", described.classes)
    asked = part.rows["codepoint"].map(chr)
    trees = known.set_index("character")["decomposition"]
    added, characters = {}, known
    for character in sorted(set(asked)):
        own = sequence(trees[character])
        if own and character not in own:
            try:
                without = characters[characters["character"] != character]
                characters = adding.added(without, character, own)
            except DataError:  # a part that no other character has
                continue
            added[character] = own
    rows = asked.isin(added).to_numpy()
    classes = [*described.classes, *added]
    place = {character: number for number, character in enumerate(classes)}
    labels = asked[rows].map(place).to_numpy()
    print(f"{len(added)} characters, {rows.sum()} samples, among {len(classes)}: top-1, top-5")
    for name, some in (("as the table has them", known), ("by a sequence", characters)):
        model = described.network(pd.DataFrame(some)).answering(classes)
        logits = inference.logits_of(model, part.images[rows], described.precision).numpy()
        best = np.argsort(-logits, 1)[:, :5] == labels[:, None]
        print(f"{name}: {best[:, 0].mean():.2%}, {best.any(1).mean():.2%}")


if __name__ == "__main__":
    main()

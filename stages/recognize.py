"""Read images of single characters: the program `kakitori`, with this checkout's own model and
table of strokes, the shipped ones where it has none.

    python stages/recognize.py photo.png scans/
    python stages/recognize.py --help           # all that it can do
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from kakitori import outputs
from kakitori.errors import DataError
from kakitori.reading.program import command, inputs
from kakitori.reading.recognizer import Recognizer

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    command.main("python stages/recognize.py", ROOT, explain, extend)


@contextlib.contextmanager
def extend(additions: list[str]) -> Iterator[Path]:
    """The network in models/ with further classes, as an export."""
    # Only here: torch takes seconds to import, and reading does without.
    from kakitori.results import adding

    with adding.extended(ROOT, additions) as path:
        yield path


def explain(pictures: list[inputs.Picture], recognizer: Recognizer, folder: Path) -> None:
    """A picture in `folder` of each image, of what it is and what it is likeliest confused with:
    the label that its folder gives, or the answer; and the likeliest other answer."""
    # Only here: torch takes seconds to import, and reading does without.
    import pandas as pd
    from tqdm import tqdm

    from kakitori.results import explanation

    explainer = explanation.Explainer(recognizer)
    rows = []
    for number, shown in enumerate(tqdm(pictures, desc="explain", unit="image", disable=None), 1):
        image = inputs.prepared(shown, recognizer.size)
        if isinstance(image, str):  # which its line will say
            continue
        top, label = recognizer.read_normalised(image[None], 2)[0], shown.label
        if not top:  # no ink, which its line will say
            continue
        character = label if label and label in recognizer.classes else top[0][0]
        other = next((c for c, _ in top if c != character), None)
        if other is None:
            raise DataError("--explain: expected two candidates or more, found one")
        comparison = explainer.explain(image, character, other)
        picture = folder / f"{number:04d}-{Path(shown.name).stem}.png"
        with outputs.whole(picture) as part:
            explanation.draw(part, comparison)
        rows.append({"file": shown.name, "picture": picture.name, **comparison.row()})
    outputs.write_csv(folder / "explanation.csv", pd.DataFrame(rows))


if __name__ == "__main__":
    main()

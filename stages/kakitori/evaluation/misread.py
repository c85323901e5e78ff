"""What is misread most, as tables and as pictures of what would have told it apart."""

from pathlib import Path

import numpy as np
import pandas as pd

from kakitori import outputs
from kakitori.accuracy import figures, scoring
from kakitori.evaluation import differences, slices
from kakitori.evaluation.evaluation import by_stroke_count


def write_plots(
    folder: Path,
    predictions: dict[str, scoring.Predictions],
    rows: pd.DataFrame,
    images: np.ndarray,
    classes: list[str],
    characters: pd.DataFrame,
    count: int,
) -> None:
    """All of metrics/plots/evaluate: figures, each with its numbers beside it as CSV.

    predictions : of the test part, `rows` of the index with `images` uint8 (N, S, S).
    characters : by code point.
    count : classes, and pairs of them, that pictures are made of.
    """
    reference = predictions["torch"]
    sliced = slices.sliced(reference.right, rows, characters)
    outputs.write_csv(folder / "slices.csv", slices.as_table(sliced))
    by_count = by_stroke_count(reference, rows["codepoint"].map(characters["stroke_count"]))
    outputs.write_csv(folder / "strokes.csv", by_count)
    figures.accuracy_by_strokes(folder / "strokes.png", by_count)
    calibration = scoring.reliability(reference.confidences, reference.right)
    outputs.write_csv(folder / "reliability.csv", calibration)
    figures.reliability(folder / "reliability.png", calibration, scoring.score(reference)["ece"])
    curve = scoring.risk_coverage(reference.confidences, reference.right)
    curve = curve.iloc[np.unique(np.linspace(0, len(curve) - 1, 500).astype(int))]
    outputs.write_csv(folder / "risk_coverage.csv", curve)
    figures.risk_coverage(folder / "risk_coverage.png", curve)
    misread(folder, reference, images, classes, characters, count)


def misread(
    folder: Path,
    predictions: scoring.Predictions,
    images: np.ndarray,
    classes: list[str],
    characters: pd.DataFrame,
    count: int,
) -> None:
    """Tables of all classes and confusions, and pictures of the worst: a misread sample, and the
    strokes that tell the character that it is from the one that it was taken for."""
    named = characters.set_index("character")
    forms = {
        c: ([np.reshape(s, (-1, 2)) for s in strokes], list(radicals))
        for c, strokes, radicals in zip(
            named.index, named["strokes"], named["radicals"], strict=True
        )
    }
    names = np.array([*classes, ""])  # the last for -1, no answer
    answers, labels = predictions.answers, predictions.labels

    def named_classes(pairs: pd.DataFrame) -> pd.DataFrame:
        return pairs.assign(truth=names[pairs["truth"]], answer=names[pairs["answer"]])

    by_class = named_classes(scoring.by_class(answers, labels))
    pairs = named_classes(scoring.confused_pairs(answers, labels, count))
    outputs.write_parquet(folder / "classes.parquet", by_class.drop(columns="example"))
    confusion = named_classes(scoring.confusion(answers, labels))
    outputs.write_parquet(folder / "confusion.parquet", confusion)
    worst = by_class[by_class["errors"] > 0].head(count)
    for name, rows in (("confused", pairs), ("worst", worst)):
        pictures, apart = [], []
        for row in rows.itertuples():
            truth, other = forms[row.truth], forms[row.answer]
            difference = differences.between(truth, other)
            apart.append(difference)
            drawings = (
                differences.drawn(form[0], marked)
                for form, marked in zip((truth, other), difference.strokes, strict=True)
            )
            pictures.append(differences.side_by_side(images[row.example], *drawings))
        listed = rows.drop(columns="example").assign(
            strokes_of_truth=[" ".join(str(k + 1) for k in d.strokes[0]) for d in apart],
            strokes_of_answer=[" ".join(str(k + 1) for k in d.strokes[1]) for d in apart],
            radicals_of_truth=["".join(d.radicals[0]) for d in apart],
            radicals_of_answer=["".join(d.radicals[1]) for d in apart],
        )
        outputs.write_csv(folder / f"{name}.csv", listed)
        figures.misread(folder / f"{name}.png", listed, pictures)

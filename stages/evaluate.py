"""The trained network and its exports on writers never seen.

    python stages/evaluate.py

Reads the model, models/exports/ and the test part; writes metrics/evaluate.json (gated),
metrics/by_writer.csv and metrics/plots/evaluate/: slices, classes, confusions, risk against
coverage, and pictures of what is misread most and of what would have told it apart.
"""

import functools
from collections.abc import Callable
from pathlib import Path

from kakitori import threads  # noqa: F401, before torch

# isort: split
import numpy as np
import pandas as pd
import torch

from kakitori import context, outputs, stage
from kakitori.errors import DataError
from kakitori.learning import data, saved, training
from kakitori.params import ROOT, Settings
from kakitori.recognizer import Recognizer
from kakitori.results import differences, feedback, figures, scoring, sequences, slices
from kakitori.writing import table

FORMATS = ("torch", "onnx", "int8")
EXPORTS = {
    name: ROOT / f"models/exports/{file}.onnx"
    for name, file in (("onnx", "fp32"), ("int8", "int8"), ("int4", "int4"))
}
OTHER_PARTS = ("hard", "external", "zero_shot")
IN_METRICS = ("script", "strokes", "corpus", "quality")  # of the slices; all are in slices.csv


def main(settings: Settings) -> None:
    model, classes, _ = saved.load(ROOT / "models")
    model.to(memory_format=torch.channels_last)  # as it was trained: it reads twice as fast
    index = data.placed_index(ROOT)
    test = data.load_part(ROOT, index, "test", classes)
    images, labels = test.images[:, 0].numpy(), test.labels.numpy()
    groups = test.rows["writer_group"].to_numpy()
    if not len(labels):
        raise DataError("expected a test part, found no sample; set split.test_groups: 1 or more")
    exports = {
        name: Recognizer(path, threads=0)
        for name, path in EXPORTS.items()
        if name != "int4" or path.is_file()
    }
    formats = {
        "torch": (functools.partial(_torch_logits, model), exports["onnx"]),
        **{name: (export.logits, export) for name, export in exports.items()},
    }

    def predicted(
        images: np.ndarray, labels: np.ndarray, names: tuple[str, ...] = FORMATS
    ) -> dict[str, scoring.Predictions]:
        found = {}
        for name in names:
            logits, calibrated = formats[name]
            settings = calibrated.temperature, calibrated.background
            found[name] = scoring.predict(logits, images, labels, *settings)
        return found

    predictions = predicted(images, labels, tuple(formats))
    parts = {name: data.load_part(ROOT, index, name, classes) for name in OTHER_PARTS}
    reference = predictions["torch"]
    alike = context.alike("".join(classes))
    needed = {*classes, *map(chr, index.loc[index["part"] != "none", "codepoint"].unique())}
    characters = table.read(ROOT / "data/characters.parquet", needed).set_index("codepoint")
    sliced = slices.sliced(reference.right, test.rows, characters)
    corpora = sorted(test.rows["corpus"].unique())
    metrics = {
        "model": settings.model,
        "dataset": {"corpora": ", ".join(corpora), "fingerprint": data.fingerprint(ROOT)},
        "glyphs": ", ".join(
            dict.fromkeys(f["source"] for forms in characters["forms"] for f in forms)
        ),
        "synthetic": all(name.startswith("synthetic/") for name in corpora),
        "scheme": settings.split.scheme,
        "classes": len(classes),
        "test_samples": len(labels),
        "test_writer_groups": int(test.rows["writer_group"].replace("", None).nunique()),
        **{
            name: scoring.score(p, alike) | scoring.interval(p.right, groups)
            for name, p in predictions.items()
        },
        "accepted": {
            name: scoring.accepted(predictions[name], export.threshold)
            for name, export in exports.items()
        },
        "hard": _own_sets(predicted, parts["hard"], alike, ("int8",)),
        "external": _own_sets(predicted, parts["external"], alike),
        **_zero_shot(model, classes, parts["zero_shot"]),
        **_sequences(
            (exports["onnx"], exports["int8"]), test, parts["zero_shot"], predictions, characters
        ),
        **_feedback(exports["int8"], characters, settings.seed),
        "by_writer": slices.by_writer(reference.right, groups),
        **{f"by_{name}": sliced[name] for name in IN_METRICS},
    }
    outputs.write_csv(ROOT / "metrics/by_writer.csv", _by_writer(test.rows, predictions))
    with outputs.whole_folder(ROOT / "metrics/plots/evaluate") as folder:
        curve = pd.read_csv(ROOT / "metrics/plots/train/curve.csv")
        figures.learning_curve(folder / "curve.png", curve)
        outputs.write_csv(folder / "slices.csv", slices.as_table(sliced))
        by_count = _by_stroke_count(
            reference, test.rows["codepoint"].map(characters["stroke_count"])
        )
        outputs.write_csv(folder / "strokes.csv", by_count)
        figures.accuracy_by_strokes(folder / "strokes.png", by_count)
        calibration = scoring.reliability(reference.confidences, reference.right)
        outputs.write_csv(folder / "reliability.csv", calibration)
        figures.reliability(folder / "reliability.png", calibration, metrics["torch"]["ece"])
        curve = scoring.risk_coverage(reference.confidences, reference.right)
        curve = curve.iloc[np.unique(np.linspace(0, len(curve) - 1, 500).astype(int))]
        outputs.write_csv(folder / "risk_coverage.csv", curve)
        figures.risk_coverage(folder / "risk_coverage.png", curve)
        contradicted = scoring.contradicted(predictions["int8"], test.rows, classes)
        outputs.write_csv(folder / "contradicted.csv", contradicted)
        _misread(folder, reference, images, classes, characters, settings.evaluate.worst)
    outputs.write_json(ROOT / "metrics/evaluate.json", metrics)
    for name in formats:
        print(f"evaluate: {name}: top-1 {metrics[name]['top1']:.4f} on {len(labels):,} samples")


def _misread(
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
            one, other = forms[row.truth], forms[row.answer]
            found = differences.between(one, other)
            apart.append(found)
            drawings = (
                differences.drawn(form[0], marked)
                for form, marked in zip((one, other), found.strokes, strict=True)
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


def _torch_logits(model: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    """As the network is trained, in bfloat16 where this machine has it: a fifth of the time. Its
    float32 is what fp32.onnx computes; quantize compares them."""
    precision = training.pick_precision("auto", torch.device("cpu"))
    return training.logits_of(model, torch.from_numpy(images)[:, None], precision).numpy()


def _own_sets(
    predicted: Callable,
    part: data.Part,
    alike: np.ndarray,
    names: tuple[str, ...] = FORMATS,
) -> dict[str, dict]:
    """Scores of each corpus of a part; characters that are no class of ours are only counted."""
    result = {}
    for corpus, rows in part.rows.reset_index(drop=True).groupby("corpus"):
        labels = part.labels.numpy()[rows.index]
        known = rows.index[labels >= 0]
        result[corpus] = {
            "samples": len(known),
            "samples_of_other_characters": len(rows) - len(known),
            "other_characters": _some(rows["codepoint"][labels < 0]),
            "writer_groups": int(rows.loc[rows["writer_group"] != "", "writer_group"].nunique()),
        }
        if len(known):
            images = part.images[:, 0].numpy()[known]
            found = predicted(images, part.labels.numpy()[known], names)
            groups = rows["writer_group"].to_numpy()[labels >= 0]
            result[corpus] |= {
                name: scoring.score(p, alike) | scoring.interval(p.right, groups)
                for name, p in found.items()
            }
    return result


def _some(codepoints: pd.Series) -> str:
    """The first fifty characters among code points, and how many more there are."""
    found = [chr(c) for c in sorted(set(codepoints))]
    return "".join(found[:50]) + (f" and {len(found) - 50} more" if len(found) > 50 else "")


def _zero_shot(model: torch.nn.Module, classes: list[str], part: data.Part) -> dict:
    """How well characters are read that the network was never trained on, by what it knows of them:
    `zero_shot`, or nothing where there are none or it cannot."""
    if not len(part.labels) or model.answering(classes) is None:
        return {}
    character = part.rows["codepoint"].map(chr)
    unseen = sorted(set(character))
    twins = {c for group in model.collisions for c in group}
    readable = [c for c in unseen if c not in twins]
    result: dict[str, int | float] = {
        "classes": len(readable),
        "classes_whose_codes_collide": len(unseen) - len(readable),
        "samples": int(character.isin(readable).sum()),
    }
    images = part.images[:, 0].numpy()[character.isin(readable)]
    for name, candidates in (("unseen", unseen), ("all", sorted({*classes, *unseen}))):
        place = {c: k for k, c in enumerate(candidates)}
        labels = character[character.isin(readable)].map(place).to_numpy()
        answering = functools.partial(_torch_logits, model.answering(candidates))
        scores = scoring.score(scoring.predict(answering, images, labels, 1.0))
        result |= {f"top1_of_{name}": scores["top1"], f"top5_of_{name}": scores["top5"]}
    return {"zero_shot": result}


def _sequences(
    exports: tuple[Recognizer, Recognizer],
    test: data.Part,
    unseen: data.Part,
    predictions: dict[str, scoring.Predictions],
    characters: pd.DataFrame,
) -> dict:
    """How right the stroke types are that the exports write down: `sequence`, or nothing where they
    do not, or nobody knows what would be right. Beside it what looking the sequence up of the class
    that was read gives; of classes never trained on there is nothing to look up."""
    if not all(export.stroke_types for export in exports):
        return {}
    names, known = characters["character"], characters.reset_index()
    written = sequences.looked_up(test.rows["codepoint"].map(names), known)
    unwritten = sequences.looked_up(unseen.rows["codepoint"].map(names), known)
    if not any(written):  # of characters whose strokes nobody knows
        return {}
    result: dict[str, dict] = {}
    for name, export in zip(FORMATS[1:], exports, strict=True):
        classes = np.array(list(export.classes))
        found = [types for types, _ in export.strokes(test.images[:, 0].numpy())]
        read = sequences.looked_up(classes[predictions[name].answers], known)
        result[name] = {
            "written": sequences.score(found, written),
            "looked_up": sequences.score(read, written),
        }
        if any(unwritten):
            found = [types for types, _ in export.strokes(unseen.images[:, 0].numpy())]
            result[name]["written_of_unseen_classes"] = sequences.score(found, unwritten)
    return {"sequence": result}


def _feedback(export: Recognizer, characters: pd.DataFrame, seed: int) -> dict:
    """What a model that knows strokes finds missing or too many: `feedback` of INT8, or nothing
    where it does not know them."""
    if not export.stroke_counts:
        return {}
    known = characters[characters["stroke_count"] > 0]
    return {"feedback": {"int8": feedback.measure(export, known.reset_index(), seed)}}


def _by_writer(rows: pd.DataFrame, predictions: dict[str, scoring.Predictions]) -> pd.DataFrame:
    counts = pd.DataFrame({"writer_group": rows["writer_group"].to_numpy(), "total": 1})
    for name, p in predictions.items():
        counts[name] = p.right.astype(int)
    return counts.groupby("writer_group").sum().reset_index()


def _by_stroke_count(p: scoring.Predictions, strokes: pd.Series) -> pd.DataFrame:
    errors = pd.DataFrame({"strokes": strokes.to_numpy(), "error_rate": (~p.right).astype(float)})
    grouped = (
        errors[errors["strokes"] > 0]
        .groupby("strokes")["error_rate"]
        .agg(["size", "mean"])
        .reset_index()
    )
    return grouped.rename(columns={"size": "samples", "mean": "error_rate"})


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True)

"""The trained network and its exports on writers never seen.

    python stages/evaluate.py

Reads the model, models/exports/ and the test part; writes metrics/evaluate.json (gated),
metrics/by_writer.csv and metrics/plots/evaluate/.
"""

import functools
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from kakitori import outputs, stage
from kakitori.learning import data, saved, training
from kakitori.params import ROOT, Settings
from kakitori.recognizer import Recognizer
from kakitori.results import figures, scoring, sequences
from kakitori.writing.charset import script

FORMATS = ("torch", "onnx", "int8")
OTHER_PARTS = ("hard", "external", "zero_shot")
STROKE_BINS = {"01-04": 4, "05-08": 8, "09-12": 12, "13-16": 16, "17 and more": 99}


def main(settings: Settings) -> None:
    model, classes, _ = saved.load(ROOT / "models")
    index = data.placed_index(ROOT)
    test = data.load_part(ROOT, index, "test", classes)
    images, labels = test.images[:, 0].numpy(), test.labels.numpy()
    onnx = Recognizer(ROOT / "models/exports/fp32.onnx", threads=0)
    int8 = Recognizer(ROOT / "models/exports/int8.onnx", threads=0)
    formats = {
        "torch": (functools.partial(_torch_logits, model), onnx.temperature),
        "onnx": (onnx.logits, onnx.temperature),
        "int8": (int8.logits, int8.temperature),
    }
    if (ROOT / "models/exports/int4.onnx").is_file():
        int4 = Recognizer(ROOT / "models/exports/int4.onnx", threads=0)
        formats["int4"] = (int4.logits, int4.temperature)

    def predicted(
        images: np.ndarray, labels: np.ndarray, names: tuple[str, ...] = FORMATS
    ) -> dict[str, scoring.Predictions]:
        return {
            name: scoring.predict(formats[name][0], images, labels, formats[name][1])
            for name in names
        }

    predictions = predicted(images, labels, tuple(formats))
    parts = {name: data.load_part(ROOT, index, name, classes) for name in OTHER_PARTS}
    reference = predictions["torch"]
    characters = pd.read_parquet(ROOT / "data/characters.parquet").set_index("codepoint")
    strokes = test.rows["codepoint"].map(characters["stroke_count"])
    bins = pd.cut(strokes, [0, *STROKE_BINS.values()], labels=list(STROKE_BINS))
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
        "test_writer_groups": int(test.rows["writer_group"].nunique()),
        **{name: scoring.score(p) for name, p in predictions.items()},
        "hard": _own_sets(predicted, parts["hard"], ("torch", "int8")),
        "external": _own_sets(predicted, parts["external"]),
        **_zero_shot(model, classes, parts["zero_shot"]),
        **_sequences((onnx, int8), test, parts["zero_shot"], predictions, characters),
        "by_script": scoring.sliced_top1(reference.right, test.rows["codepoint"].map(script)),
        "by_strokes": scoring.sliced_top1(reference.right, bins.astype(str)),
    }
    outputs.write_csv(ROOT / "metrics/by_writer.csv", _by_writer(test.rows, predictions))
    with outputs.whole_folder(ROOT / "metrics/plots/evaluate") as folder:
        curve = pd.read_csv(ROOT / "metrics/plots/train/curve.csv")
        figures.learning_curve(folder / "curve.png", curve)
        by_count = _by_stroke_count(reference, strokes)
        outputs.write_csv(folder / "strokes.csv", by_count)
        figures.accuracy_by_strokes(folder / "strokes.png", by_count)
        calibration = scoring.reliability(reference.confidences, reference.right)
        outputs.write_csv(folder / "reliability.csv", calibration)
        figures.reliability(folder / "reliability.png", calibration, metrics["torch"]["ece"])
        pairs = scoring.confused_pairs(reference.answers, labels, settings.evaluate.confused_pairs)
        shown = images[pairs["example"]]
        pairs = pairs.assign(
            truth=[classes[k] for k in pairs["truth"]],
            answer=[classes[k] for k in pairs["answer"]],
        ).drop(columns="example")
        outputs.write_csv(folder / "confused.csv", pairs)
        figures.confused_pairs(folder / "confused.png", pairs, shown)
    outputs.write_json(ROOT / "metrics/evaluate.json", metrics)
    for name in formats:
        print(f"evaluate: {name}: top-1 {metrics[name]['top1']:.4f} on {len(labels):,} samples")


def _torch_logits(model: torch.nn.Module, images: np.ndarray) -> np.ndarray:
    """As the network is trained, in bfloat16 where this machine has it: a fifth of the time. Its
    float32 is what fp32.onnx computes; quantize compares them."""
    precision = training.pick_precision("auto", torch.device("cpu"))
    return training.logits_of(model, torch.from_numpy(images)[:, None], precision).numpy()


def _own_sets(
    predicted: Callable, part: data.Part, names: tuple[str, ...] = FORMATS
) -> dict[str, dict]:
    """Scores of each corpus of a part; characters that are no class of ours are only counted."""
    result = {}
    for corpus, rows in part.rows.reset_index(drop=True).groupby("corpus"):
        labels = part.labels.numpy()[rows.index]
        known = rows.index[labels >= 0]
        result[corpus] = {
            "samples": len(known),
            "samples_of_other_characters": len(rows) - len(known),
            "writer_groups": int(rows.loc[rows["writer_group"] != "", "writer_group"].nunique()),
        }
        if len(known):
            images = part.images[:, 0].numpy()[known]
            found = predicted(images, part.labels.numpy()[known], names)
            result[corpus] |= {name: scoring.score(p) for name, p in found.items()}
    return result


def _zero_shot(model: torch.nn.Module, classes: list[str], part: data.Part) -> dict:
    """How well characters are read that the network was never trained on, by what it knows of them:
    `zero_shot`, or nothing where there are none or it cannot."""
    if not (len(part.labels) and hasattr(model, "answering")):
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
    do not. Beside it what looking the sequence up of the class that was read gives; of classes
    never trained on there is nothing to look up."""
    if not all(export.stroke_types for export in exports):
        return {}
    names = characters["character"]
    table = characters.reset_index()
    result: dict[str, dict] = {}
    for name, export in zip(FORMATS[1:], exports, strict=True):
        classes = np.array(list(export.classes))
        right = sequences.looked_up(test.rows["codepoint"].map(names), table)
        found = [types for types, _ in export.strokes(test.images[:, 0].numpy())]
        read = sequences.looked_up(classes[predictions[name].answers], table)
        result[name] = {
            "written": sequences.score(found, right),
            "looked_up": sequences.score(read, right),
        }
        if len(unseen.labels):
            right = sequences.looked_up(unseen.rows["codepoint"].map(names), table)
            found = [types for types, _ in export.strokes(unseen.images[:, 0].numpy())]
            result[name]["written_of_unseen_classes"] = sequences.score(found, right)
    return {"sequence": result}


def _by_writer(rows: pd.DataFrame, predictions: dict[str, scoring.Predictions]) -> pd.DataFrame:
    table = pd.DataFrame({"writer_group": rows["writer_group"].to_numpy(), "total": 1})
    for name, p in predictions.items():
        table[name] = p.right.astype(int)
    return table.groupby("writer_group").sum().reset_index()


def _by_stroke_count(p: scoring.Predictions, strokes: pd.Series) -> pd.DataFrame:
    table = pd.DataFrame({"strokes": strokes.to_numpy(), "error_rate": (~p.right).astype(float)})
    grouped = table.groupby("strokes")["error_rate"].agg(["size", "mean"]).reset_index()
    return grouped.rename(columns={"size": "samples", "mean": "error_rate"})


if __name__ == "__main__":
    stage.run(main, __doc__, measure_energy=True)

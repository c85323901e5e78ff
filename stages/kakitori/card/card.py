"""The model card: Hugging Face metadata above card.md, filled in from the metrics."""

import html
import re
from pathlib import Path

import jinja2
import pandas as pd
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from kakitori.card import backends, choice, credits, leaderboard
from kakitori.errors import DataError
from kakitori.reading.formats import FORMATS

TEMPLATE = Path(__file__).with_name("card.md")


def text(
    metrics: dict[str, dict], model: dict, table: pd.DataFrame, runtimes: dict | None = None
) -> str:
    """The card, as Hugging Face's own parser reads it.

    Parameters
    ----------
    metrics : of metrics.read; every figure of the card comes from them, `table` and
        `runtimes`.
    model : models/model.json.
    table : the leaderboard's rows, of any dataset; may be empty.
    runtimes : of backends.read.

    Raises DataError for metrics that lack a figure of the card.
    """
    data = metadata(metrics)
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = lambda share: f"{float(share):.2%}"
    environment.filters["count"] = lambda number: f"{int(number):,}"
    environment.filters["named"] = named
    environment.filters["mb"] = lambda size: f"{size / 1e6:.2f}"
    evaluate = metrics["evaluate"]
    own = table["dataset"] == evaluate["dataset"]["fingerprint"]
    name = leaderboard.name_of(metrics["train"], evaluate)
    try:
        body = environment.from_string(TEMPLATE.read_text("utf-8")).render(
            **metrics,
            model=model,
            data="synthetic handwriting" if evaluate["synthetic"] else "handwriting",
            all_synthetic=_all_synthetic(metrics),
            from_kanjivg={"kanjivg", "kaisho"} & set(evaluate["glyphs"].split(", ")),
            formats={k: v for k, v in FORMATS.items() if k in metrics["quantize"]},
            glyphs="; ".join(
                named(credits.of(source)) for source in evaluate["glyphs"].split(", ")
            ),
            runtimes=backends.table(runtimes or {}, evaluate, metrics["quantize"]),
            rows=len(table),
            choices=choice.choose(table[own]),
            standing=choice.standing(table[own], name),
            elsewhere=table[~own].groupby("dataset", sort=False)["model"].agg(", ".join).to_dict(),
        )
    except jinja2.UndefinedError as error:
        raise DataError(
            f"metrics/*.json: expected every figure of the card, found: {error}; `dvc repro` "
            "measures it"
        ) from None
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}"))


def metadata(metrics: dict[str, dict]) -> ModelCardData:
    """What Hugging Face shows beside and searches by: one result per part of the data."""
    evaluate, train, carbon = metrics["evaluate"], metrics["train"], metrics["carbon"]
    free = _all_synthetic(metrics) and evaluate["glyphs"] == "font"
    terms = {"license": "mit"}
    if not free:
        terms = {"license": "other", "license_name": "see-training-data-and-terms"}
    return ModelCardData(
        language="ja",
        **terms,
        library_name="onnxruntime",
        pipeline_tag="image-classification",
        tags=["handwriting", "kanji", "hiragana", "ocr", "onnx", "safetensors"]
        + ["synthetic-data"] * evaluate["synthetic"],
        datasets=[_dataset_id(name) for name in metrics["extract"]["corpora"]],
        metrics=["accuracy"],
        model_name=f"kakitori-{train['model']}",
        eval_results=_results(metrics),
        co2_eq_emissions={
            "emissions": round(1000 * carbon["kg_co2e"]["world"], 3),
            "source": f"{carbon['assumptions']['power']}; the world's grid; all measured stages",
            "training_type": "pre-training",
            "hardware_used": carbon["hardware"]["cpu"],
        },
    )


def _results(metrics: dict[str, dict]) -> list[EvalResult]:
    evaluate, train, quantize = metrics["evaluate"], metrics["train"], metrics["quantize"]
    corpora = evaluate["dataset"]["corpora"]
    kind_of = {True: "synthetic handwriting", False: "handwriting"}
    writers = "writers never seen" if evaluate["scheme"] == "writer" else "random split, leaks"

    def result(split: str, kind: str, value: float, name: str, corpus: str = corpora) -> EvalResult:
        synthetic = all(corpus_name.startswith("synthetic/") for corpus_name in corpus.split(", "))
        return EvalResult(
            task_type="image-classification",
            dataset_type=_dataset_id(corpus),
            dataset_name=f"{html.escape(corpus, quote=False)} ({kind_of[synthetic]})",
            dataset_split=split,
            dataset_revision=evaluate["dataset"]["fingerprint"],
            metric_type=kind,
            metric_value=round(value, 6),
            metric_name=name,
        )

    results = [
        result(
            "train",
            "accuracy",
            train["train_top1"],
            f"top-1, distorted images of epoch {train['best_epoch']} while it learned",
        ),
        result("validation", "accuracy", train["val_top1"], f"top-1, PyTorch, {writers}"),
    ]
    for key, (label, file, *_) in FORMATS.items():
        if key in evaluate:
            cell = evaluate[key]
            results += [
                result("test", "accuracy", cell["top1"], f"top-1, {label}, {writers}"),
                result("test", "accuracy", cell["top5"], f"top-5, {label}, {writers}"),
                result("test", "expected_calibration_error", cell["ece"], f"ECE, {label}"),
            ]
        if key in quantize:
            cell = quantize[key]
            results.append(result("test", "model_size", cell["bytes"], f"bytes, {file}"))
        if "latency_ms" in quantize.get(key, {}):
            name = f"milliseconds an image, one thread, {label}"
            results.append(result("test", "latency", cell["latency_ms"], name))
    for kind in ("hard", "external"):
        for corpus, cell in evaluate[kind].items():
            results += [
                result(
                    "test", "accuracy", cell[key]["top1"], f"top-1, {FORMATS[key].title}", corpus
                )
                for key in FORMATS
                if key in cell
            ]
    return results


def _all_synthetic(metrics: dict[str, dict]) -> bool:
    return all(name.startswith("synthetic/") for name in metrics["extract"]["corpora"])


def named(name: str) -> str:
    """A name that somebody gave a folder or file as text of Markdown: no tag, no link, no cell."""
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", html.escape(name, quote=False))


def _dataset_id(corpora: str) -> str:
    """As Hugging Face spells names: letters, digits, -; none is of a dataset there."""
    spelled = "kakitori-" + corpora.lower().replace(", ", "-and-").replace("/", "-")
    return re.sub(r"[^a-z0-9.]+", "-", spelled).strip("-")

"""The model card as Markdown with Hugging Face metadata."""

from kakitori.results import backends

FORMATS = {  # key in the metrics: what it is, and its file
    "torch": ("PyTorch", "model.safetensors"),
    "onnx": ("ONNX float32", "exports/fp32.onnx"),
    "fp16": ("ONNX 16-bit float", "exports/fp16.onnx"),
    "strict": ("ONNX float32, opset 14", "exports/strict.onnx"),
    "int8": ("ONNX INT8", "exports/int8.onnx"),
    "strict_int8": ("ONNX INT8, opset 14", "exports/strict_int8.onnx"),
    "dynamic": ("ONNX INT8, dynamic", "exports/dynamic.onnx"),
    "int4": ("ONNX, INT4 weights", "exports/int4.onnx"),
    "nf4": ("ONNX, NF4 weights", "exports/nf4.onnx"),
    "fp4": ("ONNX, FP4 weights", "exports/fp4.onnx"),
}
GLYPHS = {
    "font": "IPAexGothic (IPA Font License v1.0)",
    "kanjivg": "KanjiVG, © Ulrich Apel, CC BY-SA 3.0",
    "kaisho": "KanjiVG's brush-regular forms, © Ulrich Apel, CC BY-SA 3.0",
}


def text(metrics: dict[str, dict], model: dict) -> str:
    """The card. Every figure in it comes from `metrics`; `model` is models/model.json."""
    evaluate, train, quantize = metrics["evaluate"], metrics["train"], metrics["quantize"]
    split, carbon = metrics["split"], metrics["carbon"]
    data = "synthetic handwriting" if evaluate["synthetic"] else "handwriting"
    rows = "\n".join(
        f"| {label} | `{file}` | {quantize[key]['bytes'] / 1e6:.2f} | "
        f"{quantize[key]['val_top1']:.2%} | {_test(evaluate, key)} | {_latency(quantize[key])} |"
        for key, (label, file) in FORMATS.items()
        if key in quantize
    )
    runtimes = "\n".join(f"| {' | '.join(row)} |" for row in backends.table(quantize))
    scripts = "\n".join(
        f"| {name} | {cell['samples']:,} | {cell['top1']:.2%} |"
        for name, cell in evaluate["by_script"].items()
    )
    own_sets = "\n".join(
        f"| {name} | {cell['samples']:,} | "
        f"{cell['torch']['top1']:.2%} | {cell['int8']['top1']:.2%} |"
        for kind in ("hard", "external")
        for name, cell in evaluate[kind].items()
        if "torch" in cell
    )
    if own_sets:
        own_sets = (
            "Test sets of their own, in which nobody was trained on:\n\n"
            "| corpus | samples | top-1 (PyTorch) | top-1 (INT8) |\n|---|---|---|---|\n"
            f"{own_sets}\n\n"
        )
    grids = ", ".join(f"{name} {1000 * kg:.3g} g" for name, kg in carbon["kg_co2e"].items())
    warning = (
        "**The data is synthetic.** No real person's handwriting was used for training or for any "
        "figure below: writers, pens and scans are simulated, in the record layout of the ETL "
        "Character Database. Expect other figures on real handwriting.\n"
        if evaluate["synthetic"]
        else ""
    )
    unseen = split["scheme"] == "writer"
    glyphs = "; ".join(
        GLYPHS.get(name, f"the font `{name}`, under its own terms")
        for name in evaluate["glyphs"].split(", ")
    )
    leak = (
        "**The split is random**: writers occur in training and test, which flatters the figures.\n"
        if split["leaks_writers"]
        else ""
    )
    return f"""---
language: ja
license: mit
library_name: onnxruntime
pipeline_tag: image-classification
tags:
- handwriting
- kanji
- hiragana
- ocr
model-index:
- name: kakitori-{evaluate["model"]}
  results:
  - task:
      type: image-classification
    dataset:
      name: {evaluate["dataset"]["corpora"]} ({data})
      type: etl
      split: test
    metrics:
    - type: accuracy
      value: {evaluate["int8"]["top1"]:.6f}
      name: top-1, INT8, {"writers never seen" if unseen else "random split, writers leak"}
---

# Kakitori {evaluate["model"]}: {evaluate["classes"]:,} handwritten Japanese characters

{warning}{leak}
Reads one character of handwriting at a time. {train["parameters"]:,} parameters,
{train["multiply_adds"]:,} multiply-adds an image of {model["size"]}×{model["size"]} pixels.

## Figures on the test part ({data})

{evaluate["test_samples"]:,} samples by {evaluate["test_writer_groups"]} writer groups,
{"none" if unseen else "many"} of them in training ({split["train"]["writer_groups"]} groups) or
validation ({split["val"]["writer_groups"]} groups); split scheme: {evaluate["scheme"]}; data:
{evaluate["dataset"]["corpora"]}, fingerprint {evaluate["dataset"]["fingerprint"]}.

| format | file | MB | validation top-1 | test top-1 | top-5 | ECE | ms an image, one thread |
|---|---|---|---|---|---|---|---|
{rows}

Validation is {quantize["validation_samples"]:,} samples of it, the same for every format. Intervals
are of 95 %, by a bootstrap over the {evaluate["by_writer"]["groups"]} writer groups. The best group
reads {evaluate["by_writer"]["best"]:.2%}, the worst {evaluate["by_writer"]["worst"]:.2%}.

{_accepted(evaluate)}

| backend | | |
|---|---|---|
{runtimes}

| script | samples | top-1 (PyTorch) |
|---|---|---|
{scripts}

{own_sets}## Use

```python
from kakitori.recognizer import Recognizer

recognizer = Recognizer("models/exports/int8.onnx")
print(recognizer.read("photo.png"))
```

Each ONNX file's metadata holds its classes in the order of the logits, the preprocessing and the
temperature that calibrates its probabilities. `classes.json` lists the classes.

## Limits

One upright character per image, of the {evaluate["classes"]:,} classes alone: anything else is read
as one of them. Not for decisions about people.

## Cost

Energy of the measured stages: {1000 * carbon["total_kwh"]:.3g} Wh in
{carbon["total_seconds"]:.0f} s ({carbon["assumptions"]["power"]}).
CO2e: {grids}. Per 1,000 inferences:
{carbon["wh_per_1000_inferences"]["int8"]:.2g} Wh with INT8,
{carbon["wh_per_1000_inferences"]["onnx"]:.2g} Wh with float32; a year of INT8 at
{carbon["assumptions"]["a_year"]}: {carbon["a_year"]["int8"]["kwh"]:.2g} kWh,
{1000 * carbon["a_year"]["int8"]["kg_co2e"]["world"]:.2g} g CO2e on the world's grid.
Rated power for the whole time, the published way to estimate, would be
{1000 * carbon["rated_kwh"]:.3g} Wh ({carbon["assumptions"]["rated"]}).

## Sources

Record layout: ETL Character Database, Electrotechnical Laboratory, Japanese Technical Committee for
Optical Character Recognition, 1973–1984 (layout alone, unless the corpora above say `raw`). Glyphs
of the synthetic writers: {glyphs}.
"""


def _test(evaluate: dict, key: str) -> str:
    if key not in evaluate:
        return " | | "
    line = evaluate[key]
    top1 = f"{line['top1']:.2%}"
    if "top1_low" in line:
        top1 += f" ({line['top1_low']:.2%} to {line['top1_high']:.2%})"
    return f"{top1} | {line['top5']:.2%} | {line['ece']:.4f}"


def _accepted(evaluate: dict) -> str:
    """What is left when answers below the threshold are not given."""
    cell = evaluate["accepted"]["int8"]
    if "precision" not in cell:
        return "No confidence was enough for 99.5 % precision on validation."
    return (
        f"Answers of INT8 with a probability of {cell['threshold']:.3f} or more, the threshold of "
        f"99.5 %\nprecision on validation, are {cell['coverage']:.2%} of the test part, and "
        f"{cell['precision']:.2%} of them are right."
    )


def _latency(quantized: dict) -> str:
    return f"{quantized['latency_ms']:.2f}" if "latency_ms" in quantized else ""

"""The tables of README.md and docs/ that are made of the metrics and of the code's own tables, each
between two marks."""

import json
from pathlib import Path

from kakitori.card import backends, leaderboard, metrics
from kakitori.corpora.records.database import SETS
from kakitori.corpora.records.layouts import LAYOUTS, Field
from kakitori.errors import DataError
from kakitori.reading import shipped
from kakitori.reading.formats import renamed

HEAD = "| what | figure | command |\n|---|---|---|\n"
SHIPPED, DEFAULT = "ships", "default"  # whose figures a row of by_hand.json is


def tables(root: Path) -> dict[str, dict[str, str]]:
    """By document, relative to `root`, the table of each pair of marks, of the metrics there.

    Raises FileNotFoundError where some are missing.
    """

    def read(name: str) -> dict | list:
        return renamed(json.loads((root / f"metrics/{name}.json").read_text("utf-8")))

    measured, by_hand = {name: read(name) for name in metrics.EXPECTED}, read("by_hand")
    table = leaderboard.parse((root / "metrics/leaderboard.csv").read_text("utf-8"))
    documents = of(measured, by_hand, leaderboard.markdown(table), shipped.about())
    if runtimes := backends.read(root / "metrics/runtimes.json"):
        documents["docs/runtimes.md"] = {"runtimes": of_runtimes(runtimes)}
    return documents


def of(
    measured: dict[str, dict], by_hand: list[dict], ranking: str, about: dict
) -> dict[str, dict[str, str]]:
    """`tables` of given metrics.

    Parameters
    ----------
    measured : the metrics of the default run by name, as `metrics.read` gives them.
    by_hand : what no stage measures, a row each: `of` (which model), `what`, `figure`, `command`
        and `commit`.
    ranking : the leaderboard.
    about : of the model that ships; {} where none does.
    """
    hands = {whose: [_row(r) for r in by_hand if r["of"] == whose] for whose in (SHIPPED, DEFAULT)}
    first = [*hands[SHIPPED], *of_shipped(about)] if about else hands[DEFAULT]
    results = {
        "run": HEAD + "".join([*of_run(measured), *hands[DEFAULT]]),
        "leaderboard": ranking,
    }
    if about:
        results["shipped"] = HEAD + "".join(first)
    return {
        "README.md": {"figures": HEAD + "".join(first[:8])},
        "docs/results.md": results,
        "docs/formats.md": {"sets": of_sets(), "fields": of_fields()},
    }


def of_run(measured: dict[str, dict]) -> list[str]:
    """Rows about the default run."""
    evaluate, quantize = measured["evaluate"], measured["quantize"]
    train, carbon = measured["train"], measured["carbon"]
    fp32, int8, writers = evaluate["fp32"], evaluate["int8"], evaluate["by_writer"]
    minutes, seconds = divmod(round(carbon["total_seconds"]), 60)
    formats = [quantize[name] for name in ("fp32", "int8")]
    rows = [
        (
            f"test top-1, float32 ({evaluate['test_samples']:,} samples, "
            f"{evaluate['test_writer_groups']} unseen writers)",
            f"{fp32['top1']:.2%}; 95 % interval over writers {100 * fp32['top1_low']:.2f} to "
            f"{fp32['top1_high']:.2%}",
            "evaluate",
        ),
        ("test top-5, float32", f"{fp32['top5']:.2%}", "evaluate"),
        ("test top-1, INT8", f"{int8['top1']:.2%}", "evaluate"),
        (
            "the best and the worst of these writers, float32",
            f"{writers['best']:.2%}, {writers['worst']:.2%}",
            "evaluate",
        ),
        *(
            (
                f"{name}: {cell['samples']:,} samples by {cell['writer_groups']} difficult writers,"
                " INT8",
                f"{cell['int8']['top1']:.2%}",
                "evaluate",
            )
            for name, cell in evaluate["hard"].items()
        ),
        ("calibration error (ECE), INT8", f"{int8['ece']:.4f}", "evaluate"),
        (
            "pictures of no character called sure, INT8",
            f"{quantize['int8']['strangers_sure']:.1%}",
            "quantize",
        ),
        (
            "model size: float32, INT8",
            ", ".join(f"{line['bytes'] / 1e6:.2f} MB" for line in formats),
            "quantize",
        ),
        (
            "one image on one thread: float32, INT8",
            ", ".join(f"{line['latency_ms']:.2f} ms" for line in formats),
            "quantize",
        ),
        (
            "parameters, multiply-adds",
            f"{train['parameters'] / 1e6:.2f} M, {train['multiply_adds'] / 1e6:.0f} M",
            "train",
        ),
        ("all stages, one after the other", f"{minutes} min {seconds} s", "carbon"),
        ("their energy (codecarbon's estimate)", f"{1000 * carbon['total_kwh']:.1f} Wh", "carbon"),
    ]
    return [
        _row({"what": what, "figure": figure, "command": f"`dvc metrics show metrics/{name}.json`"})
        for what, figure, name in rows
    ]


def of_shipped(about: dict) -> list[str]:
    """Rows about the model that ships, of what model.json says; {} has none."""
    if not about:
        return []
    figures = about["figures"]
    test = figures["test"]
    rows = [
        (
            f"synthetic writers never seen: {figures['test_samples']:,} samples by "
            f"{figures['test_writer_groups']}",
            f"{test['top1_alike']:.2%}",
        ),
        (
            "characters; size of the file",
            f"{about['classes']:,}; {about['bytes'] / 1e6:.2f} MB",
        ),
        *(
            (f"{name}, difficult synthetic writers", f"{cell['top1_alike']:.2%}")
            for name, cell in figures.items()
            if "-hard" in name
        ),
        ("calibration error (ECE) on the synthetic test", f"{test['ece']:.4f}"),
    ]
    where = "`model.json` beside MODEL"
    return [_row({"what": what, "figure": figure, "command": where}) for what, figure in rows]


def of_runtimes(measured: dict) -> str:
    """What runtimes made of the files of a run, as runtimes.json has it."""
    head = (
        "| runtime | file | state | size, of its ONNX file's | same first answers "
        "| largest difference of a probability | top-1 | ms an image, of ONNX Runtime's |\n"
        f"{'|---' * 8}|\n"
    )
    run = measured["run"]
    own = {
        "model": run["model"],
        "dataset": {"fingerprint": run["dataset"]},
        "fp32": {"nll": run["test_nll"]},
    }
    return head + "".join(f"| {' | '.join(row)} |\n" for row in backends.table(measured, own, {}))


def of_sets() -> str:
    """The sets of the ETL Character Database: files, records, images, codes, writers."""
    head = "| set | files | record | image | bits | code | what stands for a writer | of these |\n"
    rows = []
    for name, database_set in SETS.items():
        layout, files = LAYOUTS[database_set.layout], database_set.files
        named = files[0] if len(files) == 1 else f"{len(files)}: {files[0]} … {files[-1]}"
        rows.append(
            f"| {name} | {named} | {database_set.layout}, {layout.record:,} bytes "
            f"| {layout.width} × {layout.height} at {layout.image} | {layout.bits} "
            f"| {database_set.code} | {database_set.writer} | {database_set.writers or ''} |\n"
        )
    return head + "|---|---|---|---|---|---|---|---|\n" + "".join(rows)


def of_fields() -> str:
    """Where each kind of record keeps each field: bytes, or bits where it begins between bytes."""
    kinds = list(LAYOUTS)
    names = dict.fromkeys(name for layout in LAYOUTS.values() for name in layout.fields)
    rows = [
        f"| {name} | "
        + " | ".join(
            _place(LAYOUTS[kind].fields[name]) if name in LAYOUTS[kind].fields else ""
            for kind in kinds
        )
        + " |\n"
        for name in names
    ]
    return f"| field | {' | '.join(kinds)} |\n|---|{'---|' * len(kinds)}\n" + "".join(rows)


def _place(field: Field) -> str:
    _, first, bits = field
    if first % 8 or bits % 8:
        return f"bits {first}–{first + bits - 1}"
    begin, end = first // 8, (first + bits) // 8 - 1
    return f"{begin}–{end}" if end > begin else f"{begin}"


def placed(text: str, name: str, table: str) -> str:
    """A document's text with a table between the marks of its name; DataError where these are
    not."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, opened, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not (opened and closed):
        raise DataError(f"expected {start} and {end} around a table, found neither")
    return f"{before}{start}\n{table}{end}{after}"


def _row(row: dict) -> str:
    return f"| {row['what']} | {row['figure']} | {row['command']} |\n"

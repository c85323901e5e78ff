"""What the committed documents say is what the committed metrics measured."""

import re

import pytest

from kakitori.reading import shipped
from kakitori.results import card, leaderboard, metrics
from tests import committed
from tests.benchmarks import bench

README = committed.text("README.md")
MEASURED = {name: committed.metrics(name) for name in metrics.EXPECTED}
# What no stage measures, with the commit at which its command was run.
BY_HAND = committed.metrics("by_hand")
LEAK = committed.metrics("study/leak")
BENCH = committed.metrics("bench")
TABLE = leaderboard.parse(committed.text("metrics/leaderboard.csv"))
# Its other models are trained again when several changes of the data have come together.
OF_THIS_DATA = TABLE["dataset"].iloc[0] == MEASURED["evaluate"]["dataset"]["fingerprint"]


def rows() -> list[str]:
    """README's lines about the default run, made from the metrics."""
    evaluate, quantize = MEASURED["evaluate"], MEASURED["quantize"]
    train, carbon = MEASURED["train"], MEASURED["carbon"]
    onnx, int8, writers = evaluate["onnx"], evaluate["int8"], evaluate["by_writer"]
    (hard,) = evaluate["hard"].values()
    minutes, seconds = divmod(round(carbon["total_seconds"]), 60)
    compact = TABLE.set_index("model").loc["compact"]
    latency = f"{quantize['onnx']['latency_ms']:.2f} ms, {quantize['int8']['latency_ms']:.2f} ms"
    return [
        f"| its measured stages, one after the other | {minutes} min {seconds} s |",
        f"| test top-1, float32 ({evaluate['test_samples']:,} samples, "
        f"{evaluate['test_writer_groups']} unseen writers) | {onnx['top1']:.2%}; 95 % interval "
        f"over writers {100 * onnx['top1_low']:.2f} to {onnx['top1_high']:.2%} |",
        f"| test top-5, float32 | {onnx['top5']:.2%} |",
        f"| test top-1, INT8 | {int8['top1']:.2%} |",
        f"| the best and the worst writer of them | {writers['best']:.2%}, "
        f"{writers['worst']:.2%} |",
        f"| *difficult writers* ({hard['samples']:,} samples by {hard['writer_groups']} with "
        f"hurried hands and bad pens), INT8 | {hard['int8']['top1']:.2%} |",
        f"| calibration error (ECE), INT8 | {int8['ece']:.4f} |",
        f"| model size: float32, INT8 | {quantize['onnx']['bytes'] / 1e6:.2f} MB, "
        f"{quantize['int8']['bytes'] / 1e6:.2f} MB |",
        f"| one image on one thread: float32, INT8 | {latency} |",
        f"| parameters, multiply-adds | {train['parameters'] / 1e6:.2f} M, "
        f"{train['multiply_adds'] / 1e6:.0f} M |",
        "| *compact*, learned from a cnn of nine epochs: test top-1, size, one image: INT8 "
        f"(*Xeon, font*) | {compact['int8_top1']:.2%}, {compact['int8_bytes'] / 1e6:.2f} MB, "
        f"{compact['int8_latency_ms']:.2f} ms |",
        f"| energy of a whole run (codecarbon's estimate) | {1000 * carbon['total_kwh']:.1f} Wh |",
        "| the same model with a random split, which knows the hands that it is tested on, INT8 "
        f"(*Xeon, font*) | {LEAK['random']['test']['top1']:.2%} |",
        f"| synthesize (*Xeon*) | {BENCH['synthesize']['rate']:,.0f} images/s | `make bench` |",
        "| extract, fifty files of 607,200 records as ETL9G has "
        "(start of processes included) | "
        f"{BENCH['extract']['rate']:,.0f} records/s | `make bench` |",
        *(f"| {row['what']} | {row['figure']} | {row['command']} |" for row in BY_HAND),
    ]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip()[:40])
def test_a_figure_of_the_readme_is_in_the_metrics(row):
    assert row in README, f"README.md: expected this row, found another: {row}"


def test_no_row_of_the_readme_goes_unchecked():
    known = {row.split("|")[1] for row in rows()}
    section = README.split("## Measured")[1].split("\n## ")[0]
    found = {line.split("|")[1] for line in section.splitlines() if line.startswith("| ")}
    # INT4's is checked against docs/compression.md, below.
    assert found - {" what ", " the same, INT4 weights (*Xeon, font*) "} == known


def test_the_studys_figures_of_the_leak_are_those_measured():
    text = committed.text("docs/study.md")
    writer, random, same = LEAK["writer"], LEAK["random"], LEAK["same_samples"]
    assert f"fingerprint `{LEAK['fingerprint']}`" in text
    for cell in (writer, random):
        test = cell["test"]
        low, high = 100 * test["top1_low"], 100 * test["top1_high"]
        assert f"| {test['top1'] * 100:.2f} % | {low:.2f} to {high:.2f} |" in text
    both = f"{100 * same['writer_top1']:.2f}, {100 * same['random_top1']:.2f} %"
    low, high = 100 * same["difference_low"], 100 * same["difference_high"]
    assert f"| {both} | difference {low:.2f} to {high:.2f} |" in text
    assert f"claims {100 * LEAK['leak']:.2f} points more; {100 * same['difference']:.2f}" in text


def test_the_table_of_speeds_is_the_one_measured():
    text = committed.text("docs/speed.md")
    assert bench.table(BENCH) in text, f"docs/speed.md: expected\n{bench.table(BENCH)}"
    for name, found in BENCH["scaling"].items():
        assert f"| {name} | {found['exponent']:.2f} |" in text
    shorter = BENCH["to_97_percent"]
    assert (
        f"| {shorter['seconds']:.0f} s | {shorter['usual_seconds']:.0f} s "
        f"| {shorter['times_shorter']:.1f} |" in text
    )


def test_what_the_readme_says_of_the_data():
    extract, split = MEASURED["extract"], MEASURED["split"]
    scripts = extract["classes_by_script"]
    kana, kanji = scripts["hiragana"], scripts["kanji"]
    assert f"{extract['classes']:,} classes ({kana} hiragana, {kanji:,} kanji)" in README
    assert "forty synthetic writers" in README
    assert extract["corpora"]["synthetic/ETL9G"]["writer_groups"] == 40
    assert "ten test writers are in neither" in README
    assert split["test"]["writer_groups"] == 10 and not split["leaks_writers"]


def test_the_readmes_leaderboard_is_the_one_in_the_metrics():
    assert leaderboard.placed(README, leaderboard.markdown(TABLE)) == README
    assert not TABLE.isna().any(axis=None)
    assert f"fingerprint `{TABLE['dataset'].iloc[0]}`" in README
    if not OF_THIS_DATA:
        return
    own = TABLE.set_index("model").loc[MEASURED["train"]["model"]]
    assert own["val_top1"] == pytest.approx(MEASURED["train"]["val_top1"], abs=1e-9)
    assert own["int8_top1"] == pytest.approx(MEASURED["evaluate"]["int8"]["top1"], abs=1e-9)


def test_compressions_figures_of_compact_are_the_leaderboards():
    text = committed.text("docs/compression.md")
    compact = TABLE.set_index("model").loc["compact"]
    for label, name, test in (("float32", "fp32", "test_top1"), ("INT8", "int8", "int8_top1")):
        size, latency = compact[f"{name}_bytes"] / 1e6, compact[f"{name}_latency_ms"]
        assert re.search(
            rf"\| {label} \| {size:.2f} \| [\d.]+ % \| {100 * compact[test]:.2f} % "
            rf"\| [\d.]+ \| {latency:.2f} \|",
            text,
        )
    assert f"It trained for {compact['train_seconds'] / 60:.1f} minutes" in text
    size, test, latency = re.search(
        r"\| INT4 weights \| (.+?) \| .+? \| (.+?) % \| .+? \| (.+?) \|", text
    ).groups()
    assert f"| the same, INT4 weights (*Xeon, font*) | {test}%, {size} MB, {latency} ms |" in README
    (hard,) = MEASURED["evaluate"]["hard"].values()
    assert f"(cnn, three epochs: {100 * hard['int8']['top1']:.2f} %)" in text or not OF_THIS_DATA


def test_the_committed_card_is_made_of_the_committed_metrics():
    """All of it, to the last character; models/model.json, which is not in git, adds the size."""
    text = card.text(MEASURED, {"size": committed.settings().data.size}, TABLE)
    assert committed.text("models/README.md") == text, (
        "models/README.md: stale; `dvc repro card` makes it again"
    )


def test_readme_speaks_of_a_shipped_model_where_there_is_one():
    text = re.sub(r"<!--.*?-->", "", committed.text("README.md"), flags=re.DOTALL)
    assert ("Recognizer().read(" in text) == bool(shipped.about())
    page = committed.text("docs/flagship.md")
    assert ("No model ships yet" in page) == (not shipped.about())


def test_the_demos_figures_are_those_measured():
    found = committed.metrics("demo")
    text = committed.text("docs/demo.md")
    drawings, other = found["drawings"], found["other_answers_than_python"]
    first = found["first_recognition_ms"] / 1000
    for row in (
        f"| first recognition, from an empty cache | {first:.1f} s |",
        "| each further one, preprocessing included: median, mean | "
        f"{found['recognition_ms_median']:.1f} ms, {found['recognition_ms_mean']:.1f} ms |",
        f"| transferred, ONNX Runtime apart | {found['transfer_bytes'] / 1e6:.2f} MB |",
        f"| ONNX Runtime Web | {found['runtime_bytes'] / 1e6:.2f} MB |",
        f"| top-1 of {drawings:,} drawings with a mouse | {found['top1']:.2%} |",
        f"| of these answered otherwise than by ONNX Runtime in Python | {other} |",
        f"| of these with a probability of 0.9 or more; of {found['scribbles']} random scribbles | "
        f"{found['plain']:.1%}; {found['plain_scribbles']} |",
    ):
        assert row in text, f"docs/demo.md: expected this row, found another: {row}"

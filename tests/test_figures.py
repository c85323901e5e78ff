"""What the committed documents say is what the committed metrics measured."""

import re

import pytest

from kakitori.card import card, leaderboard, metrics
from kakitori.reading import shipped
from kakitori.results import documents
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
DOCUMENTS = documents.of(MEASURED, BY_HAND, leaderboard.markdown(TABLE), shipped.about())
RUNTIMES = committed.metrics("runtimes")
DOCUMENTS["docs/runtimes.md"] = {"runtimes": documents.of_runtimes(RUNTIMES)}
RESULTS = committed.text("docs/results.md")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_tables_of_a_document_are_made_of_the_metrics(name):
    text = committed.text(name)
    for mark, table in DOCUMENTS[name].items():
        assert documents.placed(text, mark, table) == text, (
            f"{name}: {mark}: stale; `python stages/documents.py` writes it anew"
        )


def test_a_figure_by_hand_says_at_which_commit_it_was_seen():
    for row in BY_HAND:
        assert row["of"] in (documents.SHIPPED, documents.DEFAULT)
        assert re.match(r"[0-9a-f]{7}", row["commit"]) and row["command"].startswith("`")


def test_the_readme_shows_at_most_eight_figures():
    assert DOCUMENTS["README.md"]["figures"].count("\n") <= 2 + 8
    assert len(README.splitlines()) <= 110


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
    for name, growth in BENCH["scaling"].items():
        assert f"| {name} | {growth['exponent']:.2f} |" in text
    shorter = BENCH["to_97_percent"]
    assert (
        f"| {shorter['seconds']:.0f} s | {shorter['usual_seconds']:.0f} s "
        f"| {shorter['times_shorter']:.1f} |" in text
    )


def test_what_the_readme_says_of_the_data():
    extract, split = MEASURED["extract"], MEASURED["split"]
    scripts = extract["classes_by_script"]
    kana, kanji = scripts["hiragana"], scripts["kanji"]
    assert f"{extract['classes']:,} classes: {kana} hiragana and {kanji:,} kanji" in README
    assert re.search(r"sixty\s+synthetic writers", README)
    assert extract["corpora"]["synthetic/ETL9G"]["writer_groups"] == 60
    assert "Ten test writers are in neither" in RESULTS
    assert split["test"]["writer_groups"] == 10 and not split["leaks_writers"]


def test_the_leaderboard_is_whole_and_says_of_what_data_it_is():
    assert not TABLE.isna().any(axis=None)
    assert f"`{TABLE['dataset'].iloc[0]}`" in RESULTS
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
    (hard,) = MEASURED["evaluate"]["hard"].values()
    assert f"(cnn, three epochs: {100 * hard['int8']['top1']:.2f} %)" in text or not OF_THIS_DATA


def test_the_committed_card_is_made_of_the_committed_metrics():
    """All of it, to the last character; models/model.json, which is not in git, adds the size."""
    size = {"size": committed.settings().data.size}
    text = card.text(MEASURED, size, TABLE, committed.metrics("runtimes"))
    assert committed.text("models/README.md") == text, (
        "models/README.md: stale; `dvc repro card` makes it again"
    )


def test_readme_speaks_of_a_shipped_model_where_there_is_one():
    text = re.sub(r"<!--.*?-->", "", committed.text("README.md"), flags=re.DOTALL)
    assert ("Recognizer().read(" in text) == bool(shipped.about())
    page = committed.text("docs/flagship.md")
    assert ("No model ships yet" in page) == (not shipped.about())


def test_the_demos_figures_are_those_measured():
    figures = committed.metrics("demo")
    text = committed.text("docs/demo.md")
    drawings, other = figures["drawings"], figures["other_answers_than_python"]
    first = figures["first_recognition_ms"] / 1000
    for row in (
        f"| first recognition, from an empty cache | {first:.1f} s |",
        "| each further one, preprocessing included: median, mean | "
        f"{figures['recognition_ms_median']:.1f} ms, {figures['recognition_ms_mean']:.1f} ms |",
        f"| transferred, ONNX Runtime apart | {figures['transfer_bytes'] / 1e6:.2f} MB |",
        f"| ONNX Runtime Web | {figures['runtime_bytes'] / 1e6:.2f} MB |",
        f"| top-1 of {drawings:,} drawings with a mouse | {figures['top1']:.2%} |",
        f"| of these answered otherwise than by ONNX Runtime in Python | {other} |",
        "| of these with a probability of 0.9 or more; "
        f"of {figures['scribbles']} random scribbles | "
        f"{figures['plain']:.1%}; {figures['plain_scribbles']} |",
    ):
        assert row in text, f"docs/demo.md: expected this row, found another: {row}"

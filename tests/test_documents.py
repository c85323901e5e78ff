import json

import pytest

from kakitori.errors import DataError
from kakitori.results import documents
from tests import committed

ABOUT = {
    "classes": 6768,
    "bytes": 1_950_000,
    "figures": {
        "test_samples": 100,
        "test_writer_groups": 10,
        "test": {"top1_alike": 0.987, "top1": 0.97, "ece": 0.0123},
        "synthetic/ETL9G-hard": {"top1_alike": 0.8, "top1": 0.79, "ece": 0.1},
        "strangers_sure": 0.04,
    },
}
ROWS = [
    {"of": whose, "what": f"drawings {n}", "figure": f"{n}%", "command": "`x`", "commit": "abc"}
    for whose in ("ships", "default")
    for n in range(5)
]


def test_a_table_takes_its_place_between_its_marks():
    text = "before\n<!-- a -->\nold\n<!-- end of a -->\nafter <!-- b -->kept<!-- end of b -->\n"
    document = documents.placed(text, "a", "new\n")
    assert document == text.replace("old", "new")
    assert documents.placed(document, "a", "new\n") == document
    with pytest.raises(DataError, match="expected <!-- c --> and <!-- end of c --> around a table"):
        documents.placed(text, "c", "new\n")
    with pytest.raises(DataError, match="found neither"):
        documents.placed("<!-- end of a --><!-- a -->", "a", "new\n")


def tables(about: dict) -> dict[str, dict[str, str]]:
    measured = {
        name: committed.metrics(name) for name in ("evaluate", "quantize", "train", "carbon")
    }
    return documents.of(measured, ROWS, "ranking\n", about)


def test_the_readme_shows_what_ships_where_a_model_does():
    rows = tables(ABOUT)["README.md"]["figures"].splitlines()[2:]
    assert len(rows) == 8
    assert rows[:5] == [f"| drawings {n} | {n}% | `x` |" for n in range(5)]
    assert rows[5].startswith("| synthetic writers never seen: 100 samples by 10 | 98.70% |")
    assert rows[6].startswith("| characters; size of the file | 6,768; 1.95 MB |")
    assert "80.00%" in rows[7]
    without = tables({})
    assert without["README.md"]["figures"].splitlines()[2:] == rows[:5]
    assert "shipped" not in without["docs/results.md"]


def test_the_default_runs_figures_are_those_of_its_metrics():
    table = tables({})["docs/results.md"]["run"]
    evaluate = committed.metrics("evaluate")
    (row,) = (line for line in table.splitlines() if line.startswith("| test top-1, INT8 "))
    assert float(row.split("|")[2].strip(" %")) == pytest.approx(
        100 * evaluate["int8"]["top1"], abs=0.005
    )
    widths = {line.count("|") for line in table.splitlines()}
    assert widths == {4}


@pytest.mark.parametrize(
    ("field", "places"),  # M, C, K, B8, B9, G8, G9: the official form sheets
    [
        ("sheet", ["4–5", "bits 36–71", "", "0–1", "0–1", "0–1", "0–1"]),
        ("code", ["6", "9", "bits 168–179", "2–3", "2–3", "2–3", "2–3"]),
        ("reading", ["", "", "", "4–7", "4–7", "4–11", "4–11"]),
    ],
)
def test_the_fields_of_records_stand_where_the_form_sheets_say(field, places):
    (row,) = (r for r in documents.of_fields().splitlines() if r.startswith(f"| {field} |"))
    assert [cell.strip() for cell in row.split("|")[2:-1]] == places


def test_the_sets_of_records_are_all_there():
    rows = {row.split(" | ")[0]: row for row in documents.of_sets().splitlines()[2:]}
    assert len(rows) == 12
    assert "| 50: ETL9G_01 … ETL9G_50 | G9, 8,199 bytes | 128 × 127 at 64 |" in rows["| ETL9G"]


def test_the_script_changes_nothing_but_the_tables(project):
    page, readme = project.root / "docs/results.md", project.root / "README.md"
    stale = page.read_text("utf-8")
    rows = json.loads((project.root / "metrics/by_hand.json").read_text("utf-8"))
    page.write_text(stale.replace(rows[0]["figure"], "12.34%"), "utf-8")
    project.stage("documents")
    assert page.read_text("utf-8") == stale
    assert readme.read_bytes() == committed.content("README.md")
    page.write_text(stale.replace("<!-- run -->", ""), "utf-8")
    done = project.stage("documents", check=False)
    assert done.returncode == 1 and "docs/results.md: expected <!-- run -->" in done.stderr

"""Sets in the hands of synthetic writers: written, read and held against the specifications."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from kakitori.corpora import catalog, extraction
from kakitori.corpora.records import database, layouts
from kakitori.reading.characters import charset
from kakitori.results import verification
from kakitori.running.params import Synthesize
from kakitori.synthesis import synthesis

STROKES = {
    0: [[0.1, 0.5, 0.9, 0.5], [0.5, 0.1, 0.5, 0.9]],
    1: [[0.1, 0.5, 0.9, 0.5]],
    2: [[0.2, 0.1, 0.2, 0.9], [0.8, 0.1, 0.8, 0.9], [0.2, 0.5, 0.8, 0.5]],
}
SETS = [name for name in database.SETS if name != "ETL2"]
WRITERS, CLASSES = 6, 60


@pytest.fixture(scope="module")
def characters() -> pd.DataFrame:
    """Three shapes for all characters: what is written does not matter here, but where."""
    names = list(dict.fromkeys(charset.etl_repertoire() + charset.alphabet()))
    forms = [
        {
            "source": "font",
            "strokes": STROKES[k],
            "stroke_types": ["㇐"] * len(STROKES[k]),
            "components": [0] * len(STROKES[k]),
            "widths": [],
        }
        for k in range(3)
    ]
    return pd.DataFrame({"character": names, "forms": [[forms[k % 3]] for k in range(len(names))]})


def settings(**changes) -> Synthesize:
    base = {"glyphs": "font", "preset": "varied", "sets": SETS, "writers": WRITERS}
    return Synthesize(
        **base
        | {
            "classes": CLASSES,
            "hard_writers": 0,
            "partial_writers": 0,
            "max_missing": 0,
            "workers": 1,
        }
        | changes
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory, characters):
    """A data folder with every handwritten set."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "synthetic").mkdir()
    synthesis.write_corpora(
        synthesis.Copybooks(characters), folder / "synthetic", settings(), seed=0
    )
    return folder


def digest(folder) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_characters_of_several_sets_are_one_class():
    """As many as the forms of ETL6 to 9 have, and what some cards give, which is their sum."""
    every = set(charset.alphabet())
    texts = [synthesis.text_of(name, every, 10_000) for name in ("ETL6", "ETL7", "ETL8G", "ETL9G")]
    assert [len(set(text)) for text in texts] == [114, 48, 956, 3036]
    assert sum(len(set(text)) for text in texts) == 4154
    assert len(set().union(*texts)) == 3154


def test_bytes_do_not_depend_on_the_number_of_processes(tmp_path, data, characters):
    synthesis.write_corpora(synthesis.Copybooks(characters), tmp_path, settings(workers=2), seed=0)
    assert digest(tmp_path) == digest(data / "synthetic")
    assert (tmp_path / "ETL9G/ETL9G_01").stat().st_size == 4 * CLASSES * 8199
    assert (tmp_path / "ETL9B/ETL9B_1").stat().st_size == (1 + WRITERS * CLASSES) * 576
    assert (tmp_path / "ETL9B/ETL9B_1").read_bytes()[:576] == bytes(576)


@pytest.mark.parametrize("name", SETS)
def test_what_is_written_is_read(data, tmp_path, name):
    """Counts, labels and writers of every set, by the rules of FORMATS 5.4 and 6.1."""
    (tmp_path / "shards").mkdir()
    sources = catalog.sources(data, f"synthetic/{name}")
    index, rejects, errata = extraction.write_shards(sources, tmp_path / "shards", 64)
    assert not rejects and not errata
    positions = charset.etl_positions(name)[:CLASSES]
    pages = {"ETL5": 2, "ETL7": 4}.get(name, 1)
    written = index[~index["is_model_sheet"]]
    assert len(written) == WRITERS * pages * len(positions)
    counts = written["codepoint"].value_counts()
    expected = pd.Series(list(positions)).map(ord).value_counts() * WRITERS * pages
    assert counts.to_dict() == expected.to_dict()
    assert written["writer_group"].nunique() == WRITERS
    assert written["writer_group"].str.startswith(f"synthetic/{database.SETS[name].family}/").all()
    assert (written.groupby("writer_group")["codepoint"].nunique() == len(set(positions))).all()
    models = index[index["is_model_sheet"]]
    assert len(models) == (len(positions) if name.startswith("ETL8") else 0)
    assert (index["contrast"] >= 16).all(), "nothing is blank"


def test_every_check_that_applies_holds(data, capsys):
    sources = [s for n in SETS for s in catalog.sources(data, f"synthetic/{n}")]
    assert verification.report(sources) == 0
    output = capsys.readouterr().out
    for line in (
        "ok    synthetic/ETL9B: every file opens with an all-zero record",
        "ok    synthetic/ETL9G: sex, age, industry and occupation are zero",
        "ok    synthetic/ETL9G: x and y follow from the position",
        "ok    synthetic/ETL9G: both renderings show the same",
        "ok    synthetic/ETL8G: both renderings show the same",
        "ok    synthetic/ETL5: groups pair sheets, two a writer",
        "note  synthetic/ETL9G: sheet numbers of a file's 2nd to 4th set (open question): go on "
        "counting in 100.0%, restart at 1 in 0.0%",
        "note  synthetic/ETL8G: demographics are constant inside a set (open question): in 6 of 6",
        "note  synthetic/ETL4: complete: no, a partial set: 1 of 1 files, 306 of 6,120 records",
    ):
        assert line in output, line


def answers(folder, name: str) -> dict[str, verification.Check]:
    sources = catalog.sources(folder, f"synthetic/{name}")
    return {c.what: c for c in verification.checks(sources, sources)}


@pytest.mark.parametrize(
    ("name", "field", "records", "value", "what"),
    [
        ("ETL9G", "sheet", slice(60, None), 1, "sheet numbers of a file's 2nd to 4th set"),
        ("ETL9G", "age", slice(7, 8), 30, "sex, age, industry and occupation are zero"),
        ("ETL9G", "x", slice(7, 8), 0, "x and y follow from the position"),
        ("ETL8G", "age", slice(7, 8), 0, "demographics are constant inside a set"),
        ("ETL9B", "sheet", slice(7, 8), 90, "sheets count on over all sets"),
        ("ETL4", "code", slice(7, 8), 0xB1, "each sheet holds every character as often"),
        ("ETL7", "code", slice(7, 8), 0xB1, "each sheet holds every character as often"),
        ("ETL5", "sheet", slice(0, 20), 99, "groups pair sheets"),
    ],
)
def test_the_checks_see_what_is_otherwise(data, tmp_path, name, field, records, value, what):
    """The same files with one field changed: the check of it, and what it then says."""
    chosen = database.SETS[name]
    layout = layouts.LAYOUTS[chosen.layout]
    before = next(c for w, c in answers(data, name).items() if w.startswith(what))
    folder = tmp_path / f"synthetic/{name}"
    folder.mkdir(parents=True)
    for file in chosen.files:
        source = data / "synthetic" / name / file
        if source.exists():
            (folder / file).write_bytes(source.read_bytes())
    path = folder / chosen.files[0]
    raw = np.fromfile(path, np.uint8).reshape(-1, layout.record)
    part = raw[chosen.dummy :][records]
    first, bits = layout.fields[field][1:]
    for bit in range(first, first + bits):
        part[:, bit // 8] &= 0xFF ^ (0x80 >> bit % 8)
    layouts.put(part, layout, field, value)
    raw.tofile(path)
    after = next(c for w, c in answers(tmp_path, name).items() if w.startswith(what))
    assert after.seen != before.seen
    assert after.holds is (None if before.holds is None else False)


def test_hard_writers_are_the_same_in_every_run(tmp_path, characters):
    """Whatever the seed and the other writers; a corpus and writer groups of their own."""
    for seed, preset in enumerate(["plain", "varied"]):
        folder = tmp_path / str(seed) / "synthetic"
        folder.mkdir(parents=True)
        chosen = settings(sets=["ETL9G"], writers=1 + seed, hard_writers=2, preset=preset)
        synthesis.write_corpora(synthesis.Copybooks(characters), folder, chosen, seed)
    digests, other = (digest(tmp_path / s / "synthetic") for s in "01")
    assert digests["ETL9G-hard2/ETL9G_01"] == other["ETL9G-hard2/ETL9G_01"]
    assert digests["ETL9G/ETL9G_01"] != other["ETL9G/ETL9G_01"]
    names = catalog.corpora(tmp_path / "0")
    assert names == ["synthetic/ETL9G", "synthetic/ETL9G-hard2"]
    (tmp_path / "shards").mkdir()
    sources = [s for n in names for s in catalog.sources(tmp_path / "0", n)]
    index, _, _ = extraction.write_shards(sources, tmp_path / "shards", 64)
    assert sorted(set(index["writer_group"])) == [
        "synthetic/ETL9-hard2/set001", "synthetic/ETL9-hard2/set002", "synthetic/ETL9/set001",
    ]  # fmt: skip


def test_pixels_and_twins(data):
    """ETL9B shows what ETL9G shows, ETL8B what ETL8G does."""
    for family in ("ETL8", "ETL9"):
        images = []
        for name in (f"{family}G", f"{family}B"):
            (source, *_) = catalog.sources(data, f"synthetic/{name}")
            raw = source.raw()
            labels = source.labels(raw)[0]
            numbers, _ = source.set_numbers(labels)
            here = np.flatnonzero(numbers == 2)
            here = here[np.argsort(labels[here])][:20]
            frames = layouts.decode(
                np.ascontiguousarray(raw[here][:, source.layout.packed]), source.layout
            )
            images.append(frames if name[-1] == "B" else frames[:, :126:2, ::2])
        for a, b in zip(*images, strict=True):
            assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.6


def test_faint_sheets_of_etl4_are_read(tmp_path, characters):
    """Paper at levels 4–5 and ink at 6–9, as audits report: stretched like any other."""
    (tmp_path / "synthetic").mkdir()
    chosen = settings(sets=["ETL4"], writers=10)
    synthesis.write_corpora(synthesis.Copybooks(characters), tmp_path / "synthetic", chosen, seed=0)
    (source,) = catalog.sources(tmp_path, "synthetic/ETL4")
    faint = layouts.decode(np.ascontiguousarray(source.raw()[-51:, 216:]), source.layout) // 17
    assert faint.min() >= 4 and faint.max() <= 9
    samples = source.read(64)
    images, contrast = (np.concatenate(x) for x in zip(*samples.chunks, strict=True))
    assert (contrast[-51:] < 100).all() and (contrast[:51] > 100).all()
    ink = (images > 128).mean((1, 2))
    assert (images[-51:].max((1, 2)) > 200).all() and 0.02 < ink[-51:].mean() < 0.3

import hashlib

import numpy as np
import pandas as pd
import pytest

from kakitori.corpora import etl, synthesis
from kakitori.params import Synthesize
from kakitori.writing.charset import jis_code
from kakitori.writing.handwriting import StrokeTable, write_page

CROSS = [
    np.array([[0.1, 0.5], [0.9, 0.5]], np.float32),
    np.array([[0.5, 0.1], [0.5, 0.9]], np.float32),
]
LEVEL = [np.array([[0.1, 0.5], [0.9, 0.5]], np.float32)]


@pytest.fixture(scope="module")
def table() -> StrokeTable:
    return StrokeTable.of([CROSS, LEVEL] * 10)


@pytest.fixture(scope="module")
def characters() -> pd.DataFrame:
    names = list("十一亜唖")
    strokes = [CROSS, LEVEL, CROSS, LEVEL]
    return pd.DataFrame(
        {
            "character": names,
            "jis": [jis_code(c) for c in names],
            "strokes": [[s.ravel().tolist() for s in each] for each in strokes],
        }
    )


def test_a_page_is_sixteen_levels_in_an_etl9g_frame(table):
    page = write_page(table, seed=0, writer=0)
    assert page.shape == (20, 127, 128) and page.dtype == np.uint8
    assert page.max() <= 15
    assert all(image.max() >= 5 for image in page), "every character has ink"


@pytest.mark.parametrize("writer", range(12))
def test_ink_stays_in_the_frame(table, writer):
    page = write_page(table, seed=1, writer=writer).astype(int)
    border = np.concatenate([page[:, 0], page[:, -1], page[:, :, 0], page[:, :, -1]], axis=1)
    assert np.median(border) <= 2
    assert (border > 5).mean() < 0.02


def test_the_same_writer_writes_the_same_page_and_another_another(table):
    page = write_page(table, seed=0, writer=3)
    np.testing.assert_array_equal(page, write_page(table, seed=0, writer=3))
    assert (page != write_page(table, seed=0, writer=4)).mean() > 0.02
    assert (page != write_page(table, seed=1, writer=3)).mean() > 0.02


def test_a_writer_varies_from_character_to_character(table):
    page = write_page(table, seed=0, writer=3)
    assert (page[0] != page[2]).any()


def test_writers_are_as_different_as_people(table):
    """Pen, size and slant vary over writers far more than within one."""
    ink = np.array(
        [[(image > 4).mean() for image in write_page(table, 0, w)[::2]] for w in range(24)]
    )
    assert ink.mean(1).std() > 2 * ink.std(1).mean()


def digest(folder) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_bytes_do_not_depend_on_the_number_of_processes(tmp_path, characters):
    digests = []
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        settings = Synthesize(
            glyphs="font", sets=["ETL9G", "ETL9B"], writers=6, classes=4, max_missing=0,
            workers=workers,
        )  # fmt: skip
        synthesis.write_corpora(characters, folder, settings, seed=0)
        digests.append(digest(folder))
    assert digests[0] == digests[1]
    assert set(digests[0]) == {"ETL9G/ETL9G_01", "ETL9G/ETL9G_02", "ETL9B/ETL9B_1"}
    root = tmp_path / "1"
    assert (root / "ETL9G/ETL9G_01").stat().st_size == 4 * 4 * 8199
    assert (root / "ETL9B/ETL9B_1").stat().st_size == (1 + 6 * 4) * 576
    assert (root / "ETL9B/ETL9B_1").read_bytes()[:576] == bytes(576)


def test_etl9b_twin_shows_the_same_writing(tmp_path, characters):
    settings = Synthesize(
        glyphs="font", sets=["ETL9G", "ETL9B"], writers=1, classes=4, max_missing=0, workers=1
    )
    synthesis.write_corpora(characters, tmp_path, settings, seed=0)
    records = {}
    for name in ("ETL9G", "ETL9B"):
        layout = etl.LAYOUTS[name]
        path = tmp_path / name / layout.file_name.format(1)
        found = etl.Source(name, layout, 1, path).records()
        records[name] = found[np.argsort(found["jis"])]
    gray = etl.decode_halved(records["ETL9G"]["image"].copy(), etl.LAYOUTS["ETL9G"])[:, :63]
    bilevel = etl.decode(records["ETL9B"]["image"].copy(), etl.LAYOUTS["ETL9B"])
    for a, b in zip(gray, bilevel, strict=True):
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.7

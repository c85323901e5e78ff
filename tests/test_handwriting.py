import numpy as np
import pytest

from kakitori.writing.handwriting import StrokeTable, write_page

CROSS = [
    np.array([[0.1, 0.5], [0.9, 0.5]], np.float32),
    np.array([[0.5, 0.1], [0.5, 0.9]], np.float32),
]
LEVEL = [np.array([[0.1, 0.5], [0.9, 0.5]], np.float32)]


@pytest.fixture(scope="module")
def table() -> StrokeTable:
    return StrokeTable.of([CROSS, LEVEL] * 10)


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


def test_another_page_is_the_same_hand_with_other_noise(table):
    """As ETL5 and ETL7 have it: one writer, several sheets. Told by the pen's width."""
    first, second = (write_page(table, 0, 3, page) for page in (0, 1))
    assert (first != second).any()
    ink = [
        [(p > 4).mean() for p in write_page(table, 0, w, page)[::2]]
        for w in range(12)
        for page in (0, 1)
    ]
    ink = np.mean(ink, axis=1).reshape(12, 2)
    assert np.corrcoef(ink[:, 0], ink[:, 1])[0, 1] > 0.9

"""What measures the speed, measured against what is known."""

import json
import time

import numpy as np
import psutil
import pytest
import torch

from kakitori.corpora.records import layouts
from kakitori.reading.normalising.images import normalise
from tests import committed
from tests.benchmarks import bench, growth, limits, usual
from tests.projects import ROOT, Project

BENCH = committed.metrics("bench")
RATED = ("extract", "synthesize", "input_pipeline", "train", "inference_int8", "repro")


@pytest.mark.parametrize("power", [0.5, 1.0, 1.7])
def test_the_exponent_of_a_power_law(power):
    seconds = [3 * share**power for share in growth.SHARES]
    assert growth.exponent(growth.SHARES, seconds) == pytest.approx(power)


def test_a_row_pairs_ours_with_the_usual_way():
    rates = iter([100.0, 10.0, 20.0, 30.0, 40.0, 50.0])  # the first one warms up
    row = bench.row(lambda: next(rates), lambda: 10.0, 60.0, "images/s")
    assert row == {
        "rate": 30.0,
        "unit": "images/s",
        "floor": 60.0,
        "of_floor": 0.5,
        "usual": 10.0,
        "speedup": 3.0,
        "processor": limits.processor(),
    }


def test_a_limit_is_the_quickest_run():
    pauses = iter([0.0, 0.05, 0.01, 0.05])
    assert 0.01 <= limits.best(lambda: time.sleep(next(pauses)), runs=3) < 0.04


def test_the_other_process_is_busy_until_it_is_over():
    def used() -> float:
        children = psutil.Process().children()
        return sum(child.cpu_times().user for child in children)

    before = {child.pid for child in psutil.Process().children()}
    with limits.busy():
        started = used()
        deadline = time.monotonic() + 20
        while used() < started + 0.05 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert used() >= started + 0.05
    assert {child.pid for child in psutil.Process().children()} <= before


def test_the_usual_reader_does_the_work_of_ours(tmp_path):
    """The same characters, and images that are the same but for what resampling rounds."""
    import h5py

    square = np.array([[0.2, 0.2], [0.7, 0.2], [0.7, 0.8]])
    path = tmp_path / "ETL9G_01"
    usual.synthesize([[square], [square, 1 - square]], path, np.random.default_rng(0))
    usual.extract(path, tmp_path / "shard.h5", 2)
    with h5py.File(tmp_path / "shard.h5") as file:
        images, codes = file["images"][:], file["codepoint"][:]
    layout = layouts.LAYOUTS["G9"]
    raw = np.fromfile(path, np.uint8).reshape(-1, layout.record)
    ours = normalise(layouts.decode_halved(raw[:, layout.packed], layout), 64)
    assert codes.tolist() == [ord("　")] * 2  # 0x2121, the first of JIS X 0208
    for image, other in zip(images, ours, strict=True):
        assert np.corrcoef(image.ravel(), other.ravel())[0, 1] > 0.85


def test_the_usual_writer_writes_records_that_are_read(tmp_path):
    square = np.array([[0.2, 0.2], [0.8, 0.2], [0.8, 0.8]])
    usual.synthesize([[square], [square, 1 - square]], tmp_path / "file", np.random.default_rng(0))
    layout = layouts.LAYOUTS["G9"]
    raw = np.fromfile(tmp_path / "file", np.uint8).reshape(-1, layout.record)
    assert layouts.field(raw, layout, "serial").tolist() == [0, 1]
    ink = layouts.decode(raw[:, layout.packed], layout)
    assert (ink.max((1, 2)) > 200).all() and 0.01 < (ink > 128).mean() < 0.3


def test_the_usual_loader_gives_what_a_network_takes():
    images = np.random.default_rng(0).integers(0, 256, (8, 64, 64), dtype=np.uint8)
    ((batch, labels),) = usual.loader(images, np.arange(8), 8, 0)
    assert batch.shape == (8, 1, 64, 64) and batch.dtype == torch.float32
    assert -1 <= batch.min() < batch.max() <= 1 and sorted(labels.tolist()) == list(range(8))


@pytest.mark.parametrize("name", RATED)
def test_the_committed_table_has_every_row(name):
    row = BENCH[name]
    assert list(row)[:6] == ["rate", "unit", "floor", "of_floor", "usual", "speedup"]
    assert row["of_floor"] == pytest.approx(row["rate"] / row["floor"], rel=0.01)
    assert row["speedup"] == pytest.approx(row["rate"] / row["usual"], rel=0.5)
    assert 0 < row["of_floor"] < 1


def test_a_run_of_the_size_of_etl9g_on_a_trial(tmp_path):
    """The script for a GPU, on this machine, with few of everything."""
    command = "tests/benchmarks/etl9g.py --writers 3 --classes 20 --epochs 1 --batch 16 --out"
    Project(ROOT).script(*command.split(), str(tmp_path / "etl9g.json"))
    report = json.loads((tmp_path / "etl9g.json").read_text("utf-8"))
    assert report["samples"] == 60 and report["train_samples"] == 20 and report["epochs"] == 1
    assert 0 < report["of_peak"] < 1 and report["seconds_to_best"] == report["seconds"]
    assert torch.cuda.is_available() or report["device"] == "CPU: not measured on a GPU"

"""What ships holds what its JSON says: the package's model, and one released here the same way."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from kakitori.errors import DataError
from kakitori.reading import shipped
from kakitori.reading.matching import reference
from kakitori.reading.recognizer import Recognizer
from kakitori.results import calibration, packing, release
from kakitori.running import params
from kakitori.synthesis.synthesis import Copybooks

ROOM = 10_000_000  # bytes: the tiny project's network is as wide as any


@pytest.fixture(scope="module")
def released(finished, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("released") / "model"
    release.write(finished.root, folder, ROOM)
    return folder


@pytest.fixture(params=["the one in the package", "one of a tiny run"])
def folder(request) -> Path:
    if request.param == "one of a tiny run":
        return request.getfixturevalue("released")
    if not shipped.about():
        pytest.skip("no model ships yet: `make flagship` makes it")
    return shipped.FOLDER


def read(folder: Path) -> dict:
    return json.loads((folder / "model.json").read_text("utf-8"))


def test_the_file_is_the_one_of_its_json(folder):
    about, content = read(folder), (folder / "model.onnx").read_bytes()
    assert hashlib.sha256(content).hexdigest() == about["sha256"]
    assert len(content) == about["bytes"]
    recognizer = Recognizer(folder / "model.onnx")
    assert (len(recognizer.classes), recognizer.size) == (about["classes"], about["size"])
    assert about["figures"]["largest_pair_sum"] <= 32767, "safe without VNNI"
    assert about["licence"]["model"] == "CC-BY-SA-4.0" and "KanjiVG" in (
        folder / "LICENSE"
    ).read_text("utf-8")
    assert {f.name for f in folder.iterdir()} == {
        "model.onnx", "model.json", "strokes.bin", "characters.json", "LICENSE"
    }  # fmt: skip


def test_it_reads_drawings_as_well_as_its_json_says(folder):
    about, recognizer = read(folder), Recognizer(folder / "model.onnx")
    strokes = reference.unpack(
        (folder / "strokes.bin").read_bytes(),
        json.loads((folder / "characters.json").read_text("utf-8")),
    )
    known = [c for c in strokes if c in recognizer.classes]
    assert len(known) == about["figures"]["drawn"]["characters"]
    some = known[:: max(1, len(known) // 60)]
    read_right = np.mean(release.right(recognizer, strokes, some))
    assert read_right == pytest.approx(about["figures"]["drawn"]["top1_alike"], abs=0.1)


def test_the_shipped_one_is_small_and_knows_every_character():
    if not shipped.about():
        pytest.skip("no model ships yet: `make flagship` makes it")
    about = shipped.about()
    assert about["bytes"] <= release.LARGEST
    assert about["classes"] > 6600 and about["figures"]["drawn"]["top1_alike"] > 0.98


def test_figures_and_settings_are_the_runs(finished, released):
    about = read(released)
    evaluate = json.loads((finished.root / "metrics/evaluate.json").read_text("utf-8"))
    assert about["figures"]["test"]["top1"] == evaluate["int8"]["top1"]
    assert about["figures"]["synthetic"] is True
    assert about["dataset"] == evaluate["dataset"]
    assert about["commit"] == finished.run("git", "rev-parse", "HEAD").stdout.strip()
    settings = params.load(finished.root / "params.yaml")
    assert about["settings"]["train"]["epochs"] == settings.training().epochs == 7
    assert about["settings"]["synthesize"]["sets"] == ["ETL9G"]


def test_how_sure_it_is_was_fitted_to_many_writers(finished, released):
    """Not to the validation part: another temperature in the file, the same answers."""
    about, own = read(released), Recognizer(finished.root / "models/exports/int8.onnx")
    ships, fitted = Recognizer(released / "model.onnx"), about["calibration"]
    assert fitted["writers"] == 70 and fitted["samples"] == 70 * 60  # all that it knows
    assert ships.temperature == fitted["temperature"] != own.temperature
    assert ships.threshold == pytest.approx(fitted["threshold"])
    images, labels = calibration.written(ships, copybooks(finished), "varied")
    np.testing.assert_array_equal(ships.logits(images[:50]), own.logits(images[:50]))
    again, _ = calibration.written(ships, copybooks(finished), "varied")
    np.testing.assert_array_equal(images, again)
    shares = np.bincount(labels, minlength=60)
    assert len(images) == fitted["samples"] and shares.min() == shares.max() == 70

    # As scikit-learn's loss says, no other temperature fits them better.
    logits = ships.logits(images)
    losses = {
        factor: log_loss(labels, softmax(logits / (ships.temperature * factor), 1))
        for factor in (0.8, 1.0, 1.25)
    }
    assert losses[1.0] == min(losses.values())
    test = json.loads((finished.root / "metrics/evaluate.json").read_text("utf-8"))["int8"]
    ours = about["figures"]["test"]
    assert ours["top1"] == test["top1"] and ours["nll"] != test["nll"]
    assert calibration.measured(finished.root, finished.root / "models/exports/int8.onnx")[
        "test"
    ] == pytest.approx({key: test[key] for key in ("ece", "nll")})


def copybooks(finished) -> Copybooks:
    return Copybooks(pd.read_parquet(finished.root / "data/characters.parquet"))


def test_a_release_that_cannot_be(finished, tmp_path):
    folder = tmp_path / "model"
    with pytest.raises(DataError, match=r"int8.onnx: expected at most 1,000 bytes to ship, found"):
        release.write(finished.root, folder, 1000)
    run = finished.copy(tmp_path / "run")
    code = run.root / "stages/train.py"
    code.write_text(code.read_text("utf-8") + "# changed\n", "utf-8")
    with pytest.raises(DataError, match=r"expected a run of committed code, found .*train\.py"):
        release.write(run.root, folder, ROOM)
    bare = finished.copy(tmp_path / "bare")
    shutil.rmtree(bare.root / ".git")
    bare.run("git", "init", "-q")
    with pytest.raises(DataError, match=r"bare: expected a checkout whose code is committed"):
        release.write(bare.root, folder, ROOM)
    shutil.copy2(run.root / "models/exports/fp32.onnx", run.root / "models/exports/int8.onnx")
    with pytest.raises(DataError, match=r"int8\.onnx: expected the .* bytes of metrics/quantize"):
        release.write(run.root, folder, ROOM)
    run.set(model="cnn")
    with pytest.raises(DataError, match=r"expected the model of params\.yaml, cnn, found compact"):
        release.write(run.root, folder, ROOM)
    assert not folder.exists()


def test_packed_strokes_come_back(finished):
    table = pd.read_parquet(finished.root / "data/characters.parquet")
    references = reference.unpack(*packing.pack(table))
    others = reference.variants(set(table["character"]))
    assert "".join(references) == "".join(table["character"])
    for row in table.itertuples():
        form, unpacked = reference.best(row.forms), references[row.character]
        assert unpacked.ordered == (form["source"] in reference.TRUE)
        for packed, full in zip(unpacked.strokes, reference.lines(form), strict=True):
            ends = np.abs(packed[[0, -1]] - full[[0, -1]].clip(0, 1))
            assert ends.max() <= 0.5 / 255 + 1e-6
        ways = reference.ways(row.forms, row.decomposition, others.get(row.character, ()))
        assert [way for way in unpacked.ways if isinstance(way[0], int)] == [
            way for way in ways if isinstance(way[0], int)
        ]
        assert list(map(len, unpacked.ways)) == list(map(len, ways))


def test_references_of_packed_strokes(finished, released):
    path = finished.root / "data/characters.parquet"
    full = reference.read(path, set("あい"))
    for character, packed in reference.read(released / "strokes.bin", set("あい")).items():
        assert len(packed.strokes) == len(full[character].strokes)
        assert packed.ordered and packed.alike
    with pytest.raises(DataError, match="expected strokes of x, found"):
        reference.read(released / "strokes.bin", {"x"})


def test_damaged_packed_strokes(released, tmp_path):
    with pytest.raises(DataError, match=r"strokes.bin: expected packed strokes and characters"):
        reference.read(tmp_path / "strokes.bin", {"一"})
    shutil.copy2(released / "characters.json", tmp_path)
    (tmp_path / "strokes.bin").write_bytes((released / "strokes.bin").read_bytes()[:100])
    with pytest.raises(DataError, match=r"strokes.bin: expected packed strokes and characters"):
        reference.read(tmp_path / "strokes.bin", {"一"})

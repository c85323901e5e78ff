import hashlib
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from kakitori.errors import DataError
from kakitori.results import embedding, leak, robustness
from tests import toy

# --- robustness --------------------------------------------------------------------------------


def images(count: int = 4) -> np.ndarray:
    """Unlike blocks of ink, none near an edge."""
    out = np.zeros((count, 64, 64), np.uint8)
    rng = np.random.default_rng(0)
    out[:, 20:44, 16:40] = rng.integers(0, 256, (count, 24, 24))
    return out


@pytest.mark.parametrize("name", robustness.DISTORTIONS)
def test_distortions_begin_at_nothing_and_grow(name):
    distortion, given = robustness.DISTORTIONS[name], images()
    assert (distortion.apply(given, 0) == given).all()
    assert len(distortion.strengths) == 5 and sorted(distortion.strengths) == [
        *distortion.strengths
    ]
    forward = [s for s in distortion.strengths if s > 0]
    variants = [distortion.apply(given, s) for s in forward]
    assert all(f.dtype == np.uint8 and f.shape == given.shape for f in variants)
    far = [np.abs(f.astype(int) - given).mean() for f in variants]
    assert far[0] > 0 and (name in ("rotation", "shift") or far == sorted(far))


def test_a_quarter_turn_to_either_side():
    given = images()
    turned = robustness.rotated(given, 90)
    assert (turned[0] == np.rot90(given[0])).all() and (turned[1] == np.rot90(given[1], -1)).all()


def test_strokes_become_wider_and_thinner_by_pixels():
    line = np.zeros((1, 64, 64), np.uint8)
    line[0, 10:50, 30:33] = 255
    for pixels, width in ((2, 5), (-1, 2), (-2, 1), (-3, 0)):
        assert (robustness.thickened(line, pixels)[0, 30] > 0).sum() == width


def test_a_blur_keeps_the_ink_and_spreads_it_by_its_deviation():
    dot = np.zeros((1, 65, 65), np.uint8)
    dot[0, 31:34, 31:34] = 255
    spot = robustness.blurred(dot, 2)[0].astype(float)
    assert spot.sum() == pytest.approx(9 * 255, rel=0.03)
    x = np.arange(65) - 32
    variance = (spot.sum(0) * x**2).sum() / spot.sum()
    assert variance == pytest.approx(2**2 + 2 / 3, rel=0.15)  # and that of three equal pixels


def test_shifts_go_four_ways_and_lose_what_leaves():
    given = images()
    shifted = robustness.shifted(given, 3)
    for image, moved, (way, axis) in zip(
        given, shifted, ((3, 0), (-3, 0), (3, 1), (-3, 1)), strict=True
    ):
        assert (moved == np.roll(image, way, axis)).all()
    assert not robustness.shifted(given, 60)[:1].any()


def test_noise_and_contrast_have_the_size_they_say():
    grey = np.full((20, 64, 64), 128, np.uint8)
    noisy = robustness.noisy(grey, 0.1)
    assert noisy.std() == pytest.approx(25.5, rel=0.02)
    assert noisy.mean() == pytest.approx(128, abs=0.3)
    assert (noisy == robustness.noisy(grey, 0.1)).all()
    assert (robustness.pale(grey, 0.75) == 32).all()


def test_a_photo_is_normalised_again():
    """What its place and its contrast were is lost on the way, as with a user's picture."""
    solid = np.zeros((2, 64, 64), np.uint8)
    solid[:, 4:60, 20:44] = 255
    for distort in (
        lambda x: x,
        lambda x: robustness.pale(x, 0.5),
        lambda x: robustness.shifted(x, 5),
    ):
        photos = robustness.as_photos(solid, distort)
        assert np.abs(photos.astype(int) - solid).mean() < 6
    assert np.abs(robustness.pale(solid, 0.5).astype(int) - solid).mean() > 40


class Halves:
    """Reads which half has more ink: left, right."""

    temperature = 1.0

    def logits(self, seen: np.ndarray) -> np.ndarray:
        ink = seen.astype(np.float32)
        return np.stack([ink[:, :, :32].mean((1, 2)), ink[:, :, 32:].mean((1, 2))], 1)


def test_a_table_and_a_picture_of_what_is_still_read(tmp_path):
    given = np.zeros((12, 64, 64), np.uint8)
    labels = np.arange(12) // 4 % 2
    for image, label in zip(given, labels, strict=True):
        x = 36 if label else 24  # so near to the middle that a shift of eight pixels crosses it
        image[10:50, x : x + 4] = 255
    groups = np.array(["a", "b", "c"]).repeat(4)
    table = robustness.measure({"int8": Halves()}, given, labels, groups)
    assert len(table) == 2 * (1 + 6 * 5) and not table.isna().any().any()
    network = table[table["way"] == "network"].set_index(["distortion", "strength"])["top1"]
    assert network["none", 0] == network["shift", 4] == network["low contrast", 0.9] == 1
    assert network["shift", 8] == 0.75, "of each four one goes across the middle"
    assert (table["top1_low"] <= table["top1"]).all() and (table["samples"] == 12).all()
    for name in ("a.png", "b.png"):
        robustness.draw(tmp_path / name, table, "toy")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


# --- the map -----------------------------------------------------------------------------------


def test_features_of_a_network():
    model, part = toy.linear(), toy.part(40)
    features, answers = embedding.read(model, part.images, torch.float32)
    with torch.inference_mode():
        outputs = model(part.images.float() / 127.5 - 1)
    expected = outputs.features / outputs.features.norm(dim=1, keepdim=True)
    assert features == pytest.approx(expected.numpy(), abs=1e-6)
    assert (answers == outputs.logits.argmax(1).numpy()).all()


def test_centres_and_their_neighbours():
    features = np.array([[1, 0], [0, 1], [0.8, 0.6], [0, 1], [-1, 0]], np.float32)
    centres = embedding.centres(features, np.array([0, 1, 2, 0, 3]))
    half = np.sqrt(0.5)
    assert centres == pytest.approx(np.array([[half, half], [0, 1], [0.8, 0.6], [-1, 0]]))
    near = embedding.neighbours(centres, 2)
    assert near.tolist() == [[2, 1], [0, 2], [0, 1], [1, 0]]
    assert embedding.neighbours(centres).shape == (4, 3)


def test_neighbours_that_share_a_component():
    has = embedding.membership([["木"], ["木", "口"], ["口"], ["日"]])
    assert has.shape == (4, 3) and has.to_numpy().sum() == 5
    near = np.array([[1], [0], [3], [2]])
    assert embedding.sharing(near, has) == {
        "neighbours": 0.5,
        "chance": pytest.approx(4 / 12),
    }
    table = embedding.by_component(near, has).set_index("component")
    assert list(table.index) == ["木", "口"], "日 is in one class alone"
    assert table["neighbours"].to_dict() == {"木": 1, "口": 0}
    assert table["chance"].to_dict() == pytest.approx({"木": 1 / 3, "口": 1 / 3})


def test_what_is_apart_is_drawn_apart():
    rng = np.random.default_rng(0)
    heart = np.eye(2, 8).repeat(15, axis=0)
    features = heart + 0.05 * rng.standard_normal((30, 8))
    centres = embedding.centres(features, np.arange(30))
    places = embedding.flat(centres, seed=0)
    near = embedding.neighbours(places - places.mean(0), 5)
    assert (near // 15 == np.arange(30)[:, None] // 15).mean() > 0.9
    assert (places == embedding.flat(centres, seed=0)).all()
    has = embedding.membership([["木"]] * 15 + [["口"]] * 15)
    summary = embedding.summary(centres, places, embedding.neighbours(centres), has)
    assert summary["share_a_component"]["neighbours"] == 1
    assert summary["trustworthiness"] > 0.8


# --- the leak ----------------------------------------------------------------------------------


def test_settings_other_than_the_models_are_refused(tmp_path):
    settings = {"split": {"scheme": "writer"}, "train": {"epochs": 3}, "model": "cnn"}
    ran = {"train": {"params": {"params.yaml": {"train": {"epochs": 3}, "split.scheme": "writer"}}}}
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": ran}), "utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(settings), "utf-8")
    leak.same_settings(tmp_path)
    path.write_text(yaml.safe_dump(settings | {"train": {"epochs": 4}}), "utf-8")
    with pytest.raises(DataError, match="train: expected what train ran with"):
        leak.same_settings(tmp_path)
    path.write_text(yaml.safe_dump(settings | {"split": {"scheme": "random"}}), "utf-8")
    with pytest.raises(DataError, match=r"split.scheme: expected writer.*found random"):
        leak.same_settings(tmp_path)


def test_the_second_run_leaves_the_first_alone(finished):
    def state() -> dict:
        files = [p for p in finished.root.rglob("*") if p.is_file() and "stages" not in p.parts]
        return {p: hashlib.md5(p.read_bytes()).hexdigest() for p in files}

    before = state()
    with leak.working_copy(finished.root) as copy:
        leak.run(copy, ("split",))
        split = json.loads((copy / "metrics/split.json").read_text("utf-8"))
        with pytest.raises(DataError, match="expected evaluate to end well"):
            leak.run(copy, ("evaluate",))
    assert split["leaks_writers"] and split["train"]["writer_groups"] == 24
    assert not copy.exists() and state() == before


def test_a_run_beside_itself_leaks_nothing(finished):
    report = leak.compare(finished.root, finished.root)
    evaluate = json.loads((finished.root / "metrics/evaluate.json").read_text("utf-8"))
    assert report["leak"] == 0 and report["same_samples"]["samples"] == 600
    assert report["same_samples"]["difference"] == report["same_samples"]["difference_high"] == 0
    assert report["writer"]["test"]["top1"] == evaluate["int8"]["top1"]
    assert report["same_samples"]["random_top1"] == pytest.approx(evaluate["int8"]["top1"])
    hard = evaluate["hard"]["synthetic/ETL9G-hard2"]["int8"]["top1"]
    assert report["random"]["synthetic/ETL9G-hard2"]["top1"] == hard
    assert (report["writer"]["train_samples"], report["writer"]["train_writer_groups"]) == (600, 10)


# --- as a user runs it -------------------------------------------------------------------------


def test_a_map_that_needs_no_network(finished, tmp_path):
    copy = finished.copy(tmp_path / "copy")
    shutil.rmtree(copy.root / "metrics/study", ignore_errors=True)
    done = copy.stage("study", "map")
    assert "of the 10 nearest classes share a component" in done.stdout
    assert {p.name for p in (copy.root / "metrics/study").iterdir()} == {"map.html", "map.json"}
    page = (copy.root / "metrics/study/map.html").read_text("utf-8")
    evaluate = json.loads((copy.root / "metrics/evaluate.json").read_text("utf-8"))
    about = json.loads((copy.root / "metrics/study/map.json").read_text("utf-8"))
    assert about["fingerprint"] == evaluate["dataset"]["fingerprint"] and about["synthetic"] is True
    assert evaluate["dataset"]["fingerprint"] in page and "The data is synthetic." in page
    assert not re.search(r"https?://|(src|href)=|url\(|import ", page)
    content = json.loads(re.search(r"const data = (.*);\n", page).group(1))
    classes = json.loads((copy.root / "models/model.json").read_text("utf-8"))["classes"]
    assert "".join(content["characters"]) == classes and len(classes) == 60
    table = pd.read_parquet(copy.root / "metrics/plots/evaluate/classes.parquet")
    assert sum(content["errors"]) == pytest.approx(table["errors"].sum(), abs=5)
    assert content["samples"] == [10] * 60
    assert all(0 <= v <= embedding.GRID for place in content["places"] for v in place)


@pytest.mark.parametrize(
    ("path", "damage", "message"),
    [
        ("models/model.json", None, "models/model.json: expected a file, found none; `dvc repro`"),
        (
            "metrics/evaluate.json",
            lambda c: c | {"dataset": c["dataset"] | {"fingerprint": "0" * 16}},
            "expected the fingerprint of data/",
        ),
        (
            "metrics/evaluate.json",
            lambda c: c | {"torch": c["torch"] | {"top1": 0.2}},
            "expected the top-1 of models/",
        ),
    ],
    ids=["missing", "other data", "other model"],
)
def test_an_unfinished_or_stale_run_is_refused(finished, tmp_path, path, damage, message):
    copy = finished.copy(tmp_path / "copy")
    content = json.loads((copy.root / path).read_text("utf-8"))
    (copy.root / path).unlink()
    if damage:
        (copy.root / path).write_text(json.dumps(damage(content)), "utf-8")
    done = copy.stage("study", "map", check=False)
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

"""models/demo/ as a browser shows it: reading, practising, and what the library gives to an app.

Most run with a stand-in of a model, made in a second; accuracy and times with the compact export,
where that is there.
"""

import base64
import io
import json
import re
import shutil
import subprocess
import tomllib
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageOps
from playwright.sync_api import BrowserContext

from kakitori import outputs
from kakitori.errors import DataError
from kakitori.reading import shipped
from kakitori.reading.normalising.photos import prepare
from kakitori.results import demo
from kakitori.running.params import ROOT
from tests.benchmarks.photos import ROWS
from tests.browser.sites import (
    PHONE,
    TEXT,
    answered,
    asked,
    of_strokes,
    opened,
    png,
    practised,
    served,
    wait_said,
    written,
)
from tests.pictures import HANDWRITING, drawn, likeness, photo
from tests.projects import Project

# --- the same tensor as Python ----------------------------------------------------------------


def test_strokes_become_the_same_tensor(shown):
    rng = np.random.default_rng(0)
    scribbles = [
        [rng.uniform(-300, 900, (rng.integers(1, 9), 2)) for _ in range(rng.integers(1, 12))]
        for _ in range(30)
    ]
    dot, level = [np.array([[5.0, 5.0]])], [np.array([[0.0, 3.0], [9.0, 3.0]])]
    given = [*map(shown.site.strokes, TEXT), *scribbles, dot, level]
    for strokes, levels in zip(given, asked(shown.page, "preprocess", given), strict=True):
        assert np.array_equal(np.reshape(levels, (64, 64)), of_strokes(strokes))


def see_through(ink: int) -> Image.Image:
    alpha = ImageOps.invert(drawn())
    return Image.merge("LA", (Image.new("L", alpha.size, ink), alpha))


def veiled() -> Image.Image:
    """Colour with a soft edge to nothing."""
    y, x = np.mgrid[0:150, 0:200]
    pixels = np.zeros((150, 200, 4), np.uint8)
    pixels[..., 0], pixels[..., 2] = 3 * x % 256, 70
    pixels[..., 3] = np.clip(400 - 6 * np.hypot(x - 100, y - 75), 0, 255)
    return Image.fromarray(pixels)


PICTURES = {
    "grey": drawn(),
    "bilevel": drawn().convert("1"),
    "palette": drawn().quantize(7),
    "light on dark": ImageOps.invert(drawn("愛")),
    "faint": drawn("水").point(lambda v: 90 + v // 4),
    "colour on colour": ImageOps.colorize(drawn("木"), (40, 20, 120), (240, 230, 180)),
    "cropped to its strokes": drawn("国").crop(ImageOps.invert(drawn("国")).getbbox()),
    "black on nothing": see_through(0),
    "white on nothing": see_through(255),
    "fading to nothing": veiled(),
    "a photo with a shadow": photo(),
    "large": drawn("愛", 2300).resize((2300, 1701)),
    "one pixel": Image.new("L", (1, 1), 80),
    "a line of pixels": Image.fromarray(np.arange(0, 250, 5, np.uint8)[None]),
    "noise": Image.fromarray(np.random.default_rng(3).integers(0, 256, (77, 90, 3), np.uint8)),
    "blank": Image.new("RGB", (90, 70), (200, 210, 220)),
    **{row: Image.fromarray(change(np.asarray(drawn("国", 200)))) for row, change in ROWS.items()},
}


def test_pictures_become_the_same_tensor(shown):
    tensors = asked(shown.page, "preprocess", [png(image) for image in PICTURES.values()])
    for (name, image), levels in zip(PICTURES.items(), tensors, strict=True):
        there = prepare(Image.open(io.BytesIO(png(image))), 64).astype(int)
        difference = np.abs(np.reshape(levels, (64, 64)) - there)
        # The plane of the paper is cut to whole levels: where it is one to the last digit but one
        # or so, it may become the one below. A canvas keeps half-transparent colours roughly.
        assert difference.max() <= 2, name


@pytest.mark.parametrize("turned", [False, True], ids=["upright", "turned by its EXIF"])
@pytest.mark.parametrize("side", [900, 2400, 4700])
def test_jpeg_files_nearly(shown, side, turned):
    """Python decodes them straight to a smaller size, a browser does not."""
    image = ImageOps.expand(drawn("愛", side // 2), side // 4, (210,))
    exif = Image.Exif()
    if turned:
        image, exif[0x0112] = image.rotate(90), 6
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80, exif=exif)
    (levels,) = asked(shown.page, "preprocess", [buffer.getvalue()])
    buffer.seek(0)
    path = shown.site.root / "photo.jpg"
    path.write_bytes(buffer.getvalue())
    there = prepare(path, 64)
    assert likeness(np.reshape(levels, (64, 64)), there) > 0.995
    assert np.abs(np.reshape(levels, (64, 64)) - there.astype(int)).mean() < 1.5


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_turned_as_its_exif_says(shown, kind):
    """Of kinds beside JPEG; of WebP, browsers leave it aside."""
    files = []
    for orientation in range(1, 9):
        exif, buffer = Image.Exif(), io.BytesIO()
        exif[0x0112] = orientation
        image = ImageOps.expand(drawn("愛", 200), (30, 10, 5, 60), 255)
        image.save(buffer, kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
        files.append(buffer.getvalue())
    for content, levels in zip(files, asked(shown.page, "preprocess", files), strict=True):
        there = prepare(content, 64).astype(int)
        assert np.abs(np.reshape(levels, (64, 64)) - there).max() <= 2
    assert likeness(prepare(files[0], 64), prepare(files[5], 64)) < 0.6, "they do turn it"


def test_answers_and_probabilities_are_pythons(shown):
    given = [shown.site.strokes(character) for character in TEXT]
    recognizer = shown.site.recognizer
    expected = recognizer.read_normalised(np.stack([of_strokes(strokes) for strokes in given]), 10)
    for answer, top in zip(asked(shown.page, "recognise", given), expected, strict=True):
        assert [c["character"] for c in answer["candidates"]] == [c for c, _ in top]
        probabilities = [c["probability"] for c in answer["candidates"]]
        assert probabilities == pytest.approx([p for _, p in top], abs=1e-5)
        assert answer["sure"] == (top[0][1] >= recognizer.threshold)


# --- the view that reads ----------------------------------------------------------------------


def test_candidates_after_each_stroke(shown):
    strokes = shown.site.strokes("木")
    page = shown.page
    for count in range(1, len(strokes) + 1):
        page.locator("#recognise [data-do=clear]").click()
        pixels = written(page, "recognise", strokes[:count])
        expected = shown.site.recognizer.read_normalised(of_strokes(pixels)[None], 10)[0]
        shows = "answer => document.querySelector('.tiles b').textContent === answer"
        page.wait_for_function(shows, arg=expected[0][0])
        assert page.locator(".tiles b").all_text_contents() == [c for c, _ in expected]
    page.keyboard.press("Control+z")
    wait = "count => document.querySelector('#recognise .pad').dataset.count === String(count)"
    page.wait_for_function(wait, arg=len(strokes) - 1)
    page.keyboard.press("Escape")
    page.wait_for_function(wait, arg=0)
    assert page.locator(".tiles button:disabled").count() == 10


@pytest.mark.parametrize("by", ["click", "digit", "no clipboard"])
def test_a_candidate_is_copied(browser, site, by):
    def prepared(context: BrowserContext) -> None:
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        if by == "no clipboard":
            context.add_init_script("delete Navigator.prototype.clipboard")

    for shown in opened(browser, site, prepared=prepared):
        written(shown.page, "recognise", site.strokes("口"))
        third = answered(shown.page)[2]
        if by == "digit":
            shown.page.keyboard.press("3")
        else:
            shown.page.locator(".tiles button").nth(2).click()
        wait_said(shown.page, f"Copied {third}.")
        if by != "no clipboard":
            assert shown.page.evaluate("navigator.clipboard.readText()") == third


GIVE = """([how, text]) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "some.png", { type: "image/png" }));
    const settings = { bubbles: true, cancelable: true };
    document.querySelector("#recognise .frame").dispatchEvent(how === "drop"
        ? new DragEvent("drop", { ...settings, dataTransfer: data })
        : new ClipboardEvent("paste", { ...settings, clipboardData: data }));
}"""


@pytest.mark.parametrize("how", ["upload", "drop", "paste"])
def test_a_picture_is_read(shown, how):
    image = png(photo())
    page = shown.page
    if how == "upload":
        file = {"name": "a.png", "mimeType": "image/png", "buffer": image}
        page.locator("[type=file]").set_input_files(file)
    else:
        page.evaluate(GIVE, [how, base64.b64encode(image).decode()])
    expected = shown.site.recognizer.read(Image.open(io.BytesIO(image)), 10)
    assert answered(page) == [character for character, _ in expected]
    written(page, "recognise", shown.site.strokes("一"))
    page.wait_for_function("() => document.querySelector('#recognise .pad').dataset.count === '1'")


# --- the folder and its library ---------------------------------------------------------------


def test_every_file_of_the_folder_is_asked_for(shown):
    page = shown.page
    page.locator("#tab-practise").click()
    practised(page, "木", shown.site.strokes("木"))
    folder = shown.site.folder
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    asked_for = {url.removeprefix(shown.site.url).split("#")[0] for url in shown.requests}
    # The icon is for people; whether a browser without a window asks for it is its own affair.
    package = {"package.json", "README.md", "kakitori.d.ts"}
    assert there - asked_for <= {"NOTICE.txt", "index.html", "icon.svg", *package}
    assert asked_for - there <= {""}
    notice = (folder / "NOTICE.txt").read_text("utf-8")
    for owner in ("Kakitori", "Ulrich Apel", "CC BY-SA 3.0", "Microsoft"):
        assert owner in notice


def test_threads_where_the_page_is_isolated(browser, site, stand_in, tmp_path):
    for isolated in served(site.root, tmp_path / "demo", stand_in, isolated=True):
        for shown in opened(browser, isolated):
            assert shown.page.evaluate("crossOriginIsolated")
            written(shown.page, "recognise", site.strokes("木"))
            answered(shown.page)


def test_the_example_of_the_docs_runs(browser, site):
    text = (ROOT / "docs/demo.md").read_text("utf-8")
    (example,) = re.findall(r"```html\n(.*?)```", text, re.DOTALL)
    assert len(example.splitlines()) <= 14
    icon = '<!doctype html><link rel="icon" href="icon.svg">\n'  # or a browser asks for another
    (site.folder / "example.html").write_text(icon + example, "utf-8")
    for shown in opened(browser, site._replace(url=f"{site.url}example.html")):
        shown.page.locator("output").get_by_text(re.compile("%")).wait_for()


def test_the_command_builds_the_folder(tmp_path, site, stand_in):
    copy = Project.at(tmp_path / "project")
    (copy.root / "demo/node_modules").symlink_to(ROOT / "demo/node_modules")
    shutil.copy2(site.root / "data/characters.parquet", copy.root / "data")
    shutil.rmtree(copy.root / shipped.FOLDER.relative_to(ROOT), ignore_errors=True)
    lacking = copy.stage("demo", "--build-only", check=False)
    assert lacking.returncode == 1 and "strict_int8.onnx: expected an export" in lacking.stderr
    assert lacking.stderr.count("\n") == 1
    (copy.root / "models/exports").mkdir(parents=True)
    shutil.copy2(stand_in, copy.root / demo.FALLBACK)
    done = copy.stage("demo", "--build-only")
    assert "larger than what the page is meant for" in done.stdout
    there, here = (
        {str(p.relative_to(f)): p.read_bytes() for p in f.rglob("*") if p.is_file()}
        for f in (copy.root / "models/demo", site.folder)
    )
    here.pop("example.html", None)
    assert there == here


def test_what_is_lacking_is_named(tmp_path, stand_in, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "none")
    with pytest.raises(DataError, match=r"strict_int8\.onnx: expected an export"):
        demo.export_of(tmp_path)
    (tmp_path / "models/exports").mkdir(parents=True)
    shutil.copy2(stand_in, tmp_path / demo.FALLBACK)
    assert demo.export_of(tmp_path) == tmp_path / demo.FALLBACK
    with pytest.raises(DataError, match=r"characters\.parquet: expected the table"):
        demo.build(tmp_path, tmp_path / "out", stand_in)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/package-lock.json").write_text("{}")
    with pytest.raises(DataError, match="the program npm"):
        demo.install(tmp_path)
    assert not (tmp_path / "out").exists()


def test_the_lock_names_no_registry():
    lock = json.loads((ROOT / "demo/package-lock.json").read_text("utf-8"))
    assert lock["packages"]
    assert not [name for name, entry in lock["packages"].items() if "resolved" in entry]


# --- the compact export -----------------------------------------------------------------------


def test_what_is_drawn_is_read(browser, real):
    for shown in opened(browser, real, PHONE):
        for character in "愛あ飛書国":
            written(shown.page, "recognise", real.strokes(character))
            wait_said(shown.page, f"reads as {character}")
            shown.page.locator("#recognise [data-do=clear]").click()


TIMED = """async (given) => {
    const { load } = await import("./kakitori.js");
    window.kakitori = await load();
    const times = [];
    for (const strokes of [...given.slice(0, 20), ...given]) {
        const start = performance.now();
        await window.kakitori.recognise(strokes);
        times.push(performance.now() - start);
    }
    return times.slice(20);
}"""


def test_speed_size_and_the_answers_to_real_drawings(browser, real):
    """Writes metrics/demo.json, which docs/demo.md quotes. One thread: the page is not isolated."""
    archive = HANDWRITING / "kanjicanvas.zip"
    if not archive.is_file():
        pytest.skip("no ../shared/handwriting here")
    for shown in opened(browser, real):
        page = shown.page
        assert not page.evaluate("crossOriginIsolated")
        written(page, "recognise", real.strokes("三")[:1])
        answered(page)
        first = page.evaluate("performance.now()")  # since the page was asked for
        given = [[s.tolist() for s in real.strokes(c)] for c in real.recognizer.classes[:1000:10]]
        times = page.evaluate(TIMED, given)
        with zipfile.ZipFile(archive) as bundle:
            names = [name for name in bundle.namelist() if name.endswith(".png")]
            drawings = [bundle.read(name) for name in names]
        best = [
            answer["candidates"][0]
            for k in range(0, len(drawings), 100)
            for answer in asked(page, "recognise", drawings[k : k + 100])
        ]
        rng = np.random.default_rng(1)
        scribbles = [[rng.random((points, 2))] for points in range(20, 60)]
        of_scribbles = [answer["candidates"][0] for answer in asked(page, "recognise", scribbles)]
    characters = [candidate["character"] for candidate in best]
    tensors = np.stack([prepare(Image.open(io.BytesIO(drawing)), 64) for drawing in drawings])
    expected = [top[0][0] for top in real.recognizer.read_normalised(tensors, 1)]
    labels = [chr(int(re.search(r"U\+(\w+)", name)[1], 16)) for name in names]
    pairs = zip(names, characters, expected, strict=True)
    different = [f"{name}: {here}, {there}" for name, here, there in pairs if here != there]
    transferred = sum(
        path.stat().st_size
        for path in real.folder.iterdir()
        if path.is_file() and path.name != "NOTICE.txt"
    )
    measured = {
        "threads": 1,
        "first_recognition_ms": round(first),
        "recognition_ms_median": round(float(np.median(times)), 1),
        "recognition_ms_mean": round(float(np.mean(times)), 1),
        "recognitions": len(times),
        "transfer_bytes": transferred,
        "runtime_bytes": sum(path.stat().st_size for path in (real.folder / "ort").iterdir()),
        "drawings": len(drawings),
        "top1": float(np.mean([a == b for a, b in zip(characters, labels, strict=True)])),
        "other_answers_than_python": len(different),
        "plain": float(np.mean([candidate["probability"] >= 0.9 for candidate in best])),
        "scribbles": len(scribbles),
        "plain_scribbles": sum(candidate["probability"] >= 0.9 for candidate in of_scribbles),
        "browser": f"Chromium {browser.version}",
    }
    assert len(drawings) == 2225 and len(different) <= 2, different
    assert first < 3000 and np.median(times) < 30 and np.mean(times) < 30
    assert transferred < 3_000_000
    outputs.write_json(ROOT / "metrics/demo.json", measured)


# --- an npm package ---------------------------------------------------------------------------


def test_the_folder_is_an_npm_package(site, tmp_path):
    npm = ["npm", "pack", "--json", "--offline", "--pack-destination", str(tmp_path)]
    done = subprocess.run(npm, cwd=site.folder, capture_output=True, text=True, check=True)
    (packed,) = json.loads(done.stdout)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (packed["name"], packed["version"]) == (project["name"], project["version"])
    names = {file["path"] for file in packed["files"]}
    assert {"kakitori.js", "kakitori.d.ts", "README.md", "NOTICE.txt", "model.onnx"} <= names
    assert {f"ort/{name}" for name in demo.RUNTIME} <= names
    about = json.loads((site.folder / "package.json").read_text("utf-8"))
    assert about["license"] == project["license"] and "private" not in about
    lock = json.loads((ROOT / "demo/package-lock.json").read_text("utf-8"))
    assert lock["version"] == about["version"]


def test_types_name_what_the_library_exports():
    types, code = (
        re.findall(pattern, (ROOT / "demo" / name).read_text("utf-8"), re.MULTILINE)
        for name, pattern in (
            ("kakitori.d.ts", r"^export (?:function|const|class) (\w+)"),
            ("kakitori.js", r"^export (?:async )?(?:function|class) (\w+)"),
        )
    )
    reexported = re.search(
        r"^export \{ (.*) \}", (ROOT / "demo/kakitori.js").read_text("utf-8"), re.M
    )
    assert {*types} == {*code, *reexported[1].split(", ")} - {"Kakitori"}
    codes = re.findall(r"^ \* - `([a-z-]+)`", (ROOT / "demo/kakitori.js").read_text("utf-8"), re.M)
    declared = (ROOT / "demo/kakitori.d.ts").read_text("utf-8").split("ErrorCode =")[1]
    assert re.findall(r'"([a-z-]+)"', declared.split(";")[0]) == codes
    texts = (ROOT / "demo/texts.js").read_text("utf-8")
    # What the page never asks for.
    shown = [code for code in codes if code not in ("closed", "no-class", "no-memory")]
    assert all(len(re.findall(rf'^    "?{code}"?:', texts, re.M)) == 2 for code in shown)

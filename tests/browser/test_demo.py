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
import threading
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Browser, BrowserContext, Page

from kakitori import outputs
from kakitori.errors import DataError
from kakitori.export import export
from kakitori.reading import shipped
from kakitori.reading.matching import reference
from kakitori.reading.matching.drawing import draw, has_lines
from kakitori.reading.normalising.photos import prepare, prepare_ink
from kakitori.reading.recognizer import Recognizer
from kakitori.results import demo
from kakitori.running.params import ROOT
from kakitori.writing import kanjivg
from tests import tables, toy
from tests.benchmarks.photos import ROWS
from tests.models import TOLD
from tests.pictures import HANDWRITING, drawn, likeness, photo
from tests.projects import Project

TEXT = "一二三十土木水火山川口日月目田あいう書愛"
PHONE, DESK = (360, 780), (1280, 860)


class Site(NamedTuple):
    """A demo that is served."""

    root: Path  # the project that it was built of
    folder: Path
    url: str
    recognizer: Recognizer
    table: pd.DataFrame  # by character

    def strokes(self, character: str) -> list[np.ndarray]:
        return [np.asarray(s).reshape(-1, 2) for s in self.table.loc[character, "strokes"]]


class Shown(NamedTuple):
    page: Page
    site: Site
    requests: list[str]
    errors: list[str]


def served(root: Path, folder: Path, model: Path, isolated: bool = False) -> Iterator[Site]:
    demo.build(root, folder, model)
    table = pd.read_parquet(root / "data/characters.parquet").set_index("character")
    with demo.server(folder, 0, isolated) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Site(
            root, folder, f"http://127.0.0.1:{server.server_port}/", Recognizer(model), table
        )
        server.shutdown()


def project(root: Path, source: str) -> Path:
    """What demo.build reads of a project: sources, the runtime, a small table of characters."""
    demo.install(ROOT)
    shutil.copytree(ROOT / "demo", root / "demo", ignore=shutil.ignore_patterns("node_modules"))
    (root / "demo/node_modules").symlink_to(ROOT / "demo/node_modules")
    shutil.copy2(ROOT / "LICENSE", root)
    (root / "data").mkdir()
    table = tables.characters(TEXT)
    forms = [[form | {"source": source} for form in forms] for forms in table["forms"]]
    table.assign(forms=forms).to_parquet(root / "data/characters.parquet")
    return root


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned nothing, and so answers anything, always the same."""
    path = tmp_path_factory.mktemp("model") / "strict_int8.onnx"
    export.to_onnx(toy.linear(len(TEXT)), 64, 17, path)
    told = {"temperature": "0.02", "threshold": "0.3", "deciles": TOLD["deciles"]}
    export.annotate(path, list(TEXT), 64, told)
    return path


@pytest.fixture(scope="session")
def site(tmp_path_factory, stand_in) -> Iterator[Site]:
    """Strokes whose order is taken for true, as KanjiVG's is."""
    root = project(tmp_path_factory.mktemp("demo"), "kanjivg")
    yield from served(root, root / "models/demo", stand_in)


@pytest.fixture
def shown(request, browser: Browser, site: Site) -> Iterator[Shown]:
    """The page on a desk in English; what leaves its origin and what goes wrong fails the test."""
    yield from opened(browser, site)


def opened(
    browser: Browser,
    site: Site,
    size: tuple[int, int] = DESK,
    prepared: Callable[[BrowserContext], None] = lambda context: None,
    faultless: bool = True,
    **settings,
) -> Iterator[Shown]:
    settings = {"locale": "en-GB", "reduced_motion": "reduce"} | settings
    with browser.new_context(viewport={"width": size[0], "height": size[1]}, **settings) as context:
        prepared(context)
        page = context.new_page()
        found = Shown(page, site, [], [])
        context.on("request", lambda request: found.requests.append(request.url))
        page.on("console", lambda m: found.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.goto(site.url)
        yield found
        origin = site.url.rsplit("/", 1)[0]
        assert all(url.removeprefix("blob:").startswith(origin) for url in found.requests)
        assert not (faultless and found.errors)


def written(page: Page, view: str, strokes: list[np.ndarray]) -> list[np.ndarray]:
    """Strokes drawn with the mouse, at whole pixels of the window; which those were."""
    pad = page.locator(f"#{view} .pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    corner, side = np.array([box["x"], box["y"]]), box["width"]
    pixels = [np.rint(corner + side * (0.1 + 0.8 * stroke)).astype(int) for stroke in strokes]
    for stroke in pixels:
        page.mouse.move(*stroke[0].tolist())
        page.mouse.down()
        for x, y in stroke[1:].tolist():
            page.mouse.move(x, y)
        page.mouse.up()
    return pixels


def answered(page: Page) -> list[str]:
    """The candidates that are shown, once they are those of all that was drawn."""
    page.wait_for_function("() => document.querySelector('.tiles[aria-busy=false] b')?.textContent")
    return page.locator(".tiles b").all_text_contents()


def said(page: Page) -> str:
    return page.locator("#recognise .said").text_content()


def wait_said(page: Page, text: str, view: str = "recognise") -> None:
    page.locator(f"#{view} .said").get_by_text(text).first.wait_for()


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


READ = """async (given) => {
    const { load } = await import("./kakitori.js");
    window.kakitori ??= await load();
    const bytes = ([type, text]) =>
        new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], { type });
    const inputs = given.map((one) => (typeof one[0] === "string" ? bytes(one) : one));
    const found = [];
    for (const input of inputs) found.push(await window.kakitori[METHOD](input));
    return found.map((one) => (one instanceof Uint8Array ? Array.from(one) : one));
}"""


def asked(page: Page, method: str, inputs: list) -> list:
    """What a method of the library gives for each input: strokes, or the bytes of a file."""
    given = [
        ["image/png", base64.b64encode(one).decode()]
        if isinstance(one, bytes)
        else [stroke.tolist() for stroke in one]
        for one in inputs
    ]
    return page.evaluate(READ.replace("METHOD", json.dumps(method)), given)


# --- the same tensor as Python ----------------------------------------------------------------


def of_strokes(strokes: list[np.ndarray]) -> np.ndarray:
    return prepare_ink(draw(strokes), 64) if has_lines(strokes) else np.zeros((64, 64), np.uint8)


def test_strokes_become_the_same_tensor(shown):
    rng = np.random.default_rng(0)
    scribbles = [
        [rng.uniform(-300, 900, (rng.integers(1, 9), 2)) for _ in range(rng.integers(1, 12))]
        for _ in range(30)
    ]
    dot, level = [np.array([[5.0, 5.0]])], [np.array([[0.0, 3.0], [9.0, 3.0]])]
    given = [*map(shown.site.strokes, TEXT), *scribbles, dot, level]
    for strokes, found in zip(given, asked(shown.page, "preprocess", given), strict=True):
        assert np.array_equal(np.reshape(found, (64, 64)), of_strokes(strokes))


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
    found = asked(shown.page, "preprocess", [png(image) for image in PICTURES.values()])
    for (name, image), levels in zip(PICTURES.items(), found, strict=True):
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
    (found,) = asked(shown.page, "preprocess", [buffer.getvalue()])
    buffer.seek(0)
    path = shown.site.root / "photo.jpg"
    path.write_bytes(buffer.getvalue())
    there = prepare(path, 64)
    assert likeness(np.reshape(found, (64, 64)), there) > 0.995
    assert np.abs(np.reshape(found, (64, 64)) - there.astype(int)).mean() < 1.5


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
    expected = recognizer.read_normalised(np.stack([of_strokes(one) for one in given]), 10)
    for found, top in zip(asked(shown.page, "recognise", given), expected, strict=True):
        assert [c["character"] for c in found["candidates"]] == [c for c, _ in top]
        probabilities = [c["probability"] for c in found["candidates"]]
        assert probabilities == pytest.approx([p for _, p in top], abs=1e-5)
        assert found["sure"] == (top[0][1] >= recognizer.threshold)


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


# --- the view that teaches --------------------------------------------------------------------


def practised(page: Page, character: str, strokes: list[np.ndarray]) -> list[str]:
    """What is said of strokes drawn for a character."""
    page.locator("#tab-practise").click()
    page.locator("#about").get_by_text("Strokes").wait_for()
    page.locator("#character").fill(character)
    page.locator("#practise [data-do=clear]").click()
    written(page, "practise", strokes)
    page.locator("#practise [data-do=check]").click()
    wait_said(page, "recogniser", "practise")
    return page.locator("#verdict li").all_text_contents()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("none", "in the right order and direction"),
        ("missing", "Missing: stroke 2."),
        ("extra", "Too much: stroke 6"),
        ("swapped", "In each other's place: stroke 2 and stroke 3."),
        ("reversed", "Wrong direction: stroke 1."),
        ("another", "very different"),
    ],
)
def test_a_planted_fault_is_named(shown, fault, expected):
    strokes = shown.site.strokes("田")
    count = len(strokes)
    if fault == "missing":
        del strokes[1]
    elif fault == "extra":
        strokes.append(np.array([[0.05, 0.02], [0.6, 0.02]]))
        expected = f"Too much: stroke {count + 1}"
    elif fault == "swapped":
        strokes[1:3] = strokes[2:0:-1]
    elif fault == "reversed":
        strokes[0] = strokes[0][::-1]
    elif fault == "another":
        strokes = shown.site.strokes("一")
    assert expected in practised(shown.page, "田", strokes)[0]


def test_true_strokes_know_their_order(browser, stand_in, tmp_path):
    archive = HANDWRITING.parent / "kanjivg/kanjivg-all.zip"
    if not archive.is_file():
        pytest.skip("no ../shared/kanjivg here")
    root = project(tmp_path, "kanjivg")
    table = pd.read_parquet(root / "data/characters.parquet")
    true = {c.character: c.strokes for c in kanjivg.read(archive, TEXT)}
    table["strokes"] = [[s.ravel().tolist() for s in true[c]] for c in table["character"]]
    table["forms"] = [[{"source": "kanjivg", "strokes": strokes}] for strokes in table["strokes"]]
    table.to_parquet(root / "data/characters.parquet")
    for site in served(root, root / "models/demo", stand_in):
        for shown in opened(browser, site):
            for character in "火川愛":
                strokes = site.strokes(character)
                verdict = practised(shown.page, character, strokes)
                assert "in the right order and direction" in verdict[0]
            strokes = site.strokes("川")
            verdict = practised(shown.page, "川", [strokes[1], strokes[0], strokes[2][::-1]])
            assert verdict[0] == "In each other's place: stroke 1 and stroke 2."
            assert verdict[1] == "Wrong direction: stroke 3."


def test_nothing_is_said_of_an_order_that_nobody_knows(browser, stand_in, tmp_path):
    root = project(tmp_path, "font")
    for site in served(root, root / "models/demo", stand_in):
        for shown in opened(browser, site):
            strokes = [stroke[::-1] for stroke in site.strokes("田")[::-1]]
            verdict = practised(shown.page, "田", strokes)
            assert "strokes are there." in verdict[0] and "order" not in verdict[0]
            about = shown.page.locator("#about").text_content()
            assert "Order and direction are not checked" in about
            credit = shown.page.locator("#credit").text_content()
            assert "IPAexGothic" in credit and "KanjiVG" not in credit


def test_what_is_chosen_is_shown(shown):
    page = shown.page
    page.locator("#tab-practise").click()
    page.locator("#about").get_by_text("Strokes").wait_for()
    page.locator("#fewest").fill("1")
    page.locator("#most").fill("1")
    page.locator("[data-do=random]").click()
    one = [c for c in TEXT if len(shown.site.strokes(c)) == 1]
    assert page.locator("#character").input_value() in one
    page.locator("#most").fill("0")
    page.locator("[data-do=random]").click()
    wait_said(page, "widen the range", "practise")
    page.locator("#character").fill("木")
    assert page.locator("#model text").all_text_contents() == [
        str(k + 1) for k in range(len(shown.site.strokes("木")))
    ]
    page.locator("#character").fill("龘")
    wait_said(page, "no strokes of 龘", "practise")
    page.locator("[data-do=check]").click()
    wait_said(page, "Nothing is written yet", "practise")
    practised(page, "土", shown.site.strokes("土"))
    practised(page, "山", shown.site.strokes("山"))
    page.reload()
    page.locator("#recent button").first.wait_for()
    assert page.locator("#recent button").all_text_contents() == ["山", "土"]
    page.locator("#recent button").last.click()
    assert page.locator("#character").input_value() == "土"


def test_strokes_come_one_after_the_other_for_those_who_want_motion(browser, site):
    running = "document.querySelector('#model').getAnimations({ subtree: true }).length"
    for motion, expected in (("no-preference", 2 * len(site.strokes("木"))), ("reduce", 0)):
        for shown in opened(browser, site, reduced_motion=motion):
            shown.page.locator("#tab-practise").click()
            shown.page.locator("#about").get_by_text("Strokes").wait_for()
            shown.page.locator("#character").fill("木")
            assert shown.page.evaluate(running) == expected


def test_a_stroke_in_bytes_is_where_it_was(shown):
    table = shown.page.evaluate(
        """async () => {
            const { loadCharacters } = await import("./kakitori.js");
            return Object.fromEntries(await loadCharacters());
        }"""
    )
    assert list(table) == list(TEXT)
    for character in TEXT:
        full = shown.site.strokes(character)
        assert len(table[character]["strokes"]) == len(full)
        for packed, stroke in zip(table[character]["strokes"], full, strict=True):
            packed = np.array(packed)
            assert np.abs(packed[[0, -1]] - stroke[[0, -1]]).max() <= 0.5 / reference.LEVELS + 1e-6
            assert max(to_line(point, packed) for point in stroke) < 0.006


def to_line(point: np.ndarray, line: np.ndarray) -> float:
    a, b = line[:-1], line[1:]
    along = ((point - a) * (b - a)).sum(1) / np.maximum(((b - a) ** 2).sum(1), 1e-12)
    return float(np.linalg.norm(a + along.clip(0, 1)[:, None] * (b - a) - point, axis=1).min())


# --- people and their devices -----------------------------------------------------------------


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("locale", ["ja-JP", "en-GB"])
def test_nothing_reaches_out_of_the_page(browser, site, size, locale):
    for shown in opened(browser, site, size, locale=locale):
        for view in ("recognise", "practise"):
            shown.page.locator(f"#tab-{view}").click()
            assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            box = shown.page.locator(f"#{view} .pad").bounding_box()
            assert box["width"] == box["height"] >= 0.8 * min(size[0], 500)


def test_languages(browser, site):
    for shown in opened(browser, site, locale="ja-JP"):
        page = shown.page
        assert page.locator("html").get_attribute("lang") == "ja"
        assert page.locator("#tab-practise").text_content() == "練習する"
        page.get_by_role("button", name="English").click()
        assert page.locator("#tab-practise").text_content() == "Practise"
        page.reload()
        page.locator("#tab-practise").get_by_text("Practise").wait_for()


def test_both_languages_say_the_same_things():
    text = (ROOT / "demo/texts.js").read_text("utf-8")
    ja, en = (
        dict(re.findall(r'^    "?([\w-]+)"?: "(.*)",$', block, re.MULTILINE))
        for block in re.findall(r"^  (?:ja|en): \{$(.*?)^  \},$", text, re.MULTILINE | re.DOTALL)
    )
    assert len(ja) > 50 and ja.keys() == en.keys()
    for key in ja:
        assert set(re.findall(r"\{\w+\}", ja[key])) == set(re.findall(r"\{\w+\}", en[key])), key


def test_by_keyboard_and_by_ear(shown):
    page = shown.page
    page.locator("#tab-recognise").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#practise").is_visible() and page.locator("#recognise").is_hidden()
    assert page.locator("#tab-practise").get_attribute("aria-selected") == "true"
    page.keyboard.press("ArrowLeft")
    written(page, "recognise", shown.site.strokes("口"))
    answered(page)
    unnamed = """() => [...document.querySelectorAll("button, input, canvas, svg")]
        .filter((e) => e.checkVisibility() && !e.getAttribute("aria-label"))
        .filter((e) => !e.textContent.trim() && !e.labels?.length).map((e) => e.outerHTML)"""
    assert page.evaluate(unnamed) == []
    assert "Strokes so far: " in page.locator("#recognise .pad").get_attribute("aria-label")
    page.locator("#tab-practise").click()
    page.locator("#about").get_by_text("Strokes").wait_for()
    assert page.evaluate(unnamed) == []


def test_touch_draws_and_does_not_scroll(browser, site):
    for shown in opened(browser, site, PHONE, has_touch=True, is_mobile=True):
        page = shown.page
        box = page.locator("#recognise .pad").bounding_box()
        session = page.context.new_cdp_session(page)
        for kind, y in [("touchStart", 60), *(("touchMove", y) for y in range(70, 260, 10))]:
            point = {"x": box["x"] + 150, "y": box["y"] + y}
            event = {"type": kind, "touchPoints": [point]}
            session.send("Input.dispatchTouchEvent", event)
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        answered(page)
        assert page.evaluate("scrollY") == 0


# --- bad input --------------------------------------------------------------------------------


def test_a_scribble_is_not_sure(browser, tmp_path, stand_in, site):
    doubtful = tmp_path / "doubtful.onnx"
    shutil.copy2(stand_in, doubtful)
    told = {"temperature": "10", "threshold": "0.9", "deciles": TOLD["deciles"]}
    export.annotate(doubtful, list(TEXT), 64, told)
    for unsure in served(site.root, tmp_path / "demo", doubtful):
        for shown in opened(browser, unsure):
            rng = np.random.default_rng(0)
            written(shown.page, "recognise", [rng.random((40, 2))])
            answered(shown.page)
            assert said(shown.page).startswith("Not sure")


def test_a_hand_that_slips_over_the_edge(shown):
    wide = [np.array([[0.5, 0.1], [0.5, 0.9]]), np.array([[0.0, 0.5], [1.9, 0.5]])]
    written(shown.page, "recognise", wide)
    answered(shown.page)
    last = shown.page.evaluate("(e) => document.querySelector('#recognise .pad').dataset.count")
    assert last == "2"


def test_a_photo_of_fifty_megapixels(shown):
    image = Image.new("L", (8660, 5780), 215)
    image.paste(drawn("愛", 3000), (2000, 1000))
    path = shown.site.root / "large.jpg"
    image.save(path, quality=70)
    shown.page.locator("[type=file]").set_input_files(path)
    expected = shown.site.recognizer.read(path, 10)
    assert set(answered(shown.page)) == {character for character, _ in expected}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"no picture at all", "cannot be read as a picture"),
        (png(drawn())[:150], "cannot be read as a picture"),
        (b"", "cannot be read as a picture"),
        (png(Image.new("L", (300, 200), 230)), "No character was found"),
        (png(Image.new("1", (20000, 5001))), "too large"),
    ],
    ids=["text", "cut short", "empty", "blank", "too large"],
)
def test_a_file_that_is_no_use_is_said_to_be(browser, site, content, expected):
    for shown in opened(browser, site, faultless=False):
        file = {"name": "a.png", "mimeType": "image/png", "buffer": content}
        shown.page.locator("[type=file]").set_input_files(file)
        wait_said(shown.page, expected)
        assert shown.page.locator(".tiles button:disabled").count() == 10
        written(shown.page, "recognise", site.strokes("口"))
        answered(shown.page)


@pytest.mark.parametrize("lost", ["model.onnx", "ort/ort-wasm-simd-threaded.wasm", "strokes.bin"])
def test_a_file_that_does_not_load_is_said_to_be(browser, site, lost):
    def prepared(context: BrowserContext) -> None:
        context.route(f"**/{lost}", lambda route: route.fulfill(status=404))

    for shown in opened(browser, site, prepared=prepared, faultless=False):
        alarm = shown.page.get_by_role("alert")
        alarm.wait_for()
        assert "did not load" in alarm.text_content()
        assert "Loading" not in said(shown.page) or lost == "strokes.bin"


def test_without_simd_one_may_practise_still(browser, site):
    def prepared(context: BrowserContext) -> None:
        context.add_init_script("WebAssembly.validate = () => false")

    for shown in opened(browser, site, prepared=prepared):
        shown.page.get_by_role("alert").get_by_text("no WebAssembly SIMD").wait_for()
        shown.page.locator("#tab-practise").click()
        shown.page.locator("#about").get_by_text("Strokes").wait_for()
        shown.page.locator("#character").fill("木")
        written(shown.page, "practise", site.strokes("木"))
        wait_said(shown.page, "Well written", "practise")


def test_without_storage_it_works(browser, site):
    def prepared(context: BrowserContext) -> None:
        context.add_init_script(
            "Object.defineProperty(window, 'localStorage', { get() { throw new Error('off'); } })"
        )

    for shown in opened(browser, site, prepared=prepared):
        assert practised(shown.page, "木", site.strokes("木"))


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

REAL = ROOT / demo.COMPACT


@pytest.fixture(scope="session")
def real(tmp_path_factory) -> Iterator[Site]:
    if not REAL.is_file() or not (ROOT / "data/characters.parquet").is_file():
        pytest.skip(f"no {demo.COMPACT} here (dvc exp run -S model=compact), or no characters")
    yield from served(ROOT, tmp_path_factory.mktemp("real") / "demo", REAL)


def test_what_is_drawn_is_read(browser, real):
    for shown in opened(browser, real, PHONE):
        for character in "愛あ飛書国":
            written(shown.page, "recognise", real.strokes(character))
            wait_said(shown.page, f"reads as {character}")
            shown.page.locator("#recognise [data-do=clear]").click()


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
        times = page.evaluate(
            """async (given) => {
                const { load } = await import("./kakitori.js");
                window.kakitori = await load();
                const times = [];
                for (const strokes of [...given.slice(0, 20), ...given]) {
                    const start = performance.now();
                    await window.kakitori.recognise(strokes);
                    times.push(performance.now() - start);
                }
                return times.slice(20);
            }""",
            given,
        )
        with zipfile.ZipFile(archive) as bundle:
            names = [name for name in bundle.namelist() if name.endswith(".png")]
            drawings = [bundle.read(name) for name in names]
        best = [
            one["candidates"][0]
            for k in range(0, len(drawings), 100)
            for one in asked(page, "recognise", drawings[k : k + 100])
        ]
        rng = np.random.default_rng(1)
        scribbles = [[rng.random((points, 2))] for points in range(20, 60)]
        of_scribbles = [one["candidates"][0] for one in asked(page, "recognise", scribbles)]
    found = [one["character"] for one in best]
    tensors = np.stack([prepare(Image.open(io.BytesIO(one)), 64) for one in drawings])
    expected = [top[0][0] for top in real.recognizer.read_normalised(tensors, 1)]
    labels = [chr(int(re.search(r"U\+(\w+)", name)[1], 16)) for name in names]
    pairs = zip(names, found, expected, strict=True)
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
        "top1": float(np.mean([a == b for a, b in zip(found, labels, strict=True)])),
        "other_answers_than_python": len(different),
        "plain": float(np.mean([one["probability"] >= 0.9 for one in best])),
        "scribbles": len(scribbles),
        "plain_scribbles": sum(one["probability"] >= 0.9 for one in of_scribbles),
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


# --- what is known before ---------------------------------------------------------------------

ASK = """async ([strokes, options]) => {
    const { load } = await import("./kakitori.js");
    window.kakitori ??= await load();
    return window.kakitori.recognise(strokes, options)
        .catch(({ code, message }) => ({ code, message }));
}"""


@pytest.mark.parametrize(
    "known",
    [
        {"candidates": "hiragana"},
        {"candidates": "joyo+い"},
        {"candidates": "木"},
        {"prior": "text"},
        {"candidates": "kana+二土口", "prior": "text"},
    ],
)
def test_candidates_and_prior_are_pythons(shown, stand_in, known):
    recognizer = Recognizer(stand_in, **known)
    for character in TEXT[::3]:
        strokes = shown.site.strokes(character)
        top = recognizer.read_normalised(of_strokes(strokes)[None], 10)[0]
        answer = shown.page.evaluate(ASK, [[s.tolist() for s in strokes], known])
        assert [c["character"] for c in answer["candidates"]] == [c for c, _ in top]
        probabilities = [c["probability"] for c in answer["candidates"]]
        assert probabilities == pytest.approx([p for _, p in top], abs=1e-5)
        assert answer["sure"] == (top[0][1] >= recognizer.threshold)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"candidates": "hiragna"}, "no-candidates", 'joined by +, found "hiragna"'),
        ({"candidates": "鬱"}, "no-candidates", "the model's 20 classes, found 鬱"),
        ({"candidates": "katakana"}, "no-candidates", "classes in katakana, found none"),
        ({"prior": "novels"}, "no-prior", 'expected text or none, found "novels"'),
        ({"frame": 0.1}, "no-frame", "expected a frame around the strokes"),
    ],
)
def test_what_cannot_be_known_is_named(shown, options, code, message):
    strokes = [s.tolist() for s in shown.site.strokes("木")]
    answer = shown.page.evaluate(ASK, [strokes, options])
    assert answer["code"] == code and message in answer["message"]
    if "candidates" in options:
        with pytest.raises(DataError, match="candidates: expected"):
            Recognizer(shown.site.folder / "model.onnx", **options)


def test_the_page_asks_for_an_alphabet_and_a_prior(shown, stand_in):
    page = shown.page
    pixels = written(page, "recognise", shown.site.strokes("木"))
    answered(page)
    offered = page.locator("#alphabet option").all_text_contents()
    assert offered == ["all", "hiragana", "everyday kanji and kana"], "the model has no katakana"
    page.locator("#alphabet").select_option("hiragana")
    page.locator("#prior").check()
    expected = Recognizer(stand_in, candidates="hiragana", prior="text").read_normalised(
        of_strokes(pixels)[None], 10
    )[0]
    shows = "answer => document.querySelector('.tiles b').textContent === answer"
    page.wait_for_function(shows, arg=expected[0][0])
    assert [c for c in answered(page) if c] == [c for c, _ in expected]


def test_the_page_learns_and_forgets(browser, site):
    """Told what was meant, it reads the same drawing so, after a reload too, until it forgets."""
    strokes = site.strokes("木")
    first = "answer => document.querySelector('.tiles b').textContent === answer"
    for shown in opened(browser, site):
        page = shown.page
        page.locator("#recognise .teach button[type=submit]").wait_for()
        assert page.locator(".teach button[type=submit]").is_disabled(), "nothing is written yet"
        written(page, "recognise", strokes)
        answered(page)
        before = page.locator(".tiles b").first.text_content()
        meant = next(c for c in TEXT if c != before)
        page.locator("#meant").fill(meant)
        page.locator("#meant").press("Enter")
        page.wait_for_function(first, arg=meant)
        wait_said(page, f"Learned {meant}")
        page.reload()
        written(page, "recognise", strokes)
        page.wait_for_function(first, arg=meant)
        page.locator("#meant").fill("鬱")
        page.locator(".teach button[type=submit]").click()
        wait_said(page, "does not know 鬱")
        page.locator("[data-do=forget]").click()
        page.wait_for_function(first, arg=before)
        assert page.locator("[data-do=forget]").is_hidden()
        assert not page.evaluate("() => localStorage.getItem('kakitori.hand')")


# --- what it is told of a hand ----------------------------------------------------------------

TOLD_OF_A_HAND = """async ([lessons, given, memory]) => {
    const { load } = await import("./kakitori.js");
    const kakitori = await load();
    if (memory) await kakitori.loadMemory(memory);
    for (const [strokes, character] of lessons) await kakitori.learn(strokes, character);
    const answers = [];
    for (const strokes of given) answers.push(await kakitori.recognise(strokes));
    const text = await kakitori.saveMemory();
    await kakitori.forget();
    return [answers, text, await kakitori.saveMemory()];
}"""


def test_what_is_learned_is_pythons(shown, stand_in, tmp_path):
    def lines(character: str) -> list:
        return [s.tolist() for s in shown.site.strokes(character)]

    lessons = [[lines(c), meant] for c, meant in zip("木土山木", "水士川火", strict=True)]
    lessons = [[strokes, meant] for strokes, meant in lessons if meant in TEXT]
    asked_for = "木土山田書"
    given = [lines(c) for c in asked_for]
    answers, text, empty = shown.page.evaluate(TOLD_OF_A_HAND, [lessons, given, None])
    path = tmp_path / "memory.json"
    path.write_text(text, "utf-8")
    recognizer = Recognizer(stand_in)
    recognizer.load_memory(path)
    assert [e.character for e in recognizer.examples] == [meant for _, meant in lessons]
    images = np.stack([of_strokes(shown.site.strokes(c)) for c in asked_for])
    for answer, top in zip(answers, recognizer.read_normalised(images, 10), strict=True):
        assert [c["character"] for c in answer["candidates"]] == [c for c, _ in top]
        probabilities = [c["probability"] for c in answer["candidates"]]
        assert probabilities == pytest.approx([p for _, p in top], abs=1e-5)
    plain = Recognizer(stand_in).read_normalised(images, 10)
    assert recognizer.read_normalised(images, 10) != plain
    assert json.loads(empty)["examples"] == []
    # Python's file, in the page.
    recognizer.save_memory(path)
    again, kept, _ = shown.page.evaluate(TOLD_OF_A_HAND, [[], given, path.read_text("utf-8")])
    assert again == answers and json.loads(kept)["size"] == 64


@pytest.mark.parametrize(
    ("lessons", "memory", "code"),
    [
        ([[[[[0, 0], [9, 9]]], "鬱"]], None, "no-class"),
        ([[[[[5, 5]]], "木"]], None, "empty"),
        ([], "no JSON", "no-memory"),
        ([], '{"kakitori": "memory", "size": 128, "examples": []}', "no-memory"),
        ([], '{"kakitori": "memory", "size": 64, "examples": [["木", "AAAA"]]}', "no-memory"),
    ],
)
def test_what_cannot_be_learned_is_named(shown, lessons, memory, code):
    told = TOLD_OF_A_HAND.replace("async (", "(...all) => (async (", 1)
    told += ")(...all).then(() => '', (error) => error.code)"
    assert shown.page.evaluate(told, [lessons, [], memory]) == code

"""The view that teaches; people, their devices, and what they give by mistake."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext

from kakitori.export import export
from kakitori.reading.matching import reference
from kakitori.running.params import ROOT
from kakitori.writing import kanjivg
from tests.browser.sites import (
    DESK,
    PHONE,
    TEXT,
    answered,
    opened,
    png,
    practised,
    project,
    said,
    served,
    wait_said,
    written,
)
from tests.models import TOLD
from tests.pictures import HANDWRITING, drawn

# --- the view that teaches --------------------------------------------------------------------


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
    characters = [c for c in TEXT if len(shown.site.strokes(c)) == 1]
    assert page.locator("#character").input_value() in characters
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
    metadata = {"temperature": "10", "threshold": "0.9", "deciles": TOLD["deciles"]}
    export.annotate(doubtful, list(TEXT), 64, metadata)
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

"""A demo that is built and served, and what people do on its page."""

import base64
import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

from kakitori.reading.normalising.photos import prepare_ink
from kakitori.reading.normalising.rendering import draw, has_lines
from kakitori.reading.recognizer import Recognizer
from kakitori.results import demo
from kakitori.running.params import ROOT
from tests import tables

TEXT = "一二三十土木水火山川口日月目田あいう書愛"
PHONE, DESK = (360, 780), (1280, 860)
REAL = ROOT / demo.COMPACT


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
        shown = Shown(page, site, [], [])
        context.on("request", lambda request: shown.requests.append(request.url))
        page.on("console", lambda m: shown.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: shown.errors.append(str(error)))
        page.goto(site.url)
        yield shown
        origin = site.url.rsplit("/", 1)[0]
        assert all(url.removeprefix("blob:").startswith(origin) for url in shown.requests)
        assert not (faultless and shown.errors)


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
        ["image/png", base64.b64encode(content).decode()]
        if isinstance(content, bytes)
        else [stroke.tolist() for stroke in content]
        for content in inputs
    ]
    return page.evaluate(READ.replace("METHOD", json.dumps(method)), given)


def of_strokes(strokes: list[np.ndarray]) -> np.ndarray:
    return prepare_ink(draw(strokes), 64) if has_lines(strokes) else np.zeros((64, 64), np.uint8)


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

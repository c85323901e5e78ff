"""The picture at the top of README: samples by writers whom the model never saw, each with what it
is read as, and the page as it reads a character.

    PYTHONPATH=stages python -m tests.browser.picture RUN    # writes docs/picture.png

RUN is the checkout of the finished run that the shipped model is of; the samples are drawn by lot
from its test part, in red where they are misread. Needs Debian's chromium and npm.
"""

import argparse
import io
import json
import shutil
import tempfile
import threading
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import sync_playwright

from kakitori.accuracy import lettering  # noqa: F401, the latter sets the font
from kakitori.learning.samples import data, shards
from kakitori.reading import shipped
from kakitori.reading.matching import reference
from kakitori.reading.recognizer import Recognizer
from kakitori.results import demo
from kakitori.running.params import ROOT
from tests.browser.conftest import FLAGS

COLUMNS, ROWS, TILE, LABEL = 6, 5, 84, 26
PAPER, INK, WRONG = "#f7f4ee", "#211e1a", "#b03a24"  # the page's own
SHOWN = "曜"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    left = sheet(parser.parse_args().run)
    right = page(left.height)
    whole = Image.new("RGB", (left.width + right.width, left.height), PAPER)
    whole.paste(left)
    whole.paste(right, (left.width, 0))
    path = ROOT / "docs/picture.png"
    whole.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"picture: {path.relative_to(ROOT)}, {path.stat().st_size:,} bytes")


def sheet(run: Path) -> Image.Image:
    """Samples of the test part by lot, each above its answer and the answer's probability."""
    index = data.placed_index(run)
    rows = index[index["part"] == "test"].sample(COLUMNS * ROWS, random_state=0)
    images = shards.load_images(run / "data/shards", rows)
    answers = Recognizer(shipped.model()).read_normalised(images, 1)
    font = ImageFont.truetype(font_manager.findfont(font_manager.FontProperties()), 15)
    gap = 8
    size = COLUMNS * (TILE + gap) + gap, ROWS * (TILE + LABEL + gap) + gap
    picture = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(picture)
    for k, (image, top, code) in enumerate(zip(images, answers, rows["codepoint"], strict=True)):
        x, y = gap + k % COLUMNS * (TILE + gap), gap + k // COLUMNS * (TILE + LABEL + gap)
        ink = Image.fromarray(255 - image).resize((TILE, TILE), Image.Resampling.BICUBIC)
        picture.paste(ink.convert("RGB"), (x, y))
        caption, colour = ("?", WRONG)
        if top:
            (character, probability), *_ = top
            share = f"{100 * probability:.0f} %" if probability < 0.995 else "> 99 %"
            caption = f"{character} {share}"
            colour = INK if character == chr(code) else WRONG
        draw.text((x + TILE / 2, y + TILE + 4), caption, fill=colour, font=font, anchor="ma")
    return picture


def page(height: int) -> Image.Image:
    """The page with the shipped model, after a character was drawn."""
    packed = shipped.file(shipped.STROKES).read_bytes()
    about = json.loads(shipped.file(shipped.CHARACTERS).read_text("utf-8"))
    strokes = reference.unpack(packed, about)[SHOWN].strokes
    demo.install(ROOT)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        demo.build(ROOT, Path(folder) / "demo", shipped.model())
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        with demo.server(Path(folder) / "demo", 0) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            view = browser.new_page(
                viewport={"width": 860, "height": height}, locale="en", color_scheme="light"
            )
            view.goto(f"http://127.0.0.1:{server.server_port}/")
            box = view.locator("#recognise .pad").bounding_box()
            corner, side = np.array([box["x"], box["y"]]), box["width"]
            for stroke in strokes:
                points = corner + side * (0.1 + 0.8 * np.asarray(stroke))
                view.mouse.move(*points[0])
                view.mouse.down()
                for point in points[1:]:
                    view.mouse.move(*point, steps=2)
                view.mouse.up()
            view.wait_for_function(
                "answer => document.querySelector('.tiles[aria-busy=false] b')?.textContent"
                " === answer",
                arg=SHOWN,
            )
            picture = view.screenshot()
            server.shutdown()
        browser.close()
    return Image.open(io.BytesIO(picture)).convert("RGB")


if __name__ == "__main__":
    main()

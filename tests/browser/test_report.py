"""metrics/report.html as a browser shows it, on a phone, on a desk and on paper.

Needs Debian's chromium beside what pip installs, so it runs by `make test-browser` alone.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from kakitori.results.report import PICTURES
from tests.projects import Project

PHONE, DESK = (390, 844), (1280, 900)
PAPER = (718, 1047)  # CSS pixels of A4 within margins of a centimetre


class Shown(NamedTuple):
    page: Page
    requests: list[str]
    errors: list[str]


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the committed metrics, compared with an earlier commit; of what git does not
    keep, a model's name, one slice and pictures of the sizes that a run's have."""
    project = Project.at(tmp_path_factory.mktemp("report") / "project")
    path = project.root / "metrics/evaluate.json"
    evaluate = json.loads(path.read_text("utf-8"))
    earlier = evaluate | {"int8": evaluate["int8"] | {"top1": evaluate["int8"]["top1"] - 0.01}}
    path.write_text(json.dumps(earlier), "utf-8")
    project.commit("earlier")
    path.write_text(json.dumps(evaluate), "utf-8")
    project.commit("now")
    model = {"model": evaluate["model"], "classes": ["？"] * evaluate["classes"]}
    (project.root / "models/model.json").write_text(json.dumps(model))
    plots = project.root / "metrics/plots"
    for k, name in enumerate(PICTURES):
        (plots / name).parent.mkdir(parents=True, exist_ok=True)
        Image.linear_gradient("L").resize((1000, 400 + 600 * k)).save(plots / name)
    slices = {"slice": "radical", "value": "鬱", "samples": 50, "top1": 0.5}
    pd.DataFrame([slices]).to_csv(plots / "evaluate/slices.csv", index=False)
    project.stage("report")
    return project.root / "metrics/report.html"


@pytest.fixture(params=[PHONE, DESK], ids=["phone", "desk"])
def shown(request, browser, report) -> Iterator[Shown]:
    yield from opened(browser, report, request.param)


@pytest.fixture
def printed(browser, report) -> Iterator[Shown]:
    for view in opened(browser, report, PAPER):
        view.page.emulate_media(media="print")
        yield view


def opened(browser: Browser, report: Path, size: tuple[int, int]) -> Iterator[Shown]:
    with browser.new_page(viewport={"width": size[0], "height": size[1]}) as page:
        view = Shown(page, [], [])
        page.on("request", lambda request: view.requests.append(request.url))
        page.on("console", lambda m: view.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: view.errors.append(str(error)))
        page.goto(report.as_uri(), wait_until="load")
        yield view


def too_wide(page: Page) -> list[str]:
    """Elements that reach out of the page on the right, other than within what can be scrolled."""
    return page.evaluate(
        """() => [...document.body.querySelectorAll("*")]
        .filter(e => !e.parentElement.closest(".scroll, pre"))
        .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
        .map(e => e.outerHTML.slice(0, 80))"""
    )


def test_nothing_leaves_the_page(shown):
    assert shown.requests and all(url.startswith(("file:", "data:")) for url in shown.requests)
    assert not shown.errors


def test_no_sideways_scrolling(shown):
    assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not too_wide(shown.page)


def test_every_picture_is_shown_and_described(shown):
    pictures = shown.page.eval_on_selector_all(
        "img", "all => all.map(i => [i.complete, i.naturalWidth, i.alt])"
    )
    assert len(pictures) == len(PICTURES)
    assert all(complete and width > 0 and text for complete, width, text in pictures)


def test_every_link_leads_to_a_part_of_the_page(shown):
    links = shown.page.eval_on_selector_all("a", "all => all.map(a => a.getAttribute('href'))")
    headings = shown.page.locator("h2").count()
    assert len(links) >= headings
    for link in links:
        assert link.startswith("#"), link
        assert shown.page.locator(link).count() == 1, link


def test_the_warning_that_data_is_synthetic_is_seen_first(shown):
    assert shown.page.get_by_text("The data is synthetic.").is_visible()
    box = shown.page.get_by_text("The data is synthetic.").bounding_box()
    assert box["y"] + box["height"] < shown.page.viewport_size["height"]


def test_paper_shows_all(printed):
    page = printed.page
    assert not too_wide(page)
    cut = page.eval_on_selector_all(
        ".scroll, pre", "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert cut == 0, "what scrolls on a screen is cut off on paper"
    heights = page.eval_on_selector_all("img", "all => all.map(i => i.clientHeight)")
    assert max(heights) <= PAPER[1]
    hidden = "all => all.filter(e => !e.checkVisibility()).length"
    assert page.eval_on_selector_all("details > :not(summary)", hidden) == 0
    assert page.pdf(format="A4", prefer_css_page_size=True).startswith(b"%PDF")
    assert not printed.errors

"""Debian's chromium, started once for all tests of pages, and the demo that it shows."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from kakitori.export import export
from kakitori.results import demo
from tests import toy
from tests.browser.sites import REAL, TEXT, Shown, Site, opened, project, served
from tests.models import TOLD
from tests.projects import ROOT

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.fail("expected chromium, found none; `apt-get install chromium` brings it")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS.split())
        yield started
        started.close()


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that has learned nothing, and so answers anything, always the same."""
    path = tmp_path_factory.mktemp("model") / "strict_int8.onnx"
    export.to_onnx(toy.linear(len(TEXT)), 64, 17, path)
    metadata = {"temperature": "0.02", "threshold": "0.3", "deciles": TOLD["deciles"]}
    export.annotate(path, list(TEXT), 64, metadata)
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


@pytest.fixture(scope="session")
def real(tmp_path_factory) -> Iterator[Site]:
    if not REAL.is_file() or not (ROOT / "data/characters.parquet").is_file():
        pytest.skip(f"no {demo.COMPACT} here (dvc exp run -S model=compact), or no characters")
    yield from served(ROOT, tmp_path_factory.mktemp("real") / "demo", REAL)

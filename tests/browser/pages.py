"""A page that can import the modules of demo/."""

import functools

from playwright.sync_api import Page, Route

from tests.projects import ROOT

ORIGIN = "http://kakitori.test/"  # answered by the test itself, since modules need an origin
MODULES = ("matching", "fitting", "alikes", "pairing", "shapes")


def serve(body: str, route: Route) -> None:
    route.fulfill(content_type="text/javascript", body=body)


def opened(page: Page) -> Page:
    """A page that can import the modules."""
    blank = {"content_type": "text/html", "body": "<!doctype html>"}
    page.route(ORIGIN, lambda route: route.fulfill(**blank))
    for name in MODULES:
        body = (ROOT / f"demo/{name}.js").read_text("utf-8")
        page.route(f"{ORIGIN}{name}.js", functools.partial(serve, body))
    page.goto(ORIGIN)
    return page

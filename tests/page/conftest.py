"""The page's own modules in a real browser, without Airflow and without a server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route

from docs.pictures.browser import open_browser
from docs.pictures.page_assets import STATIC

TYPES = {".js": "text/javascript", ".json": "application/json", ".html": "text/html"}


@pytest.fixture(scope="module")
def module() -> Iterator[Page]:
    """A blank page of the origin that the page's files come from; Airflow shows UTC there."""

    def give(route: Route) -> None:
        name = route.request.url.removeprefix("http://page.test/")
        file = STATIC / name
        body = file.read_bytes() if name else b"<!doctype html><title>.</title>"
        route.fulfill(body=body, content_type=TYPES[Path(name or "x.html").suffix])

    with open_browser() as browser:
        page = browser.new_context(timezone_id="Europe/Moscow", locale="en-US").new_page()
        page.route("http://page.test/**", give)
        page.goto("http://page.test/")
        page.evaluate("localStorage.setItem('timezone', JSON.stringify('UTC'))")
        yield page

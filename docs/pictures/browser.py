"""A headless Chromium of this machine, driven by Playwright, and how to log in to the Airflow of a stack with it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM_VARIABLE = "CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome")


class NoBrowserError(Exception):
    """There is no Chromium; the text says how to get one."""


def find_chromium() -> str:
    """Return the program: the one that the variable CHROMIUM names, else the first known name on PATH."""
    names = [name for name in (os.environ.get(CHROMIUM_VARIABLE), *NAMES) if name]
    for name in names:
        if program := shutil.which(name):
            return program
    raise NoBrowserError(f"none of {', '.join(names)} is installed: run `local/install.sh browser`")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Yield a browser and end it. Raises `NoBrowserError`."""
    # Root has no user namespace to make a sandbox of. The pages are our own.
    arguments = ["--font-render-hinting=none", *(["--no-sandbox"] if os.getuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def log_in(page: Page, address: str, user: str, password: str) -> None:
    """Fill Airflow's login form and wait until its home page is there."""
    page.goto(address)
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/auth/login" not in url)

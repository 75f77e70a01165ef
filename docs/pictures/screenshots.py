"""The pictures of the README and of docs/page.md, taken from a demo in a stack of its own: `python -m docs.pictures.screenshots`.

The stack stays when `--keep` is given, to look around in; else its data goes with it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, expect

from docs.pictures.browser import NoBrowserError, log_in, open_browser
from local import demo
from local.airflow_api import AirflowApi, AirflowApiError
from local.demo import BACKFILL, MICRO_BATCH
from local.services.base import REPO
from local.stack import Stack
from source.generate import DEFAULT_ORDERS

HOME = REPO / ".local-screenshots"
IMAGES = REPO / "docs" / "images"
DESK, PHONE = (1280, 800), (375, 780)
MAX_BYTES = 300_000
ZONE = "Europe/Moscow"


class TooLargeError(Exception):
    """A picture is larger than a page should load."""


class Camera:
    """Takes the pictures of one Airflow, each session logged in anew: language and theme belong to it."""

    def __init__(self, browser: Browser, login: tuple[str, str, str]) -> None:
        """Use this browser, and the address, user and password of Airflow."""
        self._browser = browser
        self._login = login
        self.address = login[0]

    @contextmanager
    def session(
        self, language: str = "en", theme: str = "light", size: tuple[int, int] = DESK, scale: float = 1
    ) -> Iterator[Page]:
        """Yield a logged-in tab in a language and a theme, as a person would set them in Airflow."""
        context = self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            device_scale_factor=scale,
            locale={"en": "en-US", "ru": "ru-RU"}[language],
            timezone_id=ZONE,
            color_scheme="dark" if theme == "dark" else "light",
        )
        context.add_init_script(
            f"try {{ localStorage.setItem('theme', '{theme}'); localStorage.setItem('i18nextLng', '{language}'); }}"
            " catch { /* a blank page has no storage */ }"
        )
        page = context.new_page()
        log_in(page, *self._login)
        try:
            yield page
        finally:
            context.close()

    def page_in_airflow(self, page: Page) -> None:
        """Show the page "Guest tags" in Airflow's frame, with its numbers."""
        page.goto(f"{self.address}/plugin/guest-tags")
        frame = page.frame_locator("iframe")
        expect(frame.locator("#updated")).not_to_be_empty()

    def page_itself(self, page: Page, tab: str = "rules") -> None:
        """Show a tab of it by itself, with its numbers."""
        page.goto(f"{self.address}/guest-tags/?tab={tab}")
        expect(page.locator("#updated")).not_to_be_empty()


def take(camera: Camera, api: AirflowApi, folder: Path) -> list[Path]:
    """Write all pictures to the folder and return them."""
    taken: list[Path] = []

    def shot(page: Page, name: str, selector: str | None = None) -> None:
        page.wait_for_timeout(700)  # Airflow's panels slide in
        taken.append(folder / f"{name}.png")
        (page.locator(selector) if selector else page).screenshot(path=taken[-1])

    with camera.session() as page:
        page.goto(f"{camera.address}/dags")
        expect(page.get_by_role("link", name=BACKFILL, exact=True)).to_be_visible()
        shot(page, "airflow-dags")
        run_id = api.runs(BACKFILL)[0]["dag_run_id"]
        page.goto(f"{camera.address}/dags/{BACKFILL}/runs/{run_id}")
        expect(page.get_by_text("Success", exact=True)).to_have_count(6)
        shot(page, "airflow-run")
        page.goto(f"{camera.address}/dags/{BACKFILL}")
        expect(page.get_by_role("heading", name=BACKFILL)).to_be_visible()
        page.get_by_role("button", name="Trigger Dag").click()
        expect(page.get_by_role("dialog").locator("#element_from")).to_be_visible()
        shot(page, "airflow-form")
    with camera.session("en", "dark") as page:
        page.goto(f"{camera.address}/dags/{MICRO_BATCH}")
        expect(page.get_by_role("heading", name=MICRO_BATCH)).to_be_visible()
        shot(page, "airflow-grid-dark")
        page.get_by_role("button", name="Show Graph").click()
        expect(page.get_by_test_id("rf__wrapper")).to_be_visible()
        shot(page, "airflow-graph-dark")
    for language in ("en", "ru"):
        for theme in ("light", "dark"):
            with camera.session(language, theme) as page:
                camera.page_in_airflow(page)
                shot(page, f"page-{language}-{theme}")
        with camera.session(language) as page:
            camera.page_itself(page, "numbers")
            shot(page, f"page-{language}-audience", "#audience")
            shot(page, f"page-{language}-orders", "#orders")
            camera.page_itself(page, "guest")
            page.locator("#guest-examples button").first.click()
            expect(page.locator("#guest-answer table").first).to_be_visible()
            shot(page, f"page-{language}-guest", "#guest")
    with camera.session("ru", "dark", PHONE, scale=2) as page:
        camera.page_itself(page)
        shot(page, "page-ru-phone")
    return taken


def main(argv: Sequence[str] | None = None) -> int:
    """Load a demo, photograph it, stop it."""
    parser = argparse.ArgumentParser(prog="python -m docs.pictures.screenshots", description=main.__doc__)
    parser.add_argument("--orders", type=int, default=DEFAULT_ORDERS, help="orders of history (default %(default)s)")
    parser.add_argument("--home", type=Path, default=HOME, help="folder of the stack (default %(default)s)")
    parser.add_argument("--images", type=Path, default=IMAGES, help="where the pictures go (default %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the stack running")
    args = parser.parse_args(argv)
    stack = Stack(args.home)
    try:
        if demo.main(["--home", str(args.home), "--orders", str(args.orders)]):
            return 1
        args.images.mkdir(parents=True, exist_ok=True)
        login = stack.ui_login()
        expect.set_options(timeout=30_000)  # a busy machine is slow, not wrong
        with open_browser() as browser:
            for picture in take(Camera(browser, login), AirflowApi(*login), args.images):
                size = picture.stat().st_size
                if size > MAX_BYTES:
                    raise TooLargeError(f"{picture} has {size:,} bytes; more than {MAX_BYTES:,} is too slow to load")
                print(f"{size:>9,} bytes  {picture}")
    except (AirflowApiError, Error, NoBrowserError, TooLargeError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        if not args.keep:
            stack.reset()
    return 0


if __name__ == "__main__":
    sys.exit(main())

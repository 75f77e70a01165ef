"""Lists of guests on the page's tab Exports, in a real browser over a real Airflow: planned, held, approved, published."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from docs.pictures.browser import log_in, open_browser
from harness.pipeline import Pipeline
from local.airflow_api import FINISHED, AirflowApi
from local.stack import Stack
from tests.messages import order, restaurant
from tests.waiting import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
SALT, CONTROL_PERCENT = "pizza-2026", 10
AUDIENCES = f"""
audiences:
  - {{audience: pizza, channel: crm, include_tags: [fan], identifier: guest_id, format: own, requires_consent: false,
     salt: {SALT}, control_percent: {CONTROL_PERCENT}, max_change_percent: 30}}
"""
GUESTS = [f"guest-{number:03d}" for number in range(300)]
# They have two orders, all others one: a higher threshold takes the tag from the others, which are more than half.
LOYAL = GUESTS[:120]
MINUTE_MS = 60_000


def in_control(guest: str) -> bool:
    """Tell whether a guest is held back, as the contract draws it."""
    drawn = int.from_bytes(hashlib.sha256(f"{SALT}:{guest}".encode()).digest()[:4], "big")
    return drawn * 10_000 // 2**32 < CONTROL_PERCENT * 100


SENT = [guest for guest in GUESTS if not in_control(guest)]
# Three who are suppressed from the beginning, and one who becomes it in between: loyal ones, who would go.
*SUPPRESSED, LATE = [guest for guest in SENT if guest in LOYAL][:4]
FIRST = {*SENT} - {*SUPPRESSED}
FICKLE = FIRST - {*LOYAL}
CONTROL, LOYAL_CONTROL = (sum(map(in_control, guests)) for guests in (GUESTS, LOYAL))


class World:
    """Guests with a tag, their list, and where it goes."""

    def __init__(self, pipeline: Pipeline, airflow: AirflowApi, folder: Path) -> None:
        self.pipeline, self.airflow, self.folder = pipeline, airflow, folder

    def suppress(self, guest: str) -> None:
        self.pipeline.owner.execute(
            "insert into cdm.suppressions (kind, value, channel, reason, since, made_by, made_dt)"
            " values ('guest', %s, '*', 'left', now() - interval '1 hour', 'test', now())",
            [guest],
        )

    def judge(self, threshold: int) -> None:
        """Let the tag ask for more orders than this."""
        self.pipeline.owner.execute("update cdm.tag_rules set threshold = %s where tag = 'fan'", [threshold])
        self.pipeline.load_cdm()

    def hour(self) -> None:
        """Do what each hour does."""
        run = self.airflow.trigger("audience_export", {})
        wait_for(lambda: self.airflow.run_state("audience_export", run) in FINISHED, "the hour's run", within_s=300)
        assert self.airflow.run_state("audience_export", run) == "success"

    def files(self, seq: int) -> dict[str, Any]:
        """Return the manifest of an export and whom its files name, having seen that they hash to what it says."""
        folder = self.folder / "pizza" / f"{seq:06d}"
        assert sorted(path.name for path in folder.iterdir()) == ["add.csv", "manifest.json", "remove.csv"]
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        for name, told in manifest["files"].items():
            assert told == f"sha256:{hashlib.sha256((folder / name).read_bytes()).hexdigest()}"
        named = {name: (folder / f"{name}.csv").read_text(encoding="utf-8").split() for name in ("add", "remove")}
        return manifest | {name: set(lines) & {*GUESTS} for name, lines in named.items()}

    def numbers(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "pizza").glob("*"))


@pytest.fixture(scope="module")
def world(airflow: AirflowApi, stack: Stack, audiences_file: Path) -> Iterator[World]:
    """The first export is out."""
    airflow.pause("orders_micro_batch")
    known = audiences_file.read_text(encoding="utf-8")
    audiences_file.write_text(AUDIENCES, encoding="utf-8")
    with Pipeline() as pipeline:
        pipeline.clear()
        pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
        pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
        pipeline.stage([order(number, user=guest) for number, guest in enumerate([*GUESTS, *LOYAL], start=1)])
        pipeline.load()
        world = World(pipeline, airflow, stack.home / "exports")
        for guest in SUPPRESSED:
            world.suppress(guest)
        for dag_id in ("audience_export", "audience_approve"):
            airflow.unpause(dag_id)
        world.hour()
        yield world
        for dag_id in ("audience_export", "audience_approve"):
            airflow.pause(dag_id)
        pipeline.clear()
    audiences_file.write_text(known, encoding="utf-8")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)  # a busy machine is slow, not wrong
    with open_browser() as browser:
        yield browser


@contextmanager
def exports(browser: Browser, locale: str, login: tuple[str, str, str]) -> Iterator[Page]:
    """The tab in a browser of that language, asked for by somebody who has logged in; it writes no error to the console."""
    context = browser.new_context(locale=locale, timezone_id="Europe/Moscow")
    context.set_default_timeout(30_000)
    page = context.new_page()
    log_in(page, *login)
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{login[0]}/guest-tags/?tab=exports")
    expect(page.locator('[data-audience="pizza"]')).to_be_visible()
    yield page
    assert errors == []
    context.close()


def audience(page: Page) -> Locator:
    return page.locator('[data-audience="pizza"]')


def answer(page: Page, name: str) -> Locator:
    return page.locator(f'[data-answer="{name}"]')


def test_a_swing_is_held_and_goes_as_it_was_seen_or_not_at_all(
    world: World, browser: Browser, stack: Stack, airflow: AirflowApi
) -> None:
    """Acceptance 17."""
    first = world.files(1)
    assert (first["add"], first["members_after"]) == (FIRST, len(FIRST))
    assert (first["skipped"]["control"], first["skipped"]["suppressed"]) == (CONTROL, len(SUPPRESSED))
    gone = len(FICKLE)
    assert gone > len(FIRST) / 2
    world.judge(threshold=1)
    with exports(browser, "en-US", stack.ui_login()) as page:
        expect(audience(page)).to_contain_text(f"+{len(FIRST)} −0, {len(FIRST)} there now.")
        audience(page).get_by_role("button", name="What would go now").click()
        expect(answer(page, "export")).to_contain_text(f"Held back: +0 −{gone}.", timeout=5 * MINUTE_MS)
        assert world.numbers() == ["000001"], "looking hands nothing over"

        world.hour()
        page.get_by_role("button", name="Refresh").click()
        held = audience(page).locator('[data-name="next"][data-state="held"]')
        expect(held).to_contain_text("Held: export 2 as of")
        expect(held).to_contain_text(f"would change +0 −{gone} (")
        expect(audience(page)).to_contain_text(f"control group {LOYAL_CONTROL}")
        expect(audience(page)).to_contain_text(f"suppressed {len(SUPPRESSED)}")
        lost = len(GUESTS) - len(LOYAL)
        expect(audience(page)).to_contain_text(f"Rule fan v2: {lost} lost it since the last export.")
        assert world.numbers() == ["000001"]

        # Somebody becomes suppressed between the look and the approval.
        audience(page).get_by_role("button", name="Approve…").click()
        ask = page.get_by_role("dialog")
        expect(ask).to_contain_text("Approve export 2: exactly what you see goes")
        expect(ask.locator('[data-name="goes"]')).to_have_text(f"+0 −{gone}")
        ask.get_by_role("textbox").fill("1")
        ask.get_by_role("button", name="Approve…").click()
        expect(ask.get_by_role("alert")).to_contain_text(f"More than half is removed. Write how many: {gone}")
        world.suppress(LATE)
        ask.get_by_role("textbox").fill(str(gone))
        ask.get_by_role("button", name="Approve…").click()
        expect(answer(page, "approve")).to_contain_text(
            f"the plan has changed: it is export 2 now, -{gone + 1} +0. Look again; nothing was handed over",
            timeout=5 * MINUTE_MS,
        )
        assert world.numbers() == ["000001"]
        expect(held).to_contain_text(f"would change +0 −{gone + 1} (")

        world.hour()
        assert world.files(2)["remove"] == {LATE}, "who is suppressed goes, whatever is held"
        page.get_by_role("button", name="Refresh").click()
        expect(held).to_contain_text("Held: export 3 as of")
        expect(audience(page)).to_contain_text(f"+0 −1, {len(FIRST) - 1} there now.")
        audience(page).get_by_role("button", name="Approve…").click()
        ask.get_by_role("textbox").fill(str(gone))
        ask.get_by_role("button", name="Approve…").click()
        expect(answer(page, "approve")).to_contain_text(f"Export 3 is out: +0 −{gone}.", timeout=5 * MINUTE_MS)
        stays = len(FIRST) - 1 - gone
        expect(audience(page)).to_contain_text(f"+0 −{gone}, {stays} there now.")
        expect(held).to_be_hidden()
    third = world.files(3)
    assert (third["add"], third["remove"], third["members_after"]) == (set(), FICKLE, stays)
    assert (third["skipped"]["control"], third["skipped"]["suppressed"]) == (LOYAL_CONTROL, len(SUPPRESSED) + 1)
    asked = [run["conf"] for run in airflow.runs("audience_approve")]
    assert {frozenset(conf) for conf in asked} == {frozenset({"audience", "seq", "plan_hash"})}
    _, user, _ = stack.ui_login()
    assert world.pipeline.rows("select distinct planned_by from cdm.v_exports where seq = 3") == [(user,)]


def test_the_same_in_russian_when_the_guests_come_back(world: World, browser: Browser, stack: Stack) -> None:
    """Acceptance 17."""
    came = len(FICKLE)
    world.judge(threshold=0)
    world.hour()
    with exports(browser, "ru-RU", stack.ui_login()) as page:
        held = audience(page).locator('[data-name="next"][data-state="held"]')
        expect(held).to_contain_text("Задержана: передача 4 на")
        expect(held).to_contain_text(f"изменила бы +{came} −0 (")
        expect(audience(page)).to_contain_text(f"контрольная группа {CONTROL}")
        expect(audience(page)).to_contain_text(f"стоп-лист {len(SUPPRESSED) + 1}")
        audience(page).get_by_role("button", name="Что ушло бы сейчас").click()
        expect(answer(page, "export")).to_contain_text(f"Задержано: +{came} −0.", timeout=5 * MINUTE_MS)
        audience(page).get_by_role("button", name="Разрешить…").click()
        ask = page.get_by_role("dialog")
        expect(ask).to_contain_text("Разрешить передачу 4: уйдёт ровно то, что показано")
        expect(ask.locator('[data-name="goes"]')).to_have_text(f"+{came} −0")
        ask.get_by_role("button", name="Разрешить…").click()
        expect(answer(page, "approve")).to_contain_text(f"Передача 4 ушла: +{came} −0.", timeout=5 * MINUTE_MS)
        expect(audience(page)).to_contain_text(f"+{came} −0, сейчас там {len(FIRST) - 1}.")
    fourth = world.files(4)
    assert (fourth["add"], fourth["remove"], fourth["members_after"]) == (FICKLE, set(), len(FIRST) - 1)
    held_back = "select guest_id from cdm.v_audience_groups where grp = 'control'"
    assert {guest for (guest,) in world.pipeline.rows(held_back)} == {*GUESTS} - {*SENT}
    assert ({*SENT} | {*SUPPRESSED}) >= fourth["add"], "no guest of the control group was ever sent"


def test_who_may_only_look_sees_lists_and_can_neither_ask_for_one_nor_approve_it(
    world: World, browser: Browser, stack: Stack, airflow: AirflowApi
) -> None:
    with exports(browser, "en-US", stack.viewer_login()) as page:
        expect(audience(page)).to_contain_text("Last handed over: export")
        for button in audience(page).get_by_role("button").all():
            expect(button).to_be_disabled()
        before = len(airflow.runs("audience_approve"))
        by_hand = page.context.request
        for dag_id in ("audience_export", "audience_approve"):
            path = f"{airflow.address}/api/v2/dags/{dag_id}/dagRuns"
            assert by_hand.post(path, data={"logical_date": None, "conf": {}}).status == 403, dag_id
        assert len(airflow.runs("audience_approve")) == before

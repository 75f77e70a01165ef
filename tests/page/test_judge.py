"""Can the numbers be trusted? The page's own module judges a table of facts, in a real browser and without Airflow."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Page

from docs.pictures.page_assets import STATIC

NOW = 1_780_000_000_000  # 2026-05-28T20:26:40Z


def at(age_s: float) -> str:
    """A moment so many seconds ago, as Airflow and the warehouse write it."""
    return datetime.fromtimestamp(NOW / 1000 - age_s, UTC).isoformat().replace("+00:00", "Z")


def run(state: str, age_s: float, *, lasted: float | None = 10, name: str = "") -> dict[str, Any]:
    end = at(age_s - lasted) if lasted is not None else None
    return {
        "dag_run_id": name or f"{state}-{age_s}",
        "state": state,
        "run_after": at(age_s),
        "start_date": at(age_s),
        "end_date": end,
    }


WELL: dict[str, Any] = {
    "now": NOW,
    "error": None,
    "answered": NOW,
    "hidden": False,
    "warehouse": {"as_of": at(31), "age_s": 31},
    "dag": {"is_paused": False},
    "runs": [run("running", 2, lasted=None), run("success", 62)],
    "task": None,
    "laws": {"broken": False, "since": None, "error": None, "dag_run_id": "check"},
}
BROKEN = {
    "broken": True,
    "since": at(4_000),
    "error": "1 of 51 laws is broken: dds.h_order.",
    "dag_run_id": "c",
}
# Name: what differs from all being well; the state and its colour; what is said.
CASES: dict[str, tuple[dict[str, Any], str, str, str, str]] = {
    "well": (
        {},
        "well",
        "green",
        "Judged up to 20:26:09, 31 sec ago. All well.",
        "Учтено по 20:26:09, 31 с назад. Всё в порядке.",
    ),
    "the warehouse is away": (
        {"error": "It does not answer.", "answered": NOW - 60_000},
        "unknown",
        "grey",
        "Nothing is known now. It does not answer. The numbers below are those of 20:25:40.",
        "Сейчас ничего не известно. It does not answer. Числа ниже — на 20:25:40.",
    ),
    "away from the start": (
        {"error": "It does not answer.", "answered": None, "dag": {"is_paused": True}},
        "unknown",
        "grey",
        "Nothing is known now. It does not answer.",
        "Сейчас ничего не известно. It does not answer.",
    ),
    "no freshness": (
        {"warehouse": None, "answered": None},
        "unknown",
        "grey",
        "Nothing is known now.",
        "Сейчас ничего не известно.",
    ),
    "no DAG": (
        {"dag": None, "answered": None},
        "unknown",
        "grey",
        "Nothing is known now.",
        "Сейчас ничего не известно.",
    ),
    "no runs known": (
        {"runs": None, "answered": None},
        "unknown",
        "grey",
        "Nothing is known now.",
        "Сейчас ничего не известно.",
    ),
    "off, and the run before it failed": (
        {
            "dag": {"is_paused": True},
            "runs": [run("failed", 240)],
            "warehouse": {"as_of": at(240), "age_s": 240},
        },
        "off",
        "red",
        "orders_micro_batch is switched off. Judged up to 20:22:40, 4 min ago. Nothing is lost: messages wait in Kafka.",
        "orders_micro_batch выключен. Учтено по 20:22:40, 4 мин назад. Ничего не потеряно: сообщения ждут в Kafka.",
    ),
    "off from the start": (
        {"dag": {"is_paused": True}, "runs": [], "warehouse": {"as_of": None, "age_s": None}},
        "off",
        "red",
        "orders_micro_batch is switched off. Nothing is lost: messages wait in Kafka.",
        "orders_micro_batch выключен. Ничего не потеряно: сообщения ждут в Kafka.",
    ),
    "the last run that ended has failed": (
        {
            "runs": [run("running", 2, lasted=None), run("failed", 62), run("success", 122)],
            "task": {"task_id": "drain", "error": "No broker answers."},
        },
        "failing",
        "red",
        "The last run failed at «drain», 20:25:48. No broker answers. Judged up to 20:26:09, 31 sec ago.",
        "Последний запуск упал на «drain», 20:25:48. No broker answers. Учтено по 20:26:09, 31 с назад.",
    ),
    "it has failed and its log says nothing": (
        {"runs": [run("failed", 62)]},
        "failing",
        "red",
        "The last run failed at «orders_micro_batch», 20:25:48. Judged up to 20:26:09, 31 sec ago.",
        "Последний запуск упал на «orders_micro_batch», 20:25:48. Учтено по 20:26:09, 31 с назад.",
    ),
    "a failure that was made good": ({"runs": [run("success", 62), run("failed", 122)]}, "well", "green", "", ""),
    "a run hangs": (
        {
            "runs": [run("running", 360, lasted=None), run("success", 420)],
            "task": {"task_id": "cdm", "error": None},
            "warehouse": {"as_of": at(420), "age_s": 420},
        },
        "stuck",
        "red",
        "The run of 20:20:40 has been in «cdm» for 6 min. Judged up to 20:19:40.",
        "Запуск 20:20:40 находится в «cdm» уже 6 мин. Учтено по 20:19:40.",
    ),
    "a run that is long, but not yet over its time": (
        {"runs": [run("running", 299, lasted=None)]},
        "well",
        "green",
        "",
        "",
    ),
    "nothing was ever judged": (
        {"runs": [], "warehouse": {"as_of": None, "age_s": None}},
        "new",
        "grey",
        "Nothing has been judged yet: no run has read all that Kafka holds.",
        "Ещё ничего не учтено: ни один запуск не дочитал Kafka до конца.",
    ),
    "late": (
        {"warehouse": {"as_of": at(121), "age_s": 121}},
        "late",
        "yellow",
        "Judged up to 20:24:39, 2 min ago (promised: 2 min).",
        "Учтено по 20:24:39, 2 мин назад (обещано: 2 мин).",
    ),
    "in time to the second": ({"warehouse": {"as_of": at(120), "age_s": 120}}, "well", "green", "", ""),
    "very late": ({"warehouse": {"as_of": at(601), "age_s": 601}, "laws": BROKEN}, "late", "red", "", ""),
    "laws": (
        {"laws": BROKEN},
        "laws",
        "red",
        "Laws of the data are broken since 19:20. 1 of 51 laws is broken: dds.h_order. Judged up to 20:26:09, 31 sec ago.",
        "С 19:20 нарушены законы данных. 1 of 51 laws is broken: dds.h_order. Учтено по 20:26:09, 31 с назад.",
    ),
    "laws broken, and a little late": (
        {"laws": BROKEN, "warehouse": {"as_of": at(130), "age_s": 130}},
        "laws",
        "red",
        "",
        "",
    ),
    "laws never checked": ({"laws": None}, "well", "green", "", ""),
    "DAGs are closed to the reader": (
        {"hidden": True, "dag": None, "runs": None, "laws": None},
        "well",
        "grey",
        "Judged up to 20:26:09, 31 sec ago.",
        "Учтено по 20:26:09, 31 с назад.",
    ),
    "DAGs are closed, and it is late": (
        {"hidden": True, "dag": None, "runs": None, "laws": None, "warehouse": {"as_of": at(700), "age_s": 700}},
        "late",
        "red",
        "",
        "",
    ),
}


def judged(page: Page, facts: dict[str, Any], language: str) -> dict[str, Any]:
    verdict: dict[str, Any] = page.evaluate(
        """async ([facts, language]) => {
            const [state, texts] = await Promise.all([import("/state.js"), import("/texts.js")]);
            texts.setLanguage(language);
            const judged = state.judge(facts);
            return { ...judged, said: state.sentence(judged) };
        }""",
        [facts, language],
    )
    return verdict


@pytest.mark.parametrize("name", CASES)
def test_the_first_state_that_fits_is_said_in_both_languages(module: Page, name: str) -> None:
    """Acceptance 5."""
    differs, state, level, english, russian = CASES[name]
    for language, words in (("en", english), ("ru", russian)):
        verdict = judged(module, {**WELL, **differs}, language)
        assert (verdict["state"], verdict["level"]) == (state, level)
        assert verdict["said"].replace("\xa0", " ") == words or (not words and verdict["said"])
        assert "{" not in verdict["said"]


def test_the_table_knows_every_state() -> None:
    states = json.loads((STATIC / "states.json").read_text(encoding="utf-8"))
    assert {(state["state"], state["level"]) for state in states} <= {case[1:3] for case in CASES.values()}


def test_a_verdict_names_the_run_and_the_task_that_it_is_about(module: Page) -> None:
    failed = {"runs": [run("failed", 62, name="lost")], "task": {"task_id": "drain", "error": None}}
    verdict = judged(module, {**WELL, **failed}, "en")
    assert (verdict["run"]["dag_run_id"], verdict["task"]) == ("lost", "drain")


def test_times_stand_in_the_zone_that_airflow_shows_and_have_24_hours(module: Page) -> None:
    def said(zone: str | None) -> str:
        module.evaluate(
            "zone => zone === null ? localStorage.removeItem('timezone') : localStorage.setItem('timezone', zone)", zone
        )
        return str(judged(module, WELL, "en")["said"])

    assert "20:26:09" in said('"UTC"')
    assert "16:26:09" in said('"America/New_York"')
    assert "23:26:09" in said(None), "the browser's own"
    assert "23:26:09" in said('"no such zone"')
    assert "20:26:09" in said('"UTC"')

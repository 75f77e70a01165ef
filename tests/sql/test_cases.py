"""SQL cases as data: what is given, step by step, and what the marts must show after each step.

A file of cases/ holds a list of cases. A case opens with its expectation in words; its steps are taken in order:

    given    orders: messages of one chunk (fields of tests.messages.order; at, sent: minutes; statuses: [status minute],
                     of which there is one by default, since: its minute)
             redis: what a run reads; {restaurant or user id: its document, or any text as it is}
             rules: {tag: [category, threshold]}; a threshold of null deletes the rule
    when     all of it is loaded, unless `load: false`
    expect   products: {guest/dish: [name, orders]}, categories: {guest/category: orders}, tags: [guest/tag],
             events: [guest/tag event count] of the whole case, dead: [reason] of the whole case,
             closed: {order: minute at which it became CLOSED, or null}

What is not named under `expect` is still compared: after each step everything equals the model, and no law of sql/checks is
broken.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests import messages
from tests.streams import Broom, Run, broken_laws, moment

CASES = [
    pytest.param(case, id=f"{path.stem}: {case['case']}")
    for path in sorted((Path(__file__).parent / "cases").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
]


@pytest.fixture
def run(broom: Broom) -> Iterator[Run]:
    """An empty warehouse and its model. At the end: all laws hold, and a replay changes no row."""
    broom.sweep()
    run = Run(broom.pipeline)
    yield run
    run.replay()
    assert laws_broken_now(run) == {}


def laws_broken_now(run: Run) -> dict[str, int]:
    with psycopg.connect(run.pipeline.env["DWH_ETL_URL"]) as connection:
        return broken_laws(connection)


def message(fields: dict[str, Any]) -> bytes:
    """Return an order message; `order` is its id; `at`, `sent` and `since`, when it came to its status, are minutes."""
    given = dict(fields)
    at = given.pop("at", 0)
    steps = given.pop("statuses", [f"{given.get('status', 'CLOSED')} {given.pop('since', 0)}"])
    return messages.order(
        given.pop("order", 1),
        given.pop("status", "CLOSED"),
        dishes=tuple(given.pop("dishes", ["pizza"])),
        update_ts=moment(at),
        sent=moment(given.pop("sent", at)),
        statuses=[entry(step) for step in steps],
        **given,
    )


def entry(step: str) -> dict[str, str]:
    """Return an entry of the statuses: `CLOSED 5`, `CLOSED 2099-01-01 12:00:00`, or `CLOSED` where it does not say when."""
    status, _, time = step.partition(" ")
    return {"status": status} | ({"dttm": moment(int(time)) if time.isdigit() else time} if time else {})


def document(key: str, given: dict[str, Any] | str) -> tuple[str, str, bytes]:
    """Return what Redis holds under a key: a restaurant has a `menu`; a text is taken as it is, `id as kind` names the kind."""
    key, _, kind = key.partition(" as ")
    if isinstance(given, str):
        return kind or "restaurant", key, given.encode()
    fields = {name: value for name, value in given.items() if name != "at"}
    at = moment(given.get("at", 0))
    if "menu" in fields:
        return kind or "restaurant", key, messages.restaurant(key, update_ts=at, **fields)
    return kind or "user", key, messages.user(key, update_ts=at, **fields)


def shown(run: Run, part: str) -> Any:
    """Return what the marts show, in the form of `expect`."""
    pipeline = run.pipeline
    match part:
        case "products":
            return {f"{user}/{dish}": list(count) for (user, dish), count in pipeline.user_product_counters().items()}
        case "categories":
            return {
                f"{user}/{category}": count for (user, category), count in pipeline.user_category_counters().items()
            }
        case "tags":
            return sorted(f"{user}/{tag}" for user, tag in pipeline.user_tags())
        case "events":
            return [f"{user}/{tag} {event} {count}" for user, tag, event, count, *_ in pipeline.tag_events()]
        case "dead":
            return [reason for reason, _ in pipeline.dead_letters()]
        case "closed":
            begin = datetime.fromisoformat(moment(0)).replace(tzinfo=UTC)
            return {
                order: None if now["closed_dttm"] is None else (now["closed_dttm"] - begin).total_seconds() / 60
                for order, now in run.settle()["s_order_status"].items()
            }
        case "guests":
            return {user: list(names.values()) for user, names in run.settle()["s_user_names"].items()}
    raise AssertionError(f"a case expects {part}, which nobody can show")


def test_there_are_cases() -> None:
    assert len(CASES) > 30


@pytest.mark.parametrize("case", CASES)
def test_case(run: Run, case: dict[str, Any]) -> None:
    assert set(case) == {"case", "steps"}, json.dumps(case)
    for number, step in enumerate(case["steps"], start=1):
        assert set(step) <= {"orders", "redis", "rules", "load", "expect"}, f"step {number}"
        if "rules" in step:
            for tag, (category, threshold) in step["rules"].items():
                run.rule(tag, category, threshold)
        if "orders" in step:
            run.send([message(fields) for fields in step["orders"]])
        if "redis" in step:
            run.read([document(*entry) for entry in step["redis"].items()])
        if step.get("load", True):
            run.settle()
        assert laws_broken_now(run) == {}, f"step {number}"
        for part, expected in step.get("expect", {}).items():
            assert shown(run, part) == expected, f"step {number}: {part}"

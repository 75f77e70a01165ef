"""What a message or a document holds is in STG and in no log: whoever may look at runs in Airflow reads the logs of tasks."""

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from harness.pipeline import Pipeline
from harness.runs import backfill, drain, rebuild_run, run
from local.stack import Stack
from operators.refresh_reference import RefreshReferenceOperator
from tests.messages import order, restaurant, user
from tests.operators.test_replay_dead_letters import replay
from tests.streams import broken_laws
from tests.warehouse.message_fields import held, places
from warehouse.order_event import parse_order_event
from warehouse.rejection import Reason, RejectedError
from warehouse.requests import STG_DDS_AND_CDM

MARKER = "Zx9Marker"
GOOD = order(1, user=MARKER, restaurant=MARKER, dishes=(f"{MARKER}={MARKER}",))
# What is wrong wherever it stands, or nearly so; each holds the marker.
WRONG: tuple[Any, ...] = (
    MARKER,
    MARKER * 40,
    [MARKER],
    {MARKER: MARKER},
    f"{MARKER}\x00",
    f"\ud800{MARKER}",
    float("nan"),
)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Call it for all that has been logged: operators write to the standard output, other code by `logging`."""
    caplog.set_level(logging.DEBUG)
    return lambda: caplog.text + "".join(capsys.readouterr())


def damaged(message: bytes) -> Iterator[bytes]:
    """Yield a message with each of its fields wrong in each way, and beside it the marker in what is right."""
    document = json.loads(message)
    for steps in places(held(document)):
        for wrong in WRONG:
            copy = json.loads(message)
            node = copy
            for step in steps[:-1]:
                node = node[step]
            node[steps[-1]] = wrong
            yield json.dumps(copy).encode()
    yield message.replace(b"{", f'{{"{MARKER}": "\\u0000{MARKER}", '.encode(), 1)
    yield message[:-1]
    yield f'"{MARKER}"'.encode()
    yield MARKER.encode() + b"\xff"
    yield message.replace(b'"cost": 100', b'"cost": 1e%s' % (b"9" * 40))
    yield message + b" " * (1024 * 1024)


def test_what_is_told_of_a_refusal_holds_no_value() -> None:
    """The log has the first refusal of each reason; this is all of them."""
    told = set()
    for value in damaged(GOOD):
        try:
            parse_order_event(value)
        except RejectedError as refusal:
            told.add(str(refusal))
    assert len(told) > 50
    assert not [text for text in told if MARKER in text]
    assert "wrong_type: payload.cost must be a number or numeric text, not a list of 1" in told


def test_of_a_message_that_is_refused_the_log_tells_the_field_and_the_kind(
    pipeline: Pipeline, logged: Callable[[], str]
) -> None:
    topic = pipeline.topic(partitions=1, max_bytes=8_000_000)
    values = [*dict.fromkeys(damaged(GOOD)), None]
    pipeline.produce(topic, values, [MARKER.encode()] * len(values))

    handed_on = [drain(topic), backfill(topic), replay()]
    rebuild_run(STG_DDS_AND_CDM)

    assert handed_on[0]["refused"] > 100
    assert MARKER not in json.dumps(handed_on), "counts go by XCom"
    told = {reason for (reason,) in pipeline.rows("select distinct reason from stg.dead_letters")}
    assert len(told) > 8, "too few kinds of refusal for this to show anything"
    assert pipeline.value(f"select count(*) from stg.dead_letters where detail like '%{MARKER}%'") > 10
    text = logged()
    assert {reason for reason in told if f"refused as {reason}" not in text} == set()
    assert "a text of " in text
    assert MARKER not in text


def test_of_a_document_that_is_refused_the_log_tells_the_field_and_the_kind(
    pipeline: Pipeline, logged: Callable[[], str]
) -> None:
    ids = [f"{MARKER}{n}" for n in range(4)]
    pipeline.stage(order(n, user=key, restaurant=f"at {key}") for n, key in enumerate(ids))
    pipeline.redis.mset(
        {
            ids[0]: user(MARKER, name=MARKER),
            ids[1]: restaurant(ids[1], menu={MARKER: MARKER}, name=MARKER),
            f"at {ids[2]}": json.dumps({"_id": f"at {ids[2]}", "menu": MARKER, "update_ts_utc": MARKER}),
        }
    )
    pipeline.redis.hset(ids[3], MARKER, MARKER)
    counts = run(RefreshReferenceOperator(task_id="reference"))
    assert counts["refused"] == 4
    assert counts[f"refused:{Reason.WRONG_DOCUMENT}"] == 2
    text = logged()
    assert f"refused as {Reason.WRONG_DOCUMENT}" in text
    assert MARKER not in text + json.dumps(counts)


def test_an_error_of_postgresql_is_told_without_rows_by_the_task_and_by_the_server(
    pipeline: Pipeline, stack: Stack
) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(1, user=MARKER)])
    pipeline.owner.execute("alter table stg.order_event_log add constraint trap check (object_id <> 1)")
    try:
        with pytest.raises(psycopg.errors.CheckViolation) as raised:
            drain(topic)
    finally:
        pipeline.owner.execute("alter table stg.order_event_log drop constraint trap")
    assert MARKER in str(raised.value.diag.message_detail), "PostgreSQL shows the row"
    assert "trap" in str(raised.value)
    assert MARKER not in "".join(traceback.format_exception(raised.value))
    log = (stack.home / "log" / "postgres.log").read_text(encoding="utf-8", errors="replace")
    assert 'violates check constraint "trap"' in log
    assert MARKER not in log


def test_of_a_row_that_breaks_a_law_the_log_tells_keys_and_how_long_other_texts_are(
    pipeline: Pipeline, logged: Callable[[], str]
) -> None:
    pipeline.refer([("restaurant", MARKER, restaurant(MARKER, menu={f"{MARKER}={MARKER}": MARKER}, name=MARKER))])
    pipeline.refer([("user", MARKER, user(MARKER, name=MARKER, login=MARKER))])
    pipeline.stage([order(1, MARKER, user=MARKER, restaurant=MARKER, dishes=(f"{MARKER}={MARKER}",))])
    pipeline.load()
    for table, column in (
        ("dds.s_order_status", "status"),
        ("dds.s_product_names", "name"),
        ("dds.s_restaurant_names", "name"),
        ("dds.s_user_names", "username"),
        ("stg.order_statuses", "status"),
    ):
        pipeline.owner.execute(f"update {table} set {column} = {column} || '{MARKER}'")
    pipeline.owner.execute("delete from stg.reference_keys")
    logged()

    broken = broken_laws(pipeline.etl)

    text = logged()
    assert {law.rsplit(".", 1)[0] for law in broken if law.startswith("dds.")} >= {
        "dds.s_order_status",
        "dds.s_user_names",
    }
    assert "a text of " in text
    assert MARKER not in text

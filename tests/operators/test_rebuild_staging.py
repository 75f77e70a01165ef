"""Rules that are mended later reach what is stored: STG judged again, against a warehouse that has read the same under them."""

from collections.abc import Sequence
from datetime import UTC, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from harness.pipeline import Pipeline
from harness.runs import backfill, minute_run, rebuild_run
from tests import streams
from tests.connections import change_connection
from tests.messages import order, restaurant, user
from warehouse import fields, judge_again, staging
from warehouse.order_event import OrderEvent
from warehouse.reference import ReferenceVersion
from warehouse.requests import STG_DDS_AND_CDM
from warehouse.staging import content_hash

MOSCOW = ZoneInfo("Europe/Moscow")
LONG_ID = "x" * 150
# What tells when and how something came about, not what is: events are append-only, ids count what came first.
HISTORY: tuple[str, ...] = (
    "id",
    "load_dt",
    "attempt_dt",
    "event_dt",
    "assigned_dt",
    "attempts",
    "topic",
    "partition",
    "offset",
)
HISTORY += ("load_src", "message_key", "tried_by")
NOT_COMPARED = (
    "cdm.tag_clock",
    "cdm.tag_events",
    "cdm.tag_days",
    "cdm.tag_rules",
    "cdm.tag_rule_versions",
    "cdm.rule_queue",
)

DOCUMENTS = [
    ("restaurant", "diner", restaurant(menu={"pizza=Pizza": "Pizza", "tea=Tea": "Drinks"})),
    ("restaurant", "diner", restaurant(menu={"pizza=Pizza!": "Pies"}, update_ts="2026-01-01 12:30:00")),
    ("user", "guest", user()),
    ("user", LONG_ID, user(LONG_ID)),
    ("user", "zoned", user("zoned", update_ts="2026-01-01T12:00:00Z")),
    ("user", "broken", b"{"),
]
EARLY = [
    order(1, "OPEN", update_ts="2026-01-01 12:00:00", sent="2026-01-01 12:00:01", cost="10.50"),
    order(2, update_ts="2026-01-01 12:05:00", dishes=("pizza", "tea=Green tea")),
    order(3, user="zoned", update_ts="2026-01-01T23:30:00+00:00"),
    order(4, user=LONG_ID, restaurant="cafe"),
    order(5, user=LONG_ID, update_ts="2026-01-01 10:00:00"),
    order(5, "CANCELLED", user="guest", update_ts="2026-01-01 09:00:00"),
    order(6, update_ts="soon"),
    b"{",
    None,
]
LATE = [
    order(1, update_ts="2026-01-01 12:40:00", sent="2026-01-01 12:40:01"),
    order(7, update_ts="2026-01-01 01:00:00"),
]


def whole(pipeline: Pipeline) -> dict[str, list[Any]]:
    """Return all that the warehouse knows, and of the dead letters those that are unsolved."""
    rows = pipeline.snapshot(HISTORY)
    rows["stg.dead_letters"] = pipeline.rows(
        "select value_hash, raw, reason, detail from stg.dead_letters where solved_dt is null order by 1"
    )
    return {table: found for table, found in rows.items() if table not in NOT_COMPARED}


def fresh(
    pipeline: Pipeline, zone: tzinfo = UTC, values: Sequence[bytes | None] = (*EARLY, *LATE)
) -> dict[str, list[Any]]:
    """Return what a new warehouse knows that reads the same under the rules of now. Empties this one."""
    pipeline.clear()
    add_rules(pipeline)
    pipeline.refer(DOCUMENTS, zone=zone)
    pipeline.stage(values, zone=zone)
    pipeline.load()
    return whole(pipeline)


def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse ids that have been accepted so far. What the quick decoder takes is written into its types: it has to pass."""
    monkeypatch.setattr(fields, "MAX_KEY_CHARACTERS", 100)
    monkeypatch.setattr(staging, "plain_order_event", lambda value, zone: None)


def add_rules(pipeline: Pipeline) -> None:
    for rule in ("('fan', 'Pizza', 0)", "('pies', 'Pies', 1)"):
        pipeline.owner.execute(f"insert into cdm.tag_rules (tag, category_name, threshold) values {rule}")


def broken_laws(pipeline: Pipeline) -> dict[str, int]:
    with psycopg.connect(pipeline.env["DWH_ETL_URL"]) as connection:
        return streams.broken_laws(connection, **dict.fromkeys(streams.MOMENTS, "2000-01-01"))


@pytest.fixture(autouse=True)
def connections(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in pipeline.env.items():
        if name.startswith("AIRFLOW_CONN_"):
            monkeypatch.setenv(name, value)


def in_moscow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both sources write the time of Moscow."""
    for source in ("kafka_orders", "redis_reference"):
        change_connection(monkeypatch, source, extra={"zone": "Europe/Moscow"})


def test_a_zone_that_is_put_right_reaches_all_that_is_stored(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_rules(pipeline)
    pipeline.refer(DOCUMENTS)
    pipeline.stage(EARLY)
    pipeline.load()
    pipeline.stage(LATE, zone=MOSCOW)
    pipeline.load()
    assert pipeline.value("select payload ->> 'final_status' from stg.order_events where object_id = 1") == "OPEN"
    in_moscow(monkeypatch)
    rebuild_run(STG_DDS_AND_CDM)
    assert broken_laws(pipeline) == {}
    rebuilt = whole(pipeline)
    assert pipeline.user_product_counters()["guest", "pizza"][1] == 3
    assert rebuilt == fresh(pipeline, MOSCOW)


def test_a_second_rebuild_changes_nothing(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    add_rules(pipeline)
    pipeline.refer(DOCUMENTS)
    pipeline.stage([*EARLY, *LATE])
    pipeline.load()
    untouched = pipeline.snapshot(("load_dt", "as_of", "attempt_dt", "attempts", "tried_by"))
    rebuild_run(STG_DDS_AND_CDM)
    assert pipeline.snapshot(("load_dt", "as_of", "attempt_dt", "attempts", "tried_by")) == untouched, (
        "the rules are the same"
    )
    in_moscow(monkeypatch)
    rebuild_run(STG_DDS_AND_CDM)
    before = pipeline.snapshot(("load_dt", "as_of", "attempt_dt", "attempts", "tried_by"))
    assert before != untouched
    rebuild_run(STG_DDS_AND_CDM)
    assert pipeline.snapshot(("load_dt", "as_of", "attempt_dt", "attempts", "tried_by")) == before


def test_what_was_stored_before_a_field_was_read_has_it_after_a_rebuild(pipeline: Pipeline) -> None:
    """An older release did not know `closed_dttm`. An order that it stored seems to learn it by its next version, till then."""
    steps = [{"status": "CLOSED", "dttm": "2026-01-01 11:00:00"}]
    stored, dearer = order(8, statuses=steps), order(8, statuses=steps, update_ts="2026-01-02 12:00:00", cost=200)
    closed = "select closed_dttm is not null from dds.s_order_status where h_order_pk = dds.hash_key('8') order by 1"
    add_rules(pipeline)
    pipeline.refer(DOCUMENTS)
    pipeline.stage([*EARLY, stored])
    pipeline.load()
    for table in ("stg.order_event_log", "dds.s_order_status"):
        pipeline.owner.execute(f"update {table} set closed_dttm = null")
    pipeline.stage([*LATE, dearer])
    pipeline.load()
    assert broken_laws(pipeline) == {}
    assert pipeline.rows(closed) == [(False,), (True,)]
    rebuild_run(STG_DDS_AND_CDM)
    assert broken_laws(pipeline) == {}
    assert pipeline.rows(closed) == [(True,)]
    rebuilt = whole(pipeline)
    assert rebuilt == fresh(pipeline, values=[*EARLY, stored, *LATE, dearer])


# By type: another value than the one that is stored.
OTHERWISE = {
    "bigint": "{0} + 1000",
    "timestamp with time zone": "coalesce({0}, '2000-01-01') + interval '1 hour'",
    "text": "coalesce({0}, '') || '!'",
    "numeric": "coalesce({0}, 0) + 1",
    "text[]": "{0} || '!'::text",
}


@pytest.mark.parametrize(
    ("table", "read"),
    [
        ("stg.order_event_log", OrderEvent._fields),
        # Type and id of a document are what Redis was asked for: no rule reads them out of it.
        ("stg.reference_log", ReferenceVersion._fields[2:]),
    ],
)
def test_a_rebuild_puts_right_each_column_that_is_read(pipeline: Pipeline, table: str, read: Sequence[str]) -> None:
    pipeline.refer(DOCUMENTS)
    pipeline.stage([*EARLY, *LATE])
    pipeline.load()
    whole = f"select * from {table} order by value_hash"
    right = pipeline.rows(whole)
    types = "select attname, format_type(atttypid, null) from pg_attribute where attrelid = %s::regclass"
    type_of = dict(pipeline.rows(types, [table]))
    changes = ", ".join(f"{column} = {OTHERWISE[type_of[column]].format(column)}" for column in read)
    assert pipeline.owner.execute(f"update {table} set {changes}").rowcount == len(right) > 4
    rebuild_run(STG_DDS_AND_CDM)
    assert pipeline.rows(whole) == right


def test_what_waits_is_loaded_as_the_order_that_it_is_judged_to_be(pipeline: Pipeline) -> None:
    add_rules(pipeline)
    pipeline.refer(DOCUMENTS)
    pipeline.stage([*EARLY, *LATE])
    pipeline.load_dds(max_events=3, max_batches=1)  # the rest waits in the queue
    pipeline.owner.execute(
        """
        update stg.order_event_log set object_id = object_id + 100;
        update stg.load_queue
        set object_id = object_id + 100, h_order_pk = dds.hash_key((object_id + 100)::text)
        where source = 'order_event_log';
        """
    )
    assert pipeline.value("select count(*) from stg.load_queue where h_order_pk is not null") > 0
    rebuild_run(STG_DDS_AND_CDM)
    assert broken_laws(pipeline) == {}
    rebuilt = whole(pipeline)
    assert rebuilt == fresh(pipeline)


def test_what_a_rule_refuses_by_now_becomes_a_dead_letter(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    add_rules(pipeline)
    pipeline.refer(DOCUMENTS)
    pipeline.stage([*EARLY, *LATE])
    pipeline.load_dds(max_events=3, max_batches=1)  # the rest waits in the queue
    narrow(monkeypatch)
    rebuild_run(STG_DDS_AND_CDM)
    assert broken_laws(pipeline) == {}
    assert LONG_ID not in {guest for (guest,) in pipeline.rows("select user_id from dds.h_user")}
    assert pipeline.value("select count(*) from stg.dead_letters where reason = 'too_long' and solved_dt is null") == 3
    rebuilt = whole(pipeline)
    assert rebuilt == fresh(pipeline)

    monkeypatch.undo()
    rebuild_run(STG_DDS_AND_CDM)
    assert broken_laws(pipeline) == {}
    back = whole(pipeline)
    assert back == fresh(pipeline), "and comes back when the rule does"


def test_a_solved_letter_that_is_refused_again_is_unsolved(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    state = "select reason, attempts, solved_dt is not null from stg.dead_letters"
    with monkeypatch.context() as patch:
        narrow(patch)
        pipeline.stage([order(1, user=LONG_ID)])
    rebuild_run(STG_DDS_AND_CDM)
    assert pipeline.rows(state) == [("too_long", 2, True)]
    narrow(monkeypatch)
    rebuild_run(STG_DDS_AND_CDM)
    assert pipeline.rows(state) == [("too_long", 3, False)]
    assert pipeline.value("select count(*) from stg.order_event_log") == 0


def test_a_message_that_an_older_parser_refused_gets_in(pipeline: Pipeline) -> None:
    pipeline.stage([b"broken", *LATE])
    pipeline.owner.execute("update stg.dead_letters set raw = %s, value_hash = %s", [order(9), content_hash(order(9))])
    rebuild_run(STG_DDS_AND_CDM)
    assert pipeline.user_product_counters() == {("guest", "pizza"): ("", 3)}
    assert pipeline.value("select solved_dt is not null from stg.dead_letters")


def test_readers_and_loads_go_on_until_the_new_rows_are_whole(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of the log the drain stores a message, and readers see what they saw."""
    pipeline.stage(EARLY)
    pipeline.load()
    before = pipeline.rows("select * from stg.order_event_log order by value_hash")
    judge, chunks = judge_again.judge_records, []

    def in_the_middle(records: Any, zone: tzinfo) -> Any:
        judged = judge(records, zone)
        chunks.append(len(judged.identities))
        if len(chunks) == 2:
            assert pipeline.rows("select * from stg.order_event_log order by value_hash") == before
            pipeline.stage(LATE, zone=MOSCOW)
        return judged

    monkeypatch.setattr(judge_again, "judge_records", in_the_middle)
    in_moscow(monkeypatch)
    rebuild_run(STG_DDS_AND_CDM, chunk_rows=2)
    assert chunks == [2, 2, 2], "in chunks"
    pipeline.load()
    rebuilt = whole(pipeline)
    monkeypatch.undo()
    pipeline.clear()
    pipeline.stage([*EARLY, *LATE], zone=MOSCOW)
    pipeline.load()
    assert rebuilt == whole(pipeline)


def test_a_rebuild_waits_for_its_turn_and_fails_without_a_trace(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_moscow(monkeypatch)
    pipeline.stage(LATE)
    pipeline.load()
    before = pipeline.snapshot(())
    with psycopg.connect(pipeline.env["DWH_ETL_URL"]) as writer:
        writer.execute("select pg_advisory_xact_lock(hashtext('dwh.stg'))")
        with pytest.raises(psycopg.errors.QueryCanceled):
            rebuild_run(STG_DDS_AND_CDM, execution_timeout=timedelta(seconds=1))
    assert pipeline.snapshot(()) == before


# --- a way back from what no rule can see --------------------------------------------------------------------------------

FUTURE = "2099-01-01 00:00:00"
WRONG_ORDER = order(1, "CANCELLED", update_ts=FUTURE)
WRONG_MENU = restaurant(menu={"pizza=Pizza": "Petrol"}, update_ts=FUTURE)


def withdraw(pipeline: Pipeline, content: bytes) -> None:
    pipeline.owner.execute("select stg.withdraw(%s, 'stamped 2099, see ticket 7')", [content_hash(content)])


def test_a_document_stamped_2099_is_withdrawn_and_stays_out_however_often_it_comes(pipeline: Pipeline) -> None:
    add_rules(pipeline)
    pipeline.redis.set("diner", WRONG_MENU)
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [*LATE, WRONG_ORDER])
    pipeline.refer(DOCUMENTS)
    minute_run(topic)
    assert pipeline.user_category_counters() == {("guest", "Petrol"): 1}, "it wins for ever"

    for wrong in (WRONG_ORDER, WRONG_MENU):
        withdraw(pipeline, wrong)
    rebuild_run(STG_DDS_AND_CDM)
    assert pipeline.user_category_counters() == {("guest", "Pies"): 2}
    letters = (
        "select topic, reason, detail, solved_dt is null from stg.dead_letters where reason = 'withdrawn' order by 1"
    )
    detail = "withdrawn by 'dwh_owner: stamped 2099, see ticket 7'"
    assert pipeline.rows(letters) == [(topic, "withdrawn", detail, True), ("redis", "withdrawn", detail, True)]
    assert broken_laws(pipeline) == {}

    pipeline.produce(topic, [WRONG_ORDER])
    minute_run(topic)  # Redis still has the menu
    backfill(topic)
    rebuild_run(STG_DDS_AND_CDM)
    assert pipeline.user_category_counters() == {("guest", "Pies"): 2}
    assert len(pipeline.rows(letters)) == 2
    rebuilt = whole(pipeline)
    pipeline.clear()
    add_rules(pipeline)
    pipeline.refer(DOCUMENTS)
    pipeline.stage(LATE)
    pipeline.load()
    reference = whole(pipeline)
    reading = ("stg.drain_progress", "stg.drain_ends", "stg.dead_letters", "stg.withdrawn")
    assert {**rebuilt, **dict.fromkeys(reading)} == {**reference, **dict.fromkeys(reading)}


def test_what_was_withdrawn_can_be_taken_back(pipeline: Pipeline) -> None:
    pipeline.refer([("restaurant", "diner", WRONG_MENU)])
    pipeline.stage([*LATE, WRONG_ORDER])
    pipeline.load()
    before = whole(pipeline)
    for wrong in (WRONG_ORDER, WRONG_MENU):
        withdraw(pipeline, wrong)
    rebuild_run(STG_DDS_AND_CDM)
    assert pipeline.user_category_counters() == {}
    pipeline.owner.execute("delete from stg.withdrawn")
    rebuild_run(STG_DDS_AND_CDM)
    assert whole(pipeline) == before


def test_only_what_is_stored_can_be_withdrawn_and_only_with_a_reason(pipeline: Pipeline) -> None:
    pipeline.stage(LATE)
    with pytest.raises(psycopg.errors.RaiseException, match="holds the content"):
        withdraw(pipeline, WRONG_ORDER)
    for reason in ("", None):
        with pytest.raises(psycopg.errors.IntegrityError):
            pipeline.owner.execute("select stg.withdraw(%s, %s)", [content_hash(LATE[0]), reason])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        pipeline.etl.execute("select stg.withdraw(%s, 'a reason')", [content_hash(LATE[0])])

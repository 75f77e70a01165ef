"""A chunk in STG: one transaction, a refusal by PostgreSQL found by halving, a failing server never a dead letter."""

import logging
import random
from datetime import UTC
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.pipeline import LOG, SQL, Pipeline
from tests.messages import order, restaurant, user
from warehouse import fields, staging
from warehouse.layers import ORDERS
from warehouse.order_event import OrderEvent
from warehouse.session import Session
from warehouse.sql_files import SqlFile
from warehouse.staging import (
    KEPT_OF_LARGER,
    MAX_KEPT_BYTES,
    Document,
    Record,
    RecordStore,
    UnreadDocument,
    array_literal,
    content_hash,
    refusal_hash,
)

INCOMPRESSIBLE = "".join(random.Random(1).choices("абвгдежзиклмнопрстуфхцчшщэюя0123456789", k=5_000))


def record(value: bytes | None, key: bytes | None = None) -> Record:
    return Record(value, key, "test", 0, 0)


def stored(pipeline: Pipeline) -> list[int]:
    return [object_id for (object_id,) in pipeline.rows("select object_id from stg.order_event_log order by 1")]


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take out the checks of what PostgreSQL can't hold, so that it is left to refuse."""
    for module in ("order_event", "reference"):
        monkeypatch.setattr(f"warehouse.{module}.check_storable", lambda *args: None)
    monkeypatch.setattr(fields, "MAX_KEY_CHARACTERS", 10_000)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("bad", ["a\x00b", "\ud800", INCOMPRESSIBLE], ids=["U+0000", "a surrogate", "beyond an index"])
def test_what_postgresql_refuses_is_found_among_its_neighbours(pipeline: Pipeline, bad: str) -> None:
    values = [order(n, user=bad if n in (13, 14, 40) else "guest") for n in range(50)]
    counts = pipeline.stage(values)
    assert stored(pipeline) == sorted(set(range(50)) - {13, 14, 40})
    assert pipeline.dead_letters() == [("refused_by_database", values[n]) for n in (13, 14, 40)]
    assert (counts["messages"], counts["refused"], counts["refused:refused_by_database"]) == (50, 3, 3)
    assert counts["stg.order_event_log"] == 47
    assert pipeline.value("select bool_and(detail <> '') from stg.dead_letters")


@pytest.mark.usefixtures("unchecked")
def test_a_document_that_postgresql_refuses_costs_no_other(pipeline: Pipeline) -> None:
    documents = [("user", f"u{n}", user(f"u{n}", name="\x00" if n == 3 else "Guest")) for n in range(8)]
    counts = pipeline.refer([*documents, ("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    assert (counts["documents"], counts["refused"]) == (9, 1)
    assert pipeline.dead_letters() == [("refused_by_database", documents[3][2])]
    assert pipeline.value("select count(*) from stg.reference_log") == 8


# Values that no check lets through, in place of a good one of this column of incoming_orders, and what PostgreSQL says of them.
WRONG_VALUES: list[tuple[str, str, Any]] = [
    ("before it was sent", "user_id", "a\x00b"),
    ("before it was sent", "user_id", "\ud800"),
    ("22003", "object_id", 2**63),
    ("22003", "cost", "1e999999"),
    ("22007", "update_ts", "soon"),
    ("22008", "update_ts", "2026-02-30"),
    ("22008", "update_ts", "300000-01-01 00:00:00"),
    ("22009", "update_ts", "2026-01-01 00:00:00+99:00"),
    ("22P02", "cost", "dear"),
    ("22P02", "item_ids", '{"'),
    ("22P02", "value", '{"payload": NaN}'),
    ("22P02", "value", '{"payload": "\\ud800"}'),
    ("22P05", "value", '{"payload": "\\u0000"}'),
    ("54000", "user_id", INCOMPRESSIBLE),
    ("54001", "value", '{"payload": ' + "[" * 100_000 + "]" * 100_000 + "}"),
]


@pytest.mark.parametrize(("sqlstate", "column", "value"), WRONG_VALUES, ids=lambda part: str(part)[:30])
def test_a_value_that_no_table_can_hold_is_a_dead_letter(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, sqlstate: str, column: str, value: Any
) -> None:
    row_of = staging._order_row
    place = staging.ORDER_COLUMNS.index(column)

    def row_with_it(record: Record, identity: str, event: OrderEvent) -> tuple[Any, ...]:
        row = row_of(record, identity, event)
        return (*row[:place], value, *row[place + 1 :]) if event.object_id == 2 else row

    monkeypatch.setattr(staging, "_order_row", row_with_it)
    pipeline.stage([order(1), order(2), order(3)])
    assert stored(pipeline) == [1, 3]
    assert pipeline.dead_letters() == [("refused_by_database", order(2))]
    assert pipeline.value("select detail from stg.dead_letters").startswith(f"{sqlstate}: ")


def test_every_fault_of_a_value_has_been_seen() -> None:
    assert {sqlstate for sqlstate, _, _ in WRONG_VALUES} - {"before it was sent"} == staging.VALUE_FAULTS


@pytest.mark.parametrize(
    "wrong_copy",
    ["copy incoming_orders (value_hash) from stdin", "copy incoming_orders from stdin (format binary)"],
)
def test_a_wrong_copy_of_ours_makes_no_dead_letter(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, wrong_copy: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(RecordStore, "copy_accepted", wrong_copy)
        with pytest.raises(psycopg.DataError):
            pipeline.stage([order(1), order(2)])
    assert pipeline.dead_letters() == []
    pipeline.stage([order(1), order(2)])
    assert stored(pipeline) == [1, 2]


def test_of_a_value_of_more_than_8_mebibytes_the_beginning_is_kept(pipeline: Pipeline) -> None:
    longest_kept, larger = (b"{" + b" " * (size - 1) for size in (MAX_KEPT_BYTES, MAX_KEPT_BYTES + 1))
    pipeline.stage([longest_kept, order(1), larger, larger + b" ", larger])
    assert pipeline.dead_letters() == [
        ("oversized", longest_kept),
        ("oversized", larger[:KEPT_OF_LARGER]),
        ("oversized", larger[:KEPT_OF_LARGER]),
    ], "they are told apart by the whole of their content"
    before = pipeline.snapshot()
    pipeline.stage([larger])
    assert pipeline.snapshot() == before
    assert stored(pipeline) == [1]


def test_a_server_that_is_busy_makes_no_dead_letter(pipeline: Pipeline) -> None:
    with psycopg.connect(pipeline.env["DWH_ETL_URL"]) as other:
        other.execute("select pg_advisory_xact_lock(hashtext('dwh.stg'))")
        hasty = RecordStore(Session(pipeline.etl, SQL, statement_timeout_s=0.1, log=LOG), ORDERS, UTC)
        with pytest.raises(psycopg.errors.QueryCanceled):
            hasty.store([record(order()), record(b"{")])
    assert stored(pipeline) == []
    assert pipeline.dead_letters() == []
    pipeline.stage([order(), b"{"])
    assert (len(stored(pipeline)), len(pipeline.dead_letters())) == (1, 1)


def test_a_missing_right_makes_no_dead_letter(pipeline: Pipeline) -> None:
    pipeline.owner.execute("revoke insert on stg.order_event_log from dwh_etl")
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            pipeline.stage([order(), b"{"])
    finally:
        pipeline.owner.execute("grant insert on stg.order_event_log to dwh_etl")
    assert pipeline.dead_letters() == []
    assert stored(pipeline) == []


def test_a_chunk_is_stored_whole_or_not_at_all(pipeline: Pipeline) -> None:
    broken = SqlFile("stg/broken.sql", "insert into nowhere select 1")
    session = Session(pipeline.etl, [*SQL, broken], log=LOG)
    before = pipeline.snapshot()
    with pytest.raises(psycopg.errors.UndefinedTable):
        RecordStore(session, ORDERS._replace(finish=(broken.name,)), UTC).store([record(order()), record(b"{")])
    assert pipeline.snapshot() == before


def test_the_same_message_twice_in_a_chunk_is_one_row(pipeline: Pipeline) -> None:
    counts = pipeline.stage([order(1), b"{", order(1), b"{", order(2)])
    assert stored(pipeline) == [1, 2]
    assert pipeline.dead_letters() == [("broken_json", b"{")]
    assert counts["refused:broken_json"] == 2, "messages are counted, not rows"


def test_dead_letters_are_numbered_as_they_lay(pipeline: Pipeline) -> None:
    values = [b"{%d" % n for n in range(20)]
    pipeline.stage(values)
    assert [raw for _, raw in pipeline.dead_letters()] == values


def test_the_log_has_a_line_for_each_reason_with_an_example(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        pipeline.stage([b"{", order(1), b"}", order(2, cost="dear")])
    first, second = [entry.getMessage() for entry in caplog.records if entry.levelno == logging.WARNING]
    assert first.startswith("2 refused as broken_json, such as (test, partition 0, offset 0): Expecting property name")
    where = "(test, partition 0, offset 3)"
    assert second == f"1 refused as bad_number, such as {where}: payload.cost is not a number: a text of 4 characters"


def test_times_without_a_zone_are_of_the_zone_that_is_set(pipeline: Pipeline) -> None:
    values = [order(1, update_ts="2026-01-01 03:00:00"), order(2, update_ts="2026-01-01 03:00:00Z")]
    pipeline.stage(values, zone=ZoneInfo("Europe/Moscow"))
    found = pipeline.rows("select (update_ts at time zone 'UTC')::text from stg.order_event_log order by object_id")
    assert found == [("2026-01-01 00:00:00",), ("2026-01-01 03:00:00",)]


def test_an_identity_is_that_which_postgresql_computes(pipeline: Pipeline) -> None:
    computed = pipeline.value("select encode(substr(sha256('{}'::bytea), 1, 16), 'hex')::uuid")
    assert UUID(content_hash(b"{}")) == computed


def test_different_refused_things_have_different_identities() -> None:
    value = b"{}"
    things: list[Record | Document | UnreadDocument] = [
        record(None),
        record(None, b"1"),
        record(None, b"2"),
        record(b""),
        record(b"1"),
        record(b"tombstone\n"),
        record(b"tombstone\n1"),
        Document("user", "1", value),
        Document("restaurant", "1", value),
        Document("user", "2", value),
        UnreadDocument("user", "1", "list", 0),
        UnreadDocument("restaurant", "1", "list", 0),
        UnreadDocument("user", "2", "list", 0),
        record(value),
        record(b"user\n1\n{}"),
    ]
    assert len({refusal_hash(thing) for thing in things}) == len(things)
    unread = UnreadDocument("user", "1", "list", 0)
    assert refusal_hash(unread) == refusal_hash(unread._replace(kind="string", size=9)), (
        "one letter while it can't be read"
    )
    assert refusal_hash(record(value, b"1")) == refusal_hash(record(value, b"2")), "a value is known by itself"


def test_any_texts_pass_an_array_literal_unchanged(pipeline: Pipeline) -> None:
    arrays: list[list[str | None]] = [["NULL", None, "", " ", "{}", "a,b", '"', "\\", "\\\\", "\\N", "\n", "null"], []]

    @settings(max_examples=200, deadline=None, database=None)
    @given(
        st.lists(st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6), max_size=4)
    )
    def collect(texts: list[Any]) -> None:
        arrays.append(texts)

    collect()
    with pipeline.etl.transaction(), pipeline.etl.cursor() as cursor:
        cursor.execute("create temporary table read (position integer, texts text[]) on commit drop")
        with cursor.copy("copy read from stdin") as copy:
            for position, texts in enumerate(arrays):
                copy.write_row((position, array_literal(texts)))
        read = cursor.execute("select texts from read order by position").fetchall()
    assert [texts for (texts,) in read] == arrays

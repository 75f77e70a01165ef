"""Puts messages of Kafka and documents of Redis into STG: judged one by one, stored by COPY and a few statements a chunk."""

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

import psycopg

from warehouse.order_event import OrderEvent, parse_order_event
from warehouse.reference import ReferenceVersion, parse_reference
from warehouse.rejection import Reason, RejectedError
from warehouse.sql_files import SqlFile, run_sql

REDIS_TOPIC = "redis"

COPY_ORDERS = "copy incoming_orders from stdin"
COPY_REFERENCES = "copy incoming_references from stdin"
COPY_DEAD_LETTERS = "copy incoming_dead_letters from stdin"


class Record(NamedTuple):
    """A record of Kafka, or of `stg.dead_letters` on its second way through the door."""

    value: bytes | None
    key: bytes | None
    topic: str
    partition: int | None
    offset: int | None


class Document(NamedTuple):
    """A value of Redis, found under the id `object_id` when a `user` or `restaurant` was sought."""

    object_type: str
    object_id: str
    value: bytes


@dataclass(slots=True)
class Judged:
    """What a chunk consists of: rows for the COPY of accepted and refused ones, and the number of those not ours."""

    accepted: list[tuple[Any, ...]] = field(default_factory=list)
    refused: list[tuple[Any, ...]] = field(default_factory=list)
    skipped: int = 0


class StagingFiles(NamedTuple):
    """The SQL of one kind of chunk: `prepare` opens the transaction and makes the temporary tables, `load` empties them."""

    prepare: Sequence[SqlFile]
    load: Sequence[SqlFile]


def content_hash(content: bytes) -> str:
    """Return the identity of a content, the first 16 bytes of its SHA-256, as the text of a uuid."""
    return hashlib.sha256(content).hexdigest()[:32]


def refusal_hash(document: Document) -> str:
    """Return the identity of a refused document: one content may be right under one id and wrong under another."""
    return content_hash(f"{document.object_type}\n{document.object_id}\n".encode() + document.value)


def judge_records(records: Iterable[Record], zone: tzinfo) -> Judged:
    """Judge messages one by one: a bad one costs none of its neighbours."""
    judged = Judged()
    for record in records:
        try:
            event = parse_order_event(record.value, zone)
        except RejectedError as error:
            judged.refused.append(_refused_record(record, error))
            continue
        if event is None:
            judged.skipped += 1
        else:
            judged.accepted.append(_order_row(record, event))
    return judged


def judge_documents(documents: Iterable[Document], zone: tzinfo) -> Judged:
    """Judge reference documents one by one: a bad one costs none of its neighbours."""
    judged = Judged()
    for document in documents:
        try:
            version = parse_reference(document.object_type, document.object_id, document.value, zone)
        except RejectedError as error:
            key = document.object_id.encode()
            judged.refused.append(
                (refusal_hash(document), document.value, REDIS_TOPIC, None, None, key, error.reason, error.detail)
            )
        else:
            judged.accepted.append(_reference_row(document, version))
    return judged


def stage_records(
    connection: psycopg.Connection[Any],
    records: Sequence[Record],
    files: StagingFiles,
    *,
    zone: tzinfo,
    params: dict[str, Any],
    log: logging.Logger,
) -> dict[str, int]:
    """Store a chunk of messages in one transaction; return counts (messages, skipped, refused, rows written by table).

    When this returns, the transaction has committed and the offsets of the messages may be. A message that PostgreSQL refuses
    although it has passed the checks is found by halving the chunk and becomes a dead letter; a server that is down, full or
    forbids something raises, and nothing of the chunk is stored.
    """
    judged = judge_records(records, zone)
    try:
        counts = _store(connection, judged, COPY_ORDERS, files, params, log)
    except psycopg.DataError as error:
        return _stage_halves(connection, records, files, zone=zone, params=params, log=log, error=error)
    return {"messages": len(records), "skipped": judged.skipped, "refused": len(judged.refused), **counts}


def stage_documents(
    connection: psycopg.Connection[Any],
    documents: Sequence[Document],
    files: StagingFiles,
    *,
    zone: tzinfo,
    params: dict[str, Any],
    log: logging.Logger,
) -> dict[str, int]:
    """Store reference documents in one transaction; return counts (documents, refused, rows written by table)."""
    judged = judge_documents(documents, zone)
    counts = _store(connection, judged, COPY_REFERENCES, files, params, log)
    return {"documents": len(documents), "refused": len(judged.refused), **counts}


def _stage_halves(
    connection: psycopg.Connection[Any],
    records: Sequence[Record],
    files: StagingFiles,
    *,
    zone: tzinfo,
    params: dict[str, Any],
    log: logging.Logger,
    error: psycopg.DataError,
) -> dict[str, int]:
    if len(records) == 1:
        refusal = RejectedError(Reason.REFUSED_BY_DATABASE, ascii(str(error)))
        judged = Judged(refused=[_refused_record(records[0], refusal)])
        counts = _store(connection, judged, COPY_ORDERS, files, params, log)
        return {"messages": 1, "skipped": 0, "refused": 1, **counts}
    middle = len(records) // 2
    halves = [
        stage_records(connection, half, files, zone=zone, params=params, log=log)
        for half in (records[:middle], records[middle:])
    ]
    return {name: sum(half.get(name, 0) for half in halves) for name in {**halves[0], **halves[1]}}


def _store(
    connection: psycopg.Connection[Any],
    judged: Judged,
    copy_accepted: str,
    files: StagingFiles,
    params: dict[str, Any],
    log: logging.Logger,
) -> dict[str, int]:
    values = {**params, "load_dt": datetime.now(UTC)}
    with connection.transaction():
        run_sql(connection, files.prepare, values, log)
        _copy(connection, copy_accepted, judged.accepted)
        _copy(connection, COPY_DEAD_LETTERS, judged.refused)
        return run_sql(connection, files.load, values, log)


def _copy(connection: psycopg.Connection[Any], statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _order_row(record: Record, event: OrderEvent) -> tuple[Any, ...]:
    """Return the columns of `incoming_orders`."""
    assert record.value is not None  # noqa: S101  # an event was read from it
    return (
        content_hash(record.value),
        event.object_id,
        event.update_ts,
        event.sent_dttm,
        event.order_dt,
        event.user_id,
        event.restaurant_id,
        event.final_status,
        event.cost,
        event.payment,
        array_literal(event.item_ids),
        array_literal(event.item_names),
        record.value.decode(),
        record.topic,
        record.partition,
        record.offset,
    )


def _reference_row(document: Document, version: ReferenceVersion) -> tuple[Any, ...]:
    """Return the columns of `incoming_references`."""
    return (
        content_hash(document.value),
        version.object_type,
        version.object_id,
        version.update_ts,
        version.name,
        version.login,
        array_literal(version.menu_ids),
        array_literal(version.menu_names),
        array_literal(version.menu_categories),
        document.value.decode(),
    )


def _refused_record(record: Record, error: RejectedError) -> tuple[Any, ...]:
    """Return the columns of `incoming_dead_letters`. Tombstones have no content: their key tells them apart."""
    identity = record.value if record.value is not None else b"tombstone\n" + (record.key or b"")
    return (
        content_hash(identity),
        record.value,
        record.topic,
        record.partition,
        record.offset,
        record.key,
        error.reason,
        error.detail,
    )


def array_literal(texts: Iterable[str | None]) -> str:
    """Return PostgreSQL's text form of a text[]; much faster than psycopg's own for the many small arrays of a chunk."""
    return (
        "{"
        + ",".join(
            "NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"' for text in texts
        )
        + "}"
    )

"""Judges what STG has accepted again, by the rules of today: what these read otherwise is put right."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from functools import partial
from typing import Any, NamedTuple

import psycopg

from warehouse.layers import JUDGEMENT, Log
from warehouse.rejection import Reason, RejectedError, shown
from warehouse.session import Session
from warehouse.sources import Zones
from warehouse.staging import (
    COPY_DEAD_LETTERS,
    COPY_ORDERS,
    COPY_REFERENCES,
    Document,
    Item,
    Judged,
    Record,
    judge_documents,
    judge_records,
    refusal_hash,
    refused_by_reason,
)

# So many come from the server at once. A message has up to 1 MiB.
ROWS_A_FETCH = 50


class _Source(NamedTuple):
    """One of the two logs: what its chunks are judged by, and where the accepted of a chunk go."""

    name: str
    log: Log
    judge: Callable[[Sequence[tuple[Any, ...]], tzinfo], Judged]
    zone: tzinfo
    copy_accepted: str


class DistributedError(Exception):
    """The logs lie on several machines, where they can't be compared with what is read of them today."""


def judge_again(session: Session, zones: Zones, *, chunk_rows: int, chunk_bytes: int) -> dict[str, int]:
    """Make STG what it would be if all that its logs hold had come today; return counts, all in one transaction.

    The logs are read, judged and compared in chunks of at most `chunk_rows` and about `chunk_bytes`, without a turn: loads go on,
    and what they store meanwhile is judged by the rules of today anyway. What differs is kept aside and put right at the end, in
    one turn; readers see the old rows until the commit. A failure leaves everything as it was.

    Counts: messages and documents judged, the refused, also by reason, and rows written by table: `stg.judged_orders` and
    `stg.judged_references` are those of which the rules of today say something else. Raises DistributedError.
    """
    if session.is_distributed:
        raise DistributedError(
            "the logs of a distributed warehouse can't be judged again: gather it first (python -m deploy.distribute --back), "
            "rebuild, and distribute it again (docs/scale.md)"
        )
    sources = (
        _Source("messages", JUDGEMENT.messages, _judge_messages, zones.orders, COPY_ORDERS),
        _Source("documents", JUDGEMENT.documents, _judge_documents, zones.reference, COPY_REFERENCES),
    )
    log = session.log
    totals: Counter[str] = Counter(messages=0, documents=0, refused=0)
    with session.transaction():
        session.run(JUDGEMENT.prepare, {"load_dt": datetime.now(UTC)})
        for source in sources:
            with session.connection.cursor(name=source.name) as cursor:
                cursor.itersize = ROWS_A_FETCH
                cursor.execute(session.files[source.log.ask].text)  # of a file of ours
                for rows in _chunks(cursor, chunk_rows, chunk_bytes):
                    judged = source.judge(rows, source.zone)
                    session.copy(source.copy_accepted, judged.accepted)
                    session.copy(COPY_DEAD_LETTERS, judged.refused)
                    accepted = {row[0] for row in judged.accepted}
                    gone = [value_hash for value_hash, *_ in rows if value_hash.hex not in accepted]
                    totals.update(session.run([source.log.keep], {"gone_hashes": gone}))
                    totals.update({source.name: len(rows), "gone": len(gone)}, **refused_by_reason(judged, log))
                    log.info("%d %s judged again so far", totals[source.name], source.name)
        totals.update(session.run(JUDGEMENT.turn, {"load_dt": datetime.now(UTC)}))
    return dict(totals)


def _chunks(
    rows: psycopg.ServerCursor[tuple[Any, ...]], max_rows: int, max_bytes: int
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of a log (its value stands second) in chunks of bounded size."""
    chunk: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += len(row[1])
        if len(chunk) >= max_rows or size >= max_bytes:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _judge_messages(rows: Sequence[tuple[Any, ...]], zone: tzinfo) -> Judged:
    # By what they are stored as: of an erased guest's message the log holds another content than came.
    records = [
        Record(value.encode(), None, topic, partition, offset, None, value_hash.hex)
        for value_hash, value, topic, partition, offset, _ in rows
    ]
    return _without_withdrawn(rows, records, partial(judge_records, zone=zone))


def _judge_documents(rows: Sequence[tuple[Any, ...]], zone: tzinfo) -> Judged:
    documents = [Document(object_type, object_id, value.encode()) for _, value, object_type, object_id, _ in rows]
    return _without_withdrawn(rows, documents, partial(judge_documents, zone=zone))


def _without_withdrawn(
    rows: Sequence[tuple[Any, ...]], items: Sequence[Item], judge: Callable[[list[Item]], Judged]
) -> Judged:
    """Judge the items of `rows`, whose last column says of what is withdrawn by whom and why: that is refused."""
    judged = judge([item for row, item in zip(rows, items, strict=True) if row[-1] is None])
    for row, item in zip(rows, items, strict=True):
        if row[-1] is not None:
            refusal = RejectedError(Reason.WITHDRAWN, f"withdrawn by {shown(row[-1], 300)}", told="withdrawn")
            judged.refuse(item, refusal_hash(item), refusal)
    return judged

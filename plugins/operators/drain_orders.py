"""`DrainOrdersOperator`: Kafka to STG."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from airflow.sdk import BaseOperator, Context

from operators.connections import OrdersConsumerHook, open_postgres
from warehouse.constants import (
    KAFKA_CONN_ID,
    ORDERS_TOPIC,
    POSTGRES_CONN_ID,
    STG_ORDERS,
    STG_ORDERS_INCOMING,
    TRANSACTION,
)
from warehouse.drain import Chunk, Range, TopicDrain
from warehouse.sql_files import named_sql
from warehouse.staging import StagingFiles, judge_records, store_records

TURN_S = 0.0003


@contextmanager
def quick_turns() -> Iterator[None]:
    """Let threads take turns in the interpreter every 0.3 ms instead of 5.

    The one that stores needs it for a moment after each of its dozen statements a chunk, the one that judges never gives it up
    by itself. So PostgreSQL waits less for its next statement; a history's drain takes a tenth less time.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


class DrainOrdersOperator(BaseOperator):
    """Store in STG what the topic holds beyond the group's offsets, up to the high watermarks seen at the start.

    For each chunk, in this order: its messages are read and judged, PostgreSQL commits them, Kafka commits their offsets. A
    crash between the two makes the next run read the chunk again, which adds nothing: a message is known by its content.
    Returns counts: messages, skipped (of another object_type), refused (dead letters), and the rows written, by table.

    Raises `DrainError` where Kafka reports an error, delivers nothing for `stall_s` or does not know the topic, and
    `UnreachableError` where PostgreSQL refuses us. `chunk_messages` and `chunk_bytes` bound the memory, `max_messages` the
    run: what is left waits for the next. `zone` is that of times written without one.
    """

    template_fields: Sequence[str] = ("prepare", "load", "chunk_messages")
    template_ext: Sequence[str] = (".sql",)

    def __init__(
        self,
        *,
        topic: str = ORDERS_TOPIC,
        kafka_conn_id: str = KAFKA_CONN_ID,
        postgres_conn_id: str = POSTGRES_CONN_ID,
        chunk_messages: int | str = 10_000,
        chunk_bytes: int = 32 * 1024 * 1024,
        max_messages: int | None = None,
        timeout_s: float = 30.0,
        stall_s: float = 60.0,
        statement_timeout_s: float = 300.0,
        zone: str = "UTC",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.topic = topic
        self.kafka_conn_id = kafka_conn_id
        self.postgres_conn_id = postgres_conn_id
        self.chunk_messages = chunk_messages
        self.chunk_bytes = chunk_bytes
        self.max_messages = max_messages
        self.timeout_s = timeout_s
        self.stall_s = stall_s
        self.statement_timeout_s = statement_timeout_s
        self.zone = zone
        self.prepare = [TRANSACTION, *STG_ORDERS_INCOMING]
        self.load = list(STG_ORDERS)

    def execute(self, context: Context) -> dict[str, int]:
        """Drain the topic for the connection's consumer group."""
        hook = OrdersConsumerHook(self.topic, self.kafka_conn_id)
        with hook.open_consumer() as consumer:
            drain = self.topic_drain(hook, consumer)
            return self.drain(drain, drain.ranges())

    def topic_drain(self, hook: OrdersConsumerHook, consumer: Any) -> TopicDrain:
        """Return the drain of the topic by this consumer."""
        return TopicDrain(
            consumer,
            topic=self.topic,
            topic_id=hook.topic_id(self.timeout_s),
            brokers=hook.brokers,
            timeout_s=self.timeout_s,
            stall_s=self.stall_s,
            log=self.log,
        )

    def drain(self, drain: TopicDrain, ranges: Sequence[Range]) -> dict[str, int]:
        """Store and commit the ranges, chunk by chunk, and log the progress.

        A second thread stores a chunk while this one reads and judges the next: two chunks are in memory.
        """
        waiting = sum(span.end - span.start for span in ranges)
        self.log.info("%d messages of %s in %d partitions are to be read", waiting, self.topic, len(ranges))
        files = StagingFiles(
            named_sql([TRANSACTION, *STG_ORDERS_INCOMING], self.prepare), named_sql(STG_ORDERS, self.load)
        )
        zone = ZoneInfo(self.zone)
        store = partial(
            store_records,
            files=files,
            zone=zone,
            params={"statement_timeout_ms": int(self.statement_timeout_s * 1000)},
            log=self.log,
        )
        totals: Counter[str] = Counter(messages=0, skipped=0, refused=0)
        started = time.monotonic()

        def finish(chunk: Chunk, stored: Future[dict[str, int]] | None) -> None:
            """Wait until a chunk is stored; only then commit its offsets."""
            if stored is not None:
                totals.update(stored.result())
            drain.commit(chunk.next_offsets)
            self._log_progress(totals["messages"], waiting, time.monotonic() - started)

        with (
            open_postgres(self.postgres_conn_id) as connection,
            ThreadPoolExecutor(1, "store") as storing,
            quick_turns(),
        ):
            behind: tuple[Chunk, Future[dict[str, int]] | None] | None = None
            read = 0
            try:
                for chunk in drain.chunks(ranges, max_messages=int(self.chunk_messages), max_bytes=self.chunk_bytes):
                    judged = judge_records(chunk.records, zone)
                    if behind is not None:
                        finish(*behind)
                    stored = storing.submit(store, connection, chunk.records, judged) if chunk.records else None
                    behind = chunk, stored
                    read += len(chunk.records)
                    if self.max_messages is not None and read >= self.max_messages:
                        self.log.info("the limit of a run is reached; the rest waits for the next")
                        break
                if behind is not None:
                    finish(*behind)
            except BaseException:
                # What is being stored is not waited for: it is rolled back, and read again by the next run.
                with suppress(psycopg.Error):
                    connection.cancel_safe()
                raise
        self.log.info(
            "%(messages)d messages read: %(skipped)d of another type skipped, %(refused)d refused into stg.dead_letters",
            totals,
        )
        return dict(totals)

    def _log_progress(self, done: int, waiting: int, seconds: float) -> None:
        percent = 100 * done // waiting if waiting else 100
        self.log.info(
            "%d of %d messages stored (%d %%), %.0f a second", done, waiting, percent, done / max(seconds, 1e-3)
        )

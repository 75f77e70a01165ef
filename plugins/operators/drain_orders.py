"""`DrainOrdersOperator`: Kafka to STG."""

import gc
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import tzinfo
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
from warehouse.staging import Judged, Record, StagingFiles, TurnLostError, judge_records, store_records

TURN_S = 0.0003
NEW_OBJECTS = 20_000
# As many as there is other work for: while one of them runs its statements, in its turn, the other copies the next chunk.
CONNECTIONS = 2


@contextmanager
def tuned_interpreter() -> Iterator[None]:
    """Let threads take turns every 0.3 ms instead of 5, and the garbage collector look after 20,000 new objects instead of 700.

    The threads that store need the interpreter for a moment after each of their dozen statements a chunk; the one that judges
    never gives it up by itself. The rows of a chunk hold no cycles, and each look walks over them. Either saves a twentieth of
    a history's drain, or more.
    """
    turn, generations = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(TURN_S)
    gc.set_threshold(NEW_OBJECTS, *generations[1:])
    try:
        yield
    finally:
        sys.setswitchinterval(turn)
        gc.set_threshold(*generations)


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

        Other threads store chunks, each by a connection of its own, while this one reads and judges the next. Chunks are
        stored, and their offsets committed, one after another in the order of their arrival.
        """
        waiting = sum(span.end - span.start for span in ranges)
        self.log.info("%d messages of %s in %d partitions are to be read", waiting, self.topic, len(ranges))
        totals: Counter[str] = Counter(messages=0, skipped=0, refused=0)
        behind: deque[tuple[Chunk, Future[dict[str, int]] | None]] = deque()
        started = time.monotonic()

        def finish_oldest() -> None:
            """Wait until the oldest chunk is stored; only then commit its offsets."""
            chunk, stored = behind.popleft()
            if stored is not None:
                totals.update(stored.result())
            drain.commit(chunk.next_offsets)
            self._log_progress(totals["messages"], waiting, time.monotonic() - started)

        zone = ZoneInfo(self.zone)
        read = 0
        with tuned_interpreter(), self._storing(zone) as begin_to_store:
            for chunk in drain.chunks(ranges, max_messages=int(self.chunk_messages), max_bytes=self.chunk_bytes):
                judged = judge_records(chunk.records, zone)
                if len(behind) == CONNECTIONS:
                    finish_oldest()
                behind.append((chunk, begin_to_store(chunk.records, judged) if chunk.records else None))
                read += len(chunk.records)
                if self.max_messages is not None and read >= self.max_messages:
                    self.log.info("the limit of a run is reached; the rest waits for the next")
                    break
            while behind:
                finish_oldest()
        self.log.info(
            "%(messages)d messages read: %(skipped)d of another type skipped, %(refused)d refused into stg.dead_letters",
            totals,
        )
        return dict(totals)

    @contextmanager
    def _storing(self, zone: tzinfo) -> Iterator[Callable[[list[Record], Judged], Future[dict[str, int]]]]:
        """Yield a function that begins to store a judged chunk and returns its counts to come; at most `CONNECTIONS` at a time.

        The second connection is opened for the second chunk: a minute's run needs one. Where the block fails, what is being
        stored is not waited for: it is rolled back, and read again by the next run.
        """
        files = StagingFiles(
            named_sql([TRANSACTION, *STG_ORDERS_INCOMING], self.prepare), named_sql(STG_ORDERS, self.load)
        )
        params = {"statement_timeout_ms": int(self.statement_timeout_s * 1000)}
        with ExitStack() as opened:
            connections = [opened.enter_context(open_postgres(self.postgres_conn_id))]
            idle = deque(connections)
            last: Future[dict[str, int]] | None = None

            def store(
                connection: psycopg.Connection[Any],
                records: list[Record],
                judged: Judged,
                before: Future[dict[str, int]] | None,
            ) -> dict[str, int]:
                def take_turn() -> None:
                    if before is not None and before.exception() is not None:
                        raise TurnLostError("the chunk before this one was not stored")

                try:
                    return store_records(
                        connection, records, judged, files, zone=zone, params=params, log=self.log, take_turn=take_turn
                    )
                finally:
                    idle.append(connection)

            def begin_to_store(records: list[Record], judged: Judged) -> Future[dict[str, int]]:
                nonlocal last
                if not idle:
                    connections.append(opened.enter_context(open_postgres(self.postgres_conn_id)))
                    idle.append(connections[-1])
                last = threads.submit(store, idle.popleft(), records, judged, last)
                return last

            with ThreadPoolExecutor(CONNECTIONS, "store") as threads:
                try:
                    yield begin_to_store
                except BaseException:
                    for connection in connections:
                        with suppress(psycopg.Error):
                            connection.cancel_safe()
                    raise

    def _log_progress(self, done: int, waiting: int, seconds: float) -> None:
        percent = 100 * done // waiting if waiting else 100
        self.log.info(
            "%d of %d messages stored (%d %%), %.0f a second", done, waiting, percent, done / max(seconds, 1e-3)
        )

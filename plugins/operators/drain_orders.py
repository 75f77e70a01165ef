"""`DrainOrdersOperator`: Kafka to STG."""

import gc
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from airflow.sdk import Context

from operators.base import PipelineOperator
from operators.connections import OrdersConsumerHook, hang_up, open_postgres
from warehouse.constants import (
    KAFKA_CONN_ID,
    ORDERS_READER,
    ORDERS_TOPIC,
    POSTGRES_CONN_ID,
    SOURCE_ZONE,
    STG_ORDERS,
    STG_ORDERS_INCOMING,
    STG_PROGRESS,
    TRANSACTION,
)
from warehouse.drain import Chunk, DrainError, Plan, Position, TopicDrain
from warehouse.memory import MIB, bound_memory, bounded_memory
from warehouse.sql_files import SqlFile, named_sql, run_sql
from warehouse.staging import Judged, StagingFiles, TurnLostError, judge_records, store_records

TURN_S = 0.0003
NEW_OBJECTS = 20_000
# As many as there is other work for: while one of them runs its statements, in its turn, the other copies the next chunk.
CONNECTIONS = 2
# What a task holds at most: a record batch that would make it more ends the try, and the next reads with care.
TASK_BYTES = 384 * MIB
CAREFUL_CHUNK_BYTES = 8 * MIB


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


def progress_params(positions: Mapping[int, Position], *, restart: bool = False) -> dict[str, Any]:
    """Return the parameters of `stg/drain_progress.sql` that tell these positions; `restart` lets them go back."""
    partitions = sorted(positions)
    rows = [positions[partition] for partition in partitions]
    return {
        "partitions": partitions,
        "next_offsets": [row.next_offset for row in rows],
        "last_offsets": [row.last_offset for row in rows],
        "last_hashes": [row.last_hash for row in rows],
        "end_offsets": [row.end_offset for row in rows],
        "restart": restart,
    }


class DrainOrdersOperator(PipelineOperator):
    """Store in STG what the topic holds beyond `stg.drain_progress`, up to the high watermarks seen at the start.

    For each chunk, in this order: its messages are read and judged, PostgreSQL commits them and the progress over them in one
    transaction, the consumer group shows it. What a crash leaves unstored is read by the next run; a message that is read twice
    adds nothing: it is known by its content.
    Returns counts: messages, skipped (of another object_type), refused (dead letters), lost (removed by Kafka before they were
    read: `stg.lost_messages`), behind_transaction (offsets that wait for a producer), and the rows written, by table.

    Raises `DrainError` where Kafka reports an error, delivers nothing for `stall_s` or does not know the topic, and
    `UnreachableError` where PostgreSQL refuses us. `chunk_messages` and `chunk_bytes` bound the memory, `max_messages` the
    run: what is left waits for the next. `zone` is that of times written without one.

    A record batch may unpack to far more than it weighs. The memory of the try is bounded, and its process aborted by such a
    batch; a task that is tried again reads through another process (`warehouse.careful`), and what ends that is a dead letter.
    """

    template_fields: Sequence[str] = ("prepare", "load", "progress", "chunk_messages")
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
        zone: str = SOURCE_ZONE,
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
        self.progress = list(STG_PROGRESS)

    def execute(self, context: Context) -> dict[str, int]:
        """Drain the topic from where the run before it came."""
        with self.open_drain(context) as (drain, connection):
            plan = drain.plan(self.positions(connection, ORDERS_READER))
            self._note(connection, plan)
            drain.align_group(plan.positions)
            counts, positions = self.drain(drain, plan, connection, ORDERS_READER)
            if not plan.behind_transaction and all(positions[s.partition].next_offset >= s.end for s in plan.ranges):
                self.write_progress(connection, ["stg/drain_ends.sql"], {"as_of": plan.asked_at})
        lost = sum(loss.to_offset - loss.from_offset for loss in plan.losses)
        return {**counts, "lost": lost, "behind_transaction": plan.behind_transaction}

    @contextmanager
    def open_drain(self, context: Context) -> Iterator[tuple[TopicDrain, psycopg.Connection[Any]]]:
        """Yield a drain of the topic and a connection to the warehouse; close what they hold."""
        task = context.get("ti")
        careful = task is not None and task.try_number > 1
        if careful:
            self.log.info("the try before this one failed: batch after batch is read by a process of its own")
            self.chunk_bytes = min(self.chunk_bytes, CAREFUL_CHUNK_BYTES)
        self._sql = {
            file.name: file
            for names, texts in (
                ([TRANSACTION, *STG_ORDERS_INCOMING], self.prepare),
                (STG_ORDERS, self.load),
                (STG_PROGRESS, self.progress),
            )
            for file in named_sql(names, texts)
        }
        hook = OrdersConsumerHook(self.topic, self.kafka_conn_id, careful=careful)
        with hook.open_consumer() as consumer, bounded_memory(TASK_BYTES):
            admin = hook.open_admin()
            drain = TopicDrain(
                consumer,
                admin,
                topic=self.topic,
                topic_id=hook.topic_id(admin, self.timeout_s),
                brokers=hook.brokers,
                timeout_s=self.timeout_s,
                stall_s=self.stall_s,
                log=self.log,
                open_careful=hook.open_careful,
            )
            self._topic_id = drain.topic_id
            with open_postgres(self.postgres_conn_id) as connection:
                yield drain, connection

    def positions(self, connection: psycopg.Connection[Any], reader: str) -> dict[int, Position]:
        """Return how far a reader has come, by partition."""
        params = {**self._params(), "reader": reader}
        with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
            run_sql(connection, self._files(TRANSACTION), params, self.log)
            rows = cursor.execute(self._sql["ask/stg/drain_positions.sql"].text, params).fetchall()
        return {partition: Position(*rest) for partition, *rest in rows}

    def write_progress(
        self, connection: psycopg.Connection[Any], names: Sequence[str], params: Mapping[str, Any]
    ) -> None:
        """Run files of `STG_PROGRESS` in a transaction of their own."""
        with connection.transaction():
            run_sql(connection, self._files(TRANSACTION, *names), {**self._params(), **params}, self.log)

    def _params(self) -> dict[str, Any]:
        return {
            "statement_timeout_ms": int(self.statement_timeout_s * 1000),
            "topic": self.topic,
            "topic_id": self._topic_id,
            "load_dt": datetime.now(UTC),
        }

    def _files(self, *names: str) -> list[SqlFile]:
        return [self._sql[name] for name in names]

    def _note(self, connection: psycopg.Connection[Any], plan: Plan) -> None:
        """Store what was noticed before anything is read: losses, a log that is another one, where the ends are."""
        if plan.ranges and not (plan.losses or plan.gone or plan.restarted):
            return  # the first chunk stores it
        self.write_progress(
            connection,
            ["stg/lost_messages.sql", "settle/stg/drain_progress_done.sql", "stg/drain_progress.sql"],
            {
                "reader": ORDERS_READER,
                "gone_partitions": plan.gone,
                "lost_topic_ids": [loss.topic_id for loss in plan.losses],
                "lost_partitions": [loss.partition for loss in plan.losses],
                "lost_from": [loss.from_offset for loss in plan.losses],
                "lost_to": [loss.to_offset for loss in plan.losses],
                **progress_params(plan.positions, restart=plan.restarted),
            },
        )

    def drain(
        self, drain: TopicDrain, plan: Plan, connection: psycopg.Connection[Any], reader: str
    ) -> tuple[dict[str, int], dict[int, Position]]:
        """Store what the plan says, chunk by chunk, and log the progress; return counts and where the reader stands now.

        Other threads store chunks, each by a connection of its own, while this one reads and judges the next. Chunks are
        stored, and shown in the group, one after another in the order of their arrival.
        """
        ranges, positions = plan.ranges, plan.positions
        waiting = sum(span.end - span.start for span in ranges)
        self.log.info("%d messages of %s in %d partitions are to be read", waiting, self.topic, len(ranges))
        totals: Counter[str] = Counter(messages=0, skipped=0, refused=0)
        behind: deque[tuple[Chunk, Future[dict[str, int]]]] = deque()
        started = time.monotonic()

        def finish_oldest() -> None:
            """Wait until the oldest chunk is stored; only then show it in the group."""
            nonlocal positions
            chunk, stored = behind.popleft()
            totals.update(stored.result())
            positions = chunk.positions
            if reader == ORDERS_READER:
                drain.commit(chunk.next_offsets)
            self._log_progress(totals["messages"], waiting, time.monotonic() - started)

        zone = ZoneInfo(self.zone)
        read = 0
        with tuned_interpreter(), self._storing(zone, connection, reader) as begin_to_store:
            try:
                for chunk in drain.chunks(plan, max_messages=int(self.chunk_messages), max_bytes=self.chunk_bytes):
                    bound_memory(TASK_BYTES)
                    judged = judge_records(chunk.records, zone)
                    if len(behind) == CONNECTIONS:
                        finish_oldest()
                    behind.append((chunk, begin_to_store(chunk, judged)))
                    read += len(chunk.records)
                    if self.max_messages is not None and read >= self.max_messages:
                        self.log.info("the limit of a run is reached; the rest waits for the next")
                        break
            except DrainError:  # what came before is stored
                while behind:
                    finish_oldest()
                raise
            while behind:
                finish_oldest()
        self.log.info(
            "%(messages)d messages read: %(skipped)d of another type skipped, %(refused)d refused into stg.dead_letters",
            totals,
        )
        return dict(totals), positions

    @contextmanager
    def _storing(
        self, zone: tzinfo, first_connection: psycopg.Connection[Any], reader: str
    ) -> Iterator[Callable[[Chunk, Judged], Future[dict[str, int]]]]:
        """Yield a function that begins to store a judged chunk and returns its counts to come; at most `CONNECTIONS` at a time.

        The progress over a chunk is stored with it. The second connection is opened for the second chunk: a minute's run needs
        one. Where the block fails, what is being stored is not waited for: it is rolled back, and read again by the next run.
        """
        files = StagingFiles(
            self._files(TRANSACTION, *STG_ORDERS_INCOMING),
            self._files(*STG_ORDERS),
            self._files("stg/drain_progress.sql"),
        )
        with ExitStack() as opened:
            connections = [first_connection]
            idle = deque(connections)
            last: Future[dict[str, int]] | None = None

            def store(
                connection: psycopg.Connection[Any],
                chunk: Chunk,
                judged: Judged,
                before: Future[dict[str, int]] | None,
            ) -> dict[str, int]:
                def take_turn() -> None:
                    if before is not None and before.exception() is not None:
                        raise TurnLostError("the chunk before this one was not stored")

                params = {**self._params(), "reader": reader, **progress_params(chunk.positions)}
                try:
                    if not chunk.records:  # the markers of transactions alone
                        take_turn()
                        self.write_progress(connection, ["stg/drain_progress.sql"], params)
                        return {}
                    return store_records(
                        connection,
                        chunk.records,
                        judged,
                        files,
                        zone=zone,
                        params=params,
                        log=self.log,
                        take_turn=take_turn,
                    )
                finally:
                    idle.append(connection)

            def begin_to_store(chunk: Chunk, judged: Judged) -> Future[dict[str, int]]:
                nonlocal last
                if not idle:
                    connections.append(opened.enter_context(open_postgres(self.postgres_conn_id)))
                    idle.append(connections[-1])
                last = threads.submit(store, idle.popleft(), chunk, judged, last)
                return last

            with ThreadPoolExecutor(CONNECTIONS, "store") as threads:
                try:
                    yield begin_to_store
                except BaseException:
                    for connection in connections:
                        hang_up(connection)
                    raise

    def _log_progress(self, done: int, waiting: int, seconds: float) -> None:
        percent = 100 * done // waiting if waiting else 100
        self.log.info(
            "%d of %d messages stored (%d %%), %.0f a second", done, waiting, percent, done / max(seconds, 1e-3)
        )

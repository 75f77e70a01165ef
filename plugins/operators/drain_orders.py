"""`DrainOrdersOperator`: Kafka to STG."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk import Context

from operators.base import PipelineOperator
from operators.connections import OrdersConsumerHook, ledger_pepper, orders_zone
from warehouse.constants import KAFKA_CONN_ID, ORDERS_READER, ORDERS_TOPIC
from warehouse.drain import Plan, Position, Share, TopicDrain
from warehouse.intake import TASK_BYTES, TopicIntake
from warehouse.layers import DRAINED_ORDERS
from warehouse.memory import MIB, bounded_memory
from warehouse.progress import PROGRESS_FILES, Progress
from warehouse.staging import RecordStore

CAREFUL_CHUNK_BYTES = 8 * MIB


class DrainOrdersOperator(PipelineOperator):
    """Store in STG what the topic holds beyond `stg.drain_progress`, up to the high watermarks seen at the start.

    For each chunk, in this order: its messages are read and judged, PostgreSQL commits them and the progress over them in one
    transaction, the consumer group shows it. What a crash leaves unstored is read by the next run; a message that is read twice
    adds nothing: it is known by its content.
    Returns counts: messages, skipped (of another object_type), refused (dead letters), erased (of erased guests: stored without
    them; where there are any), lost (removed by Kafka before they were
    read: `stg.lost_messages`), behind_transaction (offsets that wait for a producer), and the rows written, by table.

    Raises `DrainError` where Kafka reports an error, delivers nothing for `stall_s` or does not know the topic, and
    `UnreachableError` where PostgreSQL refuses us. `chunk_messages` and `chunk_bytes` bound the memory, `max_messages` the
    run: what is left waits for the next. Of `workers` such tasks side by side, each with a number from 0 on as its `worker`, each
    reads every so manieth partition; how many there are may change from run to run, for positions belong to partitions.

    A record batch may unpack to far more than it weighs. The memory of the try is bounded, and its process aborted by such a
    batch; a task that is tried again reads through another process (`warehouse.careful`), and what ends that is a dead letter.
    """

    def __init__(
        self,
        *,
        topic: str = ORDERS_TOPIC,
        kafka_conn_id: str = KAFKA_CONN_ID,
        chunk_messages: int = 10_000,
        chunk_bytes: int = 32 * MIB,
        max_messages: int | None = None,
        timeout_s: float = 30.0,
        stall_s: float = 60.0,
        worker: int = 0,
        workers: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(files=[DRAINED_ORDERS, PROGRESS_FILES], **kwargs)
        self.topic = topic
        self.kafka_conn_id = kafka_conn_id
        self.chunk_messages = chunk_messages
        self.chunk_bytes = chunk_bytes
        self.max_messages = max_messages
        self.timeout_s = timeout_s
        self.stall_s = stall_s
        self.share = Share(worker, workers)

    def execute(self, context: Context) -> dict[str, int]:
        """Drain the topic from where the run before it came."""
        with self.open_drain(context) as (drain, progress):
            plan = drain.plan(progress.positions())
            progress.note(plan)
            drain.align_group(plan.positions)
            counts, positions = self.take_in(drain, progress, plan)
            if not plan.behind_transaction and all(positions[s.partition].next_offset >= s.end for s in plan.ranges):
                progress.has_all(positions, plan)
        lost = sum(loss.to_offset - loss.from_offset for loss in plan.losses)
        return {**counts, "lost": lost, "behind_transaction": plan.behind_transaction}

    @contextmanager
    def open_drain(self, context: Context, reader: str = ORDERS_READER) -> Iterator[tuple[TopicDrain, Progress]]:
        """Yield a drain of the topic and the progress of its reader; close what they hold."""
        task = context.get("ti")
        careful = task is not None and task.try_number > 1
        if careful:
            self.log.info("the try before this one failed: batch after batch is read by a process of its own")
            self.chunk_bytes = min(self.chunk_bytes, CAREFUL_CHUNK_BYTES)
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
                share=self.share,
            )
            with self.open_session() as session:
                yield drain, Progress(session, self.topic, drain.topic_id, reader)

    def take_in(self, drain: TopicDrain, progress: Progress, plan: Plan) -> tuple[dict[str, int], dict[int, Position]]:
        """Store what the plan says; return counts, and where the reader stands now."""
        zone = orders_zone(self.kafka_conn_id)

        @contextmanager
        def open_store() -> Iterator[RecordStore]:
            with self.open_session() as session:
                yield RecordStore(session, DRAINED_ORDERS, zone, ledger_pepper)

        intake = TopicIntake(
            drain,
            progress,
            RecordStore(progress.session, DRAINED_ORDERS, zone, ledger_pepper),
            open_store,
            shows=progress.reader == ORDERS_READER,
            chunk_messages=self.chunk_messages,
            chunk_bytes=self.chunk_bytes,
            max_messages=self.max_messages,
        )
        return intake.take(plan)

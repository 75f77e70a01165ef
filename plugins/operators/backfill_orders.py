"""`BackfillOrdersOperator`: the history of the topic to STG."""

from dataclasses import replace
from typing import Any

from airflow.sdk import Context

from operators.base import PipelineOperator, request_of
from operators.drain_orders import DrainOrdersOperator
from warehouse.constants import ORDERS_READER
from warehouse.drain import Share
from warehouse.requests import BEGINNING


class NumberWorkersOperator(PipelineOperator):
    """Return the numbers of the workers that the run asks for, from 0 on: its drains are mapped over them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(files=(), **kwargs)

    def execute(self, context: Context) -> list[int]:
        """Count them."""
        return list(range(request_of(context)["workers"]))


class BackfillOrdersOperator(DrainOrdersOperator):
    """Store in STG what the topic holds from the beginning or a time on, up to the high watermarks seen at the start.

    Its progress belongs to its request, the run and its `from`: a task that is tried again goes on after the last chunk that was
    stored; once it is done the same request reads again. The minute run is not disturbed, and is moved past what it no longer
    needs to read.
    Parameters come from the run (`warehouse.requests`); a wrong one fails the task at once, without retries.
    Returns and raises what `DrainOrdersOperator` does.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Drain the topic from where the run's parameters say."""
        request = request_of(context)
        begin_at = request["from"]
        self.chunk_messages = request["chunk_messages"]
        self.share = Share(self.share.worker, request["workers"])
        begin = begin_at.isoformat() if begin_at else BEGINNING
        reader = f"backfill:{context['dag_run'].run_id}:{begin}"
        with self.open_drain(context, reader) as (drain, progress):
            plan = drain.plan(progress.positions(), begin_at)
            if plan.restarted:
                progress.write(plan.positions, restart=True)
            counts, positions = self.take_in(drain, progress, plan)
        with self.open_drain(context, reader) as (drain, progress):
            # A new consumer: partitions that were read to their end are paused.
            # What the minute run has still to read, and the range of this request from its beginning, as both are by now.
            of_the_minute = replace(progress, reader=ORDERS_READER)
            begun = drain.plan({}, begin_at).positions
            minute = drain.plan(of_the_minute.positions())
            unread = {loss.partition for loss in minute.losses}
            moved = {
                partition: position
                for partition, position in positions.items()
                if partition not in unread
                and begun[partition].next_offset <= minute.positions[partition].next_offset < position.next_offset
            }
            of_the_minute.write(moved, restart=minute.restarted)
            progress.forget(positions)
        self.log.info("the minute run was moved past the history in %d partitions", len(moved))
        return {**counts, "lost": 0, "behind_transaction": plan.behind_transaction}

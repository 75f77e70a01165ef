"""`BackfillOrdersOperator`: the history of the topic to STG."""

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from operators.connections import OrdersConsumerHook
from operators.drain_orders import DrainOrdersOperator
from warehouse.backfill_request import BadRequestError, parse_backfill_request
from warehouse.drain import Range, TopicDrain


class BackfillOrdersOperator(DrainOrdersOperator):
    """Store in STG what the topic holds from the beginning or a time on, up to the high watermarks seen at the start.

    Reads as a consumer group of this run alone: a task that is tried again goes on after the last chunk that was stored, and
    the minute run's group is not disturbed. At the end that group is moved over what it no longer needs to read.
    Parameters come from the run (`warehouse.backfill_request`); a wrong one fails the task at once, without retries.
    Returns and raises what `DrainOrdersOperator` does.
    """

    def execute(self, context: Context) -> dict[str, int]:
        """Drain the topic from where the run's parameters say."""
        run = context["dag_run"]
        try:
            request = parse_backfill_request(dict(context["params"]), run.conf or {})
        except BadRequestError as error:
            raise AirflowFailException(str(error)) from error
        self.chunk_messages = request.chunk_messages
        hook = OrdersConsumerHook(self.topic, self.kafka_conn_id, group_suffix=f".backfill.{run.run_id}")
        with hook.open_consumer() as consumer:
            drain = self.topic_drain(hook, consumer)
            ranges = drain.ranges(request.begin_at)
            counts = self.drain(drain, ranges)
        self._hand_over(ranges)
        return counts

    def _hand_over(self, ranges: list[Range]) -> None:
        """Move the minute run's group past the ranges: all of their messages are stored.

        Only where the group stands inside a range, or has not begun and the range begins with the topic.
        """
        hook = OrdersConsumerHook(self.topic, self.kafka_conn_id)
        with hook.open_consumer() as consumer:
            drain: TopicDrain = self.topic_drain(hook, consumer)
            begun = drain.committed()
            firsts = {span.partition: span.start for span in drain.ranges()}
            moved = {
                span.partition: span.end
                for span in ranges
                if span.start <= begun.get(span.partition, firsts[span.partition]) < span.end
            }
            if moved:
                drain.commit(moved)
        self.log.info("the minute run's group was moved past the history in %d partitions", len(moved))

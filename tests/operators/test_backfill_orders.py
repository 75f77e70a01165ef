"""History by a parametrised run: from where, how far, how it goes on after a failure, and that it disturbs nobody."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from airflow.sdk.exceptions import AirflowFailException
from confluent_kafka import Producer

from harness.pipeline import Pipeline
from harness.runs import backfill, drain
from tests.messages import order
from warehouse.drain import Chunk, DrainError, Plan, TopicDrain


def stored(pipeline: Pipeline) -> set[int]:
    return {object_id for (object_id,) in pipeline.rows("select object_id from stg.order_event_log")}


def test_from_the_beginning_reads_everything_whatever_the_minute_run_has_read(pipeline: Pipeline) -> None:
    topic = pipeline.topic()
    pipeline.produce(topic, [order(n) for n in range(20)])
    drain(topic)
    pipeline.clear()
    assert backfill(topic)["messages"] == 20
    assert stored(pipeline) == set(range(20))


def test_from_a_time_on_reads_the_records_stamped_then_or_later(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    producer = Producer({"bootstrap.servers": pipeline.env["KAFKA_BOOTSTRAP_SERVERS"]})
    start = datetime(2026, 11, 1, tzinfo=UTC)
    for hour in range(10):
        stamp = int((start + timedelta(hours=hour)).timestamp() * 1000)
        producer.produce(topic, order(hour), timestamp=stamp)
    producer.flush(30)
    assert backfill(topic, **{"from": "2026-11-01T09:00:00+03:00"})["messages"] == 4
    assert stored(pipeline) == {6, 7, 8, 9}
    assert backfill(topic, run_id="later", **{"from": "2026-11-02T00:00:00Z"})["messages"] == 0


def test_a_run_that_failed_goes_on_after_its_last_stored_chunk(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(500)])
    chunks = TopicDrain.chunks

    def die_after_the_second(self: TopicDrain, plan: Plan, **limits: int) -> Iterator[Chunk]:
        yield from islice(chunks(self, plan, **limits), 2)
        while pipeline.value("select count(*) from stg.order_event_log") < 200:
            time.sleep(0.05)
        raise DrainError("the broker went away")

    with monkeypatch.context() as patch:
        patch.setattr(TopicDrain, "chunks", die_after_the_second)
        with pytest.raises(DrainError):
            backfill(topic, chunk_messages=100)
    assert backfill(topic, chunk_messages=100)["messages"] == 300
    assert stored(pipeline) == set(range(500))


def test_the_minute_run_need_not_read_again_what_the_history_has_brought(pipeline: Pipeline) -> None:
    topic = pipeline.topic()
    pipeline.produce(topic, [order(n) for n in range(50)])
    backfill(topic)
    pipeline.produce(topic, [order(n) for n in range(50, 53)])
    assert drain(topic)["messages"] == 3


def test_each_worker_reads_its_partitions_and_moves_the_minute_run_past_no_others(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=3)
    pipeline.produce(topic, [order(n) for n in range(60)])
    first = backfill(topic, worker=0, workers=2)["messages"]
    assert 0 < first < 60
    assert drain(topic)["messages"] == 60 - first
    assert backfill(topic, worker=1, workers=2)["messages"] == 60 - first
    assert pipeline.value("select count(*) from stg.order_event_log") == 60
    assert pipeline.value("select count(*) from stg.drain_progress where reader <> 'orders'") == 0


def test_a_history_from_a_later_time_does_not_move_the_minute_run_over_what_nobody_read(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(10)])
    assert backfill(topic, **{"from": datetime.now(UTC).isoformat()})["messages"] == 0
    assert drain(topic)["messages"] == 10


@pytest.mark.parametrize(
    ("params", "conf", "message"),
    [
        ({"from": "yesterday"}, None, "'from' must be 'beginning' or an ISO 8601 time"),
        ({"from": "2026-11-01 00:00:00"}, None, "has no zone"),
        ({"from": "2026-13-01T00:00:00Z"}, None, "'from' must be"),
        ({"chunk_messages": 10}, None, "'chunk_messages' must be a whole number from 100"),
        ({"workers": 0}, None, "'workers' must be a whole number from 1"),
        ({"chunk_messages": "many"}, None, "'chunk_messages' must be a whole number"),
        ({}, {"form": "beginning"}, "unknown parameter 'form'; did you mean 'from'"),
    ],
)
def test_a_wrong_parameter_fails_at_once_with_what_is_allowed(
    pipeline: Pipeline, params: dict[str, object], conf: dict[str, object] | None, message: str
) -> None:
    with pytest.raises(AirflowFailException, match=message):
        backfill("any", conf=conf, **params)
    assert stored(pipeline) == set()

"""The drain against a real Kafka and a real PostgreSQL: nothing lost, nothing early, nothing silent."""

import subprocess
import sys
import time
from typing import Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowFailException
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from harness.pipeline import Pipeline
from harness.runs import drain
from operators.connections import UnreachableError
from tests.connections import change_connection
from tests.messages import order
from warehouse.drain import DrainError, TopicDrain

GROUP = "dwh-orders"


@pytest.fixture
def admin(pipeline: Pipeline) -> AdminClient:
    return AdminClient({"bootstrap.servers": pipeline.env["KAFKA_BOOTSTRAP_SERVERS"]})


def committed(admin: AdminClient, topic: str, partitions: int = 3, group: str = GROUP) -> int:
    """Return the sum of the group's offsets in the topic, as any outside tool sees them."""
    asked = [ConsumerGroupTopicPartitions(group, [TopicPartition(topic, p) for p in range(partitions)])]
    (answer,) = admin.list_consumer_group_offsets(asked).values()
    return sum(max(p.offset, 0) for p in answer.result(30).topic_partitions)


def stored(pipeline: Pipeline) -> set[int]:
    return {object_id for (object_id,) in pipeline.rows("select object_id from stg.order_event_log")}


def test_everything_is_stored_and_then_committed(pipeline: Pipeline, admin: AdminClient) -> None:
    topic = pipeline.topic()
    pipeline.produce(topic, [order(n) for n in range(100)])
    counts = drain(topic)
    assert counts["messages"] == 100
    assert stored(pipeline) == set(range(100))
    assert committed(admin, topic) == 100


def test_a_second_drain_finds_nothing(pipeline: Pipeline) -> None:
    topic = pipeline.topic()
    pipeline.produce(topic, [order(1)])
    drain(topic)
    assert drain(topic)["messages"] == 0


def test_an_empty_drain_waits_for_no_message(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    class Watched(Consumer):
        def consume(self, *args: Any, **options: Any) -> Any:
            nonlocal looks
            looks += 1
            return super().consume(*args, **options)

    monkeypatch.setattr("operators.connections.Consumer", Watched)
    topic = pipeline.topic()
    drain(topic)
    drain(topic)
    assert looks == 0
    pipeline.produce(topic, [order(1)])
    drain(topic)
    assert looks > 0


@pytest.mark.parametrize("table", ["order_events", "dead_letters"])
def test_a_sequence_at_its_end_fails_the_run_and_makes_no_dead_letter(
    pipeline: Pipeline, admin: AdminClient, table: str
) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(1), order(2), b"{1", b"{2"])
    drain(topic)
    pipeline.produce(topic, [order(3), b"{3", order(4)])
    before = pipeline.snapshot(hide=())
    pipeline.owner.execute(f"alter table stg.{table} alter column id set maxvalue 2")
    try:
        with pytest.raises(psycopg.errors.SequenceGeneratorLimitExceeded, match=f'"{table}_id_seq" \\(2\\)'):
            drain(topic)
    finally:
        pipeline.owner.execute(f"alter table stg.{table} alter column id set maxvalue {2**63 - 1}")
    assert pipeline.snapshot(hide=()) == before, "the progress stays where it was, too"
    assert committed(admin, topic, partitions=1) == 4
    assert drain(topic)["refused"] == 1
    assert stored(pipeline) == {1, 2, 3, 4}
    assert pipeline.dead_letters() == [("broken_json", b"{%d" % n) for n in (1, 2, 3)]


def test_small_chunks_store_the_same(pipeline: Pipeline, admin: AdminClient) -> None:
    topic = pipeline.topic()
    pipeline.produce(topic, [order(n) for n in range(57)])
    assert drain(topic, chunk_messages=10)["messages"] == 57
    assert stored(pipeline) == set(range(57))
    assert committed(admin, topic) == 57


def test_chunks_are_bounded_by_bytes_too(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n, note="x" * 10_000) for n in range(300)])
    drain(topic, chunk_bytes=500_000)
    assert stored(pipeline) == set(range(300))
    assert pipeline.value("select count(distinct load_dt) from stg.order_event_log") == 3


def test_what_comes_after_the_start_waits_for_the_next_run(
    pipeline: Pipeline, admin: AdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(10)])
    plan = TopicDrain.plan

    def plan_then_more(self: TopicDrain, *args: object) -> object:
        seen = plan(self, *args)
        pipeline.produce(topic, [order(n) for n in range(10, 20)])
        return seen

    with monkeypatch.context() as patch:
        patch.setattr(TopicDrain, "plan", plan_then_more)
        assert drain(topic)["messages"] == 10
    assert committed(admin, topic, partitions=1) == 10
    assert drain(topic)["messages"] == 10
    assert stored(pipeline) == set(range(20))


def test_the_limit_of_a_run_leaves_the_rest_to_the_next(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(30)])
    assert drain(topic, chunk_messages=10, max_messages=20)["messages"] == 20
    assert drain(topic, chunk_messages=10, max_messages=20)["messages"] == 10
    assert stored(pipeline) == set(range(30))


def test_offsets_stay_where_they_are_when_postgresql_does_not_commit(pipeline: Pipeline, admin: AdminClient) -> None:
    topic = pipeline.topic()
    pipeline.produce(topic, [order(1)])
    pipeline.owner.execute("alter table stg.order_event_log add constraint refuse check (object_id <> 1) not valid")
    try:
        with pytest.raises(psycopg.errors.CheckViolation):
            drain(topic)
    finally:
        pipeline.owner.execute("alter table stg.order_event_log drop constraint refuse")
    assert committed(admin, topic) == 0
    assert drain(topic)["messages"] == 1
    assert stored(pipeline) == {1}


def test_a_drain_that_dies_before_the_group_shows_it_reads_nothing_twice(
    pipeline: Pipeline, admin: AdminClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = pipeline.topic()
    pipeline.produce(topic, [order(n) for n in range(5)])
    with monkeypatch.context() as patch:
        patch.setattr(TopicDrain, "commit", lambda self, offsets: (_ for _ in ()).throw(DrainError("died")))
        with pytest.raises(DrainError):
            drain(topic)
    before = pipeline.snapshot()
    del before["stg.drain_ends"]
    assert stored(pipeline) == set(range(5))
    assert drain(topic)["messages"] == 0
    after = pipeline.snapshot()
    del after["stg.drain_ends"]
    assert after == before
    assert committed(admin, topic) == 5


@pytest.mark.parametrize("request_of_the_group", ["_committed", "_commit"])
def test_a_run_is_green_whose_data_is_stored_though_the_group_can_not_be_asked_or_told(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], request_of_the_group: str
) -> None:
    """It is for people and their tools. (The tests' broker refuses no right: the refusal is a fake.)"""

    def refuse(*_: object) -> None:
        raise KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))

    topic = pipeline.topic()
    pipeline.produce(topic, [order(n) for n in range(5)])
    with monkeypatch.context() as patch:
        patch.setattr(TopicDrain, request_of_the_group, refuse)
        assert drain(topic)["messages"] == 5
    assert stored(pipeline) == set(range(5))
    (warning,) = [line for line in capsys.readouterr().out.splitlines() if "the consumer group can't show" in line]
    assert "may this user use the consumer group?" in warning


def test_no_chunk_is_stored_when_the_one_before_it_fails(pipeline: Pipeline, admin: AdminClient) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(6)])
    pipeline.owner.execute("alter table stg.order_event_log add constraint refuse check (object_id <> 2) not valid")
    try:
        with pytest.raises(psycopg.errors.CheckViolation):
            drain(topic, chunk_messages=1)
    finally:
        pipeline.owner.execute("alter table stg.order_event_log drop constraint refuse")
    assert stored(pipeline) == {0, 1}
    assert committed(admin, topic, partitions=1) <= 2
    drain(topic, chunk_messages=1)
    assert stored(pipeline) == set(range(6))
    assert pipeline.value("select count(*) from stg.order_event_log") == 6
    assert committed(admin, topic, partitions=1) == 6


def test_chunks_enter_in_the_order_of_their_arrival(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(200)])
    drain(topic, chunk_messages=2)
    assert [number for (number,) in pipeline.rows("select object_id from stg.order_events order by id")] == list(
        range(200)
    )


def test_a_subscriber_that_died_does_not_hide_its_partitions(pipeline: Pipeline, admin: AdminClient) -> None:
    topic = pipeline.topic()
    pipeline.produce(topic, [order(n) for n in range(10)])
    program = (
        "import os, signal, sys\n"
        "from confluent_kafka import Consumer\n"
        f"consumer = Consumer({{'bootstrap.servers': {pipeline.env['KAFKA_BOOTSTRAP_SERVERS']!r}, 'group.id': {GROUP!r},\n"
        "    'session.timeout.ms': 6000, 'auto.offset.reset': 'earliest', 'enable.auto.commit': False})\n"
        f"consumer.subscribe([{topic!r}])\n"
        "while consumer.poll(1) is None: pass\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert drain(topic)["messages"] == 10
    assert stored(pipeline) == set(range(10))
    deadline = time.monotonic() + 60
    while committed(admin, topic) < 10 and time.monotonic() < deadline:  # until the session of the dead one has ended
        time.sleep(1)
        assert drain(topic)["messages"] == 0
    assert committed(admin, topic) == 10


@pytest.mark.parametrize("offset", [7, 10, 1000])
def test_the_offsets_of_the_group_are_not_believed(pipeline: Pipeline, admin: AdminClient, offset: int) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(10)])
    _commit(pipeline, [TopicPartition(topic, 0, offset)])
    assert drain(topic)["messages"] == 10
    assert stored(pipeline) == set(range(10))
    assert committed(admin, topic, partitions=1) == 10


def test_an_unknown_topic_fails_with_its_name(pipeline: Pipeline) -> None:
    with pytest.raises(DrainError, match="no-such-topic"):
        drain("no-such-topic")


def test_a_broker_that_does_not_answer_fails_the_task_and_says_what_to_check(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_connection(monkeypatch, "kafka_orders", extra={"bootstrap.servers": "127.0.0.1:9"})
    with pytest.raises(DrainError, match=r"127\.0\.0\.1:9.*is the broker up"):
        drain("any", timeout_s=2)


def test_a_refused_password_of_postgresql_fails_the_task_and_says_what_to_check(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = pipeline.topic()
    change_connection(monkeypatch, "postgres_dwh", password="wrong")  # of nobody
    with pytest.raises(UnreachableError, match=r"postgres_dwh.*password.*Check its host, port, login"):
        drain(topic)


def test_times_without_a_zone_are_of_the_zone_of_the_connection(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = pipeline.topic()
    pipeline.produce(topic, [order(1, update_ts="2026-01-01 03:00:00")])
    change_connection(monkeypatch, "kafka_orders", extra={"zone": "Europe/Moscow"})
    drain(topic)
    assert pipeline.value("select (update_ts at time zone 'UTC')::text from stg.order_events") == "2026-01-01 00:00:00"


def test_a_zone_that_nobody_knows_fails_the_task_at_once(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = pipeline.topic()
    change_connection(monkeypatch, "kafka_orders", extra={"zone": "Moscow"})
    with pytest.raises(AirflowFailException, match="Airflow connection kafka_orders: zone must be a name such as"):
        drain(topic)


def _commit(pipeline: Pipeline, offsets: list[TopicPartition]) -> None:
    from confluent_kafka import Consumer

    consumer = Consumer({"bootstrap.servers": pipeline.env["KAFKA_BOOTSTRAP_SERVERS"], "group.id": GROUP})
    try:
        consumer.commit(offsets=offsets, asynchronous=False)
    finally:
        consumer.close()

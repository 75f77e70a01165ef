"""Servers that crash, restart, forget or lack a part: the run fails aloud, the next one makes everything right."""

import os
import time
from datetime import timedelta

import psycopg
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import NewTopic

from harness.pipeline import Pipeline
from harness.runs import drain, history_run, load_layers, minute_run
from local.stack import Stack
from operators.connections import UnreachableError
from tests.crash.child import Children
from tests.crash.conftest import DURING, GROUP, World
from tests.crash.second_broker import BROKER, SecondBroker
from tests.messages import order
from warehouse.drain import DrainError

MANY = [order(n, user=f"guest-{n % 97}", update_ts="2026-01-02 10:00:00") for n in range(10, 5_010)]


def reconnect(world: World) -> None:
    """Open the test's own connections anew after a server was restarted."""
    world.pipeline.__exit__(None, None, None)
    world.pipeline = Pipeline(os.environ)


def stored(world: World) -> int:
    return world.pipeline.value("select count(*) from stg.order_event_log where object_id >= 10")


def test_postgresql_killed_under_a_running_load_loses_nothing(world: World, children: Children, stack: Stack) -> None:
    topic = world.pipeline.topic()
    world.pipeline.produce(topic, MANY)
    process = children.start(history_run, topic, "run")
    while not stored(world):
        time.sleep(0.01)
    stack.kill("postgres")
    process.join(60)
    assert process.exitcode not in (0, None), "a run that loses its server fails"
    stack.start(["postgres"])
    reconnect(world)
    assert 0 < stored(world) < len(MANY), "it died in the middle"
    history_run(topic, "run")
    assert stored(world) == len(MANY)
    assert world.pipeline.value("select sum(order_cnt) from cdm.user_product_counters") == len(MANY) + 3


def test_the_broker_killed_under_a_running_drain_loses_nothing(world: World, children: Children, stack: Stack) -> None:
    topic = world.pipeline.topic()
    world.pipeline.produce(topic, MANY)
    process = children.start(history_run, topic, "run")
    while not stored(world):
        time.sleep(0.01)
    stack.kill("kafka")
    stack.start(["kafka"])
    process.join(120)
    assert process.exitcode is not None, "a drain rides out a restart or fails, it does not hang"
    history_run(topic, "run")
    assert stored(world) == len(MANY)
    assert world.pipeline.value("select sum(order_cnt) from cdm.user_product_counters") == len(MANY) + 3


def test_a_broker_that_is_down_fails_the_drain_and_is_no_empty_topic(world: World, stack: Stack) -> None:
    stack.kill("kafka")
    try:
        with pytest.raises(DrainError, match="is the broker up"):
            drain(world.topic, timeout_s=3)
    finally:
        stack.start(["kafka"])
    minute_run(world.topic)
    world.assert_right()


def test_a_partition_without_a_leader_fails_the_drain_and_is_read_when_it_is_back(world: World, stack: Stack) -> None:
    second = SecondBroker(stack.home, world.admin)
    second.start()
    topic = f"{world.topic}-of-two"
    world.admin.create_topics([NewTopic(topic, 2, replica_assignment=[[1], [BROKER]])])[topic].result(30)
    try:
        world.pipeline.produce(topic, MANY[:100])
        second.kill()
        with pytest.raises(DrainError, match="leader"):
            drain(topic, timeout_s=3)
        second.start()
        drain(topic)
        assert stored(world) == 100
    finally:
        world.admin.delete_topics([topic])[topic].result(30)
        second.kill()


def test_redis_down_for_a_run_makes_nothing_missing(world: World, stack: Stack) -> None:
    documents = {key: world.pipeline.redis.get(key) for key in ("guest", "other", "diner")}
    stack.kill("redis")
    try:
        with pytest.raises(UnreachableError, match="redis_reference"):
            minute_run(world.topic)
    finally:
        stack.start(["redis"])
    reconnect(world)
    world.pipeline.redis.mset(documents)
    load_layers()
    world.assert_right()


def test_the_whole_stack_killed_and_started_goes_on(world: World, children: Children, stack: Stack) -> None:
    documents = {key: world.pipeline.redis.get(key) for key in ("guest", "other", "diner")}
    children.run(minute_run, world.topic, die_at=30)
    stack.kill("kafka", "postgres", "redis")
    stack.start(["postgres", "redis", "kafka"])
    reconnect(world)
    world.pipeline.redis.mset(documents)
    minute_run(world.topic)
    world.assert_right()


def test_a_group_whose_offsets_were_deleted_changes_nothing(world: World) -> None:
    minute_run(world.topic)
    before = world.content()
    partitions = [TopicPartition(world.topic, partition) for partition in range(3)]
    asked = [ConsumerGroupTopicPartitions(GROUP, partitions)]
    world.admin.delete_consumer_groups([GROUP])[GROUP].result(30)
    (answer,) = world.admin.list_consumer_group_offsets(asked).values()
    assert all(partition.offset < 0 for partition in answer.result(30).topic_partitions)
    assert drain(world.topic)["messages"] == 0
    load_layers()
    assert world.content() == before


def test_a_statement_that_takes_too_long_is_cancelled_in_postgresql(world: World) -> None:
    with psycopg.connect(world.pipeline.env["DWH_URL"]) as other:
        other.execute("lock table stg.order_event_log in access exclusive mode")
        with pytest.raises(psycopg.errors.QueryCanceled):
            drain(world.topic, execution_timeout=timedelta(seconds=1))
        other.rollback()
    assert drain(world.topic)["messages"] == len(DURING)

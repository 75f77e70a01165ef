"""How far a drain has come is told by the warehouse: whatever happens around it, nothing is missed, and a loss is known."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from harness.pipeline import LOG, Pipeline
from harness.runs import backfill, drain
from tests.messages import order
from warehouse.drain import DrainError
from warehouse.laws import ask_laws, read_laws

LAW = "stg.lost_messages"


@pytest.fixture
def admin(pipeline: Pipeline) -> AdminClient:
    return AdminClient({"bootstrap.servers": pipeline.env["KAFKA_BOOTSTRAP_SERVERS"]})


def stored(pipeline: Pipeline) -> set[int]:
    return {object_id for (object_id,) in pipeline.rows("select object_id from stg.order_event_log")}


def progress(pipeline: Pipeline, reader: str = "orders") -> list[tuple[Any, ...]]:
    return pipeline.rows(
        'select "partition", next_offset, last_offset, end_offset from stg.drain_progress where reader = %s order by 1',
        [reader],
    )


def lag(pipeline: Pipeline) -> int:
    return pipeline.value("select sum(end_offset - next_offset) from stg.drain_progress where reader = 'orders'")


def losses(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    return pipeline.rows('select "partition", from_offset, to_offset from stg.lost_messages order by 1, 2')


def broken(pipeline: Pipeline) -> dict[str, int]:
    laws = [law for law in read_laws() if LAW in law.name]
    assert laws
    with pipeline.etl.transaction():
        return ask_laws(pipeline.etl, laws, {}, max_rows=5, log=LOG)[0]


def remove_before(admin: AdminClient, topic: str, offset: int) -> None:
    partition = TopicPartition(topic, 0, offset)
    admin.delete_records([partition])[partition].result(30)


def create_again(admin: AdminClient, topic: str, partitions: int = 1) -> None:
    admin.delete_topics([topic])[topic].result(30)
    deadline = time.monotonic() + 30
    while True:
        try:
            admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)
        except Exception:  # the deletion is still under way
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def test_the_progress_is_stored_with_the_chunk(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(30)])
    drain(topic, chunk_messages=10, max_messages=20)
    assert progress(pipeline) == [(0, 20, 19, 30)]
    assert lag(pipeline) == 10
    drain(topic)
    assert progress(pipeline) == [(0, 30, 29, 30)]
    assert (
        pipeline.value(
            "select count(*) from stg.drain_progress as p inner join stg.order_event_log as l "
            "on p.last_hash = l.value_hash"
        )
        == 1
    )


def test_a_warehouse_restored_from_an_older_copy_reads_what_it_lacks(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(10)])
    drain(topic, chunk_messages=5, max_messages=5)
    (row,) = pipeline.rows("select to_jsonb(p)::text from stg.drain_progress as p")
    drain(topic)
    pipeline.owner.execute("delete from stg.drain_progress")
    pipeline.owner.execute(
        "insert into stg.drain_progress select * from jsonb_populate_record(null::stg.drain_progress, %s::jsonb)", row
    )
    pipeline.owner.execute("delete from stg.load_queue; delete from stg.order_event_log where object_id >= 5")
    assert drain(topic)["messages"] == 5
    assert stored(pipeline) == set(range(10))


def test_an_empty_warehouse_reads_all_whatever_the_group_says(pipeline: Pipeline) -> None:
    topic = pipeline.topic()
    pipeline.produce(topic, [order(n) for n in range(10)])
    drain(topic)
    pipeline.clear()
    assert drain(topic)["messages"] == 10
    assert losses(pipeline) == []


def test_the_progress_goes_with_the_log_that_is_truncated(pipeline: Pipeline) -> None:
    topic = pipeline.topic()
    pipeline.produce(topic, [order(n) for n in range(10)])
    drain(topic)
    pipeline.owner.execute("truncate stg.order_event_log, stg.order_events, stg.load_queue")
    assert drain(topic)["messages"] == 10
    assert stored(pipeline) == set(range(10))


@pytest.mark.parametrize(
    "change", ["last_hash = gen_random_uuid()", "next_offset = 99, last_offset = 98", "topic_id = 'other'"]
)
def test_a_log_that_is_another_one_is_read_from_its_start(pipeline: Pipeline, change: str) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(10)])
    drain(topic)
    pipeline.owner.execute(f"update stg.drain_progress set {change}, end_offset = 0")
    assert drain(topic)["messages"] == 10
    assert drain(topic)["messages"] == 0
    assert losses(pipeline) == []


def test_a_log_with_another_message_before_the_position_is_read_from_its_start(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(10)])
    drain(topic, chunk_messages=5, max_messages=5)
    pipeline.owner.execute("update stg.drain_progress set next_offset = 7")  # where markers lay in a tail that was lost
    assert drain(topic)["messages"] == 10


@pytest.mark.parametrize("last", [None, b"no json"])
def test_the_last_message_may_be_of_any_kind(pipeline: Pipeline, last: bytes | None) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(1), last], keys=[b"a", b"b"])
    drain(topic)
    assert drain(topic)["messages"] == 0
    pipeline.produce(topic, [order(2)])
    assert drain(topic)["messages"] == 1


def test_what_kafka_removed_unread_is_known_once_and_breaks_a_law_until_somebody_takes_note(
    pipeline: Pipeline, admin: AdminClient
) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(3)])
    drain(topic)
    assert broken(pipeline) == {}
    pipeline.produce(topic, [order(n) for n in range(3, 10)])
    remove_before(admin, topic, 8)
    counts = drain(topic)
    assert (counts["messages"], counts["lost"]) == (2, 5)
    assert losses(pipeline) == [(0, 3, 8)]
    assert broken(pipeline) == {LAW: 1}
    assert drain(topic)["lost"] == 0
    with pytest.raises(psycopg.errors.RaiseException, match="has no loss 99"):
        pipeline.owner.execute("select stg.acknowledge_loss(99, '')")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        pipeline.etl.execute("select stg.acknowledge_loss(1, '')")
    pipeline.etl.rollback()
    pipeline.owner.execute("select stg.acknowledge_loss(id, 'sent again') from stg.lost_messages")
    assert broken(pipeline) == {}


def test_what_was_there_before_the_first_run_is_no_loss(pipeline: Pipeline, admin: AdminClient) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(10)])
    remove_before(admin, topic, 4)
    counts = drain(topic)
    assert (counts["messages"], counts["lost"]) == (6, 0)


def test_what_was_read_may_be_removed(pipeline: Pipeline, admin: AdminClient) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(10)])
    drain(topic)
    remove_before(admin, topic, 10)
    counts = drain(topic)
    assert (counts["messages"], counts["lost"]) == (0, 0)
    pipeline.produce(topic, [order(10)])
    assert drain(topic)["messages"] == 1


def test_a_topic_created_again_is_read_from_its_start_and_what_it_held_unread_is_lost(
    pipeline: Pipeline, admin: AdminClient
) -> None:
    topic = pipeline.topic(partitions=2)
    producer = Producer({"bootstrap.servers": pipeline.env["KAFKA_BOOTSTRAP_SERVERS"]})
    for number in range(10):
        producer.produce(topic, order(number), partition=number % 2)
    producer.flush(30)
    drain(topic, chunk_messages=4, max_messages=4)
    unread = lag(pipeline)
    assert unread > 0
    create_again(admin, topic)
    pipeline.produce(topic, [order(n) for n in range(20, 30)])
    counts = drain(topic)
    assert (counts["messages"], counts["lost"]) == (10, unread)
    assert set(range(20, 30)) <= stored(pipeline)
    assert [partition for partition, *_ in progress(pipeline)] == [0]
    assert drain(topic)["lost"] == 0


def test_a_partition_that_is_added_is_read_from_its_start(pipeline: Pipeline, admin: AdminClient) -> None:
    from confluent_kafka.admin import NewPartitions

    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(1)])
    drain(topic)
    admin.create_partitions([NewPartitions(topic, 3)])[topic].result(30)
    producer = Producer({"bootstrap.servers": pipeline.env["KAFKA_BOOTSTRAP_SERVERS"]})
    producer.produce(topic, order(2), partition=2)
    producer.flush(30)
    assert drain(topic)["messages"] == 1
    assert [partition for partition, *_ in progress(pipeline)] == [0, 1, 2]


@pytest.mark.parametrize("end", ["commit_transaction", "abort_transaction"])
def test_a_run_says_that_it_waits_behind_a_transaction(pipeline: Pipeline, end: str) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(1)])
    drain(topic)
    (before,) = pipeline.rows("select as_of from stg.drain_ends")
    producer = Producer({"bootstrap.servers": pipeline.env["KAFKA_BOOTSTRAP_SERVERS"], "transactional.id": topic})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, order(2))
    producer.flush(30)
    pipeline.produce(topic, [order(3)])
    counts = drain(topic)
    assert (counts["messages"], counts["behind_transaction"]) == (0, 2)
    assert lag(pipeline) == 2
    assert pipeline.rows("select as_of from stg.drain_ends") == [before]
    finish: Callable[[float], None] = getattr(producer, end)
    finish(30)
    counts = drain(topic)
    assert (counts["messages"], counts["behind_transaction"]) == (2 if end == "commit_transaction" else 1, 0)
    assert lag(pipeline) == 0
    assert drain(topic)["messages"] == 0  # a marker lies before the position


def test_only_a_run_that_reached_the_end_says_so(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(20)])
    drain(topic, chunk_messages=10, max_messages=10)
    assert pipeline.rows("select * from stg.drain_ends") == []
    drain(topic, chunk_messages=10, max_messages=10)
    ((first, checked),) = pipeline.rows("select as_of, checked_dt from stg.drain_ends where topic = %s", [topic])
    assert first < checked
    drain(topic)
    assert pipeline.value("select as_of from stg.drain_ends") > first


def test_the_topic_is_read_to_its_end_when_the_last_of_its_workers_is(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=3)
    pipeline.produce(topic, [order(n) for n in range(60)])
    first = drain(topic, worker=0, workers=2)["messages"]
    assert 0 < first < 60
    assert pipeline.rows("select * from stg.drain_ends") == []
    assert drain(topic, worker=1, workers=2)["messages"] == 60 - first
    ((since, checked),) = pipeline.rows("select as_of, checked_dt from stg.drain_ends")
    drain(topic, worker=1, workers=2)
    ((then,),) = pipeline.rows("select as_of from stg.drain_ends")
    assert then == since, "the other worker has not looked since then"
    drain(topic, worker=0, workers=2)
    assert pipeline.rows("select as_of > %s, checked_dt > %s from stg.drain_ends", [since, checked]) == [(True, True)]


def test_how_many_workers_there_are_may_change_from_run_to_run(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=3)
    read = 0
    for workers in (1, 3, 2, 1):
        pipeline.produce(topic, [order(read + n) for n in range(30)])
        read += sum(drain(topic, worker=worker, workers=workers)["messages"] for worker in range(workers))
        assert stored(pipeline) == set(range(read))
        assert lag(pipeline) == 0
    assert read == 120


def test_more_workers_than_partitions_are_told_so(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=3)
    with pytest.raises(DrainError, match=r"4 workers are to read .* 3 partitions: ask for no more"):
        drain(topic, worker=3, workers=4)
    assert pipeline.rows("select * from stg.drain_progress") == []


def test_a_message_that_postgresql_refuses_moves_the_progress_with_the_last_half_only(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(8)])
    pipeline.owner.execute(
        """
        create function stg.refuse() returns trigger language plpgsql as $$ begin
            if new.object_id = 1 then raise exception using errcode = '22003'; end if;
            if new.object_id = 7 then raise exception 'the server is out of order'; end if;
            return new;
        end $$;
        create trigger refuse before insert on stg.order_event_log for each row execute function stg.refuse();
        """
    )
    try:
        with pytest.raises(psycopg.errors.RaiseException, match="out of order"):
            drain(topic)
        assert progress(pipeline) == []
    finally:
        pipeline.owner.execute("drop trigger refuse on stg.order_event_log; drop function stg.refuse()")
    drain(topic)
    assert stored(pipeline) == set(range(8))
    assert progress(pipeline) == [(0, 8, 7, 8)]


def test_the_same_run_with_another_from_reads_what_it_says(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(10)])
    assert backfill(topic, **{"from": datetime.now(UTC).isoformat()})["messages"] == 0
    assert backfill(topic)["messages"] == 10
    assert backfill(topic)["messages"] == 10
    assert pipeline.value("select count(*) from stg.drain_progress where reader <> 'orders'") == 0


def test_a_history_does_not_move_a_position_of_another_log(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(n) for n in range(10)])
    drain(topic)
    pipeline.owner.execute("update stg.drain_progress set last_hash = gen_random_uuid()")
    backfill(topic, **{"from": datetime.now(UTC).isoformat()})
    assert drain(topic)["messages"] == 10


def test_a_worker_whose_clock_was_ahead_does_not_hide_a_standstill(pipeline: Pipeline) -> None:
    topic = pipeline.topic(partitions=1)
    drain(topic)
    pipeline.owner.execute(
        "update stg.drain_ends set as_of = as_of + interval '3 hours', checked_dt = checked_dt + interval '3 hours'"
    )
    drain(topic)
    assert pipeline.value("select as_of < now() and checked_dt < now() from stg.drain_ends where topic = %s", [topic])

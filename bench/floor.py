"""The floor: the same messages only consumed, hashed and COPYed into one plain indexed table."""

import os
import time
from pathlib import Path

import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from warehouse.staging import content_hash

TABLE = Path(__file__).with_name("floor.sql")


def floor(topic: str) -> float:
    """Load a topic the plain way; return the seconds."""
    with psycopg.connect(os.environ["DWH_URL"]) as connection:
        connection.execute("create schema if not exists bench")
        connection.execute("set search_path = bench")
        connection.execute(TABLE.read_text())
        connection.commit()
        started = time.perf_counter()
        connection.execute("create temporary table incoming (like floor) on commit drop")
        with connection.cursor() as cursor, cursor.copy("copy incoming from stdin") as copy:
            for value in values(topic):
                copy.write_row((content_hash(value), value.decode()))
        connection.execute("insert into floor select * from incoming on conflict do nothing")
        connection.commit()
        seconds = time.perf_counter() - started
        connection.execute("drop schema bench cascade")
        connection.commit()
    return seconds


def values(topic: str) -> list[bytes]:
    """Return the values of all messages of a topic."""
    consumer = Consumer(
        {
            "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
            "group.id": "bench-floor",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    partitions = list(consumer.list_topics(topic, timeout=10).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])
    values: list[bytes] = []
    ended = 0
    while ended < len(partitions):
        for message in consumer.consume(1000, 0.2):
            error = message.error()
            if error is None:
                values.append(message.value() or b"")
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # librdkafka's own code
                ended += 1
            else:
                raise RuntimeError(error.str())
    consumer.close()
    return values

"""Count again what a running warehouse has counted, by the reference model, and compare.

The model reads every message of the topic by the contract and computes all marts from scratch; it shares no code with what it
judges. Three things it takes from there, for the sources don't keep them: the rules of the tags, what somebody has withdrawn, and
the versions of guests and restaurants (Redis holds the last one only). So it can't know a version that no run has read; it tells
how many documents of Redis are newer than the last one read. A guest or restaurant of whom none was read is a difference.

    make recount     # or, with other addresses: eval "$(make -s env)"; python -m witness.recount --help

Reads KAFKA_BOOTSTRAP_SERVERS, REDIS_URL, DWH_URL; KAFKA_PIPELINE_PASSWORD where it is the chart's Kafka, with accounts. Exit code
0: everything equal, 1: differences, which are printed. With --from-stg it reads the messages that STG has kept instead of the
topic: where Kafka has removed old ones. Then it can't know what never got there.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
import redis
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from witness import marts
from witness.model import Model, RefusedError, content_hash, read_document

TOPIC = "order-service_orders"
# A CLOSED order is a tag within two minutes.
PROMISED_MS = 120_000
KEYS_AT_ONCE = 1_000

Letter = str | tuple[str, bytes | None]
"""What a dead letter is known by: the hash of its content, or ("tombstone", key)"""


class Record(NamedTuple):
    """One Kafka record and where it lies. Its time is in milliseconds since 1970."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Side(NamedTuple):
    """What must be, and what was found."""

    expected: Mapping[Any, object]
    found: Mapping[Any, object]


@dataclass
class Comparison:
    """What was counted, what differs from it in each mart, and what was too new to be compared."""

    model: Model
    differences: dict[str, list[str]]
    rows: dict[str, int]
    on_their_way: int
    """messages of the last two minutes"""
    queued: int
    """entries between the layers"""
    unread: int
    """documents of Redis that are newer than the last version that was read"""

    def equal(self) -> bool:
        """Tell whether everything is as recounted."""
        return not any(self.differences.values())


def compare(
    kafka: str | None,
    redis_url: str,
    dwh_url: str,
    *,
    topic: str = TOPIC,
    prefix: str = "",
    zone: str = "UTC",
    wait_s: float = 60,
) -> Comparison:
    """Recount the topic (`kafka`: its servers; None: the messages that STG has kept) and compare with the warehouse.

    Orders may be flowing: the warehouse is read at a moment when nothing is queued before the marts (waited for, at most `wait_s`
    seconds), and the topic up to where it had come then. What is beyond that and younger than two minutes is on its way; what is
    older should have been there, and counts. `prefix`: that of the keys of Redis; `zone`: that of times written without one.
    """
    model = Model(zone=ZoneInfo(zone))
    on_their_way = 0
    with snapshot(dwh_url, wait_s) as connection:
        found: dict[str, Mapping[Any, Any]] = {
            **{name: marts.mart(connection, name) for name in marts.MARTS},
            "dead_letters": stored_letters(connection, topic),
        }
        loaded = dict(marts.rows(connection, "loaded", topic=topic))
        queued = marts.rows(connection, "queued")[0][0]
        documents = marts.rows(connection, "documents")
        for rule in marts.rules(connection):
            model.add_rule(*rule)
        model.as_of = marts.clock(connection) or model.as_of
        for (value_hash,) in marts.rows(connection, "withdrawn"):
            model.withdraw(value_hash.bytes)
        if kafka is None:
            for key, value in stored_messages(connection, topic):
                model.message(value, key)
    if kafka is not None:
        now_ms = time.time() * 1000
        for record in kafka_records(kafka, topic):
            if is_due(record, loaded, now_ms):
                model.message(record.value, record.key)
            else:
                on_their_way += 1
    letters = {letter(*refused): reason for refused, reason in model.dead_letters().items()}
    known: dict[tuple[str, str], set[bytes]] = defaultdict(set)
    for kind, key, value in documents:
        model.document(kind, key, value)
        known[kind, key].add(content_hash(value))
    missing, unread = unread_documents(redis_url, prefix, model, known)
    sides = {
        **{name: Side(expected, found[name]) for name, expected in model.marts().items()},
        # Of two faults of one message either may be named.
        "dead_letters": Side(letters, {name: letters.get(name, why) for name, why in found["dead_letters"].items()}),
        "documents": Side(dict.fromkeys(missing, "a version of Redis"), {}),
    }
    return Comparison(
        model=model,
        differences={name: differences(name, *side) for name, side in sides.items()},
        rows={name: len(side.expected) for name, side in sides.items()} | {"documents": len(documents)},
        on_their_way=on_their_way,
        queued=queued,
        unread=unread,
    )


@contextmanager
def snapshot(dwh_url: str, wait_s: float) -> Iterator[psycopg.Connection[Any]]:
    """Connect to one moment of the warehouse: no run can commit between two selects. Waits until nothing is queued."""
    deadline = time.monotonic() + wait_s
    with closing(psycopg.connect(dwh_url)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        while marts.rows(connection, "queued")[0][0] and time.monotonic() < deadline:
            connection.rollback()
            time.sleep(0.5)
        yield connection


def kafka_records(bootstrap_servers: str, topic: str = TOPIC) -> Iterator[Record]:
    """Every record of the topic, from its beginning to the end it has now. Joins no consumer group, commits nothing."""
    password = os.environ.get("KAFKA_PIPELINE_PASSWORD")
    account = {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "dwh", "sasl.password": password}
    settings = {
        "bootstrap.servers": bootstrap_servers,
        **({"security.protocol": "SASL_PLAINTEXT", **account} if password else {}),
        # It does not join it; an account may name no other one.
        "group.id": "dwh-orders",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 100,
    }
    with closing(Consumer(settings)) as consumer:
        described = consumer.list_topics(topic, timeout=30).topics[topic]
        if described.error is not None:
            raise KafkaException(described.error)
        unfinished = set(described.partitions)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in unfinished])
        while unfinished:
            for message in consumer.consume(10_000, timeout=1):
                error = message.error()
                if error is None:
                    partition, offset = message.partition(), message.offset()
                    assert partition is not None  # noqa: S101 -- a message without an error has a place
                    assert offset is not None  # noqa: S101
                    yield Record(partition, offset, message.timestamp()[1], message.key(), message.value())
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    unfinished.discard(message.partition())
                else:
                    raise KafkaException(error)


def is_due(record: Record, loaded: Mapping[int, int], now_ms: float) -> bool:
    """Tell whether the marts must count this record: it lies before the first that is not read, or has had two minutes' time."""
    return record.offset < loaded.get(record.partition, 0) or record.timestamp_ms < now_ms - PROMISED_MS


def stored_messages(connection: psycopg.Connection[Any], topic: str) -> Iterator[tuple[bytes | None, bytes | None]]:
    """(key, value) of every message in STG, without those of which only the beginning was kept."""
    with connection.cursor(name="messages") as cursor:
        cursor.execute((marts.SQL / "messages.sql").read_bytes(), {"topic": topic})
        for value_hash, key, value in cursor:
            if value is None or content_hash(value) == value_hash.bytes:
                yield key, value


def stored_letters(connection: psycopg.Connection[Any], topic: str) -> dict[Letter, str]:
    """{letter: reason} of the messages that are refused now."""
    return {
        ("tombstone", key) if reason == "tombstone" else value_hash.hex: reason
        for value_hash, key, reason in marts.rows(connection, "dead_letters", topic=topic)
    }


def letter(kind: str, content: bytes | None) -> Letter:
    """What a dead letter of the model is known by."""
    return (kind, content) if kind == "tombstone" or content is None else content_hash(content).hex()


def unread_documents(
    redis_url: str, prefix: str, model: Model, known: Mapping[tuple[str, str], set[bytes]]
) -> tuple[list[tuple[str, str]], int]:
    """Whom Redis knows and the warehouse does not, and of how many it holds another version than was read."""
    missing: list[tuple[str, str]] = []
    unread = 0
    named = iter(sorted(model.named()))
    with closing(redis.Redis.from_url(redis_url)) as client:
        while some := list(islice(named, KEYS_AT_ONCE)):
            values: list[bytes | None] = client.mget([prefix + key for _, key in some])  # type: ignore[assignment]
            for (kind, key), value in zip(some, values, strict=True):
                if value is None or content_hash(value) in known.get((kind, key), ()):
                    continue
                try:
                    read_document(kind, key, value, model.zone)
                except RefusedError:
                    continue
                if (kind, key) in known:
                    unread += 1
                else:
                    missing.append((kind, key))
    return missing, unread


def differences(name: str, expected: Mapping[Any, object], found: Mapping[Any, object]) -> list[str]:
    """Say each key in which the two differ, for a person."""
    differing = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    return [
        f"{name} {key}: recount {expected.get(key, 'has none')}, warehouse {found.get(key, 'has none')}"
        for key in sorted(differing, key=str)
    ]


def report(compared: Comparison) -> Iterable[str]:
    """Say what was counted, line by line."""
    model = compared.model
    orders = Counter(order.status for order in model.orders().values())
    refused = ", ".join(f"{count} {reason}" for reason, count in model.dead_letters_by_reason().most_common()) or "none"
    yield f"{orders.total()} orders ({', '.join(f'{count} {status}' for status, count in orders.most_common())})"
    yield f"{model.skipped} messages of another type; refused: {refused}"
    if compared.on_their_way:
        yield f"{compared.on_their_way} messages of the last two minutes are on their way and not compared"
    if compared.queued:
        yield f"{compared.queued} entries are still queued between the layers: is a run under way, or did one fail?"
    if compared.unread:
        yield f"{compared.unread} documents of Redis are newer than the last version that a run has read: not compared"
    for name, lines in compared.differences.items():
        yield f"{name}: {compared.rows[name]} recounted, {len(lines)} differ"


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the marts with an independent recount of the raw messages."""
    parser = argparse.ArgumentParser(prog="python -m witness.recount", description=main.__doc__)
    parser.add_argument("--topic", default=TOPIC, help="(default %(default)s)")
    parser.add_argument("--prefix", default="", help="of the keys of Redis (default: none)")
    parser.add_argument("--zone", default="UTC", help="of times written without one (default %(default)s)")
    parser.add_argument("--from-stg", action="store_true", help="read the messages that STG has kept, not the topic")
    parser.add_argument("--show", type=int, default=20, help="differences to print of each mart (default %(default)s)")
    parser.add_argument(
        "--wait", type=float, default=60, help="seconds to wait for a run that is under way (default %(default)s)"
    )
    args = parser.parse_args(argv)
    try:
        reference, dwh = os.environ["REDIS_URL"], os.environ["DWH_URL"]
        kafka = None if args.from_stg else os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    except KeyError as error:
        parser.error(f'{error.args[0]} is not set; after `make up`: eval "$(make -s env)"')
    began = time.monotonic()
    compared = compare(kafka, reference, dwh, topic=args.topic, prefix=args.prefix, zone=args.zone, wait_s=args.wait)
    for lines in compared.differences.values():
        print(*lines[: args.show], sep="\n", end="\n" if lines else "")
    print(*report(compared), sep="\n")
    print(f"recounted and compared in {time.monotonic() - began:.1f} s")
    return 0 if compared.equal() else 1


if __name__ == "__main__":
    sys.exit(main())

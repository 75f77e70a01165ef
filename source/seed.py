"""Fill the sources: reference documents into Redis, a history of orders into Kafka.

Reads KAFKA_BOOTSTRAP_SERVERS and REDIS_URL; KAFKA_SOURCE_PASSWORD where Kafka has accounts. One seed is one set of bytes, so a
second run adds messages to the topic but nothing to the warehouse.

    eval "$(make -s env)"; python -m source.seed --orders 50000
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

import redis
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewTopic

from source.generate import Generator, Message, add_arguments, from_arguments

TOPIC = "order-service_orders"
PARTITIONS = 3
KEYS_A_PIPELINE = 1_000
CONNECT_TIMEOUT_S = 15
DELIVERY_TIMEOUT_S = 60
REPORT_EVERY_S = 1.0


def kafka_settings(bootstrap_servers: str, env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the settings of a client: with the account `orders` of the chart's Kafka where KAFKA_SOURCE_PASSWORD is set."""
    settings = {"bootstrap.servers": bootstrap_servers}
    if password := env.get("KAFKA_SOURCE_PASSWORD"):
        settings |= {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512"}
        settings |= {"sasl.username": "orders", "sasl.password": password}
    return settings


class SeedError(Exception):
    """A source could not be filled; the text says which one and what to check."""


def load_reference(redis_url: str, generator: Generator) -> int:
    """Write every reference document to Redis; return how many. A key that exists is overwritten with the same text."""
    written = 0
    documents = generator.reference()
    try:
        with closing(redis.Redis.from_url(redis_url)) as client:
            while batch := dict(islice(documents, KEYS_A_PIPELINE)):
                client.mset(batch)
                written += len(batch)
    except redis.RedisError as error:
        raise SeedError(f"Redis could not be written: {error}. Check REDIS_URL, and that the server is up") from error
    return written


class OrderProducer:
    """Writes to the topic of the orders; nothing is lost in silence: a delivery that fails raises `SeedError`."""

    def __init__(self, bootstrap_servers: str, topic: str = TOPIC) -> None:
        """Connect, and see that the topic exists and keeps old records."""
        self.topic = topic
        self._failure: KafkaError | None = None
        self._last_error = ""
        # Errors only: librdkafka also talks about what it gets over by itself.
        settings = {**kafka_settings(bootstrap_servers), "log_level": 3}
        try:
            prepare_topic(AdminClient(settings), topic)
        except KafkaException as error:
            raise SeedError(
                f"Kafka at {bootstrap_servers} is not usable: {error.args[0].str()}. "
                "Check KAFKA_BOOTSTRAP_SERVERS, where it has accounts KAFKA_SOURCE_PASSWORD, and that the broker is up"
            ) from error
        self._producer = Producer(
            settings
            | {
                "error_cb": self._on_error,
                "enable.idempotence": True,
                "compression.type": "lz4",
                "linger.ms": 20,
                "message.timeout.ms": DELIVERY_TIMEOUT_S * 1000,
                "delivery.report.only.error": True,
            }
        )

    def send(self, message: Message) -> None:
        """Hand over one message; it is on its way, not there, until `flush`."""
        while True:
            try:
                self._producer.produce(
                    self.topic,
                    message.value,
                    message.key,
                    timestamp=message.timestamp_ms,
                    on_delivery=self._on_delivery,
                )
                break
            except BufferError:
                self._producer.poll(0.1)
                self._raise_failure()
        self._producer.poll(0)
        self._raise_failure()

    def flush(self) -> None:
        """Return once everything handed over is in Kafka."""
        left = self._producer.flush(DELIVERY_TIMEOUT_S + 10)
        self._raise_failure()
        if left:
            raise SeedError(f"{left} messages were not taken by Kafka in time. {self._last_error}")

    def _on_delivery(self, error: KafkaError | None, _: object) -> None:
        self._failure = self._failure or error

    def _on_error(self, error: KafkaError) -> None:
        # librdkafka tries again by itself; what it gives up comes by `_on_delivery`, or is fatal.
        self._last_error = f"Last error: {error.str()}"
        if error.fatal():
            self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise SeedError(f"Kafka did not take a message: {self._failure.str()}. {self._last_error}")


def prepare_topic(admin: AdminClient, topic: str) -> None:
    """Create the topic unless it exists, and have it keep everything: a history is older than a broker keeps by default.

    Of a topic that does, it is only asked: an account that writes orders may do no more.
    """
    resource = ConfigResource(ResourceType.TOPIC, topic)
    try:
        (asked,) = admin.describe_configs([resource], request_timeout=CONNECT_TIMEOUT_S).values()
        kept = asked.result()["retention.ms"].value
    except KafkaException as error:
        if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise
        made = NewTopic(topic, num_partitions=PARTITIONS, config={"retention.ms": "-1"})
        admin.create_topics([made], operation_timeout=CONNECT_TIMEOUT_S)[topic].result(CONNECT_TIMEOUT_S)
        return
    if kept != "-1":
        resource.add_incremental_config(ConfigEntry("retention.ms", "-1", incremental_operation=AlterConfigOpType.SET))
        (changed,) = admin.incremental_alter_configs([resource]).values()
        changed.result(CONNECT_TIMEOUT_S)


def produce(bootstrap_servers: str, messages: Iterable[Message], report: Callable[[int], None]) -> int:
    """Write the messages to Kafka, stamped with their own times; return how many. `report` is told the number so far."""
    producer = OrderProducer(bootstrap_servers)
    sent = 0
    for sent, message in enumerate(_reported(messages, report), start=1):  # noqa: B007 -- the last one is the count
        producer.send(message)
    producer.flush()
    report(sent)
    return sent


def _reported(messages: Iterable[Message], report: Callable[[int], None]) -> Iterator[Message]:
    due = time.monotonic() + REPORT_EVERY_S
    for number, message in enumerate(messages):
        if number % 1_000 == 0 and time.monotonic() > due:
            report(number)
            due = time.monotonic() + REPORT_EVERY_S
        yield message


def progress_line(what: str) -> Callable[[int], None]:
    """A reporter that keeps one line up to date on a terminal, and writes no more than the end elsewhere."""
    began = time.monotonic()

    def report(count: int) -> None:
        if sys.stderr.isatty():
            rate = count / max(time.monotonic() - began, 0.001)
            print(f"\r{count:,} {what}, {rate:,.0f} a second", end="", file=sys.stderr, flush=True)

    return report


def main(argv: Sequence[str] | None = None) -> int:
    """Fill Redis with reference documents and Kafka with a history of orders."""
    parser = argparse.ArgumentParser(prog="python -m source.seed", description=main.__doc__)
    add_arguments(parser)
    args = parser.parse_args(argv)
    missing = [name for name in ("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL") if name not in os.environ]
    if missing:
        parser.error(f'{" and ".join(missing)} not set; after `make up`: eval "$(make -s env)"')
    generator = from_arguments(args)
    began = time.monotonic()
    try:
        documents = load_reference(os.environ["REDIS_URL"], generator)
        print(f"{documents:,} reference documents in Redis, {time.monotonic() - began:.1f} s")
        began = time.monotonic()
        sent = produce(os.environ["KAFKA_BOOTSTRAP_SERVERS"], generator.messages(), progress_line("messages"))
    except SeedError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\r{sent:,} messages of {args.orders:,} orders in Kafka, {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

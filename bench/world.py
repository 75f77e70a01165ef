"""What a benchmark works on: a stack of its own, a topic, the operators of the DAGs, a clock for each stage."""

import logging
import os
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import psycopg
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg import sql

from harness.pipeline import empty
from harness.runs import after_the_drain, backfill, drain, run
from local.stack import Stack
from source.generate import DEFAULT_END, Generator, Message
from source.seed import load_reference
from warehouse.layers import HISTORY_BATCH

STAGES = ("drain", "reference", "dds", "cdm")
SCHEMAS = ["stg", "dds", "cdm"]


@dataclass
class Clock:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started

    @property
    def total(self) -> float:
        """All stages together."""
        return sum(self.seconds.values())


class World:
    """A running stack with an empty warehouse."""

    def __init__(self, home: Path) -> None:
        self.stack = Stack(home, report=lambda _: None)
        self.stack.reset()
        self.stack.start(["postgres", "redis", "kafka"])
        os.environ.update(self.stack.env())
        logging.disable(logging.INFO)
        self.admin = AdminClient({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]})
        self.owner = psycopg.connect(os.environ["DWH_URL"], autocommit=True)

    def close(self) -> None:
        """Stop the stack and delete its data."""
        self.owner.close()
        self.stack.reset()

    def clear(self) -> None:
        """Empty the warehouse, statistics included."""
        empty(self.owner)
        self.owner.execute(
            "insert into cdm.tag_rules (tag, category_name, threshold) values ('pizza_lover', 'Пицца', 5)"
        )

    def configure(self, setting: str, value: str) -> None:
        """Change a setting of the server, for as long as this world is there."""
        with psycopg.connect(os.environ["DWH_ADMIN_URL"], autocommit=True) as admin:
            admin.execute(sql.SQL("alter system set {} = {}").format(sql.Identifier(setting), sql.Literal(value)))
            admin.execute("select pg_reload_conf()")

    def settle(self) -> None:
        """Let what earlier stages left behind be done now and not during the next: vacuum, statistics, dirty pages."""
        self.owner.execute("vacuum analyze")
        with psycopg.connect(os.environ["DWH_ADMIN_URL"], autocommit=True) as admin:
            admin.execute("checkpoint")

    def topic(self, partitions: int = 3) -> str:
        """Create an empty topic."""
        name = f"bench-{uuid4().hex[:8]}"
        self.admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
        return name

    def produce(self, topic: str, messages: Iterable[Message]) -> int:
        """Fill a topic; return the number of messages."""
        producer = Producer(
            {"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"], "linger.ms": 50, "acks": 1},
        )
        count = 0
        for count, message in enumerate(messages, start=1):
            while True:
                try:
                    producer.produce(topic, message.value, message.key)
                    break
                except BufferError:
                    producer.poll(0.5)
            if count % 1000 == 0:
                producer.poll(0)
        producer.flush(300)
        return count

    def fresh_orders(self, generator: Generator, orders: int, moment: datetime) -> list[Message]:
        """Return new closed orders of known guests, a message each; their ids follow from the moment."""
        second = int(moment.timestamp())
        rng = random.Random(second)  # noqa: S311  # repeatable, not secret
        return [generator.live_order(second * 1_000 + number, second, rng)[-1] for number in range(orders)]

    def _wait_for_the_ended(self) -> None:
        """Wait until the sessions of what ran have gone, for only then all that they have counted is told; and tell our own."""
        self.owner.execute("select pg_stat_force_next_flush()")
        query = (
            "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
        )
        while self.owner.execute(query).fetchone() != (0,):
            time.sleep(0.02)

    def buffers(self) -> int:
        """Return the number of 8 kB pages that sessions of the warehouse have looked at so far."""
        self._wait_for_the_ended()
        query = "select blks_hit + blks_read from pg_stat_database where datname = current_database()"
        row = self.owner.execute(query).fetchone()
        assert row is not None  # the database that answers
        return int(row[0])

    def rows(self) -> dict[str, int]:
        """Return how many rows sessions that have ended have read of the layers' tables and written to them so far."""
        self._wait_for_the_ended()
        query = """
            select
                coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0),
                coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)
            from pg_stat_user_tables
            where schemaname = any(%s)
        """
        row = self.owner.execute(query, [SCHEMAS]).fetchone()
        assert row is not None  # an aggregate
        return {"read": int(row[0]), "written": int(row[1])}

    def wal_bytes(self) -> int:
        """Return the bytes that the server has written to its log so far."""
        with psycopg.connect(os.environ["DWH_ADMIN_URL"]) as admin:
            row = admin.execute("select pg_current_wal_lsn() - '0/0'").fetchone()
        assert row is not None  # a function
        return int(row[0])

    def load_reference(self, generator: Generator) -> None:
        """Fill Redis."""
        load_reference(os.environ["REDIS_URL"], generator)

    def minute(self, topic: str) -> Clock:
        """Do what `orders_micro_batch` does."""
        clock = Clock()
        with clock.stage("drain"):
            drain(topic)
        return self._layers(clock)

    def history(self, topic: str, chunk_messages: int = 10_000) -> Clock:
        """Do what `orders_backfill` does."""
        clock = Clock()
        with clock.stage("drain"):
            backfill(topic, uuid4().hex, chunk_messages=chunk_messages)
        return self._layers(clock)

    def _layers(self, clock: Clock) -> Clock:
        for name, make in after_the_drain(HISTORY_BATCH).items():
            with clock.stage(name):
                run(make())
        return clock


def plain_orders(orders: int, seed: int, end: datetime = DEFAULT_END) -> Generator:
    """Return a generator of the demo's usual mix."""
    return Generator(seed=seed, orders=orders, end=end)


def peak_memory_mib() -> float:
    """Return the most memory that this process has held, in MiB. (`ru_maxrss` would begin with its parent's.)"""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

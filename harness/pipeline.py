"""Drives the warehouse layer by layer: the same files and functions as the DAGs, without a scheduler.

    pipeline.stage([order(1, "CLOSED")]); pipeline.refer(...); pipeline.load()
    assert pipeline.user_product_counters() == ...

Results come keyed by the sources' ids, in the form of `witness.model`, so that both can be compared as they are.
"""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import psycopg
import redis
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from psycopg import sql

from warehouse.constants import SQL_FOLDER
from warehouse.layer_load import load_layer
from warehouse.layers import CDM, DDS, ORDERS, REFERENCE
from warehouse.session import Session
from warehouse.sql_files import read_sql
from warehouse.staging import Document, DocumentStore, Record, RecordStore
from witness.marts import MARTS, mart

LOG = logging.getLogger("harness.pipeline")
SQL = read_sql(path.relative_to(SQL_FOLDER).as_posix() for path in Path(SQL_FOLDER).glob("*/**/*.sql"))
TIMES_AND_POSITIONS = (
    *("load_dt", "attempt_dt", "tried_by", "as_of", "checked_dt", "checked_key", "changed_dt"),
    *("next_offset", "last_offset", "last_hash", "end_offset"),
)


def empty(owner: psycopg.Connection[Any]) -> None:
    """Empty the warehouse, as its owner; ids begin at 1 again."""
    tables = owner.execute(
        "select schemaname, tablename from pg_tables where schemaname in ('stg', 'dds', 'cdm') order by 1, 2"
    ).fetchall()
    names = sql.SQL(", ").join(sql.Identifier(*table) for table in tables)
    owner.execute(sql.SQL("truncate {} restart identity").format(names))
    owner.execute("truncate cdm.rule_queue restart identity")  # the trigger of cdm.tag_rules has filled it


PEPPER = "demo-pepper"


class Pipeline:
    """The warehouse of the test stack. `etl` is the pipeline's own role, `owner` may do everything."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self.env = env
        self.etl = psycopg.connect(env["DWH_ETL_URL"])
        self.owner = psycopg.connect(env["DWH_URL"], autocommit=True)
        self.session = Session(self.etl, SQL, statement_timeout_s=120, log=LOG)
        self.redis = redis.Redis.from_url(env["REDIS_URL"])

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.etl.close()
        self.owner.close()
        self.redis.close()

    # --- what it is told ---------------------------------------------------------------------------------------------

    def clear(self) -> None:
        """Empty the warehouse and Redis; ids begin at 1 again."""
        empty(self.owner)
        self.redis.flushall()

    def stage(self, values: Iterable[bytes | None], topic: str = "test", zone: tzinfo = UTC) -> dict[str, int]:
        """Put messages into STG as one chunk, without Kafka."""
        records = [Record(value, None, topic, 0, offset) for offset, value in enumerate(values)]
        return RecordStore(self.session, ORDERS, zone, lambda: PEPPER).store(records)

    def refer(self, documents: Sequence[tuple[str, str, bytes]], zone: tzinfo = UTC) -> dict[str, int]:
        """Put reference documents (kind, key, value) into STG, without Redis."""
        found = [Document(*document) for document in documents]
        return DocumentStore(self.session, REFERENCE, zone, lambda: PEPPER).store(found)

    def load_dds(
        self,
        max_events: int | None = None,
        max_batches: int | None = None,
        max_first_events: int | None = None,
        part_events: int = 1_000_000,
    ) -> dict[str, int]:
        """Load the vault from the queue; the first batch is as large as the others, unless another size is given."""
        params = {
            "max_events": max_events,
            "max_first_events": max_first_events or max_events,
            "part_events": part_events,
        }
        return load_layer(self.session, DDS, params, max_batches=max_batches)

    def load_cdm(
        self, as_of: datetime | None = None, max_rule_guests: int | None = None, max_batches: int | None = None
    ) -> dict[str, int]:
        """Load the marts from the queue, as of now or another moment."""
        params = {"as_of": as_of, "max_rule_guests": max_rule_guests}
        return load_layer(self.session, CDM, params, max_batches=max_batches)

    def load(self, as_of: datetime | None = None) -> None:
        """Load both layers."""
        self.load_dds()
        self.load_cdm(as_of)

    def topic(self, partitions: int = 3, max_bytes: int = 1_048_588) -> str:
        """Create a topic of this test alone, for messages as large as Kafka takes by default, and return its name."""
        name = f"orders-{uuid4().hex[:12]}"
        admin = AdminClient({"bootstrap.servers": self.env["KAFKA_BOOTSTRAP_SERVERS"]})
        admin.create_topics([NewTopic(name, partitions, 1, config={"max.message.bytes": str(max_bytes)})])[name].result(
            30
        )
        return name

    def produce(self, topic: str, values: Iterable[bytes | None], keys: Iterable[bytes | None] | None = None) -> None:
        """Produce messages to Kafka and wait until the broker has them."""
        producer = Producer(
            {
                "bootstrap.servers": self.env["KAFKA_BOOTSTRAP_SERVERS"],
                "linger.ms": 5,
                "message.max.bytes": 100_000_000,  # the topic decides
            }
        )
        values = list(values)
        for value, key in zip(values, keys or [None] * len(values), strict=True):
            producer.produce(topic, value, key)
        assert producer.flush(60) == 0

    # --- what follows ------------------------------------------------------------------------------------------------

    def rows(self, query: str, params: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query, as the owner sees them."""
        return self.owner.execute(query, params).fetchall()

    def value(self, query: str, params: Sequence[Any] | None = None) -> Any:
        """Return the one value of a query."""
        ((value,),) = self.rows(query, params)
        return value

    def marts(self) -> dict[str, dict[tuple[str, str], Any]]:
        """Return {mart: its rows}, in the form of `Model.marts`."""
        return {name: mart(self.owner, name) for name in MARTS}

    def user_product_counters(self) -> dict[tuple[str, str], tuple[str, int]]:
        """Return {(user id, dish id): (dish name, orders)}."""
        return mart(self.owner, "user_product_counters")

    def user_category_counters(self) -> dict[tuple[str, str], int]:
        """Return {(user id, category): orders}."""
        return mart(self.owner, "user_category_counters")

    def user_tags(self) -> dict[tuple[str, str], tuple[str, int, int]]:
        """Return {(user id, tag): (category, orders, threshold)}."""
        return mart(self.owner, "user_tags")

    def tag_events(self) -> list[tuple[str, str, str, int, int, int]]:
        """Return (user id, tag, event, orders, threshold, rule version) in the order in which they were decided."""
        return self.rows(
            """
            select u.user_id, e.tag, e.event, e.order_cnt, e.threshold, e.rule_version
            from cdm.tag_events as e
            inner join dds.h_user as u on e.user_id = u.h_user_pk
            order by e.id
            """
        )

    def dead_letters(self) -> list[tuple[str, bytes | None]]:
        """Return (reason, raw) of the rejected, in the order in which they came."""
        found = self.rows("select reason, raw from stg.dead_letters order by id")
        return [(reason, bytes(raw) if raw is not None else None) for reason, raw in found]

    def snapshot(self, hide: Sequence[str] = TIMES_AND_POSITIONS) -> dict[str, list[Any]]:
        """Return every row of every table, ids included, without the columns to hide.

        "Changes no row" means that two snapshots are equal: a drain that reads the same content again moves its position only.
        """
        tables = self.rows(
            "select schemaname || '.' || tablename from pg_tables where schemaname in ('stg', 'dds', 'cdm')"
        )
        return {
            table: sorted(
                str(row) for (row,) in self.rows(f"select to_jsonb(t) - %s::text[] from {table} as t", [list(hide)])
            )
            for (table,) in sorted(tables)
        }

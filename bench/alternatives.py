"""What one might pick instead of our drain, on the same topic and into the floor's table; nothing is judged or compared."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from airflow.providers.apache.kafka.operators.consume import ConsumeFromTopicOperator
from airflow.providers.postgres.hooks.postgres import PostgresHook
from confluent_kafka import Message

from bench.floor import TABLE, values
from harness.runs import run
from operators.connections import open_postgres
from warehouse.constants import POSTGRES_CONN_ID
from warehouse.staging import content_hash

CONNECTION = "kafka_bench"


def stock_operator(topic: str) -> float:
    """Consume with the provider's operator and its hook's `insert_rows`, as their documentation shows; return the seconds."""
    settings = {
        "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        "group.id": "bench-stock",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    os.environ[f"AIRFLOW_CONN_{CONNECTION.upper()}"] = json.dumps({"conn_type": "kafka", "extra": settings})
    consume = ConsumeFromTopicOperator(
        task_id="consume",
        topics=[topic],
        kafka_config_id=CONNECTION,
        apply_function_batch=_insert_rows,
        max_batch_size=1000,
        poll_timeout=5,
        commit_cadence="end_of_batch",
    )
    with _table():
        started = time.perf_counter()
        run(consume)
        return time.perf_counter() - started


def row_by_row(topic: str) -> float:
    """Insert each message by a statement and a commit of its own; return the seconds."""
    with _table(), open_postgres(POSTGRES_CONN_ID) as connection:
        connection.autocommit = True
        started = time.perf_counter()
        for value in values(topic):
            connection.execute(
                "insert into bench.floor (value_hash, value) values (%s, %s) on conflict do nothing",
                [content_hash(value), value.decode()],
            )
        return time.perf_counter() - started


def _insert_rows(messages: list[Message]) -> None:
    rows = [(content_hash(value), value.decode()) for value in (message.value() or b"" for message in messages)]
    PostgresHook(POSTGRES_CONN_ID).insert_rows(  # type: ignore[no-untyped-call]
        "bench.floor", rows, ["value_hash", "value"], replace=True, replace_index="value_hash"
    )


@contextmanager
def _table() -> Iterator[None]:
    """Have the floor's table, open to the pipeline's role."""
    with psycopg.connect(os.environ["DWH_URL"], autocommit=True) as connection:
        connection.execute("create schema bench")
        connection.execute("set search_path = bench")
        connection.execute(TABLE.read_text())
        connection.execute("grant usage on schema bench to dwh_etl")
        connection.execute("grant select, insert, update on floor to dwh_etl")
        try:
            yield
        finally:
            connection.execute("drop schema bench cascade")

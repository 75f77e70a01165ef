"""The stack that the tests own: real PostgreSQL, Redis-compatible server and Kafka, beside any other stack of this machine."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

REPO = Path(__file__).resolve().parents[1]
HOME = REPO / ".local-test"

# Before anything imports Airflow: it reads its configuration once.
os.environ.update(
    AIRFLOW_HOME=str(HOME / "airflow"),
    AIRFLOW__CORE__DAGS_FOLDER=str(REPO / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(REPO / "plugins"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
)
sys.path.append(str(REPO / "plugins"))

from local.stack import Stack  # noqa: E402
from tests.pipeline import Pipeline  # noqa: E402


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """PostgreSQL, Redis and Kafka, empty at the start of the session and gone at its end; the environment points at them."""
    stack = Stack(HOME, report=lambda line: None)
    stack.reset()
    stack.start(["postgres", "redis", "kafka"])
    os.environ.update(stack.env())
    with psycopg.connect(os.environ["DWH_ADMIN_URL"], autocommit=True) as connection:
        # Processes are killed here, not machines: what was written survives without fsync.
        connection.execute("alter system set fsync = off")
        connection.execute("select pg_reload_conf()")
    yield stack
    stack.stop()


@pytest.fixture
def pipeline(stack: Stack) -> Iterator[Pipeline]:
    """An empty warehouse, an empty Redis and a driver that puts messages through the layers."""
    with Pipeline(os.environ) as pipeline:
        pipeline.clear()
        yield pipeline

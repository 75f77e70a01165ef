"""A warehouse that is restored from a dump is made whole by its next run; Kafka needs no step."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from tests.messages import order, restaurant, user
from tests.operators.drain_case import drain
from tests.pipeline import Pipeline
from tests.sql.test_access import find_programs

RESTORED = "restored"


@pytest.fixture
def restored_env(pipeline: Pipeline) -> Iterator[dict[str, str]]:
    """An empty database beside the tests' own, as the environment of whoever works there.

    The tests' own is left alone: a restored check constraint reads otherwise than the migration wrote it.
    """
    env = dict(pipeline.env)
    for name in ("DWH_URL", "DWH_ETL_URL"):
        env[name] = make_url(env[name]).set(database=RESTORED).render_as_string(hide_password=False)
    connection = json.loads(env["AIRFLOW_CONN_POSTGRES_DWH"]) | {"schema": RESTORED}
    env["AIRFLOW_CONN_POSTGRES_DWH"] = json.dumps(connection)
    with psycopg.connect(env["DWH_ADMIN_URL"], autocommit=True) as server:
        server.execute(f"create database {RESTORED} owner {make_url(env['DWH_URL']).username}")
        yield env
        server.execute(f"drop database {RESTORED} with (force)")


def test_a_restored_dump_is_made_whole_by_the_next_run(
    pipeline: Pipeline, restored_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, programs, dump = pipeline.topic(), find_programs(), tmp_path / "dwh.dump"
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"})), ("user", "guest", user())])
    pipeline.produce(topic, [order(n, "CLOSED", dishes=("pizza",)) for n in range(20)])
    drain(topic)
    pipeline.load()
    dump_it = [programs / "pg_dump", "--format=custom", f"--file={dump}", pipeline.env["DWH_URL"]]
    subprocess.run(dump_it, check=True, capture_output=True)
    pipeline.produce(topic, [order(n, "CLOSED", dishes=("pizza",)) for n in range(20, 50)])
    drain(topic)  # the group is now ahead of the dump
    pipeline.load()
    restore = [programs / "pg_restore", "--clean", "--if-exists", "--no-owner", "--exit-on-error"]
    subprocess.run(
        [*restore, "--single-transaction", f"--dbname={restored_env['DWH_URL']}", dump], check=True, capture_output=True
    )
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DWH", restored_env["AIRFLOW_CONN_POSTGRES_DWH"])
    with Pipeline(restored_env) as restored:
        assert restored.value("select count(*) from stg.order_event_log") == 20
        assert drain(topic)["messages"] == 30
        restored.load()
        assert restored.user_product_counters() == pipeline.user_product_counters()
        assert restored.value("select count(*) from stg.order_event_log") == 50

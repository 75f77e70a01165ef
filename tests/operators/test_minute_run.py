"""The minute run as Airflow runs it, task by task: what fails keeps no other layer from what is there, and the run is red."""

import os
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from harness.pipeline import Pipeline
from local.stack import Stack
from tests.connections import change_connection
from tests.messages import order

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def metadata(stack: Stack) -> None:
    """A database for Airflow's own notes."""
    from airflow.utils.db import initdb

    Path(os.environ["AIRFLOW_HOME"]).mkdir(exist_ok=True)
    initdb()


@pytest.fixture
def minute_run(pipeline: Pipeline, metadata: None) -> DAG:
    """The DAG over a topic of this test alone; a task that fails is not tried again, which would only take time."""
    dag = DagBag(str(REPO / "dags" / "orders_micro_batch.py")).dags["orders_micro_batch"]
    dag.get_task("drain").topic = pipeline.topic(partitions=1)
    for task in dag.tasks:
        task.retries = 0
    return dag


def run(dag: DAG) -> tuple[str, dict[str, str]]:
    """Run it once; return the state of the run and those of its tasks."""
    finished: Any = dag.test()
    return finished.state, {task.task_id: str(task.state) for task in finished.get_task_instances()}


def test_a_run_in_which_all_is_well_succeeds(pipeline: Pipeline, minute_run: DAG) -> None:
    pipeline.produce(minute_run.get_task("drain").topic, [order(1)])
    state, tasks = run(minute_run)
    assert (state, set(tasks.values())) == ("success", {"success"})
    assert pipeline.user_product_counters() == {("guest", "pizza"): ("", 1)}


def test_orders_become_counters_while_redis_is_away_and_the_run_is_red(
    pipeline: Pipeline, minute_run: DAG, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.produce(minute_run.get_task("drain").topic, [order(1)])
    change_connection(monkeypatch, "redis_reference", port=9)
    state, tasks = run(minute_run)
    assert pipeline.user_product_counters() == {("guest", "pizza"): ("", 1)}
    assert state == "failed"
    assert {task for task, ended in tasks.items() if ended == "failed"} == {"reference"}


def test_what_is_staged_becomes_counters_while_kafka_is_away_and_the_run_is_red(
    pipeline: Pipeline, minute_run: DAG, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.stage([order(1)])
    minute_run.get_task("drain").timeout_s = 1.0
    change_connection(monkeypatch, "kafka_orders", extra={"bootstrap.servers": "127.0.0.1:9"})
    state, tasks = run(minute_run)
    assert pipeline.user_product_counters() == {("guest", "pizza"): ("", 1)}
    assert state == "failed"
    assert {task for task, ended in tasks.items() if ended == "failed"} == {"drain"}

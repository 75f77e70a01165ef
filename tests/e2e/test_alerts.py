"""Who is called when a DAG breaks: a real Airflow runs the callbacks, a small server stands for the service that carries them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.pipeline import Pipeline
from local.airflow_api import AirflowApi
from local.stack import Stack
from tests.alerts_service import PASSWORD, Service
from tests.e2e.test_airflow import finished
from tests.waiting import wait_for
from warehouse.requests import ALL_LAWS_WHOLE

# Until Airflow has run a callback.
PATIENCE_S = 240
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
GOOD = "Executing on_success dag callback"
BREAK_HOURS = "insert into stg.order_hours values ('2026-01-01Z', 'diner', 'OPEN', 1, 0, 0)"
LOSE_MESSAGES = """
insert into stg.lost_messages (topic, topic_id, "partition", from_offset, to_offset, noticed_dt) values ('t', 'i', 0, 3, 8, now())
"""


@pytest.fixture
def checks(airflow: AirflowApi, pipeline: Pipeline, stack: Stack) -> None:
    """The laws hold, and nothing is left to be told of what other tests have broken."""
    airflow.unpause("data_checks")
    all_is_well(airflow, stack)


@pytest.fixture
def service(airflow: AirflowApi) -> Iterator[Service]:
    """The service, and the connection that points at it."""
    with Service() as service:
        airflow.add_connection("alerts", "apprise", service.extra)
        yield service
        airflow.remove_connection("alerts")


def run_checks(airflow: AirflowApi) -> str:
    return finished(airflow, "data_checks", airflow.trigger("data_checks", {"scope": ALL_LAWS_WHOLE}))


def remembered(airflow: AirflowApi, dag_id: str) -> dict[str, Any] | None:
    value = airflow.variables().get(f"alert_{dag_id}")
    return None if value is None else json.loads(value)


def log_of_callbacks(stack: Stack, dag_id: str) -> str:
    files = Path(stack.home, "airflow/logs/dag_processor").rglob(f"{dag_id}.py.log")
    return "".join(file.read_text(encoding="utf-8") for file in files)


def all_is_well(airflow: AirflowApi, stack: Stack) -> None:
    """Let the laws be checked, and wait until that they hold has come through, behind all that failed before."""
    before = log_of_callbacks(stack, "data_checks").count(GOOD)
    assert run_checks(airflow) == "success"
    wait_for(
        lambda: log_of_callbacks(stack, "data_checks").count(GOOD) > before,
        "callback of the good run",
        within_s=PATIENCE_S,
    )
    wait_for(lambda: remembered(airflow, "data_checks") is None, "end of the memory", within_s=PATIENCE_S)


def test_four_tasks_that_fail_in_two_runs_are_one_message_and_the_first_good_run_is_another(
    airflow: AirflowApi, pipeline: Pipeline, service: Service
) -> None:
    airflow.pause("orders_micro_batch")
    # All wait until the switch is on and then run one by one, before any later minute.
    failing = [airflow.trigger("orders_micro_batch", {"nonsense": 1}) for _ in range(2)]
    good = airflow.trigger("orders_micro_batch", {})
    airflow.unpause("orders_micro_batch")
    for run_id in failing:
        assert finished(airflow, "orders_micro_batch", run_id) == "failed"
        tasks = airflow.tasks("orders_micro_batch", run_id)
        assert {task["task_id"] for task in tasks if task["state"] == "failed"} == {"drain", "reference", "dds", "cdm"}
    assert finished(airflow, "orders_micro_batch", good) == "success"
    airflow.pause("orders_micro_batch")
    wait_for(lambda: len(service.about("orders_micro_batch")) > 1, "message that it is well again", within_s=PATIENCE_S)
    broken, well = service.about("orders_micro_batch")
    kind, title, text = broken
    assert (kind, title) == ("failure", "orders_micro_batch: broken")
    what, also, address, advice = text.splitlines()
    assert what.startswith("The last run failed at «drain», 2")
    assert what.endswith("AirflowFailException: unknown parameter 'nonsense' (known: as_of, as_of_ahead)")
    assert also == "Failed in the same run: reference, dds, cdm."
    assert address.startswith(f"{airflow.address}/dags/orders_micro_batch/runs/manual__")
    assert address.endswith("/tasks/drain")
    assert advice == "What to do: docs/runbook.md, orders_micro_batch"
    assert well[:2] == ("success", "orders_micro_batch: well again")
    wait_for(lambda: remembered(airflow, "orders_micro_batch") is None, "end of the memory", within_s=PATIENCE_S)


def test_a_loss_is_told_though_another_law_is_broken_and_a_message_that_nobody_took_is_sent_again(
    airflow: AirflowApi, pipeline: Pipeline, checks: None, service: Service, stack: Stack
) -> None:
    service.takes = False
    pipeline.owner.execute(BREAK_HOURS)
    assert run_checks(airflow) == "failed"
    wait_for(lambda: remembered(airflow, "data_checks"), "memory of it", within_s=PATIENCE_S)
    known = remembered(airflow, "data_checks")
    assert known is not None
    assert (known["told"], known["names"]) == (False, ["stg.order_hours"])
    assert service.refused

    service.takes = True
    assert [run_checks(airflow) for _ in range(2)] == ["failed", "failed"]
    pipeline.owner.execute(LOSE_MESSAGES)
    assert run_checks(airflow) == "failed"
    wait_for(lambda: len(service.about("data_checks")) > 1, "message about the loss", within_s=PATIENCE_S)
    (_, title, first), (_, _, second) = service.about("data_checks")
    assert title == "data_checks: broken"
    assert first.startswith("Laws of the data are broken since 2")
    assert "stg.order_hours (1 rows)" in first
    assert "stg.lost_messages" not in first
    assert "stg.lost_messages (1 rows)" in second

    pipeline.clear()
    all_is_well(airflow, stack)
    assert [title for _, title, _ in service.about("data_checks")[2:]] == ["data_checks: well again"]
    log = log_of_callbacks(stack, "data_checks")
    assert "'data_checks: broken' was not taken" in log
    assert PASSWORD not in log


def test_without_the_connection_nobody_is_called_and_the_log_says_so_once(
    airflow: AirflowApi, pipeline: Pipeline, checks: None, stack: Stack
) -> None:
    before = log_of_callbacks(stack, "data_checks")
    pipeline.owner.execute(BREAK_HOURS)
    assert [run_checks(airflow) for _ in range(2)] == ["failed", "failed"]
    pipeline.clear()
    all_is_well(airflow, stack)
    said = log_of_callbacks(stack, "data_checks")[len(before) :]
    assert said.count("nobody is called: no connection 'alerts'") == 1
    assert said.count("Executing on_failure dag callback") == 2

"""Airflow's own share of a minute's run (LocalExecutor): from the minute's boundary to each task's start and end."""

import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.world import STAGES, World, plain_orders
from local.airflow_api import AirflowApi
from warehouse.constants import ORDERS_TOPIC

DAG_ID = "orders_micro_batch"
TIMEOUT_S = 300.0


def overhead(world: World, runs: int, orders: int = 5) -> dict[str, Any]:
    """Let the scheduler make `runs` runs with `orders` new orders each; return median seconds.

    `starts`: from the boundary, or from the end of the task before it, to each task's start, which includes its interpreter and
    imports; `works`: from its start to its end; `whole`: from the boundary to the end of the last task.
    """
    world.stack.start(["airflow"])
    api = AirflowApi(*world.stack.ui_login())
    api.wait_for_dags((DAG_ID,))
    generator = plain_orders(50_000, seed=42)
    api.unpause(DAG_ID)
    try:
        seen: list[str] = []
        starts: dict[str, list[float]] = {stage: [] for stage in STAGES}
        works: dict[str, list[float]] = {stage: [] for stage in STAGES}
        wholes: list[float] = []
        deadline = time.monotonic() + TIMEOUT_S + 60 * runs
        while len(wholes) <= runs:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(wholes)} of {runs + 1} runs of {DAG_ID} have ended")
            time.sleep(2)
            for run in api.runs(DAG_ID, state="success"):
                if run["dag_run_id"] in seen:
                    continue
                seen.append(run["dag_run_id"])
                # The next run's orders, as soon as this one has ended.
                world.produce(
                    ORDERS_TOPIC, world.fresh_orders(generator, orders, datetime.now(UTC) + timedelta(days=1))
                )
                before = boundary = _moment(run["run_after"])
                for task in api.tasks(DAG_ID, run["dag_run_id"]):
                    if task["task_id"] not in STAGES:  # it only stands for the state of the run
                        continue
                    start, end = _moment(task["start_date"]), _moment(task["end_date"])
                    starts[task["task_id"]].append((start - before).total_seconds())
                    works[task["task_id"]].append((end - start).total_seconds())
                    before = end
                wholes.append((before - boundary).total_seconds())
    finally:
        world.stack.stop(["airflow"])
    # The first run had no orders, and an Airflow that had just started.
    return {
        "orders": orders,
        "runs": len(wholes) - 1,
        "starts": {stage: statistics.median(seconds[1:]) for stage, seconds in starts.items()},
        "works": {stage: statistics.median(seconds[1:]) for stage, seconds in works.items()},
        "whole": statistics.median(wholes[1:]),
    }


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)

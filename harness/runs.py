"""Runs operators as tasks would, and chains of them as the DAGs do, without a scheduler."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from airflow.sdk import BaseOperator, Context

from operators.backfill_orders import BackfillOrdersOperator
from operators.drain_orders import DrainOrdersOperator
from operators.load_layer import LoadLayerOperator
from operators.rebuild_staging import RebuildStagingOperator
from operators.refresh_reference import RefreshReferenceOperator
from operators.replay_dead_letters import ReplayDeadLettersOperator
from warehouse.constants import SQL_FOLDER
from warehouse.layers import BATCH, CDM, CDM_REBUILD, DDS, DDS_REBUILD, REBUILD_BATCH
from warehouse.requests import DDS_AND_CDM, STG_DDS_AND_CDM


def run(operator: BaseOperator, **context: Any) -> dict[str, Any]:
    """Resolve the operator's SQL files by the DAGs' search path and execute it."""
    import jinja2

    operator.get_template_env = lambda dag=None: jinja2.Environment(loader=jinja2.FileSystemLoader(SQL_FOLDER))  # type: ignore[method-assign]
    operator.resolve_template_files()
    counts: dict[str, Any] = operator.execute(cast("Context", context))
    return counts


def drain(topic: str, **arguments: Any) -> dict[str, int]:
    """Drain a topic with the minute run's operator."""
    return run(DrainOrdersOperator(task_id="drain", topic=topic, **arguments))


def backfill(
    topic: str,
    run_id: str = "run",
    conf: dict[str, Any] | None = None,
    *,
    try_number: int = 1,
    worker: int = 0,
    **params: Any,
) -> dict[str, int]:
    """Drain a topic's history with the backfill's operator, as a worker of a run with these parameters."""
    declared = {"from": "beginning", "chunk_messages": 50_000, "workers": 1, **params}
    run_of = SimpleNamespace(run_id=run_id, conf=conf if conf is not None else params)
    dag = SimpleNamespace(dag_id="orders_backfill")
    task = SimpleNamespace(try_number=try_number)
    operator = BackfillOrdersOperator(task_id="drain", topic=topic, worker=worker)
    return run(operator, dag=dag, dag_run=run_of, params=declared, ti=task)


def after_the_drain(batch: Mapping[str, int | None] = BATCH) -> dict[str, Callable[[], BaseOperator]]:
    """Return what follows a drain, in order: task id -> what makes the operator. `batch`: sizes of the vault's batches."""
    return {
        "reference": lambda: RefreshReferenceOperator(task_id="reference"),
        "dds": lambda: LoadLayerOperator(task_id="dds", layer=DDS, parameters=batch),
        "cdm": lambda: LoadLayerOperator(task_id="cdm", layer=CDM),
    }


def load_layers() -> None:
    """Do what follows the drain."""
    for make in after_the_drain().values():
        run(make())


def worker_run(topic: str, worker: int, workers: int) -> None:
    """Do what one of several drains of a topic does, in chunks of 100 messages."""
    drain(topic, worker=worker, workers=workers, chunk_messages=100)


def minute_run(topic: str) -> None:
    """Do what `orders_micro_batch` does."""
    drain(topic)
    load_layers()


def history_run(topic: str, run_id: str) -> None:
    """Do what `orders_backfill` does, in chunks of 100 messages."""
    backfill(topic, run_id=run_id, chunk_messages=100)
    load_layers()


def rebuild_run(layers: str = DDS_AND_CDM, **staging: Any) -> None:
    """Do what `marts_rebuild` does where these layers are asked for; `staging`: arguments for what judges STG again."""
    context: dict[str, Any] = {
        "dag": SimpleNamespace(dag_id="marts_rebuild"),
        "dag_run": SimpleNamespace(run_id="run", conf={}, start_date=datetime.now(UTC)),
        "params": {"layers": layers, "as_of": None, "as_of_ahead": False},
    }
    if layers == STG_DDS_AND_CDM:
        run(ReplayDeadLettersOperator(task_id="letters", everything=True), **context)
    run(RebuildStagingOperator(task_id="stg", **staging), **context)
    run(LoadLayerOperator(task_id="dds", layer=DDS_REBUILD, parameters=REBUILD_BATCH, max_batches=1))
    run(LoadLayerOperator(task_id="cdm", layer=CDM_REBUILD, max_batches=1))

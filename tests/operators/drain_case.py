"""Runs operators as a task would, without a scheduler."""

from types import SimpleNamespace
from typing import Any

from airflow.sdk import BaseOperator

from operators.backfill_orders import BackfillOrdersOperator
from operators.drain_orders import DrainOrdersOperator
from warehouse.constants import SQL_FOLDER


def run(operator: BaseOperator, **context: Any) -> Any:
    """Resolve the operator's SQL files by the DAGs' search path and execute it."""
    import jinja2

    operator.get_template_env = lambda dag=None: jinja2.Environment(loader=jinja2.FileSystemLoader(SQL_FOLDER))  # type: ignore[method-assign]
    operator.resolve_template_files()
    return operator.execute(context)


def drain(topic: str, **arguments: Any) -> dict[str, int]:
    """Drain a topic with the minute run's operator."""
    return run(DrainOrdersOperator(task_id="drain", topic=topic, **arguments))


def backfill(
    topic: str, run_id: str = "run", conf: dict[str, Any] | None = None, *, try_number: int = 1, **params: Any
) -> dict[str, int]:
    """Drain a topic's history with the backfill's operator, as a run with these parameters."""
    declared = {"from": "beginning", "chunk_messages": 50_000, **params}
    run_of = SimpleNamespace(run_id=run_id, conf=conf if conf is not None else params)
    dag = SimpleNamespace(dag_id="orders_backfill")
    task = SimpleNamespace(try_number=try_number)
    return run(BackfillOrdersOperator(task_id="drain", topic=topic), dag=dag, dag_run=run_of, params=declared, ti=task)

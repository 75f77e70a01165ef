"""What the DAGs of the pipeline have in common."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param

from operators.alerts import ALERTS
from warehouse.constants import OWNER, SQL_FOLDER
from warehouse.requests import FORMS


def usual(
    *, task_timeout: timedelta, retries: int = 2, retry_delay: timedelta = timedelta(seconds=30)
) -> dict[str, Any]:
    """Return the arguments that every DAG has; PostgreSQL, too, ends what a task does when its time is over."""
    return {
        "start_date": datetime(2026, 1, 1, tzinfo=UTC),
        "catchup": False,
        "max_active_runs": 1,
        "template_searchpath": SQL_FOLDER,
        "default_args": {
            "owner": OWNER,
            "retries": retries,
            "retry_delay": retry_delay,
            "execution_timeout": task_timeout,
        },
        **ALERTS,
    }


def form(dag_id: str) -> dict[str, Param]:
    """Return the parameters of a DAG, by which its form is drawn."""
    return {name: Param(field.default, **field.schema) for name, field in FORMS[dag_id].items()}

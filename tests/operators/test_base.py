"""What every operator has from its base: the texts of its SQL files, and the limit of their statements."""

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import Context

from harness.pipeline import Pipeline
from harness.runs import run
from operators.base import PipelineOperator

LIMITS = ("statement_timeout", "idle_in_transaction_session_timeout")


class Limits(PipelineOperator):
    """Tells the limits of a transaction."""

    def execute(self, context: Context) -> Any:
        """Ask PostgreSQL."""
        with self.open_session() as session, session.transaction():
            shown = session.connection.execute("select current_setting(%s), current_setting(%s)", LIMITS).fetchone()
            return dict(zip(LIMITS, shown or (), strict=True))


def test_postgresql_ends_a_statement_when_its_task_is_over(pipeline: Pipeline) -> None:
    limit = timedelta(seconds=90)
    assert run(Limits(task_id="limits", files=[], execution_timeout=limit)) == dict.fromkeys(LIMITS, "90s")
    assert run(Limits(task_id="limits", files=[])) == dict.fromkeys(LIMITS, "5min"), "where a task has none"


def test_a_misspelt_sql_file_is_an_error_and_not_a_query() -> None:
    operator = Limits(task_id="limits", files=["stg/order.sql"])
    with pytest.raises(FileNotFoundError, match=r"template_searchpath: turn/transaction\.sql, stg/order\.sql"):
        operator.execute({})  # as Airflow does when it has not found the files: the names stand for the texts

"""What the operators of the pipeline share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from operators.alerts import leave_error
from operators.connections import open_postgres
from warehouse.constants import POSTGRES_CONN_ID
from warehouse.errors import errors_without_rows
from warehouse.layers import TRANSACTION, Listed, files_of
from warehouse.requests import BadRequestError, judged
from warehouse.session import Session
from warehouse.sql_files import named_sql

# Of a statement, where a task has no limit.
STATEMENT_TIMEOUT = timedelta(minutes=5)


class PipelineOperator(BaseOperator):
    """Has SQL files (`warehouse.layers`) to run on the warehouse, whose texts Airflow puts into `sql`.

    Judges the request of its run before it does anything: a wrong one fails the task at once, without retries. A task that fails
    for good leaves the sentence of its error for the message about the run (`operators.alerts`).
    """

    template_fields: Sequence[str] = ("sql",)
    template_ext: Sequence[str] = (".sql",)

    def __init__(self, *, files: Listed, postgres_conn_id: str = POSTGRES_CONN_ID, **kwargs: Any) -> None:
        super().__init__(**{"on_failure_callback": leave_error, **kwargs})
        self.files = files_of(TRANSACTION, files)
        self.sql = list(self.files)
        self.postgres_conn_id = postgres_conn_id

    def pre_execute(self, context: Context) -> None:
        """Refuse what no parameter of the DAG allows."""
        request_of(context)

    @contextmanager
    def open_session(self) -> Iterator[Session]:
        """Yield a connection to the warehouse with the files; its statements have the task's own limit. Closes it.

        Errors of PostgreSQL leave it without rows, for Airflow logs them. Raises `UnreachableError` where PostgreSQL refuses us,
        FileNotFoundError where Airflow has not found a file.
        """
        files = named_sql(self.files, self.sql)
        limit = self.execution_timeout or STATEMENT_TIMEOUT
        with errors_without_rows(), open_postgres(self.postgres_conn_id) as connection:
            yield Session(connection, files, statement_timeout_s=limit.total_seconds(), log=self.log)


def started_by(context: Context) -> str | None:
    """Return the person who has started the run, None where it began by its schedule."""
    return getattr(context["dag_run"], "triggering_user_name", None)


def request_of(context: Context) -> dict[str, Any]:
    """Return the values that the run was asked for (`warehouse.requests`). Raises `AirflowFailException` with what is allowed."""
    try:
        return judged(context["dag"].dag_id, context["dag_run"].conf or {}, dict(context["params"]))
    except BadRequestError as error:
        raise AirflowFailException(str(error)) from error

"""What the operators of the pipeline share."""

from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from operators.alerts import leave_error
from warehouse.requests import BadRequestError, judged


class PipelineOperator(BaseOperator):
    """Judges the request of its run before it does anything: a wrong one fails the task at once, without retries.

    A task that fails for good leaves the sentence of its error for the message about the run (`operators.alerts`).
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(on_failure_callback=leave_error, **kwargs)

    def pre_execute(self, context: Context) -> None:
        """Refuse what no parameter of the DAG allows."""
        request_of(context)


def request_of(context: Context) -> dict[str, Any]:
    """Return the values that the run was asked for (`warehouse.requests`). Raises `AirflowFailException` with what is allowed."""
    try:
        return judged(context["dag"].dag_id, context["dag_run"].conf or {}, dict(context["params"]))
    except BadRequestError as error:
        raise AirflowFailException(str(error)) from error

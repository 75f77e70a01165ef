"""What the operators of the pipeline share."""

from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from warehouse.requests import BadRequestError, judged


class PipelineOperator(BaseOperator):
    """Judges the request of its run before it does anything: a wrong one fails the task at once, without retries."""

    def pre_execute(self, context: Context) -> None:
        """Refuse what no parameter of the DAG allows."""
        request_of(context)


def request_of(context: Context) -> dict[str, Any]:
    """Return the values that the run was asked for (`warehouse.requests`). Raises `AirflowFailException` with what is allowed."""
    try:
        return judged(context["dag"].dag_id, context["dag_run"].conf or {}, dict(context["params"]))
    except BadRequestError as error:
        raise AirflowFailException(str(error)) from error

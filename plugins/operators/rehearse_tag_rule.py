"""`RehearseTagRuleOperator`: what a rule of a tag would do, before it does it."""

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from operators.base import PipelineOperator, request_of, started_by
from warehouse.laws import RebuildIsOnError
from warehouse.rehearsal import REHEARSAL_FILES, in_words, picture, rehearse, wanted
from warehouse.requests import BadRequestError

PICTURE = "picture"


class RehearseTagRuleOperator(PipelineOperator):
    """Fold all guests' orders under the rule that the run's form asks for, and keep what comes of it in cdm.rehearsals.

    That is the draft of a tag, else its rule in force, else the rule that the form holds whole. Nothing else is written. The log
    tells it in words; the picture, a page of HTML, is the XCom `picture`. What is wrong with the request fails the task at once.
    Returns rehearsal_id, guests, would_enter and would_leave. Raises AirflowException beside a rebuild of the vault that does not
    end in time, and `UnreachableError` where PostgreSQL refuses us.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(files=REHEARSAL_FILES, **kwargs)

    def execute(self, context: Context) -> dict[str, int]:
        """Rehearse the rule; tell what comes of it."""
        with self.open_session() as session:
            try:
                params = wanted(session, request_of(context), started_by(context))
            except BadRequestError as error:
                raise AirflowFailException(str(error)) from error
            try:
                told = rehearse(session, params)
            except RebuildIsOnError as error:
                raise AirflowException("the vault is being built again: rehearse when marts_rebuild is over") from error
        for line in in_words(params, told):
            self.log.info("%s", line)
        task = context.get("ti")
        if task is not None:
            task.xcom_push(key=PICTURE, value=picture(params, told))
            task.xcom_push(key="rehearsal_id", value=told.id)
        return {
            "rehearsal_id": told.id,
            "guests": told.guests,
            "would_enter": told.would_enter,
            "would_leave": told.would_leave,
        }

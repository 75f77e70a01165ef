"""`ApproveExportOperator`: a held list of guests leaves, because somebody has looked at it."""

from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from operators.base import request_of
from operators.export_audiences import ExportAudiencesOperator, asked_by
from warehouse.export import Asked
from warehouse.requests import ALL_AUDIENCES


class ApproveExportOperator(ExportAudiencesOperator):
    """Let one held export go: the one that has the number and the plan hash that somebody has seen.

    It goes as any other (`ExportAudiencesOperator`). Where the plan is another one by now that one is held, to be looked at;
    nothing is handed over, and the task fails at once. A channel that another export holds is tried again. Returns what has
    become of the audience, by its name.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Hand over what was seen, or nothing."""
        request = request_of(context)
        audience, seq, plan_hash = (request[name] for name in ("audience", "seq", "plan_hash"))
        if not (audience and seq and plan_hash) or audience == ALL_AUDIENCES:
            raise AirflowFailException("to approve, 'audience', 'seq' and 'plan_hash' must say what you have seen")
        return self.hand_over(audience, Asked(by=asked_by(context), seq=seq, plan_hash=plan_hash))

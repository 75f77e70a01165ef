"""`EraseGuestsOperator`: guests who are forgotten."""

from collections import Counter
from typing import Any

from airflow.sdk import Context

from operators.base import PipelineOperator, request_of
from operators.connections import ledger_pepper
from warehouse.erasures import ERASURE_FILES, apply_ledger, work_off
from warehouse.requests import APPLY_LEDGER


class EraseGuestsOperator(PipelineOperator):
    """Erase the guests whom `stg.erasure_requests` names or, after a restore, those whom the ledger names; a transaction each.

    A guest is erased whole or not at all, and the request goes with them: whoever kills this gets the rest by running it again.
    Nothing that it logs or returns names a guest. Returns counts: guests, and the rows that were scrubbed or deleted, by table.
    Raises `PepperError` without the pepper of the ledger, `DistributedError` where the tables lie on several machines.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(files=ERASURE_FILES, **kwargs)

    def execute(self, context: Context) -> dict[str, int]:
        """Erase one guest after another."""
        act = apply_ledger if request_of(context)["action"] == APPLY_LEDGER else work_off
        totals: Counter[str] = Counter(guests=0)
        with self.open_session() as session:
            for counts in act(session, ledger_pepper):
                totals.update(counts, guests=1)
                self.log.info("one guest erased: %s", counts or "nothing was left of them")
        self.log.info("%d guests erased", totals["guests"])
        return dict(totals)

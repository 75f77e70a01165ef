"""`EraseGuestsOperator`: guests who are forgotten."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context

from operators.base import PipelineOperator, request_of
from operators.connections import ledger_copy, ledger_pepper
from warehouse.erasures import ERASURE_FILES, apply_ledger, vacuum, work_off
from warehouse.ledger_copy import LEDGER_COPY_FILES, copy_ledger, restore_ledger
from warehouse.requests import APPLY_LEDGER


class EraseGuestsOperator(PipelineOperator):
    """Erase the guests whom `stg.erasure_requests` names or, after a restore, those whom the ledger names; a transaction each.

    A guest is erased whole or not at all, and the request goes with them: whoever kills this gets the rest by running it again.
    Then the act is copied to where the connection of the ledger says (`copy` in its extra); what a run that was killed has not
    copied, the next one does. After a restore the ledger first learns from there what was done since the dump. At the end the
    tables are vacuumed. Nothing that it logs or returns names a guest. Returns counts: guests, acts copied and acts restored
    where there is a copy, and the rows that were scrubbed or deleted, by table.
    Raises `PepperError` without the pepper of the ledger, `DistributedError` where the tables lie on several machines.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(files=[*ERASURE_FILES, *LEDGER_COPY_FILES], **kwargs)

    def execute(self, context: Context) -> dict[str, int]:
        """Erase one guest after another."""
        is_restored = request_of(context)["action"] == APPLY_LEDGER
        totals: Counter[str] = Counter(guests=0)
        copy = ledger_copy()
        with self.open_session() as session:
            if copy is not None:
                if is_restored:
                    totals["restored"] = restore_ledger(session, copy)
                totals["copied"] = copy_ledger(session, copy)
            since = datetime.now(UTC)
            for counts in (apply_ledger if is_restored else work_off)(session, ledger_pepper):
                totals.update(counts, guests=1)
                self.log.info("one guest erased: %s", counts or "nothing was left of them")
                if copy is not None:
                    totals["copied"] += copy_ledger(session, copy, since)
                since = datetime.now(UTC)
            if totals["guests"]:
                vacuum(session)
        self.log.info("%d guests erased", totals["guests"])
        if copy is None and totals["guests"]:
            self.log.warning(
                "the ledger has no copy outside the database: a restore would bring back who was erased since the dump "
                "(docs/personal-data.md)"
            )
        return dict(totals)

"""`LoadSuppressionsOperator`: who must not be handed over, and who has consented, from files of an agreed folder."""

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from operators.base import PipelineOperator
from operators.connections import export_settings, ledger_pepper
from warehouse.constants import EXPORTS_CONN_ID
from warehouse.export_files import ExportFiles
from warehouse.ledger import read_ledger
from warehouse.suppressions import SUPPRESSION_FILES, load_consents, load_suppressions

SUPPRESSIONS, CONSENTS = "suppressions", "consents"


class LoadSuppressionsOperator(PipelineOperator):
    """Load each `incoming/suppressions/*.csv` and `incoming/consents/*.csv` beside the exports, a transaction a file.

    What is known already adds nothing, so files may stay there and come again. The lines that are right count, even where others
    are wrong: these fail the task at its end, by their numbers. Lines about erased guests are left out.
    Returns counts: files, suppressions, consents.
    """

    def __init__(self, *, exports_conn_id: str = EXPORTS_CONN_ID, **kwargs: Any) -> None:
        super().__init__(files=SUPPRESSION_FILES, **kwargs)
        self.exports_conn_id = exports_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Load file after file."""
        counts = {"files": 0, SUPPRESSIONS: 0, CONSENTS: 0}
        try:
            settings = export_settings(self.exports_conn_id)
        except AirflowNotFoundException:
            self.log.info("There is no connection %s: no files to load", self.exports_conn_id)
            return counts
        files, now, complaints = ExportFiles(settings.url, **settings.options), datetime.now(UTC), []
        with self.open_session() as session:
            ledger = read_ledger(session, ledger_pepper)
            for kind in (SUPPRESSIONS, CONSENTS):
                for name, text in files.incoming(kind):
                    with session.transaction():
                        if kind == SUPPRESSIONS:
                            stored, wrong = load_suppressions(session, text, name, now, ledger)
                        else:
                            stored, wrong = load_consents(session, text, ledger)
                    counts["files"] += 1
                    counts[kind] += stored
                    complaints += [f"{name}, {complaint}" for complaint in wrong]
        if complaints:
            raise AirflowFailException("\n".join(complaints))
        return counts

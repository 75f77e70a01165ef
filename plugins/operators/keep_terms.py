"""`KeepTermsOperator`: what has been kept for long enough goes."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from operators.base import PipelineOperator
from operators.connections import export_settings
from warehouse.constants import EXPORTS_CONN_ID, TERMS_FILE
from warehouse.export import delete_files, old_exports
from warehouse.export_files import ExportFiles
from warehouse.layers import AUDIENCE_EXPORTS_DELETED, AUDIENCE_EXPORTS_OLD, DEAD_LETTERS_BLANKED, STG_LOCK
from warehouse.terms import BadTermsError, parse_terms


class KeepTermsOperator(PipelineOperator):
    """Delete what `config/terms.yaml` says is old: what solved dead letters hold, and the files of exports.

    The letters first, in one transaction and in STG's turn; the files export by export. Where no file is old, nobody asks where
    exports go. Returns counts: letters, exports. Wrong terms fail the task at once, and nothing is deleted.
    """

    def __init__(self, *, terms_file: str = TERMS_FILE, exports_conn_id: str = EXPORTS_CONN_ID, **kwargs: Any) -> None:
        files = [STG_LOCK, DEAD_LETTERS_BLANKED, AUDIENCE_EXPORTS_OLD, AUDIENCE_EXPORTS_DELETED]
        super().__init__(files=files, **kwargs)
        self.terms_file = terms_file
        self.exports_conn_id = exports_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Read the terms; blank the letters; delete the files."""
        try:
            terms = parse_terms(Path(self.terms_file).read_text(encoding="utf-8"))
        except BadTermsError as error:
            raise AirflowFailException(f"{Path(self.terms_file).name}: {error}") from error
        now = datetime.now(UTC)
        with self.open_session() as session:
            with session.transaction():
                params = {"solved_before": now - terms.solved_letters}
                (letters,) = session.run([STG_LOCK, DEAD_LETTERS_BLANKED], params).values()
            exports = old_exports(session, now - terms.export_files)
            if exports:
                settings = export_settings(self.exports_conn_id)
                delete_files(session, ExportFiles(settings.url, **settings.options), exports, now)
        self.log.info(
            "%d solved letters hold nothing any more; the files of %d exports are gone", letters, len(exports)
        )
        return {"letters": letters, "exports": len(exports)}

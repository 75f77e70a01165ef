"""`ExportAudiencesOperator`: the lists of guests that leave the warehouse."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from operators.apply_tag_rules import refusals
from operators.base import PipelineOperator, request_of, started_by
from operators.connections import ExportSettings, export_settings
from warehouse.audiences import AUDIENCE_FILES, apply_audiences, parse_audiences, unknown_tags
from warehouse.constants import AUDIENCES_FILE, EXPORTS_CONN_ID
from warehouse.export import (
    EXPORT_FILES,
    NOTHING,
    Asked,
    Audience,
    ExportError,
    Outcome,
    export_audience,
    take_turn,
)
from warehouse.export_files import ExportFiles
from warehouse.layers import AUDIENCES_NOW, TAG_RULES_NOW
from warehouse.requests import ALL_AUDIENCES, BadRequestError, near
from warehouse.session import Session


class ExportAudiencesOperator(PipelineOperator):
    """Hand the audiences of `config/audiences.yaml` over to their channels: what has changed since the last export of each.

    Each is planned and committed, its files are written, its manifest appears last, and only then its members change: whoever
    kills that gets the same files by running it again. A swing above what the audience allows is held until somebody approves it
    (`ApproveExportOperator`); removals of suppressed guests are not. A dry run only says what would go.

    What fails one audience does not keep the others from going; it fails the task at its end. A wrong request or file fails it
    at once. Returns, by audience, what has become of it.
    """

    def __init__(
        self, *, audiences_file: str = AUDIENCES_FILE, exports_conn_id: str = EXPORTS_CONN_ID, **kwargs: Any
    ) -> None:
        super().__init__(files=[*AUDIENCE_FILES, AUDIENCES_NOW, *EXPORT_FILES], **kwargs)
        self.audiences_file = audiences_file
        self.exports_conn_id = exports_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Hand over the audience that the form names, or all."""
        request = request_of(context)
        return self.hand_over(request["audience"], Asked(request["mode"], by=asked_by(context)))

    def hand_over(self, name: str | None, asked: Asked) -> dict[str, Any]:
        """Read the file; export one audience after another, all of them where none is named."""
        with self.open_session() as session, self.open_session() as turns:
            chosen = self._chosen(session, name)
            if not chosen:
                self.log.info("There is no audience in %s: nothing to hand over", Path(self.audiences_file).name)
                return {}
            settings = export_settings(self.exports_conn_id)
            files = ExportFiles(settings.url, **settings.options)
            now = datetime.now(UTC)
            outcomes = {}
            failures: list[Exception] = []
            for audience in chosen:
                try:
                    outcome = self._export(session, turns, files, audience, asked, now, settings)
                except (BadRequestError, ExportError, AirflowFailException) as error:
                    failures.append(error)
                else:
                    outcomes[audience.audience] = outcome
                    self.log.info("%s: %s", audience.audience, _in_words(outcome))
        if failures:
            told = "; ".join(map(str, failures))
            # Another try mends a channel that is taken; it mends nothing that was asked for or set wrongly.
            raise (
                AirflowException(told)
                if any(isinstance(e, ExportError) for e in failures)
                else AirflowFailException(told)
            )
        return outcomes

    def _chosen(self, session: Session, name: str | None) -> list[Audience]:
        """Let the warehouse know the audiences of the file; return those that the run is about."""
        with refusals():
            written = parse_audiences(Path(self.audiences_file).read_text(encoding="utf-8"))
            known = [row[0] for row in session.ask(TAG_RULES_NOW)]
            for complaint in unknown_tags(written, known):
                self.log.warning("%s (nobody goes until one has it)", complaint)
            with session.transaction():
                apply_audiences(session, written)
            name = None if name in ("", ALL_AUDIENCES) else name
            found = [Audience(*row) for row in session.ask(AUDIENCES_NOW, {"audience": name})]
            if name and not found:
                names = [audience["audience"] for audience in written]
                raise BadRequestError(f"'audience' must be one of the file, not {name!r}{near(name, names)}")
        return found

    def _export(
        self,
        session: Session,
        turns: Session,
        files: ExportFiles,
        audience: Audience,
        asked: Asked,
        now: datetime,
        settings: ExportSettings,
    ) -> dict[str, Any]:
        with turns.transaction():
            if not take_turn(turns, audience.channel):
                raise ExportError(f"{audience.audience}: another export to {audience.channel} is on")
            key = settings.key_of(audience.channel) if audience.identifier == "login_hmac" else None
            return _told(export_audience(session, files, audience, asked, now, key))


def asked_by(context: Context) -> str:
    """Return who has started the run: a person, or the DAG by its schedule."""
    return started_by(context) or context["dag"].dag_id


def _told(outcome: Outcome) -> dict[str, Any]:
    """Return what goes, and what is held back, for XCom: without times."""

    def plain(export: Any) -> dict[str, Any]:
        return {name: value for name, value in export._asdict().items() if not isinstance(value, datetime)}

    return plain(outcome.export) | ({"held_back": plain(outcome.held_back)} if outcome.held_back else {})


def _in_words(told: dict[str, Any]) -> str:
    """Return a line: `export 7 published, +12 -3, 1,240 members; held: -420 +12 (export 8)`."""
    line = f"export {told['seq']} {told['status']}, +{told['adds']:,} -{told['removes']:,}, {told['members_after']:,} members"
    if told["status"] == NOTHING:
        line = f"nothing new, {told['members_after']:,} members"
    held = told.get("held_back")
    return f"{line}; {held['status']}: +{held['adds']:,} -{held['removes']:,} (export {held['seq']})" if held else line

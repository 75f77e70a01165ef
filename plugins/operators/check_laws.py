"""`CheckLawsOperator`: the laws of the data, asked of the warehouse as it is."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from operators.base import PipelineOperator
from warehouse.laws import RebuildIsOnError, check_next, read_laws
from warehouse.layers import CHECK_PROGRESS, CHECKED, CHECKED_BEFORE, LAW_CHECKS, WHOLE
from warehouse.requests import ALL_LAWS_WHOLE


class BrokenLawError(AirflowFailException):
    """The data breaks a law; the text names it, the log shows the rows. To ask again would not mend it: no retry."""

    state = "laws"

    def __init__(self, text: str, names: Sequence[str]) -> None:
        super().__init__(text)
        self.names = names


class UncheckedLawError(AirflowException):
    """A law could not be checked, because PostgreSQL did not answer; the text says why."""


class CheckLawsOperator(PipelineOperator):
    """Check the laws of `sql/checks/` and fail at the end where one is broken.

    `scope` (`warehouse.requests`): all laws of everything; or of what changed since the last check and the next slice of all keys
    (`warehouse.laws.Scope`), which are through within a day. A law that was broken is asked of everything until it holds.

    They run in one snapshot and without writing: a broken one, or one that PostgreSQL does not answer, costs none of the
    others. What waits in the queues breaks no law unless it has waited for over `max_queue_age_minutes`; that no drain
    has reached Kafka's end for `max_lag_s` breaks one, and so does a last good dump that is older than `max_dump_age_hours`, or a
    last good restore of one that is older than `max_restore_age_days` (deploy/backup.py), or a transaction that has been open for
    over `max_transaction_age_hours`. Logs a line a law and up to `max_rows` offending rows of each broken one.

    What was found is written to `stg.law_checks`, and how far the checks have come to `stg.check_progress`, in a transaction of
    its own. Returns counts: laws that were asked, and 0 broken.

    Beside a rebuild of the vault there is nothing whole to check: the task waits up to `max_rebuild_wait_s` for its end, then it
    is skipped and says so; the next run checks.

    Raises `BrokenLawError`, `UncheckedLawError`, and `UnreachableError` where PostgreSQL refuses us.
    """

    template_fields = (*PipelineOperator.template_fields, "scope")

    def __init__(
        self,
        *,
        scope: str = ALL_LAWS_WHOLE,
        max_queue_age_minutes: float = 30.0,
        max_lag_s: float = 120.0,
        max_dump_age_hours: float = 26.0,
        max_restore_age_days: float = 8.0,
        max_transaction_age_hours: float = 6.5,
        max_rows: int = 20,
        max_rebuild_wait_s: float = 600.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(files=[WHOLE, CHECKED_BEFORE, CHECKED, LAW_CHECKS, CHECK_PROGRESS], **kwargs)
        self.scope = scope
        self.max_queue_age_minutes = max_queue_age_minutes
        self.max_lag_s = max_lag_s
        self.max_dump_age_hours = max_dump_age_hours
        self.max_restore_age_days = max_restore_age_days
        self.max_transaction_age_hours = max_transaction_age_hours
        self.max_rows = max_rows
        self.max_rebuild_wait_s = max_rebuild_wait_s

    def execute(self, context: Context) -> dict[str, int]:
        """Ask the laws, then judge."""
        laws = read_laws()
        now = datetime.now(UTC)
        params = {
            "lock_timeout_ms": int(self.max_rebuild_wait_s * 1000),
            "queued_before": now - timedelta(minutes=self.max_queue_age_minutes),
            "checked_before": now - timedelta(seconds=self.max_lag_s),
            "dumped_before": now - timedelta(hours=self.max_dump_age_hours),
            "restored_before": now - timedelta(days=self.max_restore_age_days),
            "begun_before": now - timedelta(hours=self.max_transaction_age_hours),
        }
        try:
            with self.open_session() as session:
                asked, broken, unanswered = check_next(
                    session, laws, params, max_rows=self.max_rows, everything=self.scope == ALL_LAWS_WHOLE
                )
        except RebuildIsOnError as error:
            raise AirflowSkipException(
                f"the vault is being built again (marts_rebuild): no law was checked, the next run checks them. {error}"
            ) from error
        if broken:
            found = ", ".join(f"{law} ({rows} rows)" for law, rows in broken.items())
            raise BrokenLawError(
                f"{len(broken)} of {len(asked)} laws are broken: {found}. See docs/runbook.md, data_checks",
                list(broken),
            )
        if unanswered:
            raise UncheckedLawError(
                f"{len(unanswered)} of {len(asked)} laws could not be checked: {', '.join(unanswered)}"
            )
        return {"laws": len(asked), "broken": 0}

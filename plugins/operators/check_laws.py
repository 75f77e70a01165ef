"""`CheckLawsOperator`: the laws of the data, asked of the warehouse as it is."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from operators.base import PipelineOperator
from operators.connections import open_postgres
from warehouse.constants import POSTGRES_CONN_ID, STG_LAW_CHECKS, TRANSACTION, WHOLE
from warehouse.laws import RebuildIsOnError, check_laws, read_laws, store_answers
from warehouse.sql_files import named_sql


class BrokenLawError(AirflowFailException):
    """The data breaks a law; the text names it, the log shows the rows. To ask again would not mend it: no retry."""

    state = "laws"

    def __init__(self, text: str, names: Sequence[str]) -> None:
        super().__init__(text)
        self.names = names


class UncheckedLawError(AirflowException):
    """A law could not be checked, because PostgreSQL did not answer; the text says why."""


class CheckLawsOperator(PipelineOperator):
    """Check every law of `sql/checks/` and fail at the end where one is broken.

    All laws run, in one snapshot and without writing: a broken one, or one that PostgreSQL does not answer, costs none of the
    others. What waits in the queues breaks no law unless it has waited for over `max_queue_age_minutes`; that no drain
    has reached Kafka's end for `max_lag_s` breaks one, and so does a last good dump that is older than `max_dump_age_hours`, or a
    last good restore of one that is older than `max_restore_age_days` (deploy/backup.py), or a transaction that has been open for
    over `max_transaction_age_hours`. Logs a line a law and up to `max_rows` offending rows of each broken one.

    What was found is written to `stg.law_checks` by `store`, in a transaction of its own, for who looks from outside. Returns
    counts: laws, and 0 broken.

    Beside a rebuild of the vault there is nothing whole to check: the task waits up to `max_rebuild_wait_s` for its end, then it
    is skipped and says so; the next run checks.

    Raises `BrokenLawError`, `UncheckedLawError`, and `UnreachableError` where PostgreSQL refuses us.
    """

    template_fields: Sequence[str] = ("prepare", "store")
    template_ext: Sequence[str] = (".sql",)

    def __init__(
        self,
        *,
        max_queue_age_minutes: float = 30.0,
        max_lag_s: float = 120.0,
        max_dump_age_hours: float = 26.0,
        max_restore_age_days: float = 8.0,
        max_transaction_age_hours: float = 6.5,
        max_rows: int = 20,
        max_rebuild_wait_s: float = 600.0,
        statement_timeout_s: float = 300.0,
        postgres_conn_id: str = POSTGRES_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_queue_age_minutes = max_queue_age_minutes
        self.max_lag_s = max_lag_s
        self.max_dump_age_hours = max_dump_age_hours
        self.max_restore_age_days = max_restore_age_days
        self.max_transaction_age_hours = max_transaction_age_hours
        self.max_rows = max_rows
        self.max_rebuild_wait_s = max_rebuild_wait_s
        self.statement_timeout_s = statement_timeout_s
        self.postgres_conn_id = postgres_conn_id
        self.prepare = [TRANSACTION, WHOLE]
        self.store = [TRANSACTION, *STG_LAW_CHECKS]

    def execute(self, context: Context) -> dict[str, int]:
        """Ask all laws, then judge."""
        laws = read_laws()
        statement_timeout_ms = int(self.statement_timeout_s * 1000)
        try:
            with open_postgres(self.postgres_conn_id) as connection:
                broken, unanswered = check_laws(
                    connection,
                    prepare=named_sql([TRANSACTION, WHOLE], self.prepare),
                    laws=laws,
                    params={
                        "statement_timeout_ms": statement_timeout_ms,
                        "lock_timeout_ms": int(self.max_rebuild_wait_s * 1000),
                        "queued_before": datetime.now(UTC) - timedelta(minutes=self.max_queue_age_minutes),
                        "checked_before": datetime.now(UTC) - timedelta(seconds=self.max_lag_s),
                        "dumped_before": datetime.now(UTC) - timedelta(hours=self.max_dump_age_hours),
                        "restored_before": datetime.now(UTC) - timedelta(days=self.max_restore_age_days),
                        "begun_before": datetime.now(UTC) - timedelta(hours=self.max_transaction_age_hours),
                    },
                    max_rows=self.max_rows,
                    log=self.log,
                )
                store_answers(
                    connection,
                    files=named_sql([TRANSACTION, *STG_LAW_CHECKS], self.store),
                    laws=laws,
                    broken=broken,
                    unanswered=unanswered,
                    params={"statement_timeout_ms": statement_timeout_ms, "checked_dt": datetime.now(UTC)},
                    log=self.log,
                )
        except RebuildIsOnError as error:
            raise AirflowSkipException(
                f"the vault is being built again (marts_rebuild): no law was checked, the next run checks them. {error}"
            ) from error
        if broken:
            found = ", ".join(f"{law} ({rows} rows)" for law, rows in broken.items())
            raise BrokenLawError(
                f"{len(broken)} of {len(laws)} laws are broken: {found}. See docs/runbook.md, data_checks", list(broken)
            )
        if unanswered:
            raise UncheckedLawError(
                f"{len(unanswered)} of {len(laws)} laws could not be checked: {', '.join(unanswered)}"
            )
        return {"laws": len(laws), "broken": 0}

"""
### Every hour: do the laws of the data still hold?

`laws` asks every law of `sql/checks/`: orphans and keys of the vault, one current row, STG against DDS, counters against two
recounts, tags against rules and events, queues that stand still.

**Reads** `stg`, `dds`, `cdm` in one snapshot. **Writes** what it finds to `stg.law_checks`; no load waits for it. What a load has
still to do breaks no law unless it waits for over half an hour. A rebuild of the vault waits for the checks, and they wait for
it; they are skipped where it takes over ten minutes.

**Rerun**: harmless. **If it fails**: the last line of the log names the broken laws, above it stand the rows that break them.
See docs/runbook.md, "data_checks".
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from operators.alerts import ALERTS
from operators.check_laws import CheckLawsOperator
from warehouse.constants import OWNER, SQL_FOLDER

TASK_TIMEOUT = timedelta(minutes=30)

with DAG(
    dag_id="data_checks",
    description="Every hour: do the laws of the data still hold?",
    doc_md=__doc__,
    schedule="17 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=50),
    template_searchpath=SQL_FOLDER,
    default_args={
        "owner": OWNER,
        "retries": 1,
        "retry_delay": timedelta(seconds=30),
        "execution_timeout": TASK_TIMEOUT,
        "statement_timeout_s": TASK_TIMEOUT.total_seconds(),
    },
    **ALERTS,
    tags=["maintenance"],
) as dag:
    CheckLawsOperator(task_id="laws")

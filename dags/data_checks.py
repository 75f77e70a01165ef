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

from datetime import timedelta

from airflow.sdk import DAG

from operators.check_laws import CheckLawsOperator
from operators.dag import usual

with DAG(
    dag_id="data_checks",
    description="Every hour: do the laws of the data still hold?",
    doc_md=__doc__,
    schedule="17 * * * *",
    dagrun_timeout=timedelta(minutes=50),
    tags=["maintenance"],
    **usual(task_timeout=timedelta(minutes=30), retries=1),
) as dag:
    CheckLawsOperator(task_id="laws")

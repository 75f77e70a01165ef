"""
### Every hour: do the laws of the data still hold?

`laws` asks the laws of `sql/checks/`: orphans and keys of the vault, one current row, STG against DDS, counters against two
recounts, tags against rules and events, queues that stand still. It asks them of the orders and guests that changed since the
last check and of the next 24th of all: what changes is checked within the hour, all that is stored within the day. A law of sums
is asked once a day, of everything; one that was broken each time, of everything, until it holds.

**Reads** `stg`, `dds`, `cdm` in one snapshot. **Writes** what it finds to `stg.law_checks`, how far it has come to
`stg.check_progress`; no load waits for it. What a load has still to do breaks no law unless it waits for over half an hour. A
rebuild of the vault waits for the checks, and they wait for it; they are skipped where it takes over ten minutes.

**All of it now**: the form, or `airflow dags trigger data_checks --conf '{"scope": "everything"}'`.

**Rerun**: harmless, it goes on with the next part. **If it fails**: the last line of the log names the broken laws, above it
stand the rows that break them. See docs/runbook.md, "data_checks".
"""

from datetime import timedelta

from airflow.sdk import DAG

from operators.check_laws import CheckLawsOperator
from operators.dag import form, usual

with DAG(
    dag_id="data_checks",
    description="Every hour: do the laws of the data still hold?",
    doc_md=__doc__,
    schedule="17 * * * *",
    dagrun_timeout=timedelta(minutes=50),
    params=form("data_checks"),
    tags=["maintenance"],
    **usual(task_timeout=timedelta(minutes=30), retries=1),
) as dag:
    CheckLawsOperator(task_id="laws", scope="{{ params.scope }}")

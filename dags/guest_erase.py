"""
### Forget guests

`erase` (`stg.erasure_requests` → every table that holds anything of a guest): their orders stay, and belong to nobody; names,
contacts, counters, tags, events, consents go; what a channel holds is removed by the next export. Who asks:
`python -m deploy.erase request < id.txt`. The act, rows by table, stands in `stg.erasures.counts`. After a restore start it with
*apply the ledger again*, before `orders_micro_batch` is switched on. docs/personal-data.md.

**Rerun**: harmless: a guest is erased in one transaction, and one who is gone is found no more.

**If it fails**: without the pepper of the ledger it says so; the requests wait. See docs/runbook.md, "guest_erase".
"""

from datetime import timedelta

from airflow.sdk import DAG

from operators.dag import form, usual
from operators.erase_guests import EraseGuestsOperator

with DAG(
    dag_id="guest_erase",
    description="Forget the guests who have asked for it",
    doc_md=__doc__,
    schedule="15 * * * *",
    dagrun_timeout=timedelta(hours=2),
    params=form("guest_erase"),
    tags=["personal data"],
    **usual(task_timeout=timedelta(minutes=50)),
) as dag:
    EraseGuestsOperator(task_id="erase")

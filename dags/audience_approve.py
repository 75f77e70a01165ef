"""
### Let a held list of guests go, after a look at it

`approve` (one held export of an audience → files in a folder or a bucket): a swing that was larger than its audience allows, by
the number and the plan hash that somebody has seen. It is a DAG of its own for the sake of its right: who starts
`audience_export` hands over what is allowed; who starts this one answers for what is not. docs/audiences.md, "Who may approve".

**Start it** by the page *Guest tags*, by the form, or by
`airflow dags trigger audience_approve --conf '{"audience": "pizza-yandex", "seq": 7, "plan_hash": "..."}'`.

**Rerun**: harmless: what is out is no longer held, and its number is refused.

**If it fails**: the log says what the plan is by now; nothing was handed over. See docs/runbook.md, "audience_approve".
"""

from datetime import timedelta

from airflow.sdk import DAG

from operators.approve_export import ApproveExportOperator
from operators.dag import form, usual

with DAG(
    dag_id="audience_approve",
    description="Let a held export of an audience go, by the number and the plan hash that somebody has seen",
    doc_md=__doc__,
    schedule=None,
    dagrun_timeout=timedelta(minutes=50),
    params=form("audience_approve"),
    tags=["marketing"],
    **usual(task_timeout=timedelta(minutes=15)),
) as dag:
    ApproveExportOperator(task_id="approve")

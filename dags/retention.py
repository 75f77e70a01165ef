"""
### What has been kept for long enough goes

`keep` (`config/terms.yaml` → `stg.dead_letters`, the files of exports): what a solved dead letter holds is blanked, the files of
an export are deleted, each after its term. Runs and logs of Airflow are deleted by the chart, or by
`python -m deploy.clean_airflow`. What is kept how long, and why: docs/personal-data.md.

**Rerun**: harmless: what is gone is found no more.

**If it fails**: nothing is lost but time; the log says which term is wrong or where files can't be deleted. See docs/runbook.md,
"retention".
"""

from datetime import timedelta

from airflow.sdk import DAG

from operators.dag import form, usual
from operators.keep_terms import KeepTermsOperator

with DAG(
    dag_id="retention",
    description="Delete what has been kept for as long as it may be",
    doc_md=__doc__,
    schedule="20 2 * * *",
    dagrun_timeout=timedelta(minutes=30),
    params=form("retention"),
    tags=["personal data"],
    **usual(task_timeout=timedelta(minutes=10)),
) as dag:
    KeepTermsOperator(task_id="keep")

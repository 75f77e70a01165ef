"""
### Load who must not be handed over, and who has consented

`load` (files → `cdm.suppressions`, `cdm.consents`): each `incoming/suppressions/*.csv` and `incoming/consents/*.csv` beside the
exports. Phones and e-mails are stored by their hashes alone. It runs before the hourly export. Columns: docs/audiences.md.

**Rerun**: harmless: what is known adds nothing; files may stay where they are.

**If it fails**: the log names the lines that are wrong; all others count. Mend the file and start it again. See docs/runbook.md,
"suppressions_load".
"""

from datetime import timedelta

from airflow.sdk import DAG

from operators.dag import form, usual
from operators.load_suppressions import LoadSuppressionsOperator

with DAG(
    dag_id="suppressions_load",
    description="Load who must not be handed over to a channel, and who has consented",
    doc_md=__doc__,
    schedule="45 * * * *",
    dagrun_timeout=timedelta(minutes=15),
    params=form("suppressions_load"),
    tags=["marketing"],
    **usual(task_timeout=timedelta(minutes=5)),
) as dag:
    LoadSuppressionsOperator(task_id="load")

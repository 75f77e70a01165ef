"""
### Hand lists of guests over to their channels, by their tags

`export` (tags, consents, suppressions → files in a folder or a bucket): of each audience of `config/audiences.yaml` what has
changed since its last export, as `remove.csv`, `add.csv` and, last, `manifest.json`. Nobody goes who is suppressed, has not
consented where that is needed, or is in the control group. docs/audiences.md says how a list leaves.

**Start it** by the page *Guest tags*, by the form, or by
`airflow dags trigger audience_export --conf '{"audience": "pizza-yandex", "mode": "dry run"}'`; it also runs each hour. A
swing that is larger than the audience allows is held: look at it; `audience_approve` lets it go.

**Rerun**: harmless: nothing new, no file; what a killed run has begun ends in the same files.

**If it fails**: the log says which audience and why; the others have gone. See docs/runbook.md, "audience_export".
"""

from datetime import timedelta

from airflow.sdk import DAG

from operators.dag import form, usual
from operators.export_audiences import ExportAudiencesOperator

with DAG(
    dag_id="audience_export",
    description="Hand what has changed in each audience over to its channel, as files",
    doc_md=__doc__,
    schedule="0 * * * *",
    dagrun_timeout=timedelta(minutes=50),
    params=form("audience_export"),
    tags=["marketing"],
    **usual(task_timeout=timedelta(minutes=15)),
) as dag:
    ExportAudiencesOperator(task_id="export")

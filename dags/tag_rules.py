"""
### Tag rules: set one by a form, apply `config/tag_rules.yaml`, activate a draft, retire a rule, go back to a version

`rules` (the form or the file → `cdm.tag_rules`). The next run of `orders_micro_batch` judges all guests by what has changed: tags
come and go by events. A draft judges nobody. Every change is a version that stays, with the person who started the run.

**Start it** by the page *Guest tags*, by the form in the UI, or by
`airflow dags trigger tag_rules --conf '{"tag": "soup_fan", "category": "Супы", "threshold": 3, "status": "draft"}'`,
then `--conf '{"action": "activate the draft", "tag": "soup_fan"}'`. A tag that the file names is the file's: the next deployment
sets it as it is written there.

**Rerun**: harmless: a rule that is as it should be keeps its version.

**If it fails**: the log of the task says what is wrong with the rule, and which names are near. See docs/runbook.md, "tag_rules".
"""

from datetime import timedelta

from airflow.sdk import DAG

from operators.apply_tag_rules import ApplyTagRulesOperator
from operators.dag import form, usual

with DAG(
    dag_id="tag_rules",
    description="Set, activate, retire or take back the rule of one tag, or apply config/tag_rules.yaml",
    doc_md=__doc__,
    schedule=None,
    dagrun_timeout=timedelta(minutes=15),
    params=form("tag_rules"),
    tags=["marketing"],
    **usual(task_timeout=timedelta(minutes=5), retry_delay=timedelta(seconds=10)),
) as dag:
    ApplyTagRulesOperator(task_id="rules")

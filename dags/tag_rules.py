"""
### Tag rules: set one by a form, or apply `config/tag_rules.yaml`

`rules` (the form or the file → `cdm.tag_rules`). The next run of `orders_micro_batch` judges all guests by what has changed: tags
come and go by events.

**Start it** by the form in the UI, or by
`airflow dags trigger tag_rules --conf '{"tag": "soup_fan", "category": "Супы", "threshold": 3}'`.
A tag that the file names is the file's: the next deployment sets it as it is written there.

**Rerun**: harmless: a rule that is as it should be keeps its version.

**If it fails**: the log of the task says what is wrong with the rule, and which names are near. See docs/runbook.md, "tag_rules".
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from operators.alerts import ALERTS
from operators.apply_tag_rules import ApplyTagRulesOperator
from warehouse.constants import OWNER, SQL_FOLDER
from warehouse.requests import ACTIONS, ONE_RULE, THRESHOLDS

TASK_TIMEOUT = timedelta(minutes=5)

with DAG(
    dag_id="tag_rules",
    description="Set the rule of one tag by a form, or all rules of config/tag_rules.yaml",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=15),
    template_searchpath=SQL_FOLDER,
    default_args={
        "owner": OWNER,
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "execution_timeout": TASK_TIMEOUT,
        "statement_timeout_s": TASK_TIMEOUT.total_seconds(),
    },
    params={
        "action": Param(
            ONE_RULE,
            type="string",
            enum=list(ACTIONS),
            title="Action",
            description_md="Set the rule below, or apply `config/tag_rules.yaml` and leave what is below alone",
        ),
        # Both may be empty: the file needs neither. Where a rule needs them, the task says so.
        "tag": Param(
            None,
            type=["null", "string"],
            title="Tag",
            description_md="Such as `soup_fan`; one that is known is changed",
        ),
        "category": Param(
            None, type=["null", "string"], title="Category", description_md="As the menus write it, such as `Супы`"
        ),
        "threshold": Param(
            5,
            type="integer",
            minimum=THRESHOLDS[0],
            maximum=THRESHOLDS[-1],
            title="Threshold",
            description="CLOSED orders of the category that do not yet suffice: with 5, the sixth gives the tag",
        ),
        "active": Param(True, type="boolean", title="Active", description="Off takes the tag from everybody"),
        "category_is_new": Param(
            False, type="boolean", title="Category is new", description="No menu has the category yet"
        ),
    },
    **ALERTS,
    tags=["marketing"],
) as dag:
    ApplyTagRulesOperator(task_id="rules")

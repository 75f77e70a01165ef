"""
### What would a tag rule do? Rehearse it before it is in force

`rehearse` (all guests' orders, folded under the rule → `cdm.rehearsals`): how many would carry the tag, who would come and who
would go, week by week, by orders or by time alone; how many other tags they have; who is one order away; who leaves soon. It
changes no tag: the numbers are those of today's menus and orders, as of any moment.

**Start it** by the form in the UI, or by `airflow dags trigger tag_rule_rehearse --conf '{"tag": "pizza_lover"}'`: the draft of
the tag is rehearsed, or else its rule in force. A rule that stands nowhere yet: give its category, threshold and the rest.

**What comes of it** is in the log, in the picture (XCom `picture`, a page of HTML), in the views `cdm.v_rehearsal*`, and on the
page *Guest tags*.

**Rerun**: harmless: it is one more rehearsal. **If it fails**: the log says what is wrong with the request. See docs/runbook.md,
"tag_rule_rehearse".
"""

from datetime import timedelta

from airflow.sdk import DAG

from operators.dag import form, usual
from operators.rehearse_tag_rule import RehearseTagRuleOperator

with DAG(
    dag_id="tag_rule_rehearse",
    description="What a tag rule would do by the orders that are there, before it is in force",
    doc_md=__doc__,
    schedule=None,
    dagrun_timeout=timedelta(minutes=20),
    params=form("tag_rule_rehearse"),
    tags=["marketing"],
    **usual(task_timeout=timedelta(minutes=15), retries=1),
) as dag:
    RehearseTagRuleOperator(task_id="rehearse")

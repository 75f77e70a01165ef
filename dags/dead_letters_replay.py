"""
### What was refused, through the same door again

`replay` (stg.dead_letters → STG) → `reference` (Redis → STG) → `dds` → `cdm`. For after a rule was widened or a fault of ours
was mended: what is accepted now becomes counters and tags, and its dead letter is marked solved; nothing is removed.

**Start it** by the form in the UI, or by
`airflow dags trigger dead_letters_replay --conf '{"reason": "bad_time"}'` or `--conf '{"ids": [12, 15]}'`.

**Rerun**: harmless: what is solved is left alone, every try of the others is counted. Safe while `orders_micro_batch` is on:
writers of a layer take turns.

**If it fails**: the log of the task says what to check. See docs/runbook.md, "dead_letters_replay".
"""

from datetime import timedelta

from airflow.sdk import DAG

from operators.dag import form, usual
from operators.load_layer import LoadLayerOperator
from operators.refresh_reference import RefreshReferenceOperator
from operators.replay_dead_letters import ReplayDeadLettersOperator
from warehouse.layers import BATCH, CDM, DDS

with DAG(
    dag_id="dead_letters_replay",
    description="Refused messages tried again by the rules of today",
    doc_md=__doc__,
    schedule=None,
    dagrun_timeout=timedelta(hours=4),
    params=form("dead_letters_replay"),
    tags=["orders", "maintenance"],
    **usual(task_timeout=timedelta(hours=1)),
) as dag:
    replay = ReplayDeadLettersOperator(task_id="replay")
    reference = RefreshReferenceOperator(task_id="reference")
    dds = LoadLayerOperator(task_id="dds", layer=DDS, parameters=BATCH)
    cdm = LoadLayerOperator(task_id="cdm", layer=CDM)

    replay >> reference >> dds >> cdm

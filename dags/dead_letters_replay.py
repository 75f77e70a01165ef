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

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from operators.alerts import ALERTS
from operators.load_layer import LoadLayerOperator
from operators.refresh_reference import RefreshReferenceOperator
from operators.replay_dead_letters import ReplayDeadLettersOperator
from warehouse.constants import (
    BATCH,
    CDM_CLAIM,
    CDM_LOAD,
    CDM_PREPARE,
    DDS_CLAIM,
    DDS_LOAD,
    DDS_PREPARE,
    OWNER,
    SQL_FOLDER,
)
from warehouse.requests import ANY_REASON, MAX_LETTERS, REASONS

TASK_TIMEOUT = timedelta(hours=1)

with DAG(
    dag_id="dead_letters_replay",
    description="Refused messages tried again by the rules of today",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=4),
    template_searchpath=SQL_FOLDER,
    default_args={
        "owner": OWNER,
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "execution_timeout": TASK_TIMEOUT,
        "statement_timeout_s": TASK_TIMEOUT.total_seconds(),
    },
    params={
        "reason": Param(
            ANY_REASON,
            type="string",
            enum=list(REASONS),
            title="Reason",
            description="Only dead letters of this reason code (docs/messages.md)",
        ),
        "ids": Param(
            [],
            type="array",
            items={"type": "integer", "minimum": 1},
            title="Ids",
            description_md="Only these, by `stg.dead_letters.id`, one a line; none given: all",
        ),
        "limit": Param(
            10_000,
            type="integer",
            minimum=MAX_LETTERS[0],
            maximum=MAX_LETTERS[-1],
            title="Limit",
            description="At most so many are tried, the oldest first",
        ),
    },
    **ALERTS,
    tags=["orders", "maintenance"],
) as dag:
    replay = ReplayDeadLettersOperator(task_id="replay")
    reference = RefreshReferenceOperator(task_id="reference")
    dds = LoadLayerOperator(task_id="dds", prepare=DDS_PREPARE, claim=DDS_CLAIM, load=DDS_LOAD, parameters=BATCH)
    cdm = LoadLayerOperator(task_id="cdm", prepare=CDM_PREPARE, claim=CDM_CLAIM, load=CDM_LOAD)

    replay >> reference >> dds >> cdm

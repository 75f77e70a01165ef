"""
### History: orders from the beginning of the topic, or from a time on, become counters and tags

`drain` (Kafka → STG, in chunks) → `reference` (Redis → STG) → `dds` → `cdm`, up to the end that the topic has at the start.

**Start it** by the form in the UI, or by
`airflow dags trigger orders_backfill --conf '{"from": "beginning", "chunk_messages": 10000}'`.

**Rerun**: harmless. A task that is tried again (or cleared) goes on after the last chunk that was stored; a new run reads the
history again and adds what is missing, usually nothing. Safe while `orders_micro_batch` is on: writers of a layer take turns.

**If it fails**: the log of the task says what to check. See docs/runbook.md, "orders_backfill".
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Param

from operators.alerts import ALERTS
from operators.backfill_orders import BackfillOrdersOperator
from operators.load_layer import LoadLayerOperator
from operators.refresh_reference import RefreshReferenceOperator
from warehouse.constants import (
    CDM_CLAIM,
    CDM_LOAD,
    CDM_PREPARE,
    DDS_CLAIM,
    DDS_LOAD,
    DDS_PREPARE,
    HISTORY_BATCH,
    OWNER,
    SQL_FOLDER,
)
from warehouse.requests import BEGINNING, CHUNK_MESSAGES

TASK_TIMEOUT = timedelta(hours=6)

with DAG(
    dag_id="orders_backfill",
    description="History: orders from the beginning of the topic, or from a time on, become counters and tags",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=24),
    template_searchpath=SQL_FOLDER,
    default_args={
        "owner": OWNER,
        "retries": 2,
        "retry_delay": timedelta(seconds=30),
        "execution_timeout": TASK_TIMEOUT,
        "statement_timeout_s": TASK_TIMEOUT.total_seconds(),
    },
    params={
        "from": Param(
            BEGINNING,
            type="string",
            title="From",
            description_md=f"`{BEGINNING}`, or an ISO 8601 time with a zone (`2026-11-25T00:00:00+03:00`), "
            "compared with the time that Kafka has stamped a record with",
        ),
        "chunk_messages": Param(
            10_000,
            type="integer",
            minimum=CHUNK_MESSAGES[0],
            maximum=CHUNK_MESSAGES[-1],
            title="Messages a chunk",
            description="Each chunk is one transaction; larger ones take more memory and are hardly faster",
        ),
    },
    **ALERTS,
    tags=["orders"],
) as dag:
    drain = BackfillOrdersOperator(task_id="drain")
    reference = RefreshReferenceOperator(task_id="reference")
    dds = LoadLayerOperator(
        task_id="dds", prepare=DDS_PREPARE, claim=DDS_CLAIM, load=DDS_LOAD, parameters=HISTORY_BATCH
    )
    cdm = LoadLayerOperator(task_id="cdm", prepare=CDM_PREPARE, claim=CDM_CLAIM, load=CDM_LOAD)

    drain >> reference >> dds >> cdm

"""
### Every minute: orders from Kafka become counters and tags

`drain` (Kafka → STG) → `reference` (Redis → STG) → `dds` (STG → Data Vault) → `cdm` (Data Vault → counters, tags).

**Reads** the topic `order-service_orders` from where `stg.drain_progress` stands, and users and restaurants from Redis.
**Writes** `stg`, `dds`, `cdm`. Each task does its work in transactions of PostgreSQL and returns counts.

**Rerun**: harmless at any point. What is to be loaded is told by stored progress and queues, not by the date of the run, so a run
that failed or was missed is made good by the next one.

**If it fails**: the log of the task says what to check. See docs/runbook.md, "orders_micro_batch".
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from operators.drain_orders import DrainOrdersOperator
from operators.load_layer import LoadLayerOperator
from operators.refresh_reference import RefreshReferenceOperator
from warehouse.constants import BATCH, CDM_CLAIM, CDM_LOAD, CDM_PREPARE, DDS_CLAIM, DDS_LOAD, DDS_PREPARE, SQL_FOLDER

TASK_TIMEOUT = timedelta(minutes=5)

with DAG(
    dag_id="orders_micro_batch",
    doc_md=__doc__,
    schedule="* * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=15),
    template_searchpath=SQL_FOLDER,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=10),
        "execution_timeout": TASK_TIMEOUT,
        "statement_timeout_s": TASK_TIMEOUT.total_seconds(),
    },
    tags=["orders"],
) as dag:
    drain = DrainOrdersOperator(task_id="drain", max_messages=50_000)
    reference = RefreshReferenceOperator(task_id="reference")
    dds = LoadLayerOperator(
        task_id="dds",
        prepare=DDS_PREPARE,
        claim=DDS_CLAIM,
        load=DDS_LOAD,
        parameters=BATCH,
        max_batches=2,
    )
    cdm = LoadLayerOperator(task_id="cdm", prepare=CDM_PREPARE, claim=CDM_CLAIM, load=CDM_LOAD, max_batches=1)

    drain >> reference >> dds >> cdm

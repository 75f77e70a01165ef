"""
### Every minute: orders from Kafka become counters and tags

`drain` (Kafka → STG) → `reference` (Redis → STG) → `dds` (STG → Data Vault) → `cdm` (Data Vault → counters, tags).

**Reads** the topic `order-service_orders` from where `stg.drain_progress` stands, and users and restaurants from Redis.
**Writes** `stg`, `dds`, `cdm`. Each task does its work in transactions of PostgreSQL and returns counts.

**Each layer loads what is there**, whatever became of the one before: with Redis away orders still become counters by dish; with
Kafka away what is queued, changed menus and rules still reach the tags. That is right because queues, not the task before, tell a
layer what to load. The run is red all the same: its state is that of `complete`, which is green when all others are.

**Rerun**: harmless at any point. What is to be loaded is told by stored progress and queues, not by the date of the run, so a run
that failed or was missed is made good by the next one.

**If it fails**: the log of the task says what to check. See docs/runbook.md, "orders_micro_batch".
"""

from datetime import timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, TriggerRule

from operators.dag import form, usual
from operators.drain_orders import DrainOrdersOperator
from operators.load_layer import LoadLayerOperator
from operators.refresh_reference import RefreshReferenceOperator
from warehouse.layers import BATCH, CDM, DDS, MINUTE_RULES

with DAG(
    dag_id="orders_micro_batch",
    description="Every minute: orders from Kafka become counters and tags of guests",
    doc_md=__doc__,
    schedule="* * * * *",
    dagrun_timeout=timedelta(minutes=15),
    params=form("orders_micro_batch"),
    tags=["orders"],
    **usual(task_timeout=timedelta(minutes=5), retry_delay=timedelta(seconds=10)),
) as dag:
    drain = DrainOrdersOperator(task_id="drain", max_messages=50_000)
    reference = RefreshReferenceOperator(task_id="reference", trigger_rule=TriggerRule.ALL_DONE)
    dds = LoadLayerOperator(
        task_id="dds",
        trigger_rule=TriggerRule.ALL_DONE,
        layer=DDS,
        parameters=BATCH,
        max_batches=2,
    )
    cdm = LoadLayerOperator(
        task_id="cdm",
        trigger_rule=TriggerRule.ALL_DONE,
        layer=CDM,
        parameters=MINUTE_RULES,
        max_batches=1,
        asks_as_of=True,
    )
    # The scheduler marks this one by itself, without a process or a pod.
    complete = EmptyOperator(task_id="complete")

    drain >> reference >> dds >> cdm
    [drain, reference, dds, cdm] >> complete

"""
### History: orders from the beginning of the topic, or from a time on, become counters and tags

`workers` (so many drains) → `drain` (Kafka → STG, in chunks; each worker its partitions) → `reference` (Redis → STG) → `dds` →
`cdm`, up to the end that the topic has at the start.

**Start it** by the form in the UI, or by
`airflow dags trigger orders_backfill --conf '{"from": "beginning", "chunk_messages": 10000}'`.

**Rerun**: harmless. A task that is tried again (or cleared) goes on after the last chunk that was stored; a new run reads the
history again and adds what is missing, usually nothing. Safe while `orders_micro_batch` is on: writers of a layer take turns.

**If it fails**: the log of the task says what to check. See docs/runbook.md, "orders_backfill".
"""

from datetime import timedelta

from airflow.sdk import DAG

from operators.alerts import leave_error
from operators.backfill_orders import BackfillOrdersOperator, NumberWorkersOperator
from operators.dag import form, usual
from operators.load_layer import LoadLayerOperator
from operators.refresh_reference import RefreshReferenceOperator
from warehouse.layers import CDM, DDS, HISTORY_BATCH

with DAG(
    dag_id="orders_backfill",
    description="History: orders from the beginning of the topic, or from a time on, become counters and tags",
    doc_md=__doc__,
    schedule=None,
    dagrun_timeout=timedelta(hours=24),
    params=form("orders_backfill"),
    tags=["orders"],
    **usual(task_timeout=timedelta(hours=6)),
) as dag:
    workers = NumberWorkersOperator(task_id="workers")
    drain = BackfillOrdersOperator.partial(task_id="drain", on_failure_callback=leave_error).expand(
        worker=workers.output
    )
    reference = RefreshReferenceOperator(task_id="reference")
    dds = LoadLayerOperator(task_id="dds", layer=DDS, parameters=HISTORY_BATCH)
    cdm = LoadLayerOperator(task_id="cdm", layer=CDM)

    workers >> drain >> reference >> dds >> cdm

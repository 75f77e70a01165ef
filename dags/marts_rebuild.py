"""
### The marts again from the vault, and the vault again from STG

`stg` (the sums of the orders by hour, counted again) → `dds` (STG → Data Vault, only where asked for) → `cdm` (Data Vault →
counters, tags, and their sums). For after a mistake in the SQL of a layer, or whenever a check says that a layer is wrong.

**Start it** by the form in the UI, or by `airflow dags trigger marts_rebuild --conf '{"layers": "dds and cdm"}'`.

**Readers** of the marts see the old rows until the new ones are whole: each layer is one transaction. Whoever reads the vault
itself waits while it is built. Loads of the minute run wait, too, and go on afterwards.

**Rerun**: harmless. **If it fails**: nothing has changed. See docs/runbook.md, "marts_rebuild".
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Context, Param, TriggerRule
from airflow.sdk.exceptions import AirflowSkipException

from operators.load_layer import LoadLayerOperator
from warehouse.constants import (
    CDM_CLAIM,
    CDM_LOAD,
    CDM_PREPARE,
    CDM_REBUILD,
    DDS_CLAIM,
    DDS_LOAD,
    DDS_PREPARE,
    DDS_REBUILD,
    REBUILD_BATCH,
    SQL_FOLDER,
    STG_REBUILD,
    STG_REBUILD_PREPARE,
)
from warehouse.requests import LAYERS, ONLY_CDM

TASK_TIMEOUT = timedelta(hours=6)


def skip_unless_asked(context: Context) -> None:
    """Leave the vault alone where the run is to rebuild the marts only."""
    if context["params"]["layers"] == ONLY_CDM:
        raise AirflowSkipException("the run rebuilds the marts only")


with DAG(
    dag_id="marts_rebuild",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=13),
    template_searchpath=SQL_FOLDER,
    default_args={
        "retries": 1,
        "retry_delay": timedelta(seconds=30),
        "execution_timeout": TASK_TIMEOUT,
        "statement_timeout_s": TASK_TIMEOUT.total_seconds(),
    },
    params={
        "layers": Param(
            ONLY_CDM,
            type="string",
            enum=list(LAYERS),
            title="Layers",
            description="The marts from the vault, or before that the vault from STG, too",
        )
    },
    tags=["maintenance"],
) as dag:
    stg = LoadLayerOperator(task_id="stg", prepare=STG_REBUILD_PREPARE, claim=STG_REBUILD, load=(), max_batches=1)
    dds = LoadLayerOperator(
        task_id="dds",
        pre_execute=skip_unless_asked,
        prepare=DDS_PREPARE + DDS_REBUILD,
        claim=DDS_CLAIM,
        load=DDS_LOAD,
        parameters=REBUILD_BATCH,
        max_batches=1,
    )
    cdm = LoadLayerOperator(
        task_id="cdm",
        prepare=CDM_PREPARE + CDM_REBUILD,
        claim=CDM_CLAIM,
        load=CDM_LOAD,
        max_batches=1,
        trigger_rule=TriggerRule.NONE_FAILED,
    )

    stg >> dds >> cdm

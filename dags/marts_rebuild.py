"""
### The marts again from the vault, the vault again from STG, and STG by the rules of today

`letters` (the dead letters, tried again) → `stg` (its logs judged again by the rules of today; its sums, counted again) → `dds`
(STG → Data Vault) → `cdm` (Data Vault → counters, tags, and their sums). `layers` says where it begins; the sums are always
counted. For after a mistake in the SQL of a layer, after a rule or the zone of the sources' times was put right, or whenever a
check says that a layer is wrong.

**Start it** by the form in the UI, or by `airflow dags trigger marts_rebuild --conf '{"layers": "dds and cdm"}'`.

**Readers** of STG and of the marts see the old rows until the new ones are whole: each layer is one transaction. Whoever reads
the vault itself waits while it is built. Loads of the minute run wait, too, and go on afterwards.

**Rerun**: harmless. **If it fails**: that layer has not changed. See docs/runbook.md, "marts_rebuild".
"""

from collections.abc import Callable
from datetime import timedelta

from airflow.sdk import DAG, Context, TriggerRule
from airflow.sdk.exceptions import AirflowSkipException

from operators.dag import form, usual
from operators.load_layer import LoadLayerOperator
from operators.rebuild_staging import RebuildStagingOperator
from operators.replay_dead_letters import ReplayDeadLettersOperator
from warehouse.layers import CDM_REBUILD, DDS_REBUILD, REBUILD_BATCH
from warehouse.requests import DDS_AND_CDM, STG_DDS_AND_CDM


def only_with(*layers: str) -> Callable[[Context], None]:
    """Return what skips a task unless the run is asked for these layers."""

    def skip_unless_asked(context: Context) -> None:
        if context["params"]["layers"] not in layers:
            raise AirflowSkipException(f"the run rebuilds {context['params']['layers']} only")

    return skip_unless_asked


with DAG(
    dag_id="marts_rebuild",
    description="Counters and tags again from the vault, the vault from STG, STG by the rules of today",
    doc_md=__doc__,
    schedule=None,
    dagrun_timeout=timedelta(hours=25),
    params=form("marts_rebuild"),
    tags=["maintenance"],
    **usual(task_timeout=timedelta(hours=6), retries=1),
) as dag:
    letters = ReplayDeadLettersOperator(task_id="letters", pre_execute=only_with(STG_DDS_AND_CDM), everything=True)
    stg = RebuildStagingOperator(task_id="stg", trigger_rule=TriggerRule.NONE_FAILED)
    dds = LoadLayerOperator(
        task_id="dds",
        pre_execute=only_with(DDS_AND_CDM, STG_DDS_AND_CDM),
        layer=DDS_REBUILD,
        parameters=REBUILD_BATCH,
        max_batches=1,
    )
    cdm = LoadLayerOperator(
        task_id="cdm",
        layer=CDM_REBUILD,
        max_batches=1,
        asks_as_of=True,
        trigger_rule=TriggerRule.NONE_FAILED,
    )

    letters >> stg >> dds >> cdm

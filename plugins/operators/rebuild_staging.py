"""`RebuildStagingOperator`: what STG holds, right again."""

from typing import Any

from airflow.sdk import Context

from operators.base import PipelineOperator, request_of
from operators.connections import orders_zone, reference_settings
from warehouse.constants import KAFKA_CONN_ID, REDIS_CONN_ID
from warehouse.judge_again import judge_again
from warehouse.layers import JUDGEMENT, STG_RECOUNT
from warehouse.requests import STG_DDS_AND_CDM
from warehouse.sources import Zones


class RebuildStagingOperator(PipelineOperator):
    """Count the sums of STG again; where the run asks for the layer stg, judge its logs by the rules of today before that.

    All in one transaction (`warehouse.judge_again`): readers see the old rows until it commits, the turn of STG is taken for its
    last part only, and a failure changes nothing. Chunks of at most `chunk_rows` and about `chunk_bytes` bound the memory.
    Returns counts: what was judged and refused, and the rows written, by table.
    """

    def __init__(self, *, chunk_rows: int = 20_000, chunk_bytes: int = 32 * 1024 * 1024, **kwargs: Any) -> None:
        super().__init__(files=[JUDGEMENT, STG_RECOUNT], **kwargs)
        self.chunk_rows = chunk_rows
        self.chunk_bytes = chunk_bytes

    def execute(self, context: Context) -> dict[str, int]:
        """Rebuild what the run asks for."""
        with self.open_session() as session:
            if request_of(context)["layers"] != STG_DDS_AND_CDM:
                with session.transaction():
                    return session.run(STG_RECOUNT)
            zones = Zones(orders_zone(KAFKA_CONN_ID), reference_settings(REDIS_CONN_ID).zone)
            counts = judge_again(session, zones, chunk_rows=self.chunk_rows, chunk_bytes=self.chunk_bytes)
        self.log.info(
            "%d messages and %d documents judged by the rules of today, times without a zone as those of %s and of %s: "
            "%d of them are read otherwise than before, %d are refused",
            counts["messages"],
            counts["documents"],
            zones.orders,
            zones.reference,
            counts.get("stg.judged_orders", 0) + counts.get("stg.judged_references", 0) - counts.get("gone", 0),
            counts["refused"],
        )
        return counts

"""`RebuildStagingOperator`: what STG holds, right again."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import Context

from operators.base import PipelineOperator, request_of
from operators.connections import open_postgres
from warehouse.constants import (
    POSTGRES_CONN_ID,
    SOURCE_ZONE,
    STG_JUDGE_CHUNK,
    STG_JUDGE_LOAD,
    STG_JUDGE_PREPARE,
    STG_JUDGE_QUERIES,
    STG_REBUILD,
    TRANSACTION,
)
from warehouse.judge_again import JudgeFiles, judge_again
from warehouse.requests import STG_DDS_AND_CDM
from warehouse.sql_files import named_sql, run_sql


class RebuildStagingOperator(PipelineOperator):
    """Count the sums of STG again; where the run asks for the layer stg, judge its logs by the rules of today before that.

    All in one transaction (`warehouse.judge_again`): readers see the old rows until it commits, the turn of STG is taken for its
    last part only, and a failure changes nothing. Chunks of at most `chunk_rows` and about `chunk_bytes` bound the memory.
    `zone` is that of times written without one. Returns counts: what was judged and refused, and the rows written, by table.
    """

    template_fields: Sequence[str] = ("queries", "prepare", "chunk", "load", "sums")
    template_ext: Sequence[str] = (".sql",)

    def __init__(
        self,
        *,
        chunk_rows: int = 20_000,
        chunk_bytes: int = 32 * 1024 * 1024,
        statement_timeout_s: float = 300.0,
        zone: str = SOURCE_ZONE,
        postgres_conn_id: str = POSTGRES_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.chunk_rows = chunk_rows
        self.chunk_bytes = chunk_bytes
        self.statement_timeout_s = statement_timeout_s
        self.zone = zone
        self.postgres_conn_id = postgres_conn_id
        self.queries = list(STG_JUDGE_QUERIES)
        self.prepare = [TRANSACTION, *STG_JUDGE_PREPARE]
        self.chunk = list(STG_JUDGE_CHUNK)
        self.load = list(STG_JUDGE_LOAD)
        self.sums = [TRANSACTION, *STG_REBUILD]

    def execute(self, context: Context) -> dict[str, int]:
        """Rebuild what the run asks for."""
        params = {"statement_timeout_ms": int(self.statement_timeout_s * 1000)}
        with open_postgres(self.postgres_conn_id) as connection:
            if request_of(context)["layers"] != STG_DDS_AND_CDM:
                with connection.transaction():
                    return run_sql(connection, named_sql([TRANSACTION, *STG_REBUILD], self.sums), params, self.log)
            files = JudgeFiles(
                queries=named_sql(STG_JUDGE_QUERIES, self.queries),
                prepare=named_sql([TRANSACTION, *STG_JUDGE_PREPARE], self.prepare),
                chunk=named_sql(STG_JUDGE_CHUNK, self.chunk),
                load=named_sql(STG_JUDGE_LOAD, self.load),
            )
            counts = judge_again(
                connection,
                files,
                zone=ZoneInfo(self.zone),
                params=params,
                log=self.log,
                chunk_rows=self.chunk_rows,
                chunk_bytes=self.chunk_bytes,
            )
        self.log.info(
            "%d messages and %d documents judged by the rules of today, times without a zone as those of %s: "
            "%d of them are read otherwise than before, %d are refused",
            counts["messages"],
            counts["documents"],
            self.zone,
            counts.get("stg.judged_orders", 0) + counts.get("stg.judged_references", 0) - counts.get("gone", 0),
            counts["refused"],
        )
        return counts

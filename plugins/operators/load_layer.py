"""`LoadLayerOperator`: STG to DDS, or DDS to CDM."""

from collections.abc import Mapping, Sequence
from typing import Any

from airflow.sdk import Context

from operators.base import PipelineOperator
from operators.connections import open_postgres
from warehouse.constants import POSTGRES_CONN_ID, TRANSACTION
from warehouse.layer_load import load_layer
from warehouse.sql_files import named_sql


class LoadLayerOperator(PipelineOperator):
    """Load a layer from its queue: batches are claimed, loaded and committed one by one, each in one transaction.

    `prepare`, `claim` and `load` are SQL files in the order in which they run; `parameters` are theirs, beside `load_dt`.
    `max_batches` bounds the run: what is left waits for the next. A batch that fails leaves no trace, its claim included, and
    the task's retry takes it again. Returns counts: batches, and the rows written, by table. Raises `UnreachableError` where
    PostgreSQL refuses us, else psycopg's errors.
    """

    template_fields: Sequence[str] = ("prepare", "claim", "load")
    template_ext: Sequence[str] = (".sql",)

    def __init__(
        self,
        *,
        prepare: Sequence[str],
        claim: Sequence[str],
        load: Sequence[str],
        parameters: Mapping[str, Any] | None = None,
        max_batches: int | None = None,
        statement_timeout_s: float = 300.0,
        postgres_conn_id: str = POSTGRES_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.files = {"prepare": (TRANSACTION, *prepare), "claim": tuple(claim), "load": tuple(load)}
        self.prepare = [TRANSACTION, *prepare]
        self.claim = list(claim)
        self.load = list(load)
        self.parameters = dict(parameters or {})
        self.max_batches = max_batches
        self.statement_timeout_s = statement_timeout_s
        self.postgres_conn_id = postgres_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Load until the queue is empty or the limit is reached."""
        with open_postgres(self.postgres_conn_id) as connection:
            return load_layer(
                connection,
                prepare=named_sql(self.files["prepare"], self.prepare),
                claim=named_sql(self.files["claim"], self.claim),
                load=named_sql(self.files["load"], self.load),
                params={**self.parameters, "statement_timeout_ms": int(self.statement_timeout_s * 1000)},
                max_batches=self.max_batches,
                log=self.log,
            )

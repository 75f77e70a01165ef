"""`LoadLayerOperator`: STG to DDS, or DDS to CDM."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Context

from operators.base import PipelineOperator
from warehouse.layer_load import load_layer
from warehouse.layers import Layer
from warehouse.session import NONE


class LoadLayerOperator(PipelineOperator):
    """Load a layer from its queue: batches are claimed, loaded and committed one by one, each in one transaction.

    `parameters` are those of the layer's files, beside `load_dt`. `max_batches` bounds the run: what is left waits for the next.
    A batch that fails leaves no trace, its claim included, and the task's retry takes it again. Returns counts: batches, and the
    rows written, by table. Raises `UnreachableError` where PostgreSQL refuses us, else psycopg's errors.
    """

    def __init__(
        self, *, layer: Layer, parameters: Mapping[str, Any] = NONE, max_batches: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(files=layer, **kwargs)
        self.layer = layer
        self.parameters = dict(parameters)
        self.max_batches = max_batches

    def execute(self, context: Context) -> dict[str, int]:
        """Load until the queue is empty or the limit is reached."""
        with self.open_session() as session:
            return load_layer(session, self.layer, self.parameters, max_batches=self.max_batches)

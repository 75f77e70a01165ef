"""`LoadLayerOperator`: STG to DDS, or DDS to CDM."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from operators.base import PipelineOperator, request_of
from warehouse.layer_load import load_layer
from warehouse.layers import TAG_CLOCK, Layer
from warehouse.session import NONE, Session


class LoadLayerOperator(PipelineOperator):
    """Load a layer from its queue: batches are claimed, loaded and committed one by one, each in one transaction.

    `parameters` are those of the layer's files, beside `load_dt`. `max_batches` bounds the run: what is left waits for the next.
    `asks_as_of`: the run's form says as of when, or nothing, which is now. It must not be before the moment as of which the tags
    stand, nor later than the clock of the wall, unless the form insists.

    A batch that fails leaves no trace, its claim included, and the task's retry takes it again. Returns counts: batches, and the
    rows written, by table. Raises `UnreachableError` where PostgreSQL refuses us, else psycopg's errors.
    """

    def __init__(
        self,
        *,
        layer: Layer,
        parameters: Mapping[str, Any] = NONE,
        max_batches: int | None = None,
        asks_as_of: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(files=[layer, TAG_CLOCK], **kwargs)
        self.asks_as_of = asks_as_of
        self.layer = layer
        self.parameters = dict(parameters)
        self.max_batches = max_batches

    def execute(self, context: Context) -> dict[str, int]:
        """Load until the queue is empty or the limit is reached."""
        with self.open_session() as session:
            parameters = self.parameters | (self.as_of(session, context) if self.asks_as_of else {})
            return load_layer(session, self.layer, parameters, max_batches=self.max_batches)

    def as_of(self, session: Session, context: Context) -> dict[str, datetime | None]:
        """Return the moment that the run was asked for, as a parameter. Raises `AirflowFailException` with what is allowed."""
        request = request_of(context)
        wanted: datetime | None = request["as_of"]
        if wanted is None:
            return {"as_of": None}
        for (stands,) in session.ask(TAG_CLOCK):
            if wanted < stands:
                raise AirflowFailException(
                    f"'as_of' must not be before {stands.isoformat()}, as of which the tags stand: {wanted}"
                )
        if wanted > datetime.now(UTC):
            if not request["as_of_ahead"]:
                raise AirflowFailException(
                    f"'as_of' must not be later than now, unless 'as_of_ahead' is true: {wanted}"
                )
            self.log.warning("as of %s, which is still to come: tags that end by then are gone for good", wanted)
        return {"as_of": wanted}

"""`RefreshReferenceOperator`: Redis to STG."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import redis
from airflow.sdk import Context

from operators.base import PipelineOperator
from operators.connections import UnreachableError, open_postgres, open_redis
from warehouse.constants import (
    POSTGRES_CONN_ID,
    REDIS_CONN_ID,
    SOURCE_ZONE,
    STG_REFERENCE,
    STG_REFERENCE_INCOMING,
    STG_REFERENCE_QUERIES,
    TRANSACTION,
)
from warehouse.sql_files import SqlFile, named_sql, run_sql
from warehouse.staging import Document, StagingFiles, content_hash, refusal_hash, stage_documents


class RefreshReferenceOperator(PipelineOperator):
    """Store in STG the versions of guests and restaurants that Redis holds and the warehouse has not seen.

    Asks for the guests and restaurants of the orders that DDS has still to load, for those still missing (at most
    `max_missing` a run, each has its turn), and every `restaurants_every_minutes` for all restaurants known, so that a changed
    menu counts before that restaurant's next order. Keys are `key_prefix` and the id. `zone` is that of times without one.

    A key that is not there is no error: the order counts by dish, and by category as soon as the document arrives. Redis being
    down is one (`UnreachableError`), for then nothing is known of what is missing. Returns counts: wanted, found, documents
    (new ones), refused (dead letters), and the rows written, by table.
    """

    template_fields: Sequence[str] = ("queries", "prepare", "load")
    template_ext: Sequence[str] = (".sql",)

    def __init__(
        self,
        *,
        key_prefix: str = "",
        restaurants_every_minutes: int = 1,
        max_missing: int = 10_000,
        keys_a_request: int = 1_000,
        statement_timeout_s: float = 300.0,
        zone: str = SOURCE_ZONE,
        redis_conn_id: str = REDIS_CONN_ID,
        postgres_conn_id: str = POSTGRES_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.key_prefix = key_prefix
        self.restaurants_every_minutes = restaurants_every_minutes
        self.max_missing = max_missing
        self.keys_a_request = keys_a_request
        self.statement_timeout_s = statement_timeout_s
        self.zone = zone
        self.redis_conn_id = redis_conn_id
        self.postgres_conn_id = postgres_conn_id
        self.queries = list(STG_REFERENCE_QUERIES)
        self.prepare = [TRANSACTION, *STG_REFERENCE_INCOMING]
        self.load = list(STG_REFERENCE)

    def execute(self, context: Context) -> dict[str, int]:
        """Ask PostgreSQL what is wanted, Redis for it, and store what is new."""
        wanted_sql, unseen_sql = named_sql(STG_REFERENCE_QUERIES, self.queries)
        prepare = named_sql([TRANSACTION, *STG_REFERENCE_INCOMING], self.prepare)
        params = {"statement_timeout_ms": int(self.statement_timeout_s * 1000)}
        minute = int(datetime.now(UTC).timestamp()) // 60
        with open_postgres(self.postgres_conn_id) as connection, open_redis(self.redis_conn_id) as client:
            wanted = self._rows(
                connection,
                prepare[:1],
                wanted_sql,
                params
                | {
                    "with_quiet_restaurants": minute % self.restaurants_every_minutes == 0,
                    "max_missing": self.max_missing,
                },
            )
            found = list(self._read(client, wanted))
            unseen = self._rows(
                connection,
                prepare[:1],
                unseen_sql,
                params
                | {
                    "value_hashes": [content_hash(document.value) for document in found],
                    "refusal_hashes": [refusal_hash(document) for document in found],
                },
            )
            counts = stage_documents(
                connection,
                [found[position - 1] for (position,) in unseen],
                StagingFiles(prepare, named_sql(STG_REFERENCE, self.load)),
                zone=ZoneInfo(self.zone),
                params=params,
                log=self.log,
            )
        self.log.info(
            "%d keys wanted, %d found, %d documents new, %d of them refused into stg.dead_letters",
            len(wanted),
            len(found),
            counts["documents"],
            counts["refused"],
        )
        return {"wanted": len(wanted), "found": len(found), **counts}

    def _rows(
        self, connection: psycopg.Connection[Any], prepare: Sequence[SqlFile], query: SqlFile, params: dict[str, Any]
    ) -> list[tuple[Any, ...]]:
        with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
            run_sql(connection, prepare, params, self.log)
            return cursor.execute(query.text, params).fetchall()  # type: ignore[arg-type]  # the text of a file of ours

    def _read(self, client: redis.Redis, wanted: Sequence[tuple[str, str]]) -> Iterator[Document]:
        """Yield the documents that are there."""
        queue = iter(wanted)
        while keys := list(islice(queue, self.keys_a_request)):
            try:
                values = client.mget([self.key_prefix + object_id for _, object_id in keys])
            except redis.RedisError as error:
                raise UnreachableError(f"Redis stopped answering ({self.redis_conn_id}): {error}") from error
            for (object_type, object_id), value in zip(keys, values, strict=True):
                if value is not None:
                    yield Document(object_type, object_id, value if isinstance(value, bytes) else value.encode())

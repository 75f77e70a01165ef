"""`RefreshReferenceOperator`: Redis to STG."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias
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
from warehouse.fields import MAX_VALUE_BYTES
from warehouse.sql_files import SqlFile, named_sql, run_sql
from warehouse.staging import (
    Document,
    Sought,
    StagingFiles,
    UnreadDocument,
    content_hash,
    refusal_hash,
    stage_documents,
    unread_hash,
)

Wanted: TypeAlias = tuple[str, str]  # user or restaurant, its id
DOCUMENT_BYTES = 400  # what a document takes in memory beside its value


class RefreshReferenceOperator(PipelineOperator):
    """Store in STG the versions of guests and restaurants that Redis holds and the warehouse has not seen.

    Asks for the guests and restaurants of the orders that DDS has still to load, for those still missing (at most
    `max_missing` a run, each has its turn), and in one of `restaurants_every_runs` runs for all restaurants known, so that a
    changed menu counts before that restaurant's next order. Keys are `key_prefix` and the id. `zone` is that of times without
    one.

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
        restaurants_every_runs: int = 1,
        max_missing: int = 10_000,
        keys_a_request: int = 1_000,
        portion_bytes: int = 8 * 1024 * 1024,
        statement_timeout_s: float = 300.0,
        zone: str = SOURCE_ZONE,
        redis_conn_id: str = REDIS_CONN_ID,
        postgres_conn_id: str = POSTGRES_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.key_prefix = key_prefix
        self.restaurants_every_runs = restaurants_every_runs
        self.max_missing = max_missing
        self.keys_a_request = keys_a_request
        self.portion_bytes = portion_bytes
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
        with open_postgres(self.postgres_conn_id) as connection, open_redis(self.redis_conn_id) as client:
            wanted = self._rows(
                connection,
                prepare[:1],
                wanted_sql,
                params
                | {
                    "restaurants_every_runs": self.restaurants_every_runs,
                    "max_missing": self.max_missing,
                },
            )
            totals: Counter[str] = Counter(found=0, documents=0, skipped=0, refused=0)
            for portion in self._portions(client, wanted):
                unseen = self._rows(connection, prepare[:1], unseen_sql, params | _identities(portion))
                totals["found"] += len(portion)
                if unseen:
                    counts = stage_documents(
                        connection,
                        [portion[position - 1] for position, is_new in unseen if is_new],
                        StagingFiles(prepare, named_sql(STG_REFERENCE, self.load)),
                        zone=ZoneInfo(self.zone),
                        params=params,
                        log=self.log,
                        read_again=[unread_hash(portion[position - 1]) for position, is_new in unseen if not is_new],
                    )
                    totals.update(counts)
        self.log.info(
            "%d keys wanted, %d found, %d documents new, %d of them refused into stg.dead_letters",
            len(wanted),
            totals["found"],
            totals["documents"],
            totals["refused"],
        )
        return {"wanted": len(wanted), **totals}

    def _rows(
        self, connection: psycopg.Connection[Any], prepare: Sequence[SqlFile], query: SqlFile, params: dict[str, Any]
    ) -> list[tuple[Any, ...]]:
        with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
            run_sql(connection, prepare, params, self.log)
            return cursor.execute(query.text, params).fetchall()

    def _portions(self, client: redis.Redis, wanted: Sequence[Wanted]) -> Iterator[list[Sought]]:
        """Yield the documents that are there, in portions of about `portion_bytes`."""
        portion: list[Sought] = []
        room = self.portion_bytes
        for document in self._found(client, wanted):
            portion.append(document)
            room -= len(document.value) + DOCUMENT_BYTES if isinstance(document, Document) else DOCUMENT_BYTES
            if room <= 0:
                yield portion
                portion, room = [], self.portion_bytes
        if portion:
            yield portion

    def _found(self, client: redis.Redis, wanted: Sequence[Wanted]) -> Iterator[Sought]:
        """Yield the documents that are there; before any is read, the sizes of all say how many may be read at once."""
        queue = iter(wanted)
        while keys := list(islice(queue, self.keys_a_request)):
            try:
                sizes = self._sizes(client, keys)
                readable: list[Wanted] = []
                room = self.portion_bytes
                for key, size in zip(keys, sizes, strict=True):
                    if isinstance(size, UnreadDocument):
                        yield size
                        continue
                    if size > room and readable:
                        yield from self._values(client, readable)
                        readable, room = [], self.portion_bytes
                    readable.append(key)
                    room -= size
                if readable:
                    yield from self._values(client, readable)
            except redis.RedisError as error:
                raise UnreachableError(f"Redis stopped answering ({self.redis_conn_id}): {error}") from error

    def _sizes(self, client: redis.Redis, keys: Sequence[Wanted]) -> list[int | UnreadDocument]:
        """Return the number of bytes under each key (0: nothing is there), or that it can't be read."""
        names = [self.key_prefix + object_id for _, object_id in keys]
        with client.pipeline(transaction=False) as questions:
            for name in names:
                questions.strlen(name)
            sizes = questions.execute(raise_on_error=False)
            for name, size in zip(names, sizes, strict=True):
                if isinstance(size, redis.ResponseError) and str(size).startswith("WRONGTYPE"):
                    questions.type(name)
                elif isinstance(size, Exception):
                    raise size
            kinds = iter(questions.execute())
        answers: list[int | UnreadDocument] = []
        for key, size in zip(keys, sizes, strict=True):
            if isinstance(size, redis.ResponseError):
                kind = next(kinds).decode()
                answers.append(0 if kind in ("none", "string") else UnreadDocument(*key, kind, 0))  # changed meanwhile
            else:
                answers.append(UnreadDocument(*key, "string", size) if size > MAX_VALUE_BYTES else size)
        return answers

    def _values(self, client: redis.Redis, keys: Sequence[Wanted]) -> Iterator[Document]:
        """Yield the documents that are there."""
        for key, value in zip(keys, client.mget([self.key_prefix + object_id for _, object_id in keys]), strict=True):
            if isinstance(value, bytes):
                yield Document(*key, value)


def _identities(portion: Sequence[Sought]) -> dict[str, Any]:
    """Return the parameters of `ask/stg/reference_unseen.sql`."""
    return {
        "value_hashes": [content_hash(found.value) if isinstance(found, Document) else None for found in portion],
        "refusal_hashes": [refusal_hash(found) for found in portion],
        "unread_hashes": [unread_hash(found) for found in portion],
    }

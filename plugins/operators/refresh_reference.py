"""`RefreshReferenceOperator`: Redis to STG."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import redis
from airflow.sdk import Context

from operators.base import PipelineOperator
from operators.connections import UnreachableError, ledger_pepper, open_redis, reference_settings
from warehouse.constants import REDIS_CONN_ID
from warehouse.fields import MAX_VALUE_BYTES
from warehouse.layers import REFERENCE, REFERENCE_UNSEEN, REFERENCE_WANTED
from warehouse.staging import (
    Document,
    DocumentStore,
    Sought,
    UnreadDocument,
    content_hash,
    refusal_hash,
    unread_hash,
)

DOCUMENT_BYTES = 400  # what a document takes in memory beside its value


class Wanted(NamedTuple):
    """A user or restaurant, its id, and the key of Redis that holds it."""

    object_type: str
    object_id: str
    key: str


class RefreshReferenceOperator(PipelineOperator):
    """Store in STG the versions of guests and restaurants that Redis holds and the warehouse has not seen.

    Asks for the guests and restaurants of the orders that DDS has still to load, for those still missing (at most
    `max_missing` a run, each has its turn), and for all restaurants known, so that a changed menu counts before that restaurant's
    next order. Keys, zone, whether guests are asked for at all, and how often quiet restaurants are: settings of the connection
    (`warehouse.sources`).

    A key that is not there is no error: the order counts by dish, and by category as soon as the document arrives. Redis being
    down is one (`UnreachableError`), for then nothing is known of what is missing. Returns counts: wanted, found, documents
    (new ones), refused (dead letters), and the rows written, by table.
    """

    def __init__(
        self,
        *,
        max_missing: int = 10_000,
        keys_a_request: int = 1_000,
        portion_bytes: int = 8 * 1024 * 1024,
        redis_conn_id: str = REDIS_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(files=[REFERENCE_WANTED, REFERENCE_UNSEEN, REFERENCE], **kwargs)
        self.max_missing = max_missing
        self.keys_a_request = keys_a_request
        self.portion_bytes = portion_bytes
        self.redis_conn_id = redis_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        """Ask PostgreSQL what is wanted, Redis for it, and store what is new."""
        settings = reference_settings(self.redis_conn_id)
        with self.open_session() as session, open_redis(self.redis_conn_id) as client:
            store = DocumentStore(session, REFERENCE, settings.zone, ledger_pepper)
            params = {
                "object_types": settings.object_types,
                "restaurants_every_runs": settings.restaurants_every_runs,
                "max_missing": self.max_missing,
            }
            asked = session.ask(REFERENCE_WANTED, params)
            wanted = [
                Wanted(object_type, object_id, settings.key_prefix + object_id) for object_type, object_id in asked
            ]
            totals: Counter[str] = Counter(found=0, documents=0, skipped=0, refused=0)
            for portion in self._portions(client, wanted):
                unseen = session.ask(REFERENCE_UNSEEN, _identities(portion))
                totals["found"] += len(portion)
                if unseen:
                    new = [portion[position - 1] for position, is_new in unseen if is_new]
                    known = [unread_hash(portion[position - 1]) for position, is_new in unseen if not is_new]
                    totals.update(store.store(new, {"read_again_hashes": known}))
        self.log.info(
            "%d keys wanted, %d found, %d documents new, %d of them refused into stg.dead_letters",
            len(wanted),
            totals["found"],
            totals["documents"],
            totals["refused"],
        )
        return {"wanted": len(wanted), **totals}

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
        with client.pipeline(transaction=False) as questions:
            for wanted in keys:
                questions.strlen(wanted.key)
            sizes = questions.execute(raise_on_error=False)
            for wanted, size in zip(keys, sizes, strict=True):
                if isinstance(size, redis.ResponseError) and str(size).startswith("WRONGTYPE"):
                    questions.type(wanted.key)
                elif isinstance(size, Exception):
                    raise size
            # Here, too, errors one by one: what redis-py raises by itself quotes the key, which is a guest's id.
            kinds = iter(questions.execute(raise_on_error=False))
        answers: list[int | UnreadDocument] = []
        for (object_type, object_id, _), size in zip(keys, sizes, strict=True):
            if isinstance(size, redis.ResponseError):
                answer = next(kinds)
                if isinstance(answer, Exception):
                    raise answer
                kind = answer.decode()
                is_changed = kind in ("none", "string")  # meanwhile
                answers.append(0 if is_changed else UnreadDocument(object_type, object_id, kind, 0))
            elif size > MAX_VALUE_BYTES:
                answers.append(UnreadDocument(object_type, object_id, "string", size))
            else:
                answers.append(size)
        return answers

    def _values(self, client: redis.Redis, keys: Sequence[Wanted]) -> Iterator[Document]:
        """Yield the documents that are there."""
        for wanted, value in zip(keys, client.mget([wanted.key for wanted in keys]), strict=True):
            if isinstance(value, bytes):
                yield Document(wanted.object_type, wanted.object_id, value)


def _identities(portion: Sequence[Sought]) -> dict[str, Any]:
    """Return the parameters of `REFERENCE_UNSEEN`."""
    return {
        "value_hashes": [content_hash(found.value) if isinstance(found, Document) else None for found in portion],
        "refusal_hashes": [refusal_hash(found) for found in portion],
        "unread_hashes": [unread_hash(found) for found in portion],
    }

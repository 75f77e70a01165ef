"""`ReplayDeadLettersOperator`: what was refused, through the same door again."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from airflow.sdk import Context

from operators.base import PipelineOperator, request_of
from operators.connections import open_postgres
from warehouse.constants import (
    POSTGRES_CONN_ID,
    SOURCE_ZONE,
    STG_ORDERS_INCOMING,
    STG_REFERENCE_INCOMING,
    STG_REPLAY_ORDERS,
    STG_REPLAY_QUERIES,
    STG_REPLAY_REFERENCE,
    TRANSACTION,
)
from warehouse.reference import RESTAURANT, USER
from warehouse.requests import IDS
from warehouse.sql_files import named_sql, run_sql
from warehouse.staging import Document, Record, StagingFiles, refusal_hash, stage_documents, stage_records

EVERYTHING = {"reason": None, "ids": None, "limit": IDS[-1]}
LAST, WANTED = range(2)  # the places of the two questions in STG_REPLAY_QUERIES
MESSAGES = "messages"
DOCUMENTS = "documents"


class ReplayDeadLettersOperator(PipelineOperator):
    """Judge and store unsolved dead letters again, by the rules of today: messages of Kafka first, then documents of Redis.

    Batches of at most `batch_letters` and about `batch_bytes` bound the memory. Each is one transaction: what is accepted enters
    STG and is marked solved, what is refused again gets today's reason and detail, every try is counted. A document is judged
    as it was when it was refused; what Redis holds by now, the reference task reads anyway.

    Which letters and how many is told by the run's parameters (`warehouse.requests`), unless it is to try `everything`; a wrong
    one fails the task at once. A task that is tried again goes on with those that this run has not tried. Letters that do not
    hold the whole of what was refused (docs/messages.md) are left alone. Returns counts: tried, solved, refused (also by
    reason), not_whole, and the rows written, by table. `zone` is that of times written without one.
    """

    template_fields: Sequence[str] = ("queries", "prepare", "load", "prepare_reference", "load_reference")
    template_ext: Sequence[str] = (".sql",)

    def __init__(
        self,
        *,
        everything: bool = False,
        batch_letters: int = 1_000,
        batch_bytes: int = 32 * 1024 * 1024,
        statement_timeout_s: float = 300.0,
        zone: str = SOURCE_ZONE,
        postgres_conn_id: str = POSTGRES_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.everything = everything
        self.batch_letters = batch_letters
        self.batch_bytes = batch_bytes
        self.statement_timeout_s = statement_timeout_s
        self.zone = zone
        self.postgres_conn_id = postgres_conn_id
        self.queries = [TRANSACTION, *STG_REPLAY_QUERIES]
        self.prepare = [TRANSACTION, *STG_ORDERS_INCOMING]
        self.load = list(STG_REPLAY_ORDERS)
        self.prepare_reference = [TRANSACTION, *STG_REFERENCE_INCOMING]
        self.load_reference = list(STG_REPLAY_REFERENCE)

    def execute(self, context: Context) -> dict[str, int]:
        """Try what the run's parameters ask for."""
        request: dict[str, Any] = EVERYTHING if self.everything else request_of(context)
        run = context["dag_run"]
        # A run that is cleared begins again, and has another start. Compared for being the same, never for what came first.
        name = f"{context['dag'].dag_id}:{run.run_id}:{run.start_date.isoformat()}"  # type: ignore[union-attr]
        totals: Counter[str] = Counter(tried=0, solved=0, refused=0, not_whole=0)
        with open_postgres(self.postgres_conn_id) as connection:
            ((last_id,),) = self._ask(connection, LAST, {})
            for kind in (MESSAGES, DOCUMENTS):
                for items in self._batches(connection, request, kind, {"last_id": last_id, "run": name}, totals):
                    counts = self._try(connection, kind, items, name)
                    tried = counts.pop(kind)
                    totals.update(counts, tried=tried, solved=tried - counts["refused"])
        self.log.info("%(tried)d dead letters tried: %(solved)d are solved, %(refused)d refused again", totals)
        if totals["not_whole"]:
            self.log.warning(
                "%d dead letters do not hold the whole of what was refused and can't be tried: read it again from its source",
                totals["not_whole"],
            )
        if request["ids"] is not None and totals["tried"] < len(set(request["ids"])):
            self.log.warning(
                "%d of the ids asked for were not tried: solved, beyond the limit, not whole, of another reason or not there",
                len(set(request["ids"])) - totals["tried"],
            )
        return dict(totals)

    def _batches(
        self,
        connection: psycopg.Connection[Any],
        request: Mapping[str, Any],
        kind: str,
        run: dict[str, Any],
        totals: Counter[str],
    ) -> Iterator[list[Any]]:
        """Yield what the dead letters of one kind that the request names hold, by id; count those that do not hold all of it."""
        params = {
            **run,
            "is_reference": kind == DOCUMENTS,
            "reason": request["reason"],
            "ids": request["ids"],
            "after_id": 0,
            "max_bytes": self.batch_bytes,
        }
        while (room := request["limit"] - totals["tried"]) > 0:
            params["max_letters"] = min(self.batch_letters, room)
            letters = self._ask(connection, WANTED, params)
            if not letters:
                return
            params["after_id"] = letters[-1][0]
            items = [item for letter in letters if (item := _item(kind, letter)) is not None]
            totals["not_whole"] += len(letters) - len(items)
            if items:
                yield items

    def _ask(self, connection: psycopg.Connection[Any], question: int, params: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Return the rows of one of `STG_REPLAY_QUERIES`."""
        settings, *queries = named_sql([TRANSACTION, *STG_REPLAY_QUERIES], self.queries)
        params = {**params, "statement_timeout_ms": int(self.statement_timeout_s * 1000)}
        with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
            run_sql(connection, [settings], params, self.log)
            return cursor.execute(queries[question].text, params).fetchall()

    def _try(self, connection: psycopg.Connection[Any], kind: str, items: list[Any], run: str) -> dict[str, int]:
        """Put one batch through the door; return its counts."""
        params = {"statement_timeout_ms": int(self.statement_timeout_s * 1000), "run": run}
        if kind == MESSAGES:
            prepare = named_sql([TRANSACTION, *STG_ORDERS_INCOMING], self.prepare)
            files = StagingFiles(prepare, named_sql(STG_REPLAY_ORDERS, self.load))
            return stage_records(connection, items, files, zone=ZoneInfo(self.zone), params=params, log=self.log)
        prepare = named_sql([TRANSACTION, *STG_REFERENCE_INCOMING], self.prepare_reference)
        files = StagingFiles(prepare, named_sql(STG_REPLAY_REFERENCE, self.load_reference))
        return stage_documents(connection, items, files, zone=ZoneInfo(self.zone), params=params, log=self.log)


def _item(kind: str, letter: tuple[Any, ...]) -> Record | Document | None:
    """Return what a dead letter holds; None where that is not the whole of what was refused, by which a letter is known.

    What a document was sought as is told by its identity too, which is made from that.
    """
    _, identity, raw, topic, partition, offset, key = letter
    items: list[Record | Document] = []
    if kind == MESSAGES:
        items = [Record(raw, key, topic, partition, offset)]
    elif raw is not None:
        items = [Document(object_type, key.decode(), raw) for object_type in (USER, RESTAURANT)]
    return next((item for item in items if UUID(refusal_hash(item)) == identity), None)

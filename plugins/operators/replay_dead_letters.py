"""`ReplayDeadLettersOperator`: what was refused, through the same door again."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from airflow.sdk import Context

from operators.base import PipelineOperator, request_of
from operators.connections import ledger_pepper, orders_zone, reference_settings
from warehouse.constants import KAFKA_CONN_ID, REDIS_CONN_ID
from warehouse.layers import DEAD_LETTERS_LAST, DEAD_LETTERS_WANTED, REPLAYED_ORDERS, REPLAYED_REFERENCE
from warehouse.requests import IDS
from warehouse.session import Session
from warehouse.staging import Document, DocumentStore, Record, RecordStore, Store, refusal_hash

EVERYTHING = {"reason": None, "ids": None, "limit": IDS[-1]}
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
    reason), not_whole, and the rows written, by table.
    """

    def __init__(
        self,
        *,
        everything: bool = False,
        batch_letters: int = 1_000,
        batch_bytes: int = 32 * 1024 * 1024,
        **kwargs: Any,
    ) -> None:
        files = [DEAD_LETTERS_LAST, DEAD_LETTERS_WANTED, REPLAYED_ORDERS, REPLAYED_REFERENCE]
        super().__init__(files=files, **kwargs)
        self.everything = everything
        self.batch_letters = batch_letters
        self.batch_bytes = batch_bytes

    def execute(self, context: Context) -> dict[str, int]:
        """Try what the run's parameters ask for."""
        request: dict[str, Any] = EVERYTHING if self.everything else request_of(context)
        run = context["dag_run"]
        # A run that is cleared begins again, and has another start. Compared for being the same, never for what came first.
        name = f"{context['dag'].dag_id}:{run.run_id}:{run.start_date.isoformat()}"  # type: ignore[union-attr]
        totals: Counter[str] = Counter(tried=0, solved=0, refused=0, not_whole=0)
        with self.open_session() as session:
            settings = reference_settings(REDIS_CONN_ID)
            stores: dict[str, Store[Any]] = {
                MESSAGES: RecordStore(session, REPLAYED_ORDERS, orders_zone(KAFKA_CONN_ID), ledger_pepper),
                DOCUMENTS: DocumentStore(session, REPLAYED_REFERENCE, settings.zone, ledger_pepper),
            }
            ((last_id,),) = session.ask(DEAD_LETTERS_LAST)
            for kind, store in stores.items():
                sought = settings.object_types if kind == DOCUMENTS else []
                for items in self._batches(session, request, sought, {"last_id": last_id, "run": name}, totals):
                    counts = self._try(store, items, name)
                    tried = counts.pop(kind)
                    totals.update(counts, tried=tried, solved=tried - counts["refused"])
        self.log.info("%(tried)d dead letters tried: %(solved)d are solved, %(refused)d refused again", totals)
        if totals["not_whole"]:
            self.log.warning(
                "%d dead letters can't be tried: they do not hold all that was refused, or are of guests, who are not loaded",
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
        session: Session,
        request: Mapping[str, Any],
        sought: Sequence[str],
        run: dict[str, Any],
        totals: Counter[str],
    ) -> Iterator[list[Any]]:
        """Yield what the dead letters that the request names hold, by id; count those that can't be tried.

        They are messages, or documents `sought` as one of these: not those of guests where these are not loaded.
        """
        params = {
            **run,
            "is_reference": bool(sought),
            "reason": request["reason"],
            "ids": request["ids"],
            "after_id": 0,
            "max_bytes": self.batch_bytes,
        }
        while (room := request["limit"] - totals["tried"]) > 0:
            params["max_letters"] = min(self.batch_letters, room)
            letters = session.ask(DEAD_LETTERS_WANTED, params)
            if not letters:
                return
            params["after_id"] = letters[-1][0]
            items = [item for letter in letters if (item := _item(sought, letter)) is not None]
            totals["not_whole"] += len(letters) - len(items)
            if items:
                yield items

    def _try(self, store: Store[Any], items: list[Any], run: str) -> dict[str, int]:
        """Put one batch through the door; return its counts."""
        return store.store(items, {"run": run})


def _item(sought: Sequence[str], letter: tuple[Any, ...]) -> Record | Document | None:
    """Return what a dead letter holds; None where that is not the whole of what was refused, by which a letter is known.

    What a document was sought as is told by its identity too, which is made from that.
    """
    _, identity, raw, topic, partition, offset, key = letter
    items: list[Record | Document] = []
    if not sought:
        items = [Record(raw, key, topic, partition, offset)]
    elif raw is not None:
        items = [Document(object_type, key.decode(), raw) for object_type in sought]
    return next((item for item in items if UUID(refusal_hash(item)) == identity), None)

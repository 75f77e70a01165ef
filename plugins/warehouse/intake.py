"""Puts what a topic holds into STG: one chunk is read and judged while those before it are stored."""

import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial

from warehouse.drain import Chunk, DrainError, Plan, Position, TopicDrain
from warehouse.memory import MIB, bound_memory
from warehouse.progress import Progress
from warehouse.staging import Judged, RecordStore
from warehouse.turns import Turns, hang_up

TURN_S = 0.0003
NEW_OBJECTS = 20_000
# As many as there is other work for: while one of them runs its statements, in its turn, the other copies the next chunk.
CONNECTIONS = 2
# What a task holds at most: a record batch that would make it more ends the try, and the next reads with care.
TASK_BYTES = 384 * MIB


@contextmanager
def tuned_interpreter() -> Iterator[None]:
    """Let threads take turns every 0.3 ms instead of 5, and the garbage collector look after 20,000 new objects instead of 700.

    The threads that store need the interpreter for a moment after each of their dozen statements a chunk; the one that judges
    never gives it up by itself. The rows of a chunk hold no cycles, and each look walks over them. Either saves a twentieth of
    a history's drain, or more.
    """
    turn, generations = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(TURN_S)
    gc.set_threshold(NEW_OBJECTS, *generations[1:])
    try:
        yield
    finally:
        sys.setswitchinterval(turn)
        gc.set_threshold(*generations)


class TopicIntake:
    """Stores what a plan of `drain` says to read, with the progress over it, chunk by chunk, and logs how far it is.

    Other threads store chunks, each by a connection of its own (`store`, and what `open_store` opens), while this one reads and
    judges the next. Chunks are stored, and shown in the group where `shows` says so, in the order of their arrival.
    `chunk_messages` and `chunk_bytes` bound the memory, `max_messages` what is read in all.
    """

    def __init__(
        self,
        drain: TopicDrain,
        progress: Progress,
        store: RecordStore,
        open_store: Callable[[], AbstractContextManager[RecordStore]],
        *,
        shows: bool,
        chunk_messages: int,
        chunk_bytes: int,
        max_messages: int | None = None,
    ) -> None:
        self.drain = drain
        self.progress = progress
        self.store = store
        self.open_store = open_store
        self.shows = shows
        self.chunk_messages = chunk_messages
        self.chunk_bytes = chunk_bytes
        self.max_messages = max_messages
        self.log = store.session.log

    def take(self, plan: Plan) -> tuple[dict[str, int], dict[int, Position]]:
        """Store what the plan says; return counts, and where the reader stands now.

        An error of Kafka goes up when all that came before it is stored. After any other what is being stored is not waited for:
        it is rolled back, and read again by the next run.
        """
        self.waiting = sum(span.end - span.start for span in plan.ranges)
        self.log.info(
            "%d messages of %s in %d partitions are to be read", self.waiting, self.progress.topic, len(plan.ranges)
        )
        self.totals: Counter[str] = Counter(messages=0, skipped=0, refused=0)
        self.positions = plan.positions
        self.started = time.monotonic()
        read = 0
        with tuned_interpreter(), self._turns().held() as turns:
            try:
                for chunk in self.drain.chunks(plan, max_messages=self.chunk_messages, max_bytes=self.chunk_bytes):
                    bound_memory(TASK_BYTES)
                    judged = self.store.judge(chunk.records)
                    turns.begin(partial(self._store, chunk, judged), then=partial(self._stored, chunk))
                    read += len(chunk.records)
                    if self.max_messages is not None and read >= self.max_messages:
                        self.log.info("the limit of a run is reached; the rest waits for the next")
                        break
            except DrainError:
                turns.finish_all()
                raise
        self.log.info(
            "%(messages)d messages read: %(skipped)d of another type skipped, %(refused)d refused into stg.dead_letters",
            self.totals,
        )
        return dict(self.totals), self.positions

    def _turns(self) -> Turns[RecordStore, dict[str, int]]:
        return Turns(
            self.store,
            self.open_store,
            places=CONNECTIONS,
            hang_up=lambda store: hang_up(store.session.connection),
        )

    def _store(self, chunk: Chunk, judged: Judged, store: RecordStore, take_turn: Callable[[], None]) -> dict[str, int]:
        if chunk.records:
            params = self.progress.at(chunk.positions)
            return store.store(chunk.records, params, judged=judged, take_turn=take_turn)
        take_turn()  # the markers of transactions alone
        replace(self.progress, session=store.session).write(chunk.positions)
        return {}

    def _stored(self, chunk: Chunk, counts: dict[str, int]) -> None:
        """Count a chunk that is stored; only then show it in the group."""
        self.totals.update(counts)
        self.positions = chunk.positions
        if self.shows:
            self.drain.commit(chunk.next_offsets)
        done, seconds = self.totals["messages"], time.monotonic() - self.started
        self.log.info(
            "%d of %d messages stored (%d %%), %.0f a second",
            done,
            self.waiting,
            100 * done // self.waiting if self.waiting else 100,
            done / max(seconds, 1e-3),
        )

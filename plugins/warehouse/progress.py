"""How far a reader has come in a topic: rows of `stg.drain_progress`, and what was noticed on the way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from warehouse.drain import Plan, Position
from warehouse.layers import (
    DRAIN_ENDS,
    DRAIN_POSITIONS,
    DRAIN_PROGRESS,
    DRAIN_PROGRESS_DONE,
    DRAIN_PROGRESS_ENDED,
    LOST_MESSAGES,
    STG_LOCK,
)
from warehouse.session import Session

PROGRESS_FILES = (
    DRAIN_POSITIONS,
    DRAIN_PROGRESS,
    DRAIN_PROGRESS_DONE,
    DRAIN_PROGRESS_ENDED,
    DRAIN_ENDS,
    LOST_MESSAGES,
    STG_LOCK,
)


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one reader in a topic, which has the uuid `topic_id` now. Each change is a transaction of its own."""

    session: Session
    topic: str
    topic_id: str
    reader: str

    def positions(self) -> dict[int, Position]:
        """Return how far the reader has come, by partition."""
        rows = self.session.ask(DRAIN_POSITIONS, {"reader": self.reader, "topic": self.topic})
        return {partition: Position(*rest) for partition, *rest in rows}

    def at(self, positions: Mapping[int, Position], *, restart: bool = False) -> dict[str, Any]:
        """Return the parameters of `DRAIN_PROGRESS` that tell these positions; `restart` lets them go back."""
        partitions = sorted(positions)
        rows = [positions[partition] for partition in partitions]
        return {
            "reader": self.reader,
            "topic": self.topic,
            "topic_id": self.topic_id,
            "partitions": partitions,
            "next_offsets": [row.next_offset for row in rows],
            "last_offsets": [row.last_offset for row in rows],
            "last_hashes": [row.last_hash for row in rows],
            "end_offsets": [row.end_offset for row in rows],
            "restart": restart,
        }

    def write(self, positions: Mapping[int, Position], *, restart: bool = False) -> None:
        """Store these positions."""
        self._run([DRAIN_PROGRESS], self.at(positions, restart=restart))

    def note(self, plan: Plan) -> None:
        """Store what was noticed before anything is read: losses, a log that is another one, where the ends are."""
        if plan.ranges and not (plan.losses or plan.gone or plan.restarted):
            return  # the first chunk stores it
        self._run(
            [LOST_MESSAGES, DRAIN_PROGRESS_DONE, DRAIN_PROGRESS],
            {
                "gone_partitions": plan.gone,
                "lost_topic_ids": [loss.topic_id for loss in plan.losses],
                "lost_partitions": [loss.partition for loss in plan.losses],
                "lost_from": [loss.from_offset for loss in plan.losses],
                "lost_to": [loss.to_offset for loss in plan.losses],
                **self.at(plan.positions, restart=plan.restarted),
            },
        )

    def forget(self, partitions: Iterable[int]) -> None:
        """Remove the reader's positions in partitions that it has done with."""
        params = {"reader": self.reader, "topic": self.topic, "gone_partitions": sorted(partitions)}
        self._run([DRAIN_PROGRESS_DONE], params)

    def has_all(self, partitions: Iterable[int], plan: Plan) -> None:
        """Note that the warehouse has all that these partitions held when the plan was made, and when it had all of the topic."""
        params = {
            "reader": self.reader,
            "topic": self.topic,
            "topic_partitions": plan.partitions,
            "partitions": sorted(partitions),
            "as_of": plan.asked_at,
        }
        # In a turn: of two workers that end at once the second must see what the first has noted.
        self._run([STG_LOCK, DRAIN_PROGRESS_ENDED, DRAIN_ENDS], params)

    def _run(self, names: Iterable[str], params: Mapping[str, Any]) -> None:
        with self.session.transaction():
            self.session.run(names, {**params, "load_dt": datetime.now(UTC)})

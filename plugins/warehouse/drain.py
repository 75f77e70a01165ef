"""Reads a topic from where its group stopped up to the high watermarks seen at the start, chunk by chunk.

Partitions are assigned, not subscribed to: no rebalance can take them away in the middle of a run, a consumer that died with its
membership does not hold them back, and two drains at once read the same messages twice, which the identity of content makes
harmless. Progress is committed to the group all the same, so that anyone's tools show its lag.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, KafkaException, Message, TopicPartition

from warehouse.staging import Record

# What a connection may not change: progress is ours to commit, after PostgreSQL has committed.
FORCED_SETTINGS = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    # Positions are looked up before; one that has become invalid since fails the run instead of skipping messages.
    "auto.offset.reset": "error",
}
# What a connection may: an empty drain answers at once, the client's own queue stays small.
DEFAULT_SETTINGS = {
    "client.id": "guest-tags-dwh",
    "fetch.wait.max.ms": 100,
    "queued.max.messages.kbytes": 32 * 1024,
    "fetch.max.bytes": 16 * 1024 * 1024,
    "socket.connection.setup.timeout.ms": 10_000,
}

# The group has members that joined it by subscription; a dead one among them is gone when its session ends.
GROUP_IS_TAKEN = (
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID,
)
# A broker that has just started, or a group used for the first time: the answer comes a moment later.
PASSING = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
)
# Messages taken from the client at once: a chunk exceeds its bytes by no more than these.
BURST = 100
# The default session of a consumer is 45 s.
GROUP_RELEASE_S = 60.0


class DrainError(Exception):
    """The topic can't be drained; the text says what to check."""


class GroupIsTakenError(DrainError):
    """The group's offsets are in the hands of members that have subscribed."""


@dataclass(frozen=True, slots=True)
class Range:
    """The offsets of one partition to read: from `start` up to, not including, `end`."""

    partition: int
    start: int
    end: int


@dataclass(slots=True)
class Chunk:
    """Messages in the order of their arrival, and where each of their partitions is to go on once they are stored."""

    records: list[Record] = field(default_factory=list)
    next_offsets: dict[int, int] = field(default_factory=dict)
    value_bytes: int = 0


def explained(error: KafkaError, brokers: str) -> str:
    """Return the text of an error of Kafka with what to check."""
    hints = {
        KafkaError._ALL_BROKERS_DOWN: "is the broker up, and is the address right?",  # noqa: SLF001  # librdkafka's own codes
        KafkaError._TRANSPORT: "is the broker up, and is the address right?",  # noqa: SLF001
        KafkaError._RESOLVE: "is the host name right?",  # noqa: SLF001
        KafkaError._TIMED_OUT: "is the broker up, and is the address right?",  # noqa: SLF001
        KafkaError._AUTHENTICATION: "are sasl.username, sasl.password and sasl.mechanism right?",  # noqa: SLF001
        KafkaError.SASL_AUTHENTICATION_FAILED: "are sasl.username, sasl.password and sasl.mechanism right?",
        KafkaError.TOPIC_AUTHORIZATION_FAILED: "may this user read and describe the topic?",
        KafkaError.GROUP_AUTHORIZATION_FAILED: "may this user use the consumer group?",
    }
    hint = hints.get(error.code(), "see the broker's log")
    return f"Kafka at {brokers}: {error.str()} ({error.name()}); {hint} (Airflow connection kafka_orders)"


class TopicDrain:
    """Drains one topic for one consumer group with a given client, which stays the caller's to close.

    `topic_id` is the topic's uuid: it is kept with every committed offset, so that the offsets of a topic that was deleted and
    created again under its name are not taken for those of the new one. `brokers` is for the texts of errors. Times in seconds:
    `timeout_s` for one answer of the broker, `stall_s` for a partition that delivers nothing.
    """

    def __init__(
        self,
        consumer: Consumer,
        *,
        topic: str,
        topic_id: str,
        brokers: str,
        timeout_s: float,
        stall_s: float,
        log: logging.Logger,
    ) -> None:
        self.consumer = consumer
        self.topic = topic
        self.topic_id = topic_id
        self.brokers = brokers
        self.timeout_s = timeout_s
        self.stall_s = stall_s
        self.log = log

    def ranges(self, begin_at: datetime | None = None) -> list[Range]:
        """Return what there is to read now: from the group's offsets up to the high watermarks.

        A partition without a (valid) offset begins at the first message, or, with `begin_at`, at the first that Kafka has
        stamped with that time or a later one.
        """
        partitions = [self._partition(index) for index in self._partition_ids()]
        committed = self._ask(lambda: self.consumer.committed(partitions, timeout=self.timeout_s))
        by_time = {}
        if begin_at is not None:
            stamped = [TopicPartition(self.topic, p.partition, int(begin_at.timestamp() * 1000)) for p in partitions]
            found = self._ask(lambda: self.consumer.offsets_for_times(stamped, timeout=self.timeout_s))
            by_time = {partition.partition: partition.offset for partition in found}
        ranges = []
        for partition in committed:
            low, high = self._watermarks(partition)
            begin = low
            if begin_at is not None:
                offset = by_time[partition.partition]
                begin = offset if offset >= 0 else high  # a negative one: nothing is that young
            ranges.append(Range(partition.partition, self._start(partition, low, high, begin), high))
        return ranges

    def chunks(self, ranges: Sequence[Range], *, max_messages: int, max_bytes: int) -> Iterator[Chunk]:
        """Yield the messages of `ranges` in chunks of at most `max_messages` and about `max_bytes` of values.

        The last chunk may be empty of messages and still move offsets (over the markers of transactions). Raises `DrainError`
        where Kafka reports an error or a partition delivers nothing for `stall_s`: it never ends early in silence.
        """
        ends = {span.partition: span.end for span in ranges if span.start < span.end}
        if not ends:
            return
        self.consumer.assign([self._partition(s.partition, s.start) for s in ranges if s.partition in ends])
        positions = {span.partition: span.start for span in ranges}
        chunk = Chunk()
        heard = time.monotonic()
        while ends:
            missing = sum(end - positions[partition] for partition, end in ends.items())
            room = max_messages - len(chunk.records)
            messages = self._ask(partial(self.consumer.consume, min(room, missing, BURST), 1.0))
            now = time.monotonic()
            if messages:
                heard = now
            elif now - heard > self.stall_s:
                where = ", ".join(f"{p} at {positions[p]} of {end}" for p, end in sorted(ends.items()))
                raise DrainError(
                    f"Kafka at {self.brokers} delivers nothing of {self.topic} for {self.stall_s:.0f} s (partition {where}): "
                    "is the leader of each partition up?"
                )
            for message in messages:
                self._take(message, chunk, positions, ends)
            if len(chunk.records) >= max_messages or chunk.value_bytes >= max_bytes:
                yield chunk
                chunk = Chunk()
        if chunk.next_offsets:
            yield chunk

    def commit(self, next_offsets: dict[int, int]) -> None:
        """Commit where the group is to go on, and wait for the broker's word.

        While the group has members of its own (a subscriber that died is one until its session ends) the broker refuses;
        the commit is tried again for a minute.
        """
        offsets = [TopicPartition(self.topic, p, offset, metadata=self.topic_id) for p, offset in next_offsets.items()]
        deadline = time.monotonic() + GROUP_RELEASE_S
        while True:
            try:
                self._ask(lambda: self._commit(offsets))
            except GroupIsTakenError as error:
                if time.monotonic() > deadline:
                    raise
                self.log.info("%s; waiting for its session to end", error)
                time.sleep(2)
            else:
                return

    def _commit(self, offsets: list[TopicPartition]) -> None:
        try:
            answers = self.consumer.commit(offsets=offsets, asynchronous=False)
            failed = next((answer.error for answer in answers or () if answer.error), None)
            if failed is not None:
                raise KafkaException(failed)
        except KafkaException as exception:
            error: KafkaError = exception.args[0]
            if error.code() in GROUP_IS_TAKEN:
                raise GroupIsTakenError(
                    "the messages are stored, but their offsets can't be committed: the consumer group has a member of its own "
                    f"({error.str()}). Stop it, or give the drain another group.id"
                ) from exception
            raise

    def committed(self) -> dict[int, int]:
        """Return the valid offsets of the group, by partition."""
        partitions = [self._partition(index) for index in self._partition_ids()]
        answers = self._ask(lambda: self.consumer.committed(partitions, timeout=self.timeout_s))
        return {a.partition: a.offset for a in answers if a.offset >= 0 and self._is_of_this_topic(a)}

    def _take(self, message: Message, chunk: Chunk, positions: dict[int, int], ends: dict[int, int]) -> None:
        """Put one message, or the news of a partition's end, where it belongs."""
        error = message.error()
        partition, offset = message.partition(), message.offset()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  # librdkafka's own code
            raise DrainError(f"partition {partition} of {self.topic}: {explained(error, self.brokers)}")
        if partition is None or offset is None or partition not in ends:
            return  # was read ahead of the end
        if error is None and offset < ends[partition]:
            value = message.value()
            chunk.records.append(Record(value, message.key(), self.topic, partition, offset))
            chunk.value_bytes += len(value or b"")
            positions[partition] = offset + 1
        else:  # the end, or a message beyond it: between the last message and the end lie markers only
            positions[partition] = ends[partition]
        chunk.next_offsets[partition] = positions[partition]
        if positions[partition] >= ends[partition]:
            del ends[partition]
            self.consumer.pause([self._partition(partition)])

    def _start(self, committed: TopicPartition, low: int, high: int, begin: int) -> int:
        """Return where to begin to read a partition, given what the group has committed."""
        offset = committed.offset
        if offset == OFFSET_INVALID or offset < 0:
            return begin
        where = f"partition {committed.partition} of {self.topic}"
        if not self._is_of_this_topic(committed):
            self.log.warning("%s: the topic was created anew since offset %d; reading it from its start", where, offset)
            return low
        if offset > high:
            self.log.warning("%s: offset %d is beyond its end %d; reading it from its start", where, offset, high)
            return low
        if offset < low:
            self.log.error("%s: Kafka's retention removed %d messages that were not read yet", where, low - offset)
            return low
        return int(offset)

    def _is_of_this_topic(self, committed: TopicPartition) -> bool:
        """Tell whether an offset was committed for this very topic; one that other tools have set says nothing of it."""
        return not committed.metadata or committed.metadata == self.topic_id

    def _partition(self, index: int, offset: int = OFFSET_INVALID) -> TopicPartition:
        return TopicPartition(self.topic, index, offset)

    def _partition_ids(self) -> list[int]:
        found = self._ask(lambda: self.consumer.list_topics(self.topic, timeout=self.timeout_s)).topics[self.topic]
        if found.error is not None:
            raise DrainError(
                f"the topic {self.topic} can't be read at {self.brokers}: {found.error.str()}; create it, or correct the name"
            )
        leaderless = sorted(partition.id for partition in found.partitions.values() if partition.leader < 0)
        if leaderless:
            raise DrainError(
                f"partition {', '.join(map(str, leaderless))} of {self.topic} has no leader: is every broker up? "
                "Messages there can't be read until it has one again"
            )
        return sorted(found.partitions)

    def _watermarks(self, partition: TopicPartition) -> tuple[int, int]:
        marks = self._ask(lambda: self.consumer.get_watermark_offsets(partition, timeout=self.timeout_s))
        if marks is None:
            raise DrainError(
                f"partition {partition.partition} of {self.topic} has no leader that answers within {self.timeout_s:.0f} s: "
                f"is every broker of {self.brokers} up?"
            )
        return int(marks[0]), int(marks[1])

    def _ask(self, request: Callable[[], Any]) -> Any:
        """Put a request to the broker, again for `timeout_s` while it says that it is not ready yet."""
        deadline = time.monotonic() + self.timeout_s
        while True:
            try:
                return request()
            except KafkaException as exception:
                error: KafkaError = exception.args[0]
                if error.code() not in PASSING or time.monotonic() > deadline:
                    raise DrainError(explained(error, self.brokers)) from exception
                time.sleep(0.05)

"""Reads a topic from where its reader stopped up to the high watermarks seen at the start, chunk by chunk.

Where a reader stopped is told by the warehouse, in which the messages are (`stg.drain_progress`). A position is one only while
the log before it is the same: the topic has the id that it had, the position lies within the log, and the last message read is
still at its offset, with no other between it and the position. Else the log is read from its start: content is identity, so that
costs time only. Where Kafka has removed that last message by age, nothing lies before the position but markers of transactions.

Partitions are assigned, not subscribed to: no rebalance can take them away in the middle of a run, a consumer that died with its
membership does not hold them back, and two drains at once read the same messages twice, which the identity of content makes
harmless. Progress is committed to the consumer group too, so that anyone's tools show its lag; it is never read from there.

A batch that can't be read stops nothing: what is readable again behind it is found (`warehouse.unreadable`), and a record that
stands for the offsets between takes their place in the chunk.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from warehouse.staging import Record, Stretch, refusal_hash
from warehouse.unreadable import FAULTS, Prober, is_displaced, is_echo

# What a connection may not change: progress is ours to commit, after PostgreSQL has committed.
FORCED_SETTINGS = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    # Positions are proved before; one that has become invalid since fails the run instead of skipping messages.
    "auto.offset.reset": "error",
    # Without it a batch that has changed on its way, or on a disk, is taken for messages.
    "check.crcs": True,
}
# What a connection may: an empty drain answers at once, the client's own queue stays small.
DEFAULT_SETTINGS = {
    "client.id": "guest-tags-dwh",
    "fetch.wait.max.ms": 100,
    "fetch.error.backoff.ms": 50,
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
# A broker that has just started, or a group used for the first time: the answer comes a moment later. Kafka's protocol calls all
# of these retriable. (The epoch of a partition that a client knows is ahead of a broker that was killed and still reads its log.)
PASSING = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
)
# Messages taken from the client at once: a chunk exceeds its bytes by no more than these.
BURST = 100
# How long an offset may take to be delivered when it is asked for alone.
PROBE_S = 5.0
# So often a batch may turn out to be readable after all.
MAX_PASSING_FAULTS = 3


class DrainError(Exception):
    """The topic can't be drained; the text says what to check."""


@dataclass(frozen=True, slots=True)
class Range:
    """The offsets of one partition to read: from `start` up to, not including, `end`."""

    partition: int
    start: int
    end: int


class Position(NamedTuple):
    """How far a reader has come in a partition: a row of `stg.drain_progress`.

    `last_hash` is what the last message read is called (`staging.refusal_hash`); `end_offset` the high watermark then, open
    transactions included.
    """

    topic_id: str
    next_offset: int
    last_offset: int | None
    last_hash: str | None
    end_offset: int


class Share(NamedTuple):
    """The partitions that one of several drains of a topic reads: every `of`th, from `worker` on."""

    worker: int
    of: int

    def holds(self, partition: int) -> bool:
        """Tell whether a partition is of this share."""
        return partition % self.of == self.worker


ALL_PARTITIONS = Share(0, 1)


class Loss(NamedTuple):
    """Offsets of a partition, up to, not including, `to_offset`, that Kafka removed before they were read."""

    topic_id: str
    partition: int
    from_offset: int
    to_offset: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to read, and what was noticed on the way to it.

    `partitions` is how many the topic has, `positions` where each of ours is read from, `gone` those of ours that are no more,
    `behind_transaction` the number of offsets that wait for the end of a producer's transaction. `restarted`: some partition is
    read again. `asked_at` is just before Kafka was asked for the ends.
    """

    asked_at: datetime
    partitions: int
    ranges: list[Range]
    positions: dict[int, Position]
    losses: list[Loss]
    gone: list[int]
    restarted: bool
    behind_transaction: int


@dataclass(slots=True)
class Chunk:
    """Messages in the order of their arrival, and where each of their partitions is to go on once they are stored.

    `lasts` holds the last message of each partition, `positions` the whole reader's positions after this chunk.
    """

    records: list[Record] = field(default_factory=list)
    next_offsets: dict[int, int] = field(default_factory=dict)
    lasts: dict[int, Record] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)
    value_bytes: int = 0


@dataclass(slots=True)
class Reading:
    """Where a drain is: the next offset of each partition, the ends of those that are not read to it yet.

    `faulty` are those whose next batch can't be read, `displaced` those that delivered messages with offsets they can't have,
    `passing` counts faults at one position that were gone when looked at. `is_lost`: the consumer is not where it is wanted.
    """

    positions: dict[int, int]
    ends: dict[int, int]
    faulty: set[int] = field(default_factory=set)
    displaced: set[int] = field(default_factory=set)
    passing: Counter[int] = field(default_factory=Counter)
    is_lost: bool = False


def explained(error: KafkaError, brokers: str) -> str:
    """Return the text of an error of Kafka with what to check."""
    hints = {
        KafkaError._ALL_BROKERS_DOWN: "is the broker up, and are address and security.protocol right?",  # noqa: SLF001  # librdkafka's own codes
        KafkaError._TRANSPORT: "is the broker up, and are address and security.protocol right?",  # noqa: SLF001
        KafkaError._SSL: "is ssl.ca.location (or ssl.ca.pem) the broker's CA, and the address that of its certificate?",  # noqa: SLF001
        KafkaError._RESOLVE: "is the host name right?",  # noqa: SLF001
        KafkaError._TIMED_OUT: "is the broker up, and are address and security.protocol right?",  # noqa: SLF001
        KafkaError._AUTHENTICATION: "are sasl.username, sasl.password and sasl.mechanism right?",  # noqa: SLF001
        KafkaError.SASL_AUTHENTICATION_FAILED: "are sasl.username, sasl.password and sasl.mechanism right?",
        KafkaError.TOPIC_AUTHORIZATION_FAILED: "may this user read and describe the topic?",
        KafkaError.GROUP_AUTHORIZATION_FAILED: "may this user use the consumer group?",
    }
    hint = hints.get(error.code(), "see the broker's log")
    return f"Kafka at {brokers}: {error.str()} ({error.name()}); {hint} (Airflow connection kafka_orders)"


class TopicDrain:
    """Drains one topic with given clients, which stay the caller's to close.

    `topic_id` is the topic's uuid, by which one that was deleted and created again under its name is known. `brokers` is for the
    texts of errors, `open_careful` yields a consumer that outlives any batch (`warehouse.careful`). Of several drains side by
    side each has a `share` of the partitions and leaves the others alone. Times in seconds: `timeout_s` for one answer of the
    broker, `stall_s` for a partition that delivers nothing.
    """

    def __init__(
        self,
        consumer: Consumer,
        admin: AdminClient,
        *,
        topic: str,
        topic_id: str,
        brokers: str,
        timeout_s: float,
        stall_s: float,
        log: logging.Logger,
        open_careful: Callable[[], AbstractContextManager[Consumer]],
        share: Share = ALL_PARTITIONS,
    ) -> None:
        self.consumer = consumer
        self.admin = admin
        self.topic = topic
        self.topic_id = topic_id
        self.brokers = brokers
        self.timeout_s = timeout_s
        self.stall_s = stall_s
        self.log = log
        self.group_is_silent = False
        self.open_careful = open_careful
        self.share = share
        self.probe_s = min(PROBE_S, stall_s / 4)
        self.prober = Prober(consumer, topic, self.probe_s, self._fail)

    def plan(self, known: Mapping[int, Position], begin_at: datetime | None = None) -> Plan:
        """Return what there is to read now: from the `known` positions, where they hold, up to the high watermarks.

        What is known of partitions of other shares is left alone. A partition without a position that holds begins at the first
        message, or, with `begin_at`, at the first that Kafka has stamped with that time or a later one.
        """
        asked_at = datetime.now(UTC)
        all_ids = self._partition_ids()
        ids = list(filter(self.share.holds, all_ids))
        known = {index: position for index, position in known.items() if self.share.holds(index)}
        highs = self._high_watermarks(ids)  # before the stable ones: what comes in between waits for no transaction
        marks = {index: self._watermarks(self._partition(index)) for index in ids}
        begins = {index: low for index, (low, _) in marks.items()}
        if begin_at is not None:
            stamped = [TopicPartition(self.topic, index, int(begin_at.timestamp() * 1000)) for index in ids]
            for found in self._ask(lambda: self.consumer.offsets_for_times(stamped, timeout=self.timeout_s)):
                # A negative one: nothing is that young.
                begins[found.partition] = found.offset if found.offset >= 0 else marks[found.partition][1]
        proofs = {
            index: max(low, known[index].last_offset or 0)
            for index, (low, _) in marks.items()
            if index in known and self._may_hold(known[index], low, highs[index])
        }
        moved = self._moved_partitions(known, proofs)
        positions, losses = {}, []
        for index, (low, _) in marks.items():
            position = known.get(index)
            if position is not None:
                losses += self._losses(index, position, low, highs[index])
                if index in proofs and index not in moved:
                    positions[index] = position._replace(end_offset=highs[index])
                    continue
            positions[index] = Position(self.topic_id, begins[index], None, None, highs[index])
        gone = sorted(known.keys() - marks.keys())
        for index in gone:
            losses += self._losses(index, known[index], 0, 0)
        restarted = [
            index for index in positions if index in known and self._is_restarted(known[index], positions[index])
        ]
        if restarted:
            self.log.warning(
                "partition %s of %s: the log is not the one that was read before (created anew, or its tail was lost); reading "
                "it from its start",
                ", ".join(map(str, restarted)),
                self.topic,
            )
        for loss in losses:
            self.log.error(
                "partition %d of %s: Kafka removed the offsets %d to %d before they were read; see stg.lost_messages",
                loss.partition,
                self.topic,
                loss.from_offset,
                loss.to_offset - 1,
            )
        behind = sum(max(0, highs[index] - stable) for index, (_, stable) in marks.items())
        if behind:
            self.log.warning("%d offsets of %s wait for the end of a producer's open transaction", behind, self.topic)
        ranges = [Range(index, positions[index].next_offset, stable) for index, (_, stable) in marks.items()]
        ranges = [span for span in ranges if span.start < span.end]
        return Plan(asked_at, len(all_ids), ranges, positions, losses, gone, bool(restarted), behind)

    def _may_hold(self, position: Position, low: int, high: int) -> bool:
        """Tell whether a position lies in this very log, behind something that Kafka still has."""
        return position.topic_id == self.topic_id and low < position.next_offset <= high

    def _is_restarted(self, known: Position, now: Position) -> bool:
        """Tell whether messages that were read are read again."""
        if known.topic_id != self.topic_id:
            return True
        return known.last_offset is not None and now.next_offset <= known.last_offset

    def _losses(self, partition: int, position: Position, low: int, high: int) -> list[Loss]:
        """Return what was known to be there, or lay before the log's present start, and was not read."""
        first = position.next_offset
        if position.topic_id != self.topic_id:
            lost = (first, position.end_offset)
        elif position.end_offset > high:  # the log has lost its tail
            lost = (max(first, high), position.end_offset)
        else:
            lost = (first, low)
        return [Loss(position.topic_id, partition, *lost)] if lost[0] < lost[1] else []

    def _moved_partitions(self, known: Mapping[int, Position], proofs: Mapping[int, int]) -> set[int]:
        """Return the partitions where Kafka no longer has, from the offset in `proofs` on, the last message read, and no other.

        Where more lies behind that message than itself, it may be a batch that ended who read it: there care is taken.
        """
        alone = {
            index: first
            for index, first in proofs.items()
            if known[index].last_offset == first == known[index].next_offset - 1
        }
        others = {index: first for index, first in proofs.items() if index not in alone}
        moved = self._moved(self.consumer, known, alone)
        if others:
            with self.open_careful() as careful:
                moved |= self._moved(careful, known, others)
        return moved

    def _moved(self, consumer: Consumer, known: Mapping[int, Position], proofs: Mapping[int, int]) -> set[int]:
        waiting = dict(proofs)
        moved: set[int] = set()
        if not waiting:
            return moved
        consumer.assign([self._partition(index, first) for index, first in waiting.items()])
        # Of what Kafka has removed nothing is looked for: no message must lie before the position.
        found = {index for index, first in waiting.items() if known[index].last_offset != first}
        deadline = time.monotonic() + self.stall_s
        while waiting:
            if time.monotonic() > deadline:
                return moved | self._silent(consumer, known, waiting.keys() - found)
            for message in self._ask(partial(consumer.consume, len(waiting), 1.0)):
                index, offset = message.partition(), message.offset()
                if index not in waiting:
                    continue
                position, first = known[index], waiting[index]
                is_unreadable = self._is_fault(message) or is_echo(message, first)
                is_end = is_unreadable or self._is_end(message)
                if not is_end and is_displaced(consumer, message, first):
                    continue
                if is_end or offset >= position.next_offset:  # no other message lies before the position
                    is_same = index in found
                else:
                    is_same = index not in found and self._is_last(message, position)
                    found.add(index)
                    if is_same and position.next_offset > offset + 1:
                        continue
                if not is_same:
                    moved.add(index)
                del waiting[index]
        return moved

    def _silent(self, consumer: Consumer, known: Mapping[int, Position], partitions: AbstractSet[int]) -> set[int]:
        """Return these partitions, which deliver nothing more.

        A damaged header can have that effect, and then the log's end is delivered. Raises `DrainError` where it isn't.
        """
        silent = sorted(partitions)
        prober = Prober(consumer, self.topic, self.probe_s, self._fail)
        for index in silent:
            if not prober.ask(index, known[index].end_offset).is_readable:
                raise self._nothing_comes(f"partition {', '.join(map(str, silent))}")
        return set(silent)

    def _nothing_comes(self, where: str) -> DrainError:
        return DrainError(
            f"Kafka at {self.brokers} delivers nothing of {self.topic} for {self.stall_s:.0f} s ({where}): "
            "is the leader of each partition up?"
        )

    def _is_fault(self, message: Message) -> bool:
        """Tell whether this is the news of a batch that can't be read."""
        error = message.error()
        return error is not None and error.code() in FAULTS

    def _is_end(self, message: Message) -> bool:
        """Tell whether this is the news of a partition's end and no message. Raises `DrainError` where it is an error."""
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001  # librdkafka's own code
            self._fail(message)
        return error is not None

    def _fail(self, message: Message) -> None:
        error = message.error()
        assert error is not None  # noqa: S101  # who calls has seen it
        raise DrainError(f"partition {message.partition()} of {self.topic}: {explained(error, self.brokers)}")

    def _is_last(self, message: Message, position: Position) -> bool:
        record = Record(message.value(), message.key(), self.topic, message.partition(), message.offset())
        return record.offset == position.last_offset and refusal_hash(record) == position.last_hash

    def chunks(self, plan: Plan, *, max_messages: int, max_bytes: int) -> Iterator[Chunk]:
        """Yield the messages of the plan's ranges in chunks of at most `max_messages` and about `max_bytes` of values.

        The last chunk may be empty of messages and still move offsets (over the markers of transactions). Raises `DrainError`
        where Kafka reports an error or a partition delivers nothing for `stall_s`: it never ends early in silence.
        """
        ends = {span.partition: span.end for span in plan.ranges}
        if not ends:
            return
        reading = Reading({span.partition: span.start for span in plan.ranges}, ends)
        self._assign(reading)
        whole = dict(plan.positions)
        chunk = Chunk()
        heard = time.monotonic()
        while ends:
            missing = sum(end - reading.positions[partition] for partition, end in ends.items())
            room = max_messages - len(chunk.records)
            messages = self._ask(partial(self.consumer.consume, min(room, missing, BURST), 0.2))
            now = time.monotonic()
            if messages:
                heard = now
            elif now - heard > self.stall_s:
                reading.faulty |= ends.keys()
            for message in messages:
                self._take(message, chunk, reading)
            is_full = len(chunk.records) >= max_messages or chunk.value_bytes >= max_bytes
            if is_full or (reading.faulty and chunk.next_offsets):  # whatever comes of the others, this is stored
                yield self._positioned(chunk, whole)
                chunk = Chunk()
            if reading.faulty or reading.is_lost:
                for partition in sorted(reading.faulty & ends.keys()):
                    self._read_around(partition, chunk, reading)
                self._assign(reading)
                heard = time.monotonic()
        if chunk.next_offsets:
            yield self._positioned(chunk, whole)

    def _assign(self, reading: Reading) -> None:
        self.consumer.assign([self._partition(index, reading.positions[index]) for index in reading.ends])
        reading.faulty.clear()
        reading.is_lost = False

    def _read_around(self, partition: int, chunk: Chunk, reading: Reading) -> None:
        """Put what stands for a batch that can't be read in its place, and move behind it. Takes the consumer's assignment.

        What can be read when it is asked for once more was a fault of the moment: nothing is put anywhere.
        """
        first, end = reading.positions[partition], reading.ends[partition]
        answer = self.prober.ask(partition, first)
        if answer.is_readable:
            reading.passing[partition] += 1
            if reading.passing[partition] > MAX_PASSING_FAULTS:
                raise DrainError(f"partition {partition} of {self.topic} is readable at {first} only now and then")
            return
        behind = self.prober.end_of(partition, first, end, answer)
        if behind is None:
            raise self._nothing_comes(f"partition {partition} at {first} of {end}: {answer.text}")
        self._skip(partition, behind, answer.text, chunk, reading)

    def _skip(self, partition: int, behind: int, fault: str, chunk: Chunk, reading: Reading) -> None:
        first = reading.positions[partition]
        self.log.error(
            "partition %d of %s: the offsets %d to %d can't be read (%s); one dead letter tells of them, the run goes on",
            partition,
            self.topic,
            first,
            behind - 1,
            fault,
        )
        stretch = Stretch(self.topic_id, first, behind, fault)
        chunk.records.append(Record(None, None, self.topic, partition, first, stretch))
        self._move(partition, behind, chunk, reading)

    def _move(self, partition: int, position: int, chunk: Chunk, reading: Reading) -> None:
        reading.passing[partition] = 0
        reading.positions[partition] = chunk.next_offsets[partition] = position
        if position >= reading.ends[partition]:
            del reading.ends[partition]
            self.consumer.pause([self._partition(partition)])

    def _positioned(self, chunk: Chunk, whole: dict[int, Position]) -> Chunk:
        """Move the reader's positions over a chunk, and note them in it."""
        for partition, offset in chunk.next_offsets.items():
            whole[partition] = whole[partition]._replace(next_offset=offset)
        for partition, record in chunk.lasts.items():
            whole[partition] = whole[partition]._replace(last_offset=record.offset, last_hash=refusal_hash(record))
        chunk.positions = dict(whole)
        return chunk

    def commit(self, next_offsets: dict[int, int]) -> None:
        """Show in the group where the reader goes on; for people and their tools.

        Whatever keeps the group from it (a member of its own, and a subscriber that died is one until its session ends; no right
        to it) is said once and not waited for: the messages are stored and so is the progress, the next run shows it again.
        """
        if self.group_is_silent:
            return
        offsets = [TopicPartition(self.topic, p, offset, metadata=self.topic_id) for p, offset in next_offsets.items()]
        try:
            self._ask(lambda: self._commit(offsets))
        except DrainError as error:
            self._let_group_be(error)

    def align_group(self, positions: Mapping[int, Position]) -> None:
        """Let the group show these positions; say so where it was ahead of them."""
        partitions = [self._partition(index) for index in positions]
        try:
            answers = self._ask(lambda: self._committed(partitions))
        except DrainError as error:
            self._let_group_be(error)
            return
        group = {answer.partition: answer.offset for answer in answers if answer.offset >= 0}
        ahead = {index: offset for index, offset in group.items() if offset > positions[index].next_offset}
        for index, offset in ahead.items():
            self.log.warning(
                "partition %d of %s: the consumer group stands at %d, the warehouse at %d; reading from %d",
                index,
                self.topic,
                offset,
                positions[index].next_offset,
                positions[index].next_offset,
            )
        wanted = {index: position.next_offset for index, position in positions.items()}
        if {index: group.get(index, 0) for index in wanted} != wanted:
            self.commit(wanted)

    def _let_group_be(self, error: DrainError) -> None:
        self.group_is_silent = True
        self.log.warning(
            "the consumer group can't show how far the warehouse is, which does no harm to the data: %s", error
        )

    def _committed(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return self.consumer.committed(partitions, timeout=self.timeout_s)

    def _commit(self, offsets: list[TopicPartition]) -> None:
        try:
            answers = self.consumer.commit(offsets=offsets, asynchronous=False)
            failed = next((answer.error for answer in answers or () if answer.error), None)
            if failed is not None:
                raise KafkaException(failed)
        except KafkaException as exception:
            error: KafkaError = exception.args[0]
            if error.code() in GROUP_IS_TAKEN:
                raise DrainError(
                    f"it has a member of its own ({error.str()}). Stop that, or give the drain another group.id"
                ) from exception
            raise

    def _take(self, message: Message, chunk: Chunk, reading: Reading) -> None:
        """Put one message, or the news of a partition's end or of a bad batch, where it belongs."""
        partition, offset = message.partition(), message.offset()
        if partition is None or offset is None or partition not in reading.ends or partition in reading.faulty:
            return  # was read ahead of the end, or behind what can't be read
        position, end = reading.positions[partition], reading.ends[partition]
        is_end = False
        if message.error() is not None:
            if self._is_fault(message):
                reading.faulty.add(partition)
                return
            if is_echo(message, position):
                reading.is_lost = True
                return
            is_end = self._is_end(message)
        value = message.value()
        record = Record(value, message.key(), self.topic, partition, offset)
        if not (is_end or position <= offset < end) and is_displaced(self.consumer, message, position):
            chunk.records.append(record)  # the content is right, and is known by itself
            reading.displaced.add(partition)
            return
        goes_on_at = end if is_end or offset >= end else offset
        if partition in reading.displaced and goes_on_at > position:
            fault = "the header of a batch names other offsets; what it holds is stored with those"
            self._skip(partition, goes_on_at, fault, chunk, reading)
        reading.displaced.discard(partition)
        if partition not in reading.ends:
            return
        if goes_on_at == offset < end:
            chunk.records.append(record)
            chunk.lasts[partition] = record
            chunk.value_bytes += len(value or b"")
            self._move(partition, offset + 1, chunk, reading)
        else:  # the end, or a message beyond it: between the last message and the end lie markers only
            self._move(partition, end, chunk, reading)

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
        if self.share.of > len(found.partitions):
            raise DrainError(
                f"{self.share.of} workers are to read {self.topic}, which has {len(found.partitions)} partitions: "
                "ask for no more workers than that, or give the topic more partitions"
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

    def _high_watermarks(self, ids: Sequence[int]) -> dict[int, int]:
        """Return the ends of the partitions, messages of open transactions included."""
        if not ids:
            return {}
        asked = {self._partition(index): OffsetSpec.latest() for index in ids}  # type: ignore[no-untyped-call]

        def ask() -> dict[int, int]:
            answers = self.admin.list_offsets(
                asked, isolation_level=IsolationLevel.READ_UNCOMMITTED, request_timeout=self.timeout_s
            )
            return {partition.partition: int(answer.result().offset) for partition, answer in answers.items()}

        return dict(self._ask(ask))

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

"""Finds which offsets of a partition can't be read, by asking for one after another.

A record batch may be damaged on the broker's disk, or unpack to more than we take. Asked for any of its offsets, Kafka's client
says so, or, where the broker itself can't find its way over a damaged header, nothing comes at all. What lies behind is readable.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

# What is said of a batch, never of a broker or the way to it: a checksum, a codec or a header that is wrong, or that it unpacks
# to more than is taken (`warehouse.careful`).
FAULTS = (
    KafkaError._CRIT_SYS_RESOURCE,  # noqa: SLF001  # librdkafka's own codes
    KafkaError._BAD_MSG,  # noqa: SLF001
    KafkaError._BAD_COMPRESSION,  # noqa: SLF001
    KafkaError._NOT_IMPLEMENTED,  # noqa: SLF001
    KafkaError.INVALID_MSG,
)
# These name the batch by its first offset, whichever of its offsets was asked for.
NAMING = (KafkaError._BAD_MSG, KafkaError._BAD_COMPRESSION)  # noqa: SLF001


class Answer(NamedTuple):
    """What comes first from an offset on: a message or the end, or a `fault`, with its own offset; or nothing."""

    offset: int | None = None
    fault: KafkaError | None = None

    @property
    def is_readable(self) -> bool:
        """Tell whether the log can be read from there."""
        return self.fault is None and self.offset is not None

    @property
    def text(self) -> str:
        """Say why it can't."""
        return "nothing is delivered" if self.fault is None else f"{self.fault.str()} ({self.fault.name()})"


def is_displaced(consumer: Consumer, message: Message, position: int) -> bool:
    """Tell whether a message comes with an offset that it can't have.

    No checksum covers the offset in the header of a batch.
    """
    offset, topic, partition = message.offset(), message.topic(), message.partition()
    assert offset is not None and topic is not None and partition is not None  # noqa: S101, PT018  # it was delivered
    if offset < position:
        return True
    _, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
    return 0 <= high <= offset


def is_echo(message: Message, position: int) -> bool:
    """Tell whether this is the news that an offset is out of range to which nobody but Kafka's client wanted to go.

    Behind a batch that it could not read it goes on at what it takes for an offset there. It may say so, and stop to fetch, when
    something else is assigned already: then that must be assigned once more.
    """
    error = message.error()
    return error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET and message.offset() != position  # noqa: SLF001


class Prober:
    """Asks with the given consumer, whose assignment it takes. `fail` raises on an error that is not a batch's."""

    def __init__(self, consumer: Consumer, topic: str, wait_s: float, fail: Callable[[Message], None]) -> None:
        self.consumer = consumer
        self.topic = topic
        self.wait_s = wait_s
        self.fail = fail

    def ask(self, partition: int, offset: int) -> Answer:
        """Return what comes first from an offset on."""
        wanted = [TopicPartition(self.topic, partition, offset)]
        self.consumer.assign(wanted)
        deadline = time.monotonic() + self.wait_s
        while time.monotonic() < deadline:
            for message in self.consumer.consume(1, 0.1):
                if message.partition() != partition:
                    continue
                if is_echo(message, offset):
                    self.consumer.assign(wanted)
                    break
                error = message.error()
                if error is None:
                    if not is_displaced(self.consumer, message, offset):
                        return Answer(message.offset())
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    return Answer(message.offset())
                elif error.code() in FAULTS:
                    return Answer(message.offset(), error)
                else:
                    self.fail(message)
        return Answer()

    def end_of(self, partition: int, first: int, end: int, answer: Answer) -> int | None:
        """Return where the stretch ends that begins at `first`, at most at `end`; None where nothing up to `end` can be read.

        `answer` is what was answered at `first`. The end is looked for in steps that double, then by halving.
        """
        is_behind = partial(self._is_behind, partition, answer)
        inside, step = first, 1
        while not is_behind(outside := min(first + step, end)):
            if outside == end:
                return None
            inside, step = outside, 2 * step
        while outside - inside > 1:
            middle = (inside + outside) // 2
            if is_behind(middle):
                outside = middle
            else:
                inside = middle
        return outside

    def _is_behind(self, partition: int, first: Answer, offset: int) -> bool:
        """Tell whether an offset lies behind the batch of the `first` answer: it is readable, or of another bad batch."""
        answer = self.ask(partition, offset)
        if answer.is_readable:
            return True
        if answer.fault is None or answer.fault.code() not in NAMING or first.fault is None:
            return False
        return (
            first.fault.code() in NAMING and first.offset is not None and first.offset < (answer.offset or 0) <= offset
        )

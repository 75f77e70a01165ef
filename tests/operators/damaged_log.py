"""A topic whose record batches are known one by one, and damaged where they lie: in the segment file of the running broker."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from harness.pipeline import Pipeline
from local.stack import Stack

HEADER = 61
# What a header holds, by the place of its last byte.
BASE_OFFSET, LENGTH, MAGIC, CODEC = 7, 11, 16, 22


class Batch(NamedTuple):
    """Where a batch lies in the segment, and its offsets up to, not including, `end`."""

    at: int
    size: int
    first: int
    end: int


class DamagedLog:
    """A topic of a test; messages given together are one batch."""

    def __init__(self, pipeline: Pipeline, stack: Stack, partitions: int = 1) -> None:
        self.pipeline = pipeline
        self.data = stack.home / "kafka" / "data"
        self.topic = pipeline.topic(partitions)

    def produce(self, values: Sequence[bytes], partition: int = 0, codec: str = "none") -> None:
        """Write one batch."""
        producer = Producer(
            {
                "bootstrap.servers": self.pipeline.env["KAFKA_BOOTSTRAP_SERVERS"],
                "compression.type": codec,
                "linger.ms": 60_000,
                "batch.num.messages": 100_000,
                "batch.size": 2**31 - 1,
                "message.max.bytes": 1_000_000_000,
                "queue.buffering.max.kbytes": 2**21,
            }
        )
        for value in values:
            producer.produce(self.topic, value, partition=partition)
        # Messages of a topic that the client does not know yet are handed to its partition one by one: a flush in the midst
        # of it would send the first of them alone.
        producer.list_topics(self.topic, timeout=60)
        assert producer.flush(60) == 0

    def segment(self, partition: int = 0) -> Path:
        """Return the file of a partition."""
        return self.data / f"{self.topic}-{partition}" / f"{0:020}.log"

    def batches(self, partition: int = 0) -> list[Batch]:
        """Return the batches of a partition."""
        content = self.segment(partition).read_bytes()
        found, at = [], 0
        while at < len(content):
            first, length = struct.unpack_from(">qi", content, at)
            (last_delta,) = struct.unpack_from(">i", content, at + 23)
            found.append(Batch(at, length + 12, first, first + last_delta + 1))
            at += length + 12
        return found

    def damage(self, number: int, place: int, value: bytes | None = None, partition: int = 0) -> None:
        """Write bytes at a place of a batch; without a value the byte there is inverted."""
        batch = self.batches(partition)[number]
        with self.segment(partition).open("r+b") as segment:
            segment.seek(batch.at + place)
            (old,) = segment.read(1)
            segment.seek(batch.at + place)
            segment.write(value if value is not None else bytes([old ^ 0xFF]))


@contextmanager
def damaged_log(pipeline: Pipeline, stack: Stack, partitions: int = 1) -> Iterator[DamagedLog]:
    """Yield a topic that is deleted at the end: a broker does not start on some kinds of damage."""
    log = DamagedLog(pipeline, stack, partitions)
    yield log
    admin = AdminClient({"bootstrap.servers": pipeline.env["KAFKA_BOOTSTRAP_SERVERS"]})
    admin.delete_topics([log.topic])[log.topic].result(30)

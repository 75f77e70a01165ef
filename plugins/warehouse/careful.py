"""A consumer that lets another process fetch for it, batch by batch: that one may die of a batch, and is replaced.

Kafka's client unpacks a record batch whole before anybody sees a message of it, and knows no limit for what gzip and lz4 unpack
to: 296 kB may be 300 MB. Where memory is refused to it, it aborts its process.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from warehouse.memory import MIB, bound_memory

# The process that fetches holds at most this; some 35 MiB are itself.
READER_BYTES = 192 * MIB
# One batch comes at a time, and the next as soon as all of it was taken (librdkafka would look again after a second).
READER_SETTINGS = {"fetch.message.max.bytes": 1, "queued.min.messages": 1, "fetch.queue.backoff.ms": 1}
# Copies of so many messages stand beside their batch.
READER_BURST = 10
# How a process ends to which memory is refused: by its Kafka client, by its interpreter, or by the kernel before that.
NO_MEMORY = 77
DIED_OF_IT = (-signal.SIGABRT, NO_MEMORY, -signal.SIGKILL)
PROGRAM = "import sys; from warehouse.careful import serve; serve(int(sys.argv[1]))"
ANSWER_S = 30.0


class ReaderError(Exception):
    """The process that fetches has ended, and not of what it read."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What `confluent_kafka.Message` tells of a message or an event, after a way between two processes."""

    at: tuple[str, int, int | None]
    content: tuple[bytes | None, bytes | None] = (None, None)
    fault: tuple[int, str] | None = None

    def topic(self) -> str:
        """Return the topic."""
        return self.at[0]

    def partition(self) -> int:
        """Return the partition."""
        return self.at[1]

    def offset(self) -> int | None:
        """Return the offset."""
        return self.at[2]

    def value(self) -> bytes | None:
        """Return the value."""
        return self.content[0]

    def key(self) -> bytes | None:
        """Return the key."""
        return self.content[1]

    def error(self) -> KafkaError | None:
        """Return the event, where it is no message."""
        return KafkaError(*self.fault) if self.fault else None


class CarefulConsumer(Consumer):
    """A consumer whose messages another process fetches. Questions and commits are its own, and take no memory.

    A batch of which that process dies is told as a fault (`_CRIT_SYS_RESOURCE`) of its partition. Where several are assigned, of
    which is not known: then they are read one at a time until the next assignment.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(dict(settings))
        plain = {name: value for name, value in settings.items() if isinstance(value, str | int | float)}
        self._settings = {**plain, **READER_SETTINGS}
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None
        self._next: dict[tuple[str, int], int] = {}
        self._alone = False

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Read from these positions, and nothing else."""
        self._next = {(p.topic, p.partition): p.offset for p in partitions}
        self._alone = False
        self._assign_reader()

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        """Read these partitions no further."""
        for partition in partitions:
            self._next.pop((partition.topic, partition.partition), None)
        self._assign_reader()

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Fetched]:  # type: ignore[override]
        """Return what comes within the time."""
        if not self._next:
            return []
        if self._alone:  # the next in turn
            first = next(iter(self._next))
            self._next[first] = self._next.pop(first)
            self._assign_reader()
        found = self._ask("consume", min(num_messages, READER_BURST), timeout)
        if found is None:
            return self._died()
        for message in found:
            place = (message.topic(), message.partition())
            if message.fault is None and place in self._next and message.offset() is not None:
                self._next[place] = (message.offset() or 0) + 1
        return list(found)

    def get_watermark_offsets(self, partition: TopicPartition, *args: Any, **options: Any) -> Any:
        """Return the ends of a partition; asked for, for a consumer that fetches nothing sees none by the way."""
        if options.pop("cached", False):
            options["timeout"] = ANSWER_S
        return super().get_watermark_offsets(partition, *args, **options)

    def close(self) -> None:
        """End the other process, and this consumer."""
        self._end()
        super().close()

    def _died(self) -> list[Fetched]:
        assert self._process is not None  # noqa: S101  # it has died
        code = self._process.returncode
        if code not in DIED_OF_IT:
            raise ReaderError(f"the process that reads the topic has ended with {code}; its words are above")
        reading = list(self._next)[-1:] if self._alone else list(self._next)
        if len(reading) > 1:
            self._alone = True
            return []
        fault = f"whoever reads it needs more than {READER_BYTES // MIB} MiB"
        return [
            Fetched((*place, self._next[place]), fault=(KafkaError._CRIT_SYS_RESOURCE, fault))  # noqa: SLF001  # librdkafka's own code
            for place in reading
        ]

    def _assign_reader(self) -> None:
        places = list(self._next)[-1:] if self._alone else list(self._next)
        self._ask("assign", [(*place, self._next[place]) for place in places])

    def _ask(self, name: str, *arguments: Any) -> Any:
        """Put a request to the other process; return its answer, None where it has died."""
        if self._process is None or self._process.poll() is not None:
            self._start()
            if name != "assign":
                self._assign_reader()
        assert self._line is not None  # noqa: S101  # it was started
        try:
            self._line.send((name, *arguments))
            answer = self._line.recv()
        except (EOFError, OSError):
            assert self._process is not None  # noqa: S101  # it was started
            self._process.wait(ANSWER_S)
            return None
        if isinstance(answer, tuple):
            raise KafkaException(KafkaError(*answer))
        return answer

    def _start(self) -> None:
        self._end()
        self._line, other = Pipe()
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        command = [sys.executable, "-c", PROGRAM, str(other.fileno())]
        with other:
            self._process = subprocess.Popen(command, pass_fds=[other.fileno()], env=environment)
        self._line.send(self._settings)

    def _end(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._line = self._process = None


def serve(descriptor: int) -> None:
    """Fetch what is asked for, until nobody asks any more. The settings come first; an answer is a list, an error a tuple."""
    with Connection(descriptor) as line:
        try:
            consumer = Consumer(line.recv())
            while True:
                name, *arguments = line.recv()
                try:
                    if name == "assign":
                        for topic, *_ in arguments[0][:1]:  # the threads for its brokers exist before memory is counted
                            consumer.list_topics(topic, timeout=ANSWER_S)
                    bound_memory(READER_BYTES, least_bytes=0)
                    if name == "assign":
                        consumer.assign([TopicPartition(*place) for place in arguments[0]])
                        line.send([])
                    else:
                        line.send([_fetched(message) for message in _consumed(consumer, *arguments)])
                except KafkaException as exception:
                    error: KafkaError = exception.args[0]
                    line.send((error.code(), error.str()))
        except EOFError:
            os._exit(0)  # there is no membership to leave
        except MemoryError:
            os._exit(NO_MEMORY)


def _consumed(consumer: Consumer, most: int, timeout: float) -> list[Any]:
    """Take what is there as soon as anything is: to wait for more is to fetch the next batch, and to die of it with this one."""
    first = consumer.consume(1, timeout)
    return [*first, *consumer.consume(most - 1, 0)] if first and most > 1 else first


def _fetched(message: Any) -> Fetched:
    error = message.error()
    return Fetched(
        (message.topic(), message.partition(), message.offset()),
        (None, None) if error else (message.value(), message.key()),
        (error.code(), error.str()) if error else None,
    )

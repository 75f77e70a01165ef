"""Record batches that unpack to far more than they weigh: what a task holds of them, and what becomes of those around them."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from harness.pipeline import Pipeline
from harness.runs import backfill, run
from local.stack import Stack
from operators.drain_orders import DrainOrdersOperator
from tests.crash.child import Children
from tests.messages import order
from tests.operators.damaged_log import DamagedLog, damaged_log

MB = 1_000_000
MIB = 1024 * 1024
MOST_MIB = 400
ABORTED = -6


@pytest.fixture(scope="module")
def children(stack: Stack) -> Children:
    return Children()


@pytest.fixture
def log(pipeline: Pipeline, stack: Stack) -> Iterator[DamagedLog]:
    """A topic that takes large batches."""
    with damaged_log(pipeline, stack, partitions=2) as log:
        set_largest_message(pipeline, log.topic, 400 * MB)
        yield log


def set_largest_message(pipeline: Pipeline, topic: str, size: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient({"bootstrap.servers": pipeline.env["KAFKA_BOOTSTRAP_SERVERS"]})
    admin.incremental_alter_configs([resource])[resource].result(30)


def drain(topic: str, try_number: int) -> dict[str, int]:
    task = SimpleNamespace(try_number=try_number)
    return run(DrainOrdersOperator(task_id="drain", topic=topic), ti=task)


def noted_drain(topic: str, try_number: int, notes: str) -> None:
    """Drain, and write down what it counted."""
    Path(notes).write_text(json.dumps(drain(topic, try_number)), encoding="ascii")


def held_mib(process: psutil.Process) -> float:
    """Return what a process and those that it has started hold."""
    held = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            held += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return held / MIB


def task(children: Children, topic: str, try_number: int, notes: Path) -> tuple[int, float]:
    """Run a try of the drain in a process of its own; return how it ended and the most that it was seen to hold."""
    process = children.start(noted_drain, topic, try_number, str(notes))
    seen = psutil.Process(process.pid)
    most = 0.0
    while process.is_alive():
        try:
            most = max(most, held_mib(seen))
        except psutil.NoSuchProcess:
            break
        time.sleep(0.005)
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode, most


def stored(pipeline: Pipeline) -> set[int]:
    return {object_id for (object_id,) in pipeline.rows("select object_id from stg.order_event_log")}


def letters(pipeline: Pipeline) -> list[tuple[str, int, int]]:
    return pipeline.rows('select reason, "partition", "offset" from stg.dead_letters order by "partition", "offset"')


# gzip takes minutes where the machine is busy: the batch is unpacked in vain for each place at which its end is looked for.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("codec", ["gzip", "zstd"])
def test_a_batch_that_unpacks_to_300_mb_takes_no_task_beyond_400_mib_and_costs_no_other_message(
    pipeline: Pipeline, log: DamagedLog, children: Children, tmp_path: Path, codec: str
) -> None:
    """Of few messages, so that its end is soon found: docs/reliability.md has the figures of 300 messages of 1 MB."""
    log.produce([order(n) for n in range(10)])
    log.produce([bytes(75 * MB)] * 4, codec=codec)
    log.produce([order(n) for n in range(20, 30)])
    log.produce([order(n) for n in range(30, 40)], partition=1)
    exitcodes = []
    for try_number in (1, 2):
        exitcode, most = task(children, log.topic, try_number, tmp_path / "notes")
        assert most < MOST_MIB
        exitcodes.append(exitcode)
        if exitcode == 0:
            break
    # Of zstd, whose frames may tell, Kafka's client refuses by itself what is too large.
    assert exitcodes == ([0] if codec == "zstd" else [ABORTED, 0])
    assert stored(pipeline) == {*range(10), *range(20, 40)}
    assert letters(pipeline) == [("unreadable_batch", 0, 10)]
    assert drain(log.topic, 1)["messages"] == 0


def test_a_task_that_is_tried_again_reads_what_any_other_reads(pipeline: Pipeline, log: DamagedLog) -> None:
    for partition in (0, 1):
        for begin in range(0, 50, 10):
            log.produce([order(100 * partition + begin + n) for n in range(10)], partition, "gzip")
    log.damage(2, 100)
    counts = drain(log.topic, 2)
    assert (counts["messages"], counts["refused"]) == (90, 1)
    assert stored(pipeline) == {*range(50), *range(100, 150)} - {*range(20, 30)}
    assert letters(pipeline) == [("unreadable_batch", 0, 20)]
    log.produce([order(200)])
    assert drain(log.topic, 2)["messages"] == 1
    assert drain(log.topic, 2)["messages"] == 0


def test_a_batch_that_unpacks_to_much_less_is_read_with_care_too(pipeline: Pipeline, log: DamagedLog) -> None:
    log.produce([order(n, note="x" * 500_000) for n in range(40)], codec="gzip")
    assert drain(log.topic, 2)["messages"] == 40
    assert stored(pipeline) == set(range(40))


def test_several_of_them_are_read_around_in_every_partition(pipeline: Pipeline, log: DamagedLog) -> None:
    for partition, begin in ((0, 0), (0, 10), (1, 100)):
        log.produce([order(begin + n) for n in range(3)], partition)
        log.produce([bytes(300 * MB)], partition, "lz4")
    log.produce([order(999)])
    assert drain(log.topic, 2)["refused:unreadable_batch"] == 3
    assert stored(pipeline) == {0, 1, 2, 10, 11, 12, 100, 101, 102, 999}
    assert letters(pipeline) == [("unreadable_batch", 0, 3), ("unreadable_batch", 0, 7), ("unreadable_batch", 1, 3)]
    assert drain(log.topic, 1)["messages"] == 0, "it does not end the proof that the log is the same either"


def test_a_history_reads_around_them(pipeline: Pipeline, log: DamagedLog) -> None:
    log.produce([order(1)])
    log.produce([bytes(300 * MB)], codec="lz4")
    log.produce([order(2)])
    assert backfill(log.topic, try_number=2)["refused:unreadable_batch"] == 1
    assert stored(pipeline) == {1, 2}


def test_messages_that_are_too_large_for_anything_are_read_around_or_refused(
    pipeline: Pipeline, log: DamagedLog, children: Children, tmp_path: Path
) -> None:
    """Not packed at all: 60 MB are a message that is not parsed; what is beyond `receive.message.max.bytes` can't be fetched."""
    log.produce([order(1)])
    log.produce([b"{" + bytes(60 * MB)])
    log.produce([order(2)])
    # In a process of its own: that of the tests holds too much already.
    assert task(children, log.topic, 1, tmp_path / "notes")[0] == 0
    assert json.loads((tmp_path / "notes").read_text())["refused:oversized"] == 1
    assert stored(pipeline) == {1, 2}


@pytest.mark.parametrize("before", [0, 1])
def test_a_batch_like_that_at_the_end_of_a_quiet_partition_ends_one_try_and_not_that_of_each_minute(
    pipeline: Pipeline, log: DamagedLog, children: Children, tmp_path: Path, before: int
) -> None:
    if before:
        log.produce([order(1)])
    log.produce([bytes(300 * MB)], codec="lz4")
    ends = [task(children, log.topic, try_number, tmp_path / "notes")[0] for try_number in (1, 2, 1)]
    assert ends == [ABORTED, 0, 0]
    assert letters(pipeline) == [("unreadable_batch", 0, before)]
    log.produce([order(2)])
    assert task(children, log.topic, 1, tmp_path / "notes")[0] == 0
    assert 2 in stored(pipeline)

"""A record batch that can't be read costs its own messages and nothing else, whatever is wrong with it."""

from collections.abc import Iterator
from typing import Any

import pytest

from harness.pipeline import LOG, Pipeline
from harness.runs import backfill, drain
from local.stack import Stack
from tests.messages import order
from tests.operators.damaged_log import BASE_OFFSET, CODEC, HEADER, LENGTH, MAGIC, DamagedLog, damaged_log
from tests.operators.test_replay_dead_letters import replay
from warehouse.drain import DrainError
from warehouse.laws import ask_laws, read_laws

BATCH = 10
# So that a partition that delivers nothing is not waited for for a minute.
SHORT = {"stall_s": 4}


@pytest.fixture
def log(pipeline: Pipeline, stack: Stack) -> Iterator[DamagedLog]:
    with damaged_log(pipeline, stack) as log:
        yield log


def fill(log: DamagedLog, batches: int = 5, *, begin: int = 0, partition: int = 0, codec: str = "none") -> None:
    """Write batches of ten orders, numbered from `begin` on; each larger than the distance of two entries of Kafka's index."""
    for number in range(batches):
        first = begin + number * BATCH
        log.produce([order(n, note="x" * 500) for n in range(first, first + BATCH)], partition, codec)


def stored(pipeline: Pipeline) -> set[int]:
    return {object_id for (object_id,) in pipeline.rows("select object_id from stg.order_event_log")}


def letters(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    return pipeline.rows(
        'select reason, "partition", "offset", raw, detail from stg.dead_letters order by "partition", "offset"'
    )


def broken(pipeline: Pipeline) -> dict[str, int]:
    laws = [law for law in read_laws() if "stg.dead_letters" in law.name]
    assert laws
    with pipeline.etl.transaction():
        return ask_laws(pipeline.etl, laws, {}, max_rows=5, log=LOG)[0]


@pytest.mark.parametrize("codec", ["none", "gzip", "zstd"])
def test_a_damaged_batch_is_one_dead_letter_and_all_others_are_stored(
    pipeline: Pipeline, log: DamagedLog, codec: str
) -> None:
    fill(log, codec=codec)
    log.damage(2, HEADER + 100)
    counts = drain(log.topic)
    assert (counts["messages"], counts["refused"], counts["refused:unreadable_batch"]) == (40, 1, 1)
    assert stored(pipeline) == set(range(50)) - set(range(20, 30))
    ((reason, partition, offset, raw, detail),) = letters(pipeline)
    assert (reason, partition, offset, raw) == ("unreadable_batch", 0, 20, None)
    assert detail.startswith("offsets 20 to 29 could not be read: ")
    assert "CRC32C" in detail


def test_what_was_skipped_is_told_once_and_breaks_a_law_until_somebody_takes_note(
    pipeline: Pipeline, log: DamagedLog
) -> None:
    fill(log)
    log.damage(2, HEADER + 100)
    assert broken(pipeline) == {}
    drain(log.topic)
    before = pipeline.snapshot()
    assert drain(log.topic)["messages"] == 0
    assert backfill(log.topic)["messages"] == 40
    assert pipeline.snapshot() == before
    assert broken(pipeline) == {"stg.dead_letters.unreadable": 1}
    pipeline.owner.execute("update stg.dead_letters set solved_dt = now() where reason = 'unreadable_batch'")
    assert broken(pipeline) == {}


def test_a_batch_that_was_mended_is_read_by_a_history(pipeline: Pipeline, log: DamagedLog) -> None:
    fill(log)
    log.damage(2, HEADER + 100)
    drain(log.topic)
    assert replay()["tried"] == 0, "there are no bytes to try"
    log.damage(2, HEADER + 100)
    assert backfill(log.topic)["messages"] == 50
    assert stored(pipeline) == set(range(50))


@pytest.mark.parametrize("numbers", [(0, 4), (0, 1, 2, 3, 4), (1, 3)])
def test_damage_may_be_anywhere(pipeline: Pipeline, log: DamagedLog, numbers: tuple[int, ...]) -> None:
    fill(log)
    for number in numbers:
        log.damage(number, HEADER + 100)
    lost = {number * BATCH + place for number in numbers for place in range(BATCH)}
    assert drain(log.topic)["refused:unreadable_batch"] == len(numbers)
    assert stored(pipeline) == set(range(50)) - lost
    assert [offset for _, _, offset, _, _ in letters(pipeline)] == [number * BATCH for number in numbers]
    fill(log, 1, begin=50)
    assert drain(log.topic)["messages"] == BATCH
    assert set(range(50, 60)) <= stored(pipeline)
    assert len(letters(pipeline)) == len(numbers)


def test_damage_after_it_was_read_costs_nothing_more_than_reading_again(pipeline: Pipeline, log: DamagedLog) -> None:
    fill(log)
    drain(log.topic)
    log.damage(4, HEADER + 100)
    drain(log.topic)
    fill(log, 1, begin=50)
    assert drain(log.topic)["messages"] == BATCH
    assert stored(pipeline) == set(range(60))


def test_damage_in_one_partition_does_not_keep_the_other_back(pipeline: Pipeline, stack: Stack) -> None:
    with damaged_log(pipeline, stack, partitions=2) as log:
        fill(log)
        fill(log, begin=100, partition=1)
        log.damage(1, HEADER + 100, partition=1)
        assert drain(log.topic, chunk_messages=7)["messages"] == 90
        assert stored(pipeline) == set(range(50)) | set(range(100, 150)) - set(range(110, 120))
        assert [row[:3] for row in letters(pipeline)] == [("unreadable_batch", 1, 10)]


def test_a_damaged_codec_or_format_is_a_dead_letter(pipeline: Pipeline, log: DamagedLog) -> None:
    fill(log)
    log.damage(1, CODEC, b"\x07")
    log.damage(3, MAGIC, b"\x09")
    drain(log.topic, **SHORT)
    assert stored(pipeline) == set(range(50)) - set(range(10, 20)) - set(range(30, 40))
    assert [row[:3] for row in letters(pipeline)] == [("unreadable_batch", 0, 10), ("unreadable_batch", 0, 30)]


def test_a_batch_with_another_offset_in_its_header_is_stored_and_does_not_hide_those_behind_it(
    pipeline: Pipeline, log: DamagedLog
) -> None:
    """No checksum covers that offset: its messages are whole, but seem to lie beyond the end of the log."""
    fill(log)
    log.damage(2, BASE_OFFSET - 7, b"\x38")
    drain(log.topic)
    assert stored(pipeline) == set(range(50))
    assert [row[:3] for row in letters(pipeline)] == [("unreadable_batch", 0, 20)]
    before = pipeline.snapshot()
    assert drain(log.topic)["messages"] == 0
    assert pipeline.snapshot() == before


@pytest.mark.parametrize("value", [b"\x7f", b"\x00\x00\x00\x05"])
def test_a_batch_whose_length_is_wrong_hides_no_more_than_kafka_s_index_can_not_find(
    pipeline: Pipeline, log: DamagedLog, value: bytes
) -> None:
    """The broker can't step over it: it delivers nothing, or an error, for as long as its index leads to what lies before."""
    fill(log, 8)
    log.damage(2, LENGTH - 3, value)
    drain(log.topic, **SHORT)
    (first, *others) = [offset for reason, _, offset, _, _ in letters(pipeline)]
    assert (first, others) == (20, [])
    assert set(range(20)) | set(range(50, 80)) <= stored(pipeline)
    assert drain(log.topic, **SHORT)["messages"] == 0


def test_a_batch_skipped_by_hand_is_not_read(pipeline: Pipeline, log: DamagedLog) -> None:
    fill(log)
    drain(log.topic, chunk_messages=20, max_messages=20)
    log.damage(2, HEADER + 100)
    pipeline.owner.execute(
        "update stg.drain_progress set next_offset = 30 where reader = 'orders' and \"partition\" = 0"
    )
    assert drain(log.topic)["messages"] == 20
    assert stored(pipeline) == set(range(50)) - set(range(20, 30))
    assert letters(pipeline) == []


def test_a_fault_of_the_moment_makes_no_dead_letter(
    pipeline: Pipeline, log: DamagedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    from warehouse.drain import TopicDrain

    fill(log)
    log.damage(2, HEADER + 100)
    read_around = TopicDrain._read_around

    def mend_first(self: TopicDrain, *args: Any) -> None:
        log.damage(2, HEADER + 100)
        mended.append(True)
        read_around(self, *args)

    mended: list[bool] = []
    monkeypatch.setattr(TopicDrain, "_read_around", mend_first)
    assert drain(log.topic)["messages"] == 50
    assert mended == [True]
    assert letters(pipeline) == []


def test_nothing_is_skipped_where_nothing_at_all_comes(
    pipeline: Pipeline, log: DamagedLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that answers questions and delivers no messages is no damaged log: the run fails, the next reads all."""
    from warehouse.unreadable import Answer, Prober

    fill(log)
    log.damage(2, LENGTH - 3, b"\x7f")
    with monkeypatch.context() as patch:
        patch.setattr(Prober, "ask", lambda *args: Answer())
        with pytest.raises(DrainError, match="delivers nothing"):
            drain(log.topic, stall_s=1)
    assert letters(pipeline) == []
    assert stored(pipeline) == set(range(20)), "what was read before is stored"

"""Laws of the witness: it agrees with a warehouse that is right, finds what differs, and says so."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Producer

from harness.pipeline import Pipeline
from harness.runs import minute_run, rebuild_run
from tests.messages import order, restaurant, user
from tests.warehouse.bad_messages import CASES, SKIPPED, STORED
from warehouse.requests import STG_DDS_AND_CDM
from witness.model import content_hash
from witness.recount import Record, differences, is_due, main

# What a reading that does not know the contract takes for good, or for bad.
DOUBTFUL = {
    "an id of 201 letters": "too_long",
    "a status of 201 letters": "too_long",
    "1.2 MB": "oversized",
    "1e99": "bad_number",
    "an underscore": "bad_number",
    "blanks around money": "bad_number",
    "U+0000 in a name": "bad_text",
    "a lone high surrogate": "bad_text",
    "101 levels": "too_deep",
    "a zone of seconds": "bad_time",
    "a status of a number": "wrong_type",
    "the least order id": STORED,
}
MENU = {"pizza=Pepperoni": "Pizza", "soup": "Soups"}


def recount(topic: str, *options: str) -> int:
    return main(["--topic", topic, "--wait", "0", *options])


@pytest.fixture
def world(pipeline: Pipeline) -> str:
    """The topic of a warehouse that has seen a guest with a tag, and one bad message."""
    topic = pipeline.topic()
    pipeline.redis.mset({"diner": restaurant(menu=MENU), "guest": user()})
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 1)")
    pipeline.produce(topic, [order(1), order(2), order(3, dishes=("soup", "unknown=Bread")), b"{", None])
    minute_run(topic)
    assert len(pipeline.user_tags()) == 1
    return topic


# --- what it agrees with ---------------------------------------------------------------------------------------------


def test_it_agrees_on_every_kind_of_doubtful_message(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    assert {case.name: case.verdict for case in CASES if case.name in DOUBTFUL} == DOUBTFUL
    topic = pipeline.topic(max_bytes=8_000_000)
    pipeline.produce(topic, [case.value for case in CASES], [case.name.encode() for case in CASES])
    pipeline.redis.mset({"diner": restaurant(menu=MENU), "guest": user()})
    minute_run(topic)
    refused = sum(case.verdict not in (STORED, SKIPPED) for case in CASES)
    for options in ((), ("--from-stg",)):
        assert recount(topic, *options) == 0
        said = capsys.readouterr().out
        assert f"dead_letters: {refused} recounted, 0 differ" in said
        assert "user_category_counters: 0 recounted" not in said


def test_it_knows_the_menus_of_before(pipeline: Pipeline, world: str) -> None:
    pipeline.redis.set("diner", restaurant(menu={"soup": "Soups"}, update_ts="2026-02-01 00:00:00"))
    minute_run(world)
    assert pipeline.user_category_counters()["guest", "Pizza"] == 2, "a dish gone from its menu keeps its category"
    assert recount(world) == recount(world, "--from-stg") == 0


def test_it_knows_what_somebody_has_withdrawn(pipeline: Pipeline, world: str) -> None:
    pipeline.owner.execute("select stg.withdraw(%s, 'a test')", [content_hash(order(2)).hex()])
    assert recount(world) == recount(world, "--from-stg") == 0, "it counts until the rebuild"
    rebuild_run(STG_DDS_AND_CDM)
    assert pipeline.user_tags() == {}
    assert recount(world) == recount(world, "--from-stg") == 0


def test_a_document_that_no_run_has_read_is_told_and_not_compared(
    pipeline: Pipeline, world: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline.redis.set("diner", restaurant(menu={"pizza": "Soups"}, update_ts="2026-02-01 00:00:00"))
    assert recount(world) == 0
    assert "1 documents of Redis are newer" in capsys.readouterr().out


# --- what it finds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "spoil"),
    [
        ("user_product_counters", "update cdm.user_product_counters set order_cnt = order_cnt + 1"),
        ("user_product_counters", "update cdm.user_product_counters set product_name = 'Bread' where order_cnt = 2"),
        ("user_category_counters", "delete from cdm.user_category_counters where category_name = 'Soups'"),
        ("user_category_counters", "update cdm.user_category_counters set category_name = category_name || '!'"),
        ("user_tags", "update cdm.user_tags set threshold = 0"),
        ("dead_letters", "delete from stg.dead_letters where reason = 'tombstone'"),
        ("dead_letters", "update stg.dead_letters set solved_dt = now() where reason = 'broken_json'"),
        ("documents", "delete from stg.reference_log where object_type = 'user'"),
    ],
)
def test_whatever_is_wrong_is_named(
    pipeline: Pipeline, world: str, capsys: pytest.CaptureFixture[str], part: str, spoil: str
) -> None:
    pipeline.owner.execute(spoil)
    assert recount(world) == 1
    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"{part} ") and ": recount " in line for line in said)
    assert [line for line in said if "recounted, 0 differ" not in line and line.endswith("differ")] == [
        line for line in said if line.startswith(f"{part}: ")
    ]


@pytest.mark.parametrize(("age_s", "verdict"), [(10, 0), (3_600, 1)])
def test_a_message_that_should_be_there_is_missed_and_one_of_just_now_is_not(
    pipeline: Pipeline, world: str, age_s: int, verdict: int
) -> None:
    producer = Producer({"bootstrap.servers": pipeline.env["KAFKA_BOOTSTRAP_SERVERS"]})
    producer.produce(world, order(4), timestamp=int((time.time() - age_s) * 1000))
    assert producer.flush(60) == 0
    assert recount(world) == verdict


def test_every_difference_is_named_with_both_sides() -> None:
    expected, found = {("u", "a"): 1, ("u", "b"): 2, ("u", "c"): 3}, {("u", "a"): 1, ("u", "b"): 3, ("u", "d"): 4}
    said = differences("mart", expected, found)
    assert len(said) == 3
    assert "recount 2, warehouse 3" in said[0]
    assert "warehouse has none" in said[1]
    assert "recount has none" in said[2]
    assert differences("mart", expected, dict(expected)) == []


@pytest.mark.parametrize(
    ("offset", "age_s", "due"),
    [
        (5, 0, True),  # loaded
        (6, 10, False),  # on its way
        (6, 121, True),  # should have been loaded long since
    ],
)
def test_what_is_loaded_or_should_be_is_compared_and_what_is_on_its_way_is_not(
    offset: int, age_s: int, due: bool
) -> None:
    now_ms = 1_795_600_800_000
    record = Record(partition=0, offset=offset, timestamp_ms=now_ms - age_s * 1000, key=None, value=b"{}")
    assert is_due(record, {0: 6}, now_ms) is due
    assert is_due(record._replace(partition=1), {0: 6}, now_ms) is (age_s > 120)

"""Laws of the witness: it finds what differs, and says so."""

from __future__ import annotations

import json

import pytest

from source.generate import Generator, Mix
from witness.recount import Record, Recount, differences, is_due, read_version, recount


def test_it_sees_a_history_as_it_was_made() -> None:
    generator = Generator(orders=500, mix=Mix(foreign=0.02), broken=10)
    told = [message.value for message in generator.messages()]
    counted = recount(told, dict(generator.restaurant_documents()))
    foreign = sum(b'"object_type": "user"' in (value or b"") for value in told)
    assert counted.orders.total() == 500
    assert counted.unread == 10 + foreign > 10
    assert set(counted.orders) == {"CLOSED", "CANCELLED"}


def test_neither_order_nor_repetition_changes_a_count() -> None:
    generator = Generator(orders=300)
    told = [message.value for message in generator.messages()]
    documents = dict(generator.restaurant_documents())
    once, again = recount(told, documents), recount(told[::-1] + told, documents)
    assert len(once.user_category_counters) > 300
    assert again.orders == once.orders
    assert again.user_product_counters == once.user_product_counters
    assert again.user_category_counters == once.user_category_counters


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"\xff", b'{"object_type": "order"}', b"[" * 100_000])
def test_it_counts_nothing_that_is_no_order(value: bytes | None) -> None:
    assert read_version(value) is None


def test_a_tag_needs_more_than_the_threshold() -> None:
    counted = Recount(user_category_counters={("u", "Пицца"): 5, ("v", "Пицца"): 6})
    assert counted.user_tags([("pizza_lover", "Пицца", 5)]) == {("v", "pizza_lover"): ("Пицца", 6, 5)}


def test_every_difference_is_named_with_both_sides() -> None:
    expected, found = {("u", "a"): 1, ("u", "b"): 2, ("u", "c"): 3}, {("u", "a"): 1, ("u", "b"): 3, ("u", "d"): 4}
    said = differences("mart", expected, found)
    assert len(said) == 3
    assert "recount 2, mart 3" in said[0]
    assert "mart has none" in said[1]
    assert "recount has none" in said[2]
    assert differences("mart", expected, dict(expected)) == []


def test_of_two_menus_with_a_dish_the_newer_counts() -> None:
    generator = Generator(orders=50)
    told = [message.value for message in generator.messages()]
    documents = {key: json.loads(text) for key, text in generator.restaurant_documents()}
    for document in documents.values():
        for entry in document["menu"]:
            entry["category"] = "Прежняя"
    first, last = generator.restaurants[0].id, generator.restaurants[-1].id
    shared = {e["_id"] for e in documents[first]["menu"]} & {e["_id"] for e in documents[last]["menu"]}
    assert shared
    for newer in (first, last):
        documents[newer]["update_ts_utc"] = "2099-01-01 00:00:00"
        documents[newer]["menu"] = [e | {"category": newer} for e in documents[newer]["menu"]]
        counted = recount(told, {key: json.dumps(document) for key, document in documents.items()})
        assert {category for _, category in counted.user_category_counters} >= {newer}
        documents[newer]["update_ts_utc"] = "2000-01-01 00:00:00"


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
    record = Record(partition=0, offset=offset, timestamp_ms=now_ms - age_s * 1000, value=b"{}")
    assert is_due(record, {0: 5}, now_ms) is due
    assert is_due(record._replace(partition=1), {0: 5}, now_ms) is (age_s > 120)

"""Laws of the made-up app: what a history may be relied on to hold."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from source.generate import FIRST_ORDER_ID, LONGEST_ORDER_S, Generator, Message, Mix, main, utc_text

ORDERS = 2_000


@pytest.fixture(scope="module")
def messages() -> list[Message]:
    return list(Generator(seed=7, orders=ORDERS).messages())


@pytest.fixture(scope="module")
def orders(messages: list[Message]) -> list[dict[str, Any]]:
    parsed = [json.loads(message.value or b"") for message in messages]
    return [envelope for envelope in parsed if envelope["object_type"] == "order"]


@pytest.fixture(scope="module")
def newest(orders: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The newest version of each order."""
    result: dict[int, dict[str, Any]] = {}
    for order in sorted(orders, key=lambda o: (o["payload"]["update_ts"], o["sent_dttm"])):
        result[order["object_id"]] = order["payload"]
    return result


def test_one_seed_is_one_set_of_bytes(messages: list[Message]) -> None:
    assert list(Generator(seed=7, orders=ORDERS).messages()) == messages


def test_another_seed_is_another_app(messages: list[Message]) -> None:
    other = Generator(seed=8, orders=ORDERS)
    assert next(iter(other.messages())) != messages[0]
    assert {r.id for r in other.restaurants}.isdisjoint(r.id for r in Generator(seed=7).restaurants)


def test_bytes_are_what_json_dumps_gives(messages: list[Message]) -> None:
    for message in messages:
        assert message.value is not None
        assert json.dumps(json.loads(message.value)).encode() == message.value


def test_cyrillic_is_escaped(messages: list[Message]) -> None:
    assert all((message.value or b"").isascii() for message in messages)
    assert any(b"\\u0" in (message.value or b"") for message in messages)


def test_every_order_is_told_to_its_end(newest: dict[int, dict[str, Any]]) -> None:
    assert sorted(newest) == list(range(FIRST_ORDER_ID, FIRST_ORDER_ID + ORDERS))
    assert {payload["final_status"] for payload in newest.values()} == {"CLOSED", "CANCELLED"}


def test_one_order_in_twelve_is_cancelled(newest: dict[int, dict[str, Any]]) -> None:
    cancelled = sum(payload["final_status"] == "CANCELLED" for payload in newest.values())
    assert 0.06 < cancelled / len(newest) < 0.10


def test_statuses_are_newest_first_and_end_with_the_final_one(orders: list[dict[str, Any]]) -> None:
    for payload in (order["payload"] for order in orders):
        times = [status["dttm"] for status in payload["statuses"]]
        assert times == sorted(times, reverse=True)
        assert payload["statuses"][0]["status"] == payload["final_status"]
        assert payload["update_ts"] == times[0]


def test_lines_are_one_to_five_and_three_on_average(newest: dict[int, dict[str, Any]]) -> None:
    sizes = [len(payload["order_items"]) for payload in newest.values()]
    assert set(sizes) == {1, 2, 3, 4, 5}
    assert 2.8 < sum(sizes) / len(sizes) < 3.2


def test_cost_is_the_sum_of_the_lines(orders: list[dict[str, Any]]) -> None:
    for payload in (order["payload"] for order in orders):
        cost = sum(item["price"] * item["quantity"] for item in payload["order_items"])
        assert float(payload["cost"]) == cost
        assert float(payload["payment"]) + float(payload["bonus_payment"]) == cost


def test_a_history_holds_every_awkward_kind(messages: list[Message], orders: list[dict[str, Any]]) -> None:
    versions = Counter(order["object_id"] for order in orders)
    assert max(versions.values()) >= 4
    assert max(Counter(message.value for message in messages).values()) == 2
    assert len(orders) < len(messages)
    assert {message.key is None for message in messages} == {True, False}
    assert any(isinstance(order["payload"]["cost"], str) for order in orders)
    baskets = [[item["id"] for item in order["payload"]["order_items"]] for order in orders]
    assert any(len(set(basket)) < len(basket) for basket in baskets)
    closed = {order["object_id"] for order in orders if order["payload"]["final_status"] == "CLOSED"}
    assert any(o["object_id"] in closed for o in orders if o["payload"]["final_status"] == "CANCELLED")


def test_an_edited_basket_differs_from_the_closed_one() -> None:
    told = Generator(orders=50, mix=Mix(cancelled=0, refunded=0, edited=1, stepwise=0, redelivered=0, foreign=0))
    baskets: dict[int, set[str]] = {}
    for message in told.messages():
        order = json.loads(message.value or b"")
        baskets.setdefault(order["object_id"], set()).add(json.dumps(order["payload"]["order_items"]))
    assert all(len(versions) == 2 for versions in baskets.values())


def test_messages_come_in_the_order_of_sending_within_the_history(messages: list[Message]) -> None:
    times = [message.timestamp_ms for message in messages]
    generator = Generator(seed=7, orders=ORDERS)
    assert times == sorted(times)
    assert generator.start_s * 1000 <= times[0]
    assert times[-1] < generator.end_s * 1000


def test_guests_are_a_few_heavy_ones_and_a_long_tail(newest: dict[int, dict[str, Any]]) -> None:
    visits = sorted(Counter(payload["user"]["id"] for payload in newest.values()).values(), reverse=True)
    assert len(visits) > ORDERS / 10
    assert sum(visits[: len(visits) // 10]) > 0.25 * ORDERS
    assert visits[-1] == 1


def test_there_are_more_orders_in_the_evening_than_at_night(newest: dict[int, dict[str, Any]]) -> None:
    hours = Counter((int(p["statuses"][-1]["dttm"][11:13]) + 3) % 24 for p in newest.values())
    assert hours[19] > 10 * hours[4]


def test_catalogue_is_sixty_restaurants_and_about_1200_dishes_of_sixteen_categories() -> None:
    documents = [json.loads(document) for _, document in Generator().restaurant_documents()]
    menu = [entry for document in documents for entry in document["menu"]]
    assert len(documents) == 60
    assert 1_100 < len({entry["_id"] for entry in menu}) < 1_200
    assert {"Пицца", "Суши и роллы", "Бургеры", "Супы", "Десерты"} < {entry["category"] for entry in menu}
    assert len({entry["category"] for entry in menu}) == 16


def test_ids_are_24_hex_digits_and_differ() -> None:
    generator = Generator(orders=1_000)
    keys = [key for key, _ in generator.reference()]
    dishes = {dish.id for restaurant in generator.restaurants for dish in restaurant.dishes}
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 24 and int(key, 16) >= 0 for key in {*keys, *dishes})


def test_reference_covers_most_but_not_all_of_what_is_ordered(newest: dict[int, dict[str, Any]]) -> None:
    generator = Generator(seed=7, orders=ORDERS)
    known = {key for key, _ in generator.reference()}
    on_menu = {e["_id"] for _, text in generator.restaurant_documents() for e in json.loads(text)["menu"]}
    ordered = {item["id"] for payload in newest.values() for item in payload["order_items"]}
    guests = {payload["user"]["id"] for payload in newest.values()}
    assert {payload["restaurant"]["id"] for payload in newest.values()} <= known
    assert 0 < len(ordered - on_menu) < 0.05 * len(ordered)
    assert 0 < len(guests - known) < 0.05 * len(guests)


def test_broken_messages_are_added_and_change_no_other(messages: list[Message]) -> None:
    strewn = list(Generator(seed=7, orders=ORDERS, broken=20).messages())
    left = Counter(strewn)
    left.subtract(messages)
    assert len(strewn) == len(messages) + 20
    assert [m for m in strewn if m in set(messages)] == messages
    assert any(message.value is None for message in strewn)


def test_a_live_order_goes_from_open_to_its_end_in_the_given_pace() -> None:
    generator = Generator()
    start = int(datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp())
    told = generator.live_order(9_000_000_000_001, start, random.Random(1), pace_s=4)
    orders = [json.loads(message.value or b"") for message in told]
    assert [message.timestamp_ms // 1000 - start for message in told] == [4 * n for n in range(len(told))]
    assert orders[0]["payload"]["final_status"] == "OPEN"
    assert orders[-1]["payload"]["final_status"] in {"CLOSED", "CANCELLED"}
    assert {order["object_id"] for order in orders} == {9_000_000_000_001}
    assert {order["payload"]["user"]["id"] for order in orders} <= {generator.user_id(n) for n in range(8_000)}


def test_a_long_history_begins_at_once() -> None:
    assert len(list(islice(Generator(orders=5_000_000).messages(), 100))) == 100


def test_an_empty_history_is_empty() -> None:
    assert list(Generator(orders=0).messages()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"orders": -1}, "orders"),
        ({"days": LONGEST_ORDER_S / 86_400}, "days"),
        ({"end": datetime(2026, 1, 1)}, "zone"),  # noqa: DTZ001 -- this is what is refused
    ],
)
def test_a_senseless_history_is_refused_by_name(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Generator(**arguments)


def test_times_are_written_as_the_source_does() -> None:
    assert utc_text(0) == "1970-01-01 00:00:00"
    assert utc_text(1_800_000_059) == "2027-01-15 08:00:59"


def test_the_command_prints_a_message_a_line(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    main(["--orders", "3", "--seed", "7"])
    lines = capfdbinary.readouterr().out.splitlines()
    assert {json.loads(line)["object_id"] for line in lines} >= {FIRST_ORDER_ID, FIRST_ORDER_ID + 2}

"""Laws of completeness: a field that the warehouse reads is written down, made up, and tried with a wrong value."""

import json
import random
from collections.abc import Mapping

import pytest

from source.generate import Generator
from tests.messages import order, restaurant, user
from tests.warehouse.bad_messages import CASES
from tests.warehouse.message_fields import PAGE, blamed, documented, held, read
from warehouse.order_event import parse_order_event
from warehouse.reference import parse_reference

GENERATOR = Generator(orders=300)
OF_ORDERS = read(parse_order_event, order())
OF_DOCUMENTS = read(parse_reference, "user", "guest", user()) | read(
    parse_reference, "restaurant", "diner", restaurant(menu={"pizza": "Pizza"})
)


def history() -> list[bytes]:
    return [message.value for message in GENERATOR.messages() if message.value is not None]


def live() -> list[bytes]:
    told = [GENERATOR.live_order(number, 1_795_600_800, random.Random(number)) for number in range(50)]
    return [message.value for messages in told for message in messages if message.value is not None]


def lacking(fields: set[str], places: Mapping[str, set[str]]) -> set[tuple[str, str]]:
    """Return (place, field) of each field that a place where all must be has not."""
    return {(place, field) for place, found in places.items() for field in fields - found}


PLACES = {
    "docs/messages.md": documented("An order message"),
    "the history of the made-up app": {path for value in history() for path in held(json.loads(value))},
    "its live orders": {path for value in live() for path in held(json.loads(value))},
    "tests/warehouse/bad_messages.py": blamed(case.value for case in CASES),
}
PLACES_OF_DOCUMENTS = {
    "docs/messages.md": documented("A document of Redis"),
    "the made-up app": {path for _, text in GENERATOR.reference() for path in held(json.loads(text))},
}


def test_each_field_of_an_order_is_documented_made_up_and_tried_with_a_wrong_value() -> None:
    assert len(OF_ORDERS) >= 17
    assert lacking(OF_ORDERS, PLACES) == set()


def test_each_field_of_a_document_is_documented_and_made_up() -> None:
    assert len(OF_DOCUMENTS) >= 8
    assert lacking(OF_DOCUMENTS, PLACES_OF_DOCUMENTS) == set()


def test_the_page_names_no_field_that_nobody_reads() -> None:
    assert PLACES["docs/messages.md"] == OF_ORDERS
    assert PLACES_OF_DOCUMENTS["docs/messages.md"] == OF_DOCUMENTS


@pytest.mark.parametrize("place", PLACES)
def test_a_field_left_out_of_one_place_is_named(place: str) -> None:
    for field in OF_ORDERS:
        assert lacking(OF_ORDERS, {**PLACES, place: PLACES[place] - {field}}) == {(place, field)}


def test_a_field_taken_from_the_page_is_missed() -> None:
    page = PAGE.read_text(encoding="utf-8").replace("| `payload.date` |", "| the date |")
    assert OF_ORDERS - documented("An order message", page) == {"payload.date"}


def test_a_field_without_a_case_is_missed() -> None:
    fewer = blamed(case.value for case in CASES if "date of the order" not in case.name)
    assert OF_ORDERS - fewer == {"payload.date"}

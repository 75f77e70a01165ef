"""What a message of an erased guest becomes, and in which texts the erased are found."""

import json
from datetime import UTC, datetime

import pytest

from tests.messages import changed, order
from warehouse.ledger import Ledger, names_any, plain_text, scrubbed, subject_of
from warehouse.order_event import parse_order_event
from warehouse.staging import Record, judge_records

A = "64f1c0de0000000000000001"
LEDGER = Ledger("demo-pepper", {subject_of("demo-pepper", A): None}, (1,))


def test_the_ledger_calls_a_guest_as_the_contract_says() -> None:
    assert subject_of("demo-pepper", A).hex() == "7c7f1819da9a4dd87f1aa426bc1e26f2d0687d04cf021cae13c39f6bd6688680"


@pytest.mark.parametrize(
    "value",
    [
        order(7, user=A, dishes=("pizza=Пицца", "tea")),
        changed(order(7, user=A), payload__user={"id": A, "name": "Мария", "phone": "8 999"}, payload__cost="10.50"),
        json.dumps(json.loads(order(7, user=A)), indent=2).encode(),
        order(7, user=A).replace(b'"cost": 100', b'"cost": 1.000000000000000000000000000001'),
        order(7, user=A).replace(b'"cost": 100', b'"cost": 100, "cost": 3'),
    ],
)
def test_a_scrubbed_message_says_the_same_of_its_order_and_nothing_of_its_guest(value: bytes) -> None:
    event = parse_order_event(value)
    assert event is not None
    assert parse_order_event(scrubbed(value)) == event._replace(user_id="erased")
    assert json.loads(scrubbed(value))["payload"]["user"] == {"id": "erased"}
    assert A not in scrubbed(value).decode()
    assert scrubbed(scrubbed(value)) == scrubbed(value)


def test_a_message_of_an_erased_guest_keeps_the_hash_of_what_came() -> None:
    record = Record(order(7, user=A), None, "t", 0, 0)
    ((row,), (plain,)) = judge_records([record], UTC, LEDGER).accepted, judge_records([record], UTC).accepted
    assert row[0] == plain[0]
    assert A not in repr(row)


@pytest.mark.parametrize(
    ("text", "is_named"),
    [
        (f'{{"user": {{"id": "{A}"', True),
        ('{"user": {"id": "\\u0036' + A[1:], True),
        (f"key={A}", True),
        (f'"x{A}"', False),
        ("{}", False),
    ],
)
def test_an_erased_guest_is_found_in_what_can_not_be_read(text: str, is_named: bool) -> None:
    assert LEDGER.is_named_in(text.encode()) == is_named
    (letter,) = judge_records([Record(text.encode(), b"k", "t", 0, 0)], UTC, LEDGER).refused
    assert (letter[1], letter[5], letter[7] == "") == ((None, None, True) if is_named else (text.encode(), b"k", False))


def test_escapes_are_read_wherever_they_stand() -> None:
    assert plain_text(b'"\\u041c\\u0430\\ud83d\\ude00 \\"x\\" \\u00') == '"Ма😀 "x" \\u00'


def test_a_name_is_found_as_a_word() -> None:
    assert names_any('"Анна"'.encode(), {"Анна"})
    assert not names_any('"Жанна", "Анна-Мария2"'.encode(), {"Анна-Мария"})


def test_orders_that_began_before_somebody_came_back_stay_nobodys() -> None:
    moment = datetime(2026, 3, 20, tzinfo=UTC)
    ledger = Ledger("demo-pepper", {subject_of("demo-pepper", A): moment}, (1,))
    assert ledger.has(A, datetime(2026, 3, 19, tzinfo=UTC))
    assert not ledger.has(A, moment)
    assert not ledger.has(A)
    assert not ledger.has("other", datetime(2026, 3, 19, tzinfo=UTC))

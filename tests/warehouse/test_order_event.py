"""What is read out of an order message. What is refused: test_bad_input.py."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.messages import order
from tests.warehouse.bad_messages import changed
from warehouse.order_event import OrderEvent, began_and_closed, parse_order_event


def read(value: bytes) -> OrderEvent:
    event = parse_order_event(value, ZoneInfo("UTC"))
    assert event is not None
    return event


def test_an_order_is_read_field_by_field() -> None:
    event = read(
        order(
            7,
            "CLOSED",
            user="u",
            restaurant="r",
            dishes=("pizza=Пицца", "tea"),
            update_ts="2026-01-02 12:00:00",
            sent="2026-01-03 12:00:00",
            cost="10.50",
            payment=None,
        )
    )
    # What the model says of any other field: test_bad_input.py.
    assert event == event._replace(
        object_id=7,
        update_ts=datetime(2026, 1, 2, 12, tzinfo=UTC),
        sent_dttm=datetime(2026, 1, 3, 12, tzinfo=UTC),
        order_dt=datetime(2026, 1, 2, 12, tzinfo=UTC),
        user_id="u",
        restaurant_id="r",
        final_status="CLOSED",
        closed_dttm=datetime(2026, 1, 2, 12, tzinfo=UTC),
        payment=None,
        item_ids=("pizza", "tea"),
        item_names=("Пицца", None),
    )
    assert str(event.cost) == "10.50"


STEPS = [
    {"status": "CLOSED", "dttm": "2026-01-01 12:00:00"},
    {"status": "OPEN", "dttm": "2026-01-01 11:00:00"},
    {"status": "COOKING"},
]


@pytest.mark.parametrize(
    ("value", "hour"),
    [
        (order(date="2026-01-01 09:00:00", statuses=STEPS), 11),
        (order(date="2026-01-01 09:00:00", statuses=[{"status": "OPEN"}]), 9),
        (order(date="2026-01-01 09:00:00", statuses=[]), 9),
        (changed(payload__date=..., payload__statuses=..., payload__update_ts="2026-01-01 15:00:00"), 15),
    ],
)
def test_an_order_began_with_its_first_status_else_at_its_date_else_with_this_version(value: bytes, hour: int) -> None:
    assert read(value).order_dt == datetime(2026, 1, 1, hour, tzinfo=UTC)


def test_closed_since_is_kept_only_of_what_is_closed() -> None:
    assert read(order(status="CLOSED", statuses=STEPS)).closed_dttm == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert read(order(status="CANCELLED", statuses=STEPS)).closed_dttm is None
    assert read(order(status="CLOSED", statuses=None)).closed_dttm is None


@pytest.mark.parametrize(
    ("steps", "hour"),
    [
        ((), None),
        (("CLOSED 5",), 5),
        (("CLOSED 5", "DELIVERING 4", "OPEN 3"), 5),
        (("CLOSED 6", "CLOSED 5", "OPEN 3"), 5),
        (("CLOSED 7", "CANCELLED 6", "CLOSED 5"), 7),
        (("CANCELLED 6", "CLOSED 5", "OPEN 3"), 5),
        (("OPEN 3", "CLOSED 7", "CLOSED 5", "CANCELLED 6"), 7),
        (("CLOSED 5", "CANCELLED 5", "CLOSED 4"), 5),
        (("CANCELLED 5", "CLOSED 5", "CLOSED 4"), 4),
        (("CLOSED 7", "closed 6", "CLOSED 5"), 7),
        (("CLOSED 7", " 6", "CLOSED 5"), 7),
        (("CLOSED 7", None, "CLOSED 5"), 5),
    ],
)
def test_an_order_became_closed_with_the_first_of_its_last_closed_steps(
    steps: tuple[str | None, ...], hour: int | None
) -> None:
    """A text is a status and its hour; None, at 6, has no status."""
    parsed = [(None, "6") if step is None else step.split(" ") for step in steps]
    known = [(datetime(2026, 1, 1, int(at), tzinfo=UTC), status) for status, at in parsed]
    assert began_and_closed(known, "CLOSED")[1] == (None if hour is None else datetime(2026, 1, 1, hour, tzinfo=UTC))


def test_a_dish_stands_once_and_its_first_name_counts() -> None:
    event = read(order(dishes=("pizza", "tea=Tea", "pizza=Pizza", "pizza=Other")))
    assert event.item_ids == ("pizza", "tea")
    assert event.item_names == ("Pizza", "Tea")


def test_a_message_of_another_type_is_none_of_ours() -> None:
    assert parse_order_event(changed(object_type="courier")) is None


def test_duplicate_keys_are_read_as_postgresql_reads_them() -> None:
    assert read(order(1)[:-1] + b', "object_id": 2}').object_id == 2

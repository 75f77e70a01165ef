"""The quick reading of usual messages says what the rules say, or nothing."""

import json
import re
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source.generate import Generator
from tests.messages import order
from tests.warehouse.bad_messages import CASES
from warehouse.order_event import OrderEvent, parse_order_event
from warehouse.plain_order import plain_order_event
from warehouse.rejection import RejectedError

MOSCOW = ZoneInfo("Europe/Moscow")
USUAL = json.loads(next(Generator(seed=1, orders=50).messages()).value or b"")


def by_the_rules(value: bytes | None, zone: tzinfo) -> OrderEvent | None:
    try:
        return parse_order_event(value, zone)
    except RejectedError:
        return None


def agrees(value: bytes | None, zone: tzinfo = MOSCOW) -> bool:
    """Tell whether the quick reading answers; fail where its answer is another than that of the rules."""
    quick = plain_order_event(value, zone)
    if quick is None:
        return False
    slow = by_the_rules(value, zone)
    assert quick == slow
    assert [str(field) for field in quick] == [str(field) for field in slow]  # as COPY writes them: True == 1 == 1.0
    return True


def test_nearly_all_messages_of_a_history_are_plain() -> None:
    values = [message.value for message in Generator(seed=2, orders=2_000).messages()]
    assert sum(map(agrees, values)) > 0.95 * len(values)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_quick_reading_differs_from_the_rules_on_no_known_case(case: Any) -> None:
    agrees(case.value)


@pytest.mark.parametrize(
    "unknown",
    [
        b'"\\ud800"',
        b'"\\uD83C\\uDF55"',
        b'"\\u0000"',
        b'"\\x"',
        b'"\x01"',
        b'"\xff"',
        b'"\xc3\xa9"',
        b'"unended',
        b"NaN",
        b"-Infinity",
        b"1e999999999999999999999",
        b"1e5",
        b"1e999",
        b"-",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"1" * 18,
        b"1" * 30,
        b"1" * 5000,
        b"tru",
        b"nul",
        b"[1,]",
        b'{"a":1,}',
        b'{"a" 1}',
        b"{'a':1}",
        b"[1 2]",
        b'{"a":{"b":[[[]]]}}',
        b"[" * 99 + b"]" * 99,
        b"// c\n1",
        b"",
    ],
)
@pytest.mark.parametrize("place", ["envelope", "payload", "line"])
def test_a_field_that_nobody_knows_is_judged_by_the_rules(unknown: bytes, place: str) -> None:
    message = json.loads(json.dumps(USUAL))
    parents = {"envelope": message, "payload": message["payload"], "line": message["payload"]["order_items"][0]}
    parents[place]["unknown"] = "HERE"
    agrees(json.dumps(message).encode().replace(b'"HERE"', unknown))


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("UTC"), MOSCOW, ZoneInfo("Europe/Berlin")], ids=str)
@pytest.mark.parametrize("field", [b"sent_dttm", b"update_ts", b"date", b"dttm"])
@pytest.mark.parametrize(
    ("time", "is_plain"),
    [
        (b"2026-11-25 10:00:00", True),
        (b"2026-11-25T10:00:00", True),
        (b"2026-11-25 10:00:00.5", True),
        (b"2026-11-25 10:00:00.123456", True),
        (b"2026-11-25 10:00:00.1234567", False),
        (b"2026-11-25 10:00:00.999999999", False),
        (b"2026-11-25 10:00:00.0000000001", False),
        (b"2026-11-25 10:00:00,5", False),
        (b"2026-11-25 10:00:00.", False),
        (b"2026-11-25t10:00:00", False),
        (b"2026-11-25\\u007410:00:00", False),
        (b"2026-11-25 10:00:00\\u002e9999999", False),
        (b"2026-11-25 10:00:00.99999\\u00399999", False),
        (b"2026-11-25\\u002010:00:00", False),
        (b"2026-11-25 10:00:00Z", False),
        (b"2026-11-25 10:00:00z", False),
        (b"2026-11-25 10:00:00+03:00", False),
        (b"2026-11-25 10:00", False),
        (b"2026-11-25", False),
        (b"2026-11-25 24:00:00", False),
        (b"2026-11-25 23:59:60", False),
        (b"2026-02-29 10:00:00", False),
        (b" 2026-11-25 10:00:00", False),
        (b"0000-01-01 00:00:00", False),
    ],
)
def test_a_time_is_read_as_by_the_rules(time: bytes, is_plain: bool, field: bytes, zone: tzinfo) -> None:
    value, count = re.subn(rb'("%s": )"[^"]*"' % field, lambda match: match[1] + b'"' + time + b'"', order())
    assert count > 0
    assert agrees(value, zone) == is_plain


@pytest.mark.parametrize(
    "time", ["0001-01-01 00:00:00", "9999-12-31 23:59:59", "2026-03-29 02:30:00", "2026-10-25 02:30:00"]
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Moscow", "Europe/Berlin", "America/New_York"])
def test_a_time_at_an_edge_of_the_calendar_or_of_a_zone_is_read_as_by_the_rules(time: str, zone: str) -> None:
    message = json.loads(order())
    message["payload"]["statuses"] = [
        {"status": "OPEN", "dttm": time},
        {"status": "OPEN", "dttm": "2026-03-29 03:00:00"},
    ]
    message["sent_dttm"] = time
    agrees(json.dumps(message).encode(), ZoneInfo(zone))


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(
        [
            "",
            "CLOSED",
            "2026-11-25 10:00:00",
            "2026-11-25T10:00:00+03:00",
            "12.50",
            10.0,
            -0.0,
            2**63,
            10**17,
            "x" * 201,
        ]
    ),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3),
    max_leaves=5,
)
PATHS = [
    ("object_id",),
    ("object_type",),
    ("sent_dttm",),
    ("payload",),
    ("extra",),
    ("payload", "update_ts"),
    ("payload", "date"),
    ("payload", "cost"),
    ("payload", "payment"),
    ("payload", "bonus_payment"),
    ("payload", "bonus_grant"),
    ("payload", "final_status"),
    ("payload", "user"),
    ("payload", "user", "id"),
    ("payload", "restaurant", "id"),
    ("payload", "order_items"),
    ("payload", "order_items", 0),
    ("payload", "order_items", 0, "id"),
    ("payload", "order_items", 0, "name"),
    ("payload", "order_items", 0, "price"),
    ("payload", "order_items", 0, "quantity"),
    ("payload", "order_items", 0, "extra"),
    ("payload", "statuses"),
    ("payload", "statuses", 0),
    ("payload", "statuses", 0, "status"),
    ("payload", "statuses", 0, "dttm"),
]


@settings(max_examples=1_500, deadline=None)
@given(path=st.sampled_from(PATHS), value=JSON_VALUES, is_ascii=st.booleans())
def test_the_quick_reading_differs_from_the_rules_on_no_field_of_any_kind(
    path: tuple[Any, ...], value: Any, is_ascii: bool
) -> None:
    message = json.loads(json.dumps(USUAL))
    parent = message
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    agrees(json.dumps(message, ensure_ascii=is_ascii).encode(errors="surrogatepass"))


@settings(max_examples=1_500, deadline=None)
@given(data=st.data())
def test_the_quick_reading_differs_from_the_rules_on_no_damaged_message(data: st.DataObject) -> None:
    value = bytearray(json.dumps(USUAL, ensure_ascii=False).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(value) - 1))
        value[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", b'"', b"\\", b"0", b"e", b",", b"}", b"\xff", b"\\u", b"-", b"."])
        )
    agrees(bytes(value))


STEPS = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["CLOSED", "CLOSED", "CANCELLED", "closed", "", None]),
        "dttm": st.sampled_from(["2026-03-29 01:30:00", "2026-03-29 02:30:00", "2026-03-29T03:30:00", None]),
    },
)


@settings(max_examples=500, deadline=None)
@given(steps=st.lists(STEPS, max_size=6), status=st.sampled_from(["CLOSED", "CLOSED", "CANCELLED", "closed"]))
def test_the_quick_reading_knows_as_the_rules_do_when_an_order_began_and_was_closed(
    steps: list[dict[str, Any]], status: str
) -> None:
    assert agrees(order(status=status, statuses=steps), ZoneInfo("Europe/Berlin"))


def test_keys_written_as_escapes_and_twice_are_read_as_by_the_rules() -> None:
    value = order()
    for known, odd in (
        (b'"cost"', b'"co\\u0073t"'),
        (b'"object_id"', b'"object_\\u0069d"'),
        (b'"payload"', b'"p\\u0061yload"'),
    ):
        agrees(value.replace(known, odd))
    agrees(value[:-1] + b', "object_id": 77}')
    agrees(value[:-1] + b', "sent_dttm": "nonsense"}')


def test_a_zone_is_that_of_times_written_without_one() -> None:
    value = order()
    assert plain_order_event(value, UTC) == parse_order_event(value, UTC)
    assert plain_order_event(value, MOSCOW) == parse_order_event(value, MOSCOW)
    assert plain_order_event(value, UTC) != plain_order_event(value, MOSCOW)

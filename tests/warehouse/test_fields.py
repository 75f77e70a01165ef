"""Numbers and times: what they mean, exactly."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages import order, user
from warehouse.fields import optional_number, parse_object, required_time
from warehouse.order_event import parse_order_event
from warehouse.plain_order import plain_order_event
from warehouse.reference import parse_reference
from warehouse.rejection import RejectedError

MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0", 0),
        ("-0", 0),
        ("-0.0", 0),
        ("0e999999", 0),
        ('"00012"', 12),
        ('"5."', 5),
        ("1e3", 1000),
        ('"-1.5E-3"', Decimal("-0.0015")),
        ("0.1", Decimal("0.1")),
        ("12345678901234567890.12345678901234567890", Decimal("12345678901234567890.12345678901234567890")),
        ("1" + "0" * 39, 10**39),
    ],
)
def test_numbers_are_kept_exactly(written: str, meant: Decimal | int) -> None:
    number = optional_number(parse_object(b'{"n": %s}' % written.encode()), "n")
    assert number == meant
    assert not str(number).startswith("-0E")


def test_an_absent_number_is_none() -> None:
    assert optional_number({}, "n") is None
    assert optional_number({"n": None}, "n") is None


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**30), max_value=10**30))
def test_a_number_and_its_text_are_the_same(number: Decimal) -> None:
    text = f"{number:f}"
    as_number, as_text = parse_object(f'{{"n": {text}}}'.encode()), parse_object(f'{{"n": "{text}"}}'.encode())
    assert optional_number(as_number, "n") == optional_number(as_text, "n") == number


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-01-01 12:00:00", datetime(2026, 1, 1, 9, tzinfo=UTC)),
        ("2026-01-01T12:00:00", datetime(2026, 1, 1, 9, tzinfo=UTC)),
        ("2026-01-01 12:00:00Z", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01 12:00:00+00:00", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01 12:00:00-0330", datetime(2026, 1, 1, 15, 30, tzinfo=UTC)),
        ("2026-01-01 12:00:00+14", datetime(2025, 12, 31, 22, tzinfo=UTC)),
        ("2026-01-01 12:00:00.5", datetime(2026, 1, 1, 9, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-01 12:00:00,000001999", datetime(2026, 1, 1, 9, 0, 0, 1, tzinfo=UTC)),
        ("2010-07-01 12:00:00", datetime(2010, 7, 1, 8, tzinfo=UTC)),  # Moscow had summer time then
    ],
)
def test_times_mean_what_iso_8601_and_the_zone_say(written: str, meant: datetime) -> None:
    moment = required_time({"t": written}, "t", MOSCOW)
    assert moment == meant
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    ("zone", "written", "meant"),
    [
        ("Europe/Berlin", "2026-10-25 01:59:59", "2026-10-24 23:59:59"),
        ("Europe/Berlin", "2026-10-25 02:00:00", "2026-10-25 00:00:00"),
        ("Europe/Berlin", "2026-10-25 02:59:59", "2026-10-25 00:59:59"),
        ("Europe/Berlin", "2026-10-25 03:00:00", "2026-10-25 02:00:00"),
        ("Europe/Berlin", "2026-03-29 01:59:59", "2026-03-29 00:59:59"),
        ("Europe/Berlin", "2026-03-29 02:00:00", "2026-03-29 01:00:00"),
        ("Europe/Berlin", "2026-03-29 02:30:00", "2026-03-29 01:30:00"),
        ("Europe/Berlin", "2026-03-29 03:30:00", "2026-03-29 01:30:00"),
        ("Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04 14:45:00"),  # half an hour of summer time
        ("America/New_York", "2026-11-01 01:30:00", "2026-11-01 05:30:00"),
    ],
)
def test_an_hour_that_comes_twice_or_never_has_one_meaning_in_both_decoders(
    zone: str, written: str, meant: str
) -> None:
    moment = datetime.fromisoformat(meant).replace(tzinfo=UTC)
    assert required_time({"t": written}, "t", ZoneInfo(zone)) == moment
    message = order(update_ts=written, sent=written)
    for event in (plain_order_event(message, ZoneInfo(zone)), parse_order_event(message, ZoneInfo(zone))):
        assert event is not None
        assert (event.update_ts, event.sent_dttm, event.order_dt) == (moment, moment, moment)
    document = parse_reference("user", "guest", user(update_ts=written), ZoneInfo(zone))
    assert document.update_ts == moment


@given(
    st.datetimes().filter(lambda moment: 1 < moment.year < 9999),
    st.integers(-23 * 60, 23 * 60),
    st.sampled_from(" T"),
)
def test_a_time_in_any_offset_is_the_same_moment(moment: datetime, minutes: int, separator: str) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert required_time({"t": aware.isoformat(separator)}, "t", UTC) == aware


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("UTC"), timezone(timedelta(0))])
def test_every_spelling_of_utc_is_utc(zone: timezone) -> None:
    assert required_time({"t": "2026-01-01 12:00:00"}, "t", zone) == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_refusal_names_the_field_and_shows_the_value_cut_short() -> None:
    with pytest.raises(RejectedError) as refusal:
        required_time({"t": "й" * 1000}, "t", UTC, "payload.")
    assert refusal.value.reason == "bad_time"
    assert refusal.value.detail.startswith("payload.t is not a time: '\\u0439")
    assert len(refusal.value.detail) < 250

"""The whole kind of bad input, as a table: what comes, and what becomes of it by the rules of docs/messages.md.

A verdict is STORED, SKIPPED (of another object_type) or the reason code of its dead letter.
"""

import json
from typing import Any, NamedTuple

from tests import messages
from tests.messages import order

STORED = "accepted"
SKIPPED = "skipped"

# Texts that some layer between JSON and a mart could take for something else: SQL, COPY, array literals, printf, Jinja.
SPECIAL_TEXTS = (
    "O'Hara",
    "back\\slash",
    "tab\there",
    "\\N",
    "\\.",
    "line\nbreak",
    "carriage\r\nreturn",
    "%s %(load_dt)s %%",
    "{{ ds }}{% raw %}",
    "🍕 пицца",
    "ünïcode",
    'say "hi"',
    "{curly},[square]",
    "comma, and ,",
    "NULL",
    "null",
    " blanks ",
    "--; drop table stg.order_events; /*",
    "$$ :name ?",
    "\x01\x7f\x85\u2028",
    "\u200bzero\ufeffwidth",
)


class Case(NamedTuple):
    name: str
    value: bytes | None
    verdict: str


def changed(**changes: Any) -> bytes:
    """A good message with some fields replaced or dropped (`messages.changed`)."""
    return messages.changed(order(), **changes)


def raw(field: str, text: str) -> bytes:
    """A good message in which the payload's `field` is `text`, letter by letter."""
    return order(**{field: "@"}).replace(b'"@"', text.encode())


def nested(levels: int) -> Any:
    node: Any = 1
    for level in range(levels):
        node = [node] if level % 2 else {"deeper": node}
    return node


def sized(size: int) -> bytes:
    """A good message of exactly so many bytes."""
    return order(note="x" * (size - len(order(note=""))))


MEBIBYTE = 1024 * 1024

WHOLE_VALUES = [
    ("a tombstone", None, "tombstone"),
    ("an empty value", b"", "broken_json"),
    ("a blank value", b" \n", "broken_json"),
    ("half an object", order()[:100], "broken_json"),
    ("two objects", order() + order(), "broken_json"),
    ("a byte order mark", b"\xef\xbb\xbf" + order(), "broken_json"),
    ("single quotes", b"{'object_type': 'order'}", "broken_json"),
    ("a comma too many", order()[:-1] + b",}", "broken_json"),
    ("a raw line break in a text", order().replace(b"CLOSED", b"CLO\nSED"), "broken_json"),
    ("a raw U+0000", order() + b"\x00", "broken_json"),
    ("a bad escape", order().replace(b"CLOSED", b"\\x41"), "broken_json"),
    ("a leading zero", raw("cost", "007"), "broken_json"),
    ("a list", b"[" + order() + b"]", "not_an_object"),
    ("a text", b'"order"', "not_an_object"),
    ("a number", b"1", "not_an_object"),
    ("null", b"null", "not_an_object"),
    ("NaN alone", b"NaN", "not_an_object"),
    ("a byte that is no UTF-8", b"\xff" + order(), "invalid_utf8"),
    ("another code page", order(note="@").replace(b"@", "пицца".encode("cp1251")), "invalid_utf8"),
    ("UTF-16", order().decode().encode("utf-16"), "invalid_utf8"),
    ("a cut letter", order(note="@").replace(b"@", b"\xd0"), "invalid_utf8"),
    ("an overlong U+0000", order(note="@").replace(b"@", b"\xc0\x80"), "invalid_utf8"),
    ("a surrogate in UTF-8", order(note="@").replace(b"@", b"\xed\xa0\x80"), "invalid_utf8"),
    ("1.2 MB", sized(1_200_000), "oversized"),
    ("3 MB", sized(3_000_000), "oversized"),
    ("3 MB that are no JSON", b"{" * 3_000_000, "oversized"),
    ("3 MB that are no UTF-8", b"\xff" * 3_000_000, "oversized"),
    ("a byte above the limit", sized(MEBIBYTE + 1), "oversized"),
    ("the limit", sized(MEBIBYTE), STORED),
    ("100 levels", order(note=nested(98)), STORED),
    ("101 levels", order(note=nested(99)), "too_deep"),
    ("100,000 levels", b'{"object_type": "order", "a":' + b"[" * 100_000, "too_deep"),
    ("many small objects", order(note=[{}] * 1000), STORED),
    ("keys of a megabyte in all", order(note={"k" * 400_000: {str(n): [] for n in range(20_000)}}), STORED),
    ("blanks around", b" \t\r\n" + order() + b"\n", STORED),
    ("duplicate keys: the last counts", order()[:-1] + b', "object_id": 2}', STORED),
    ("duplicate keys: the last is wrong", order()[:-1] + b', "object_id": "2"}', "wrong_type"),
    ("a duplicate payload", b'{"payload": 1, ' + order()[1:], STORED),
    ("an escaped key", order().replace(b'"payload"', b'"p\\u0061yload"'), STORED),
]
TEXTS = [
    ("U+0000 in a name", order(dishes=("pizza=a\x00b",)), "bad_text"),
    ("U+0000 in a field nobody reads", order(note="a\x00b"), "bad_text"),
    ("U+0000 in a key", order(note={"a\x00b": 1}), "bad_text"),
    ("a lone high surrogate", order(note="\ud83c"), "bad_text"),
    ("a lone low surrogate", order(user="\udf55"), "bad_text"),
    ("a lone surrogate in capitals", raw("note", '"\\uD83C"'), "bad_text"),
    ("a pair the wrong way round", raw("note", '"\\udf55\\ud83c"'), "bad_text"),
    ("a pair", raw("note", '"\\ud83c\\udf55"'), STORED),
    ("a backslash before u0000", raw("note", '"\\\\u0000"'), STORED),
    ("an escaped control character", raw("note", '"\\u0001"'), STORED),
]
NUMBERS = [
    ("NaN", raw("cost", "NaN"), "bad_number"),
    ("Infinity in a field nobody reads", raw("note", "[Infinity]"), "bad_number"),
    ("-Infinity", raw("payment", "-Infinity"), "bad_number"),
    ("NaN as a text of a field nobody reads", order(note="NaN"), STORED),
    ("NaN as text", order(cost="NaN"), "bad_number"),
    ("-1e400", raw("cost", "-1e400"), "bad_number"),
    ("-1e400 in a field nobody reads", raw("note", "-1e400"), STORED),
    ("an endless exponent", raw("note", "1e99999999999999999999"), "bad_number"),
    ("5,000 digits", raw("note", "9" * 5000), "bad_number"),
    ("money as text", order(cost="100.50"), STORED),
    ("money in scientific notation", raw("cost", "1.005e2"), STORED),
    ("money in scientific notation as text", order(cost="+1.005E+2"), STORED),
    ("30 digits", raw("cost", "123456789012345678901234567890.12"), STORED),
    ("40 digits", order(cost="9" * 40), STORED),
    ("1e99", raw("cost", "1e99"), "bad_number"),
    ("41 digits", order(cost="9" * 41), "bad_number"),
    ("40 decimal places", order(cost="0." + "0" * 39 + "1"), STORED),
    ("41 decimal places", order(cost="0." + "0" * 40 + "1"), "bad_number"),
    ("zero with an exponent", order(cost="0e999999"), STORED),
    ("negative money", order(cost=-1, payment="-0"), STORED),
    ("no money", order(cost=None, payment=None), STORED),
    ("an empty text as money", order(cost=""), "bad_number"),
    ("blanks in money", order(cost=" 1"), "bad_number"),
    ("blanks around money", order(cost=" 10 "), "bad_number"),
    ("a line break after money", order(cost="1\n"), "bad_number"),
    ("a decimal comma", order(cost="1,5"), "bad_number"),
    ("hexadecimal money", order(cost="0x10"), "bad_number"),
    ("Arabic digits", order(cost="١"), "bad_number"),
    ("an underscore", order(cost="1_0"), "bad_number"),
    ("a wrong bonus", order(bonus_payment="some"), "bad_number"),
    ("a bonus of a wrong type", order(bonus_grant={}), "wrong_type"),
    ("a wrong price", changed(payload__order_items=[{"id": "p", "price": "dear"}]), "bad_number"),
    ("a quantity of a wrong type", changed(payload__order_items=[{"id": "p", "quantity": False}]), "wrong_type"),
]
TIMES = [
    ("30 February", order(update_ts="2026-02-30 00:00:00"), "bad_time"),
    ("29 February of a common year", order(sent="2026-02-29 00:00:00"), "bad_time"),
    ("29 February of a leap year", order(sent="2028-02-29 00:00:00"), STORED),
    ("month 13", order(update_ts="2026-13-01 00:00:00"), "bad_time"),
    ("24 o'clock", order(update_ts="2026-01-01 24:00:00"), "bad_time"),
    ("second 60", order(update_ts="2026-01-01 00:00:60"), "bad_time"),
    ("a date without a clock", order(update_ts="2026-01-01"), "bad_time"),
    ("a week date", order(update_ts="2026-W01-1T00:00:00"), "bad_time"),
    ("no separators", order(update_ts="20260101T000000"), "bad_time"),
    ("without seconds", order(update_ts="2026-01-01 00:00"), "bad_time"),
    ("day before month", order(update_ts="31.12.2026 00:00:00"), "bad_time"),
    ("a named zone", order(update_ts="2026-01-01 00:00:00 MSK"), "bad_time"),
    ("a zone of 99 hours", order(update_ts="2026-01-01 00:00:00+99:00"), "bad_time"),
    ("a zone of seconds", order(update_ts="2026-01-01 03:00:00+03:00:30"), "bad_time"),
    ("a zone of 60 minutes", order(update_ts="2026-01-01 00:00:00+03:60"), "bad_time"),
    ("a small t", order(update_ts="2026-01-01t00:00:00"), "bad_time"),
    ("an empty time", order(update_ts=""), "bad_time"),
    ("a blank before", order(update_ts=" 2026-01-01 00:00:00"), "bad_time"),
    ("a line break after", order(update_ts="2026-01-01 00:00:00\n"), "bad_time"),
    ("full-width digits", order(update_ts="２026-01-01 00:00:00"), "bad_time"),
    ("seconds since 1970", changed(sent_dttm=1764072000), "wrong_type"),
    ("a wrong date of the order", order(date="soon"), "bad_time"),
    ("a wrong time of a status", order(statuses=[{"status": "OPEN", "dttm": "soon"}]), "bad_time"),
    ("Z", order(update_ts="2026-01-01T00:00:00Z"), STORED),
    ("a zone", order(update_ts="2026-01-01 03:00:00+03:00"), STORED),
    ("a zone without a colon", order(update_ts="2026-01-01 03:00:00+0300"), STORED),
    ("a zone of hours", order(update_ts="2026-01-01 03:00:00-03"), STORED),
    ("a fraction", order(update_ts="2026-01-01 00:00:00.5"), STORED),
    ("nanoseconds", order(update_ts="2026-01-01T00:00:00,123456789Z"), STORED),
    ("a fraction of ten digits", order(update_ts="2026-01-01 00:00:00.1234567890"), "bad_time"),
    ("year 2099", order(update_ts="2099-12-31 23:59:59"), STORED),
    ("year 0001", order(update_ts="0001-01-01 00:00:00"), STORED),
    ("year 9999", order(update_ts="9999-12-31 23:59:59"), STORED),
    ("before year 0001 in UTC", order(update_ts="0001-01-01 00:00:00+03:00"), "bad_time"),
    ("after year 9999 in UTC", order(update_ts="9999-12-31 23:59:59-03:00"), "bad_time"),
    ("year 0000", order(update_ts="0000-01-01 00:00:00"), "bad_time"),
    ("a negative year", order(update_ts="-001-01-01 00:00:00"), "bad_time"),
]
FIELDS = [
    *[
        (f"no {name}", changed(**{name: absent}), "missing_field")
        for name in (
            "object_type",
            "object_id",
            "sent_dttm",
            "payload",
            "payload__update_ts",
            "payload__user",
            "payload__user__id",
            "payload__restaurant",
            "payload__restaurant__id",
            "payload__final_status",
            "payload__order_items",
        )
        for absent in (..., None)
    ],
    *[
        (f"a wrong {name}", order(**{name: attribute.wrong}), attribute.reason)
        for name, attribute in messages.ATTRIBUTES.items()
    ],
    ("an empty object", b"{}", "missing_field"),
    ("a type that is no text", changed(object_type=1), "wrong_type"),
    ("an order id as text", changed(object_id="1"), "wrong_type"),
    ("an order id with a fraction", changed(object_id=1.0), "wrong_type"),
    ("an order id of true", changed(object_id=True), "wrong_type"),
    ("an order id beyond bigint", changed(object_id=2**63), "bad_number"),
    ("an order id below bigint", changed(object_id=-(2**63) - 1), "bad_number"),
    ("the greatest order id", changed(object_id=2**63 - 1), STORED),
    ("the least order id", changed(object_id=-(2**63)), STORED),
    ("a payload of a list", changed(payload=[]), "wrong_type"),
    ("a user of text", changed(payload__user="guest"), "wrong_type"),
    ("a user id of a number", order(user=7), "wrong_type"),
    ("an empty user id", order(user=""), "missing_field"),
    ("a blank user id", order(user=" "), STORED),
    ("a restaurant id of a list", order(restaurant=["diner"]), "wrong_type"),
    ("an empty restaurant id", order(restaurant=""), "missing_field"),
    ("an id of 200 letters of four bytes", order(user="🍕" * 200), STORED),
    ("an id of 201 letters", order(user="x" * 201), "too_long"),
    ("a status of 201 letters", order(status="x" * 201), "too_long"),
    ("a status of a number", order(status=1), "wrong_type"),
    ("an empty status", order(status=""), STORED),
    ("an unknown status", order(status="LOST"), STORED),
    ("a lower-case status", order(status="closed"), STORED),
    ("a basket of an object", changed(payload__order_items={}), "wrong_type"),
    ("a basket of texts", changed(payload__order_items=["pizza"]), "wrong_type"),
    ("a basket with a hole", changed(payload__order_items=[{"id": "p"}, None]), "wrong_type"),
    ("a dish without an id", changed(payload__order_items=[{"name": "Pizza"}]), "missing_field"),
    ("a dish id of a number", changed(payload__order_items=[{"id": 1}]), "wrong_type"),
    ("a dish name of a number", changed(payload__order_items=[{"id": "p", "name": 1}]), "wrong_type"),
    ("a dish with an id alone", changed(payload__order_items=[{"id": "p"}]), STORED),
    ("a dish of a long name", order(dishes=("pizza=" + "п" * 10_000,)), STORED),
    ("an empty basket", order(dishes=()), STORED),
    ("500 dishes", order(dishes=tuple(f"d{n}" for n in range(500))), STORED),
    ("no statuses", changed(payload__statuses=...), STORED),
    ("statuses of null", order(statuses=None), STORED),
    ("empty statuses", order(statuses=[]), STORED),
    ("statuses of text", order(statuses="CLOSED"), "wrong_type"),
    ("statuses of texts", order(statuses=["CLOSED"]), "wrong_type"),
    ("a status without a time", order(statuses=[{"status": "OPEN"}]), STORED),
    ("a status that is no text", order(statuses=[{"status": 1}]), "wrong_type"),
    ("no date", changed(payload__date=...), STORED),
    ("fields nobody knows", order(delivery={"sum": 1.5e3, "who": None}), STORED),
]
OTHER_TYPES = [
    ("another type", changed(object_type="courier"), SKIPPED),
    ("another type without anything else", b'{"object_type": "courier"}', SKIPPED),
    ("another type with U+0000", changed(object_type="courier", payload="a\x00"), SKIPPED),
    ("another type of 3 MB", changed(object_type="courier", payload="x" * 3_000_000), "oversized"),
    ("a type in capitals", changed(object_type="ORDER"), SKIPPED),
    ("an empty type", changed(object_type=""), SKIPPED),
]
SPECIAL = [
    case
    for text in SPECIAL_TEXTS
    for case in (
        (f"{text!r} as an id", order(user=text, restaurant=text, dishes=(text,)), STORED),
        (f"{text!r} as a name", order(dishes=("pizza=" + text, "tea=" + text)), STORED),
        (f"{text!r} as a status", order(status=text), STORED),
        (
            f"{text!r} in letters of its own",
            json.dumps(json.loads(order(note=text)), ensure_ascii=False).encode(),
            STORED,
        ),
    )
]


def _cases() -> list[Case]:
    """Give each message an order id of its own, so that one batch can hold them all; those that are about ids keep theirs."""
    groups: list[list[tuple[Any, ...]]] = [WHOLE_VALUES, TEXTS, NUMBERS, TIMES, FIELDS, OTHER_TYPES, SPECIAL]
    cases = []
    for number, (name, value, verdict) in enumerate((case for group in groups for case in group), start=1000):
        if value is not None and len(value) != MEBIBYTE:
            value = value.replace(b'"object_id": 1,', b'"object_id": %d,' % number)
        cases.append(Case(name, value, verdict))
    return cases


CASES = _cases()

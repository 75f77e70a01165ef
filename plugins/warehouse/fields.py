"""From bytes to checked fields: the rules that order messages and reference documents share.

Every function returns a clean value or raises `RejectedError` with the path of the field. "Absent" is a missing key or a
JSON null. Each tests first for what nearly every message holds and returns it: a history of millions passes here, field by
field. Rules: docs/messages.md.
"""

import json
import re
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, DecimalException
from functools import lru_cache
from typing import Any, TypeAlias

from warehouse.rejection import Reason, RejectedError, described, shown

JsonObject = dict[str, Any]
Number: TypeAlias = int | Decimal

MAX_VALUE_BYTES = 1024 * 1024
MAX_DEPTH = 100
# Longest id, status and category. They are keys of B-tree indexes, which refuse rows of more than 2,704 bytes.
MAX_KEY_CHARACTERS = 200
# Digits before and after the decimal point: far beyond any money, far below what numeric refuses.
MAX_DIGITS = 40
BIGINT = range(-(2**63), 2**63)

# Dates and clocks only: fromisoformat alone also takes week dates, dates without a time and offsets of 99 minutes.
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.,][0-9]{1,9})?"
    r"(?P<zone>Z|[+-][0-9]{2}(?::?[0-5][0-9])?)?"
)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # what it is taken from has no zone either
_EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]{1,6})?")


def check_size(size: int) -> None:
    """Refuse a value of more than `MAX_VALUE_BYTES`; asked before anything looks into it, or even reads it."""
    if size > MAX_VALUE_BYTES:
        raise RejectedError(Reason.OVERSIZED, f"{size} bytes, at most {MAX_VALUE_BYTES} are taken")


def parse_object(value: bytes) -> JsonObject:
    """Return the JSON object in `value`: strict UTF-8, numbers exact (int or Decimal), the last of duplicate keys wins.

    NaN and Infinity, which are not JSON, are read here and refused by `check_storable`.
    """
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RejectedError(Reason.INVALID_UTF8, f"byte {error.start} of {len(value)}: {error.reason}") from None
    try:
        document = _DECODER.decode(text)
    except RecursionError:
        raise RejectedError(Reason.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise RejectedError(Reason.BROKEN_JSON, f"{error.msg} at character {error.pos} of {len(text)}") from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise RejectedError(Reason.BAD_NUMBER, str(error), told="a number of too many digits") from None
    if not isinstance(document, dict):
        raise RejectedError(Reason.NOT_AN_OBJECT, "a JSON object is expected, not {}", document)
    return document


def _exact(text: str) -> Decimal:
    """Return a JSON number with a fraction or an exponent; ValueError where its exponent has too many digits for Decimal."""
    try:
        return Decimal(text)
    except DecimalException:
        raise ValueError(f"the exponent of {shown(text)} is beyond any number") from None


_DECODER = json.JSONDecoder(parse_float=_exact)


def check_storable(value: bytes, document: JsonObject) -> None:
    """Refuse what PostgreSQL could not hold or read back, whatever the field: depth, U+0000, lone surrogates, NaN."""
    # The walk costs more than the parse; a message without any of these needs none.
    if (
        b"\\u0000" in value
        or b"\\ud" in value.lower()
        or b"NaN" in value
        or b"Infinity" in value
        or value.count(b"{") + value.count(b"[") > MAX_DEPTH
    ):
        _walk(document, ())


def _walk(node: object, path: tuple[str, ...]) -> None:
    """Check `node`, which stands at `path`: a tuple, for as a text it would be copied for each of a million small nodes."""
    if isinstance(node, dict | list):
        if len(path) >= MAX_DEPTH:
            raise RejectedError(Reason.TOO_DEEP, f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(node, dict):
            for key, child in node.items():
                _check_text(key, (*path, "a key"))
                _walk(child, (*path, key))
        else:
            inside = (*path, "[]")
            for child in node:
                _walk(child, inside)
    elif isinstance(node, str):
        _check_text(node, path)
    elif isinstance(node, float):  # numbers are int or Decimal: only NaN and Infinity come as float
        raise _rejected_at(path, Reason.BAD_NUMBER, f"is {node}")


def _check_text(text: str, path: tuple[str, ...]) -> None:
    if "\x00" in text:
        raise _rejected_at(path, Reason.BAD_TEXT, "holds U+0000")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _rejected_at(path, Reason.BAD_TEXT, "holds a lone surrogate") from None


def _rejected_at(path: tuple[str, ...], reason: Reason, words: str) -> RejectedError:
    """Return the refusal of what stands at a path; its names are the message's own, so logs have the depth alone."""
    place = shown(".".join(path).replace(".[]", "[]"), 200)
    return RejectedError(reason, f"{place} {words}", told=f"a field at depth {len(path)} {words}")


def required(parent: JsonObject, name: str, path: str) -> Any:
    """Return the value of a field that must be there."""
    value = parent.get(name)
    if value is None:
        raise RejectedError(Reason.MISSING_FIELD, f"{path}{name} is missing")
    return value


def required_object(parent: JsonObject, name: str, path: str = "") -> JsonObject:
    """Return a required JSON object."""
    value = required(parent, name, path)
    if not isinstance(value, dict):
        raise RejectedError(Reason.WRONG_TYPE, f"{path}{name} must be an object, not {{}}", value)
    return value


def objects(value: object, path: str) -> list[JsonObject]:
    """Return `value` as a list of JSON objects."""
    if not isinstance(value, list):
        raise RejectedError(Reason.WRONG_TYPE, f"{path} must be a list of objects, not {{}}", value)
    for entry in value:
        if not isinstance(entry, dict):
            raise RejectedError(Reason.WRONG_TYPE, f"{path} must hold objects only, not {{}}", entry)
    return value


def required_text(parent: JsonObject, name: str, path: str = "") -> str:
    """Return a required text; an empty one is allowed."""
    value = parent.get(name)
    if type(value) is str:
        return value
    if value is None:
        raise RejectedError(Reason.MISSING_FIELD, f"{path}{name} is missing")
    raise RejectedError(Reason.WRONG_TYPE, f"{path}{name} must be text, not {{}}", value)


def required_id(parent: JsonObject, name: str, path: str = "") -> str:
    """Return a required opaque id: any text but an empty one, at most `MAX_KEY_CHARACTERS` long, blanks and case kept."""
    value = key_text(parent, name, path)
    if not value:
        raise RejectedError(Reason.MISSING_FIELD, f"{path}{name} is empty")
    return value


def key_text(parent: JsonObject, name: str, path: str = "") -> str:
    """Return a required text that becomes part of an index, such as a status; an empty one is allowed."""
    value = required_text(parent, name, path)
    if len(value) > MAX_KEY_CHARACTERS:
        raise RejectedError(
            Reason.TOO_LONG, f"{path}{name} has {len(value)} characters, at most {MAX_KEY_CHARACTERS} are taken"
        )
    return value


def optional_text(parent: JsonObject, name: str, path: str = "") -> str | None:
    """Return a text or, where it is absent, None."""
    value = parent.get(name)
    if value is None or isinstance(value, str):
        return value
    raise RejectedError(Reason.WRONG_TYPE, f"{path}{name} must be text, not {{}}", value)


def required_bigint(parent: JsonObject, name: str, path: str = "") -> int:
    """Return a required JSON integer that fits a bigint. `10.0`, `"10"` and `true` are not integers."""
    value = required(parent, name, path)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RejectedError(Reason.WRONG_TYPE, f"{path}{name} must be an integer, not {{}}", value)
    if value not in BIGINT:
        raise RejectedError(Reason.BAD_NUMBER, f"{path}{name} does not fit a bigint: {{}}", value)
    return value


def optional_number(parent: JsonObject, name: str, path: str = "") -> Number | None:
    """Return a number or numeric text exactly, None where it is absent."""
    value = parent.get(name)
    if value is None or (
        type(value) is int and -1_000_000_000 < value < 1_000_000_000
    ):  # isinstance: true is an int, too
        return value
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise RejectedError(Reason.BAD_NUMBER, f"{path}{name} is not a number: {{}}", value)
    elif not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise RejectedError(Reason.WRONG_TYPE, f"{path}{name} must be a number or numeric text, not {{}}", value)
    number = Decimal(value)
    exponent = number.as_tuple().exponent
    if number and (number.adjusted() >= MAX_DIGITS or (isinstance(exponent, int) and exponent < -MAX_DIGITS)):
        raise RejectedError(
            Reason.BAD_NUMBER, f"{path}{name} has over {MAX_DIGITS} digits on a side of the point: {{}}", value
        )
    # 0E+99999 is zero, but PostgreSQL refuses to read it.
    return number if number else 0


def required_time(parent: JsonObject, name: str, zone: tzinfo, path: str = "") -> datetime:
    """Return a required time in UTC; `zone` is that of times written without one."""
    moment = optional_time(parent, name, zone, path)
    if moment is None:
        raise RejectedError(Reason.MISSING_FIELD, f"{path}{name} is missing")
    return moment


def optional_time(parent: JsonObject, name: str, zone: tzinfo, path: str = "") -> datetime | None:
    """Return a time in UTC or, where it is absent, None."""
    value = parent.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise RejectedError(Reason.WRONG_TYPE, f"{path}{name} must be a time as text, not {{}}", value)
    try:
        return parse_time(value, zone)
    except (ValueError, OverflowError) as error:
        raise RejectedError(
            Reason.BAD_TIME,
            f"{path}{name} is not a time: {shown(value)} ({error})",
            told=f"{path}{name} is not a time: {described(value)}",
        ) from None


@lru_cache(maxsize=4096)  # the times of a message and of its neighbours repeat
def parse_time(text: str, zone: tzinfo) -> datetime:
    """Return a time in UTC; `zone` is that of times written without one. Raises ValueError and OverflowError."""
    match = _TIME.fullmatch(text)
    if not match:
        raise ValueError("YYYY-MM-DD HH:MM:SS or ISO 8601 is expected")
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if match["zone"] else in_utc(moment, zone)


def in_utc(moment: datetime, zone: tzinfo) -> datetime:
    """Return a time written without a zone as one of `zone`, in UTC. Raises OverflowError.

    One that comes twice is the first of the two; one that never comes is read by the clock before it was put forward.
    """
    if str(zone) == "UTC":  # the usual case, at a tenth of the cost of replace() and astimezone()
        return _EPOCH_UTC + (moment - _EPOCH)
    return moment.replace(tzinfo=zone).astimezone(UTC)

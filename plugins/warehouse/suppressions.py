"""Files of who must not be handed over, and of who has consented, line by line.

    suppressions.csv: kind,value,channel,reason,since,until     kind: guest, identifier, phone or email
    consents.csv:     guest_id,channel,granted,withdrawn,source

A phone or an e-mail is stored by its hashes alone, in each form that a channel may want it in.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from warehouse.layers import (
    CONSENTS,
    ERASURES,
    ERASURES_MARK,
    INCOMING_CONSENTS,
    INCOMING_SUPPRESSIONS,
    SUPPRESSIONS,
    UNREADABLE_SUPPRESSIONS,
)
from warehouse.ledger import Ledger
from warehouse.requests import BadRequestError, moment
from warehouse.session import Session

GUEST = "guest"
KINDS = (GUEST, "identifier", "phone", "email")
SUPPRESSION_FILES = (
    *(INCOMING_SUPPRESSIONS, UNREADABLE_SUPPRESSIONS, SUPPRESSIONS, INCOMING_CONSENTS, CONSENTS),
    *(ERASURES, ERASURES_MARK),
)
NOBODY_ERASED = Ledger()
COPY_SUPPRESSIONS = "copy incoming_suppressions (line, kind, value, channel, reason, since, until) from stdin"
COPY_CONSENTS = "copy incoming_consents (guest_id, channel, granted_dt, withdrawn_dt, source) from stdin"


class Lines(NamedTuple):
    """The lines of a file that are right, with their numbers, and what is wrong with the others. No value stands in that."""

    right: list[tuple[Any, ...]]
    wrong: list[str]


def parse_suppressions(text: str) -> Lines:
    """Return the lines of a file of suppressions."""
    return _lines(
        text,
        {
            "kind": _one_of(KINDS),
            "value": _text,
            "channel": _text,
            "reason": _text,
            "since": _time,
            "until": _maybe_time,
        },
        ("since", "until"),
    )


def parse_consents(text: str) -> Lines:
    """Return the lines of a file of consents."""
    return _lines(
        text,
        {"guest_id": _text, "channel": _text, "granted": _time, "withdrawn": _maybe_time, "source": _text},
        ("granted", "withdrawn"),
    )


def load_suppressions(
    session: Session, text: str, made_by: str, now: datetime, ledger: Ledger = NOBODY_ERASED
) -> tuple[int, list[str]]:
    """Store a file of suppressions, in the transaction that is open; return how many are new, and what is wrong with it."""
    right, wrong = parse_suppressions(text)
    if ledger:
        right = [row for row in right if row[1] != GUEST or not ledger.has(row[2])]
    session.run([INCOMING_SUPPRESSIONS])
    session.copy(COPY_SUPPRESSIONS, right)
    wrong += [f"line {line}: value is no {kind}" for line, kind in session.look(UNREADABLE_SUPPRESSIONS)]
    stored = session.run([SUPPRESSIONS], {"made_by": made_by, "made_dt": now})
    return sum(stored.values()), wrong


def load_consents(session: Session, text: str, ledger: Ledger = NOBODY_ERASED) -> tuple[int, list[str]]:
    """Store a file of consents, in the transaction that is open; return how many are new or changed, and what is wrong."""
    right, wrong = parse_consents(text)
    if ledger:
        right = [row for row in right if not ledger.has(row[1])]
    session.run([INCOMING_CONSENTS])
    session.copy(COPY_CONSENTS, [row[1:] for row in right])
    return sum(session.run([CONSENTS]).values()), wrong


def _lines(text: str, columns: Mapping[str, Callable[[str], Any]], span: tuple[str, str]) -> Lines:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    if set(reader.fieldnames or ()) != set(columns):
        return Lines([], [f"the first line must name the columns {','.join(columns)}"])
    lines = Lines([], [])
    for row in reader:
        mistakes = [*_mistakes(row, columns)]
        if not mistakes:
            values = {name: read(row[name]) for name, read in columns.items()}
            begin, end = (values[name] for name in span)
            if end is None or end > begin:
                lines.right.append((reader.line_num, *values.values()))
                continue
            mistakes = [f"{span[1]} must be later than {span[0]}"]
        lines.wrong.append(f"line {reader.line_num}: {'; '.join(mistakes)}")
    return lines


def _mistakes(row: Mapping[str | None, Any], columns: Mapping[str, Callable[[str], Any]]) -> Iterator[str]:
    if None in row or None in row.values():
        yield f"it must have {len(columns)} columns"
        return
    for name, read in columns.items():
        try:
            read(row[name])
        except BadRequestError as error:
            yield f"{name} must be {error}"


def _text(value: str) -> str:
    if not value.strip() or "\x00" in value:
        raise BadRequestError("a text that is not empty")
    return value.strip()


def _one_of(allowed: tuple[str, ...]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in allowed:
            raise BadRequestError(f"one of {', '.join(allowed)}")
        return value

    return read


def _maybe_time(value: str) -> datetime | None:
    try:
        return moment("", value)
    except BadRequestError:
        raise BadRequestError("an ISO 8601 time with a zone, such as 2026-11-25T00:00:00+03:00") from None


def _time(value: str) -> datetime:
    found = _maybe_time(value)
    if found is None:
        raise BadRequestError("an ISO 8601 time with a zone, such as 2026-11-25T00:00:00+03:00")
    return found

"""What a run of `orders_backfill` was asked for, checked with words for whoever filled the form or wrote the --conf."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

BEGINNING = "beginning"
CHUNK_MESSAGES = range(100, 500_001)


class BadRequestError(ValueError):
    """A parameter is wrong; the text says which, why, and what is allowed."""


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """`begin_at` is compared with the time that Kafka has stamped a record with; None is the beginning of the topic."""

    begin_at: datetime | None
    chunk_messages: int


def parse_backfill_request(params: Mapping[str, Any], conf: Mapping[str, Any]) -> BackfillRequest:
    """Return the request in the run's `params` (declared parameters with their defaults) and `conf` (as it was given)."""
    refuse_unknown(params, conf)
    return BackfillRequest(_begin_at(params["from"]), _chunk_messages(params["chunk_messages"]))


def refuse_unknown(params: Mapping[str, Any], conf: Mapping[str, Any]) -> None:
    """Raise where `conf` has a key that no parameter declares.

    Airflow takes such keys without a word, and a misspelt `form` would load the whole history.
    """
    unknown = sorted(set(conf) - set(params))
    if unknown:
        near = difflib.get_close_matches(unknown[0], list(params), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise BadRequestError(f"unknown parameter {unknown[0]!r}{hint} Known: {', '.join(sorted(params))}")


def _begin_at(value: object) -> datetime | None:
    if value == BEGINNING:
        return None
    expected = f"'from' must be {BEGINNING!r} or an ISO 8601 time with a zone, such as 2026-11-25T00:00:00+03:00"
    if not isinstance(value, str):
        raise BadRequestError(f"{expected}, not {value!r}")
    try:
        begin_at = datetime.fromisoformat(value.strip())
    except ValueError:
        raise BadRequestError(f"{expected}, not {value!r}") from None
    if begin_at.tzinfo is None:
        raise BadRequestError(f"{expected}; {value!r} has no zone: add Z for UTC or an offset")
    return begin_at


def _chunk_messages(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in CHUNK_MESSAGES:
        raise BadRequestError(
            f"'chunk_messages' must be a whole number from {CHUNK_MESSAGES[0]} to {CHUNK_MESSAGES[-1]}, not {value!r}"
        )
    return value

"""What a run of `dead_letters_replay` was asked for, checked with words for whoever filled the form or wrote the --conf."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from warehouse.backfill_request import BadRequestError, refuse_unknown
from warehouse.rejection import Reason

ANY_REASON = "any"
REASONS = (ANY_REASON, *Reason)
MAX_LETTERS = range(1, 1_000_001)


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """Which of the unsolved dead letters are tried again: those of a reason, those of some ids, at most so many; None is all."""

    reason: Reason | None
    ids: Sequence[int] | None
    max_letters: int


def parse_replay_request(params: Mapping[str, Any], conf: Mapping[str, Any]) -> ReplayRequest:
    """Return the request in the run's `params` (declared parameters with their defaults) and `conf` (as it was given)."""
    refuse_unknown(params, conf)
    return ReplayRequest(_reason(params["reason"]), _ids(params["ids"]), _max_letters(params["limit"]))


def _reason(value: object) -> Reason | None:
    if value not in REASONS:
        raise BadRequestError(f"'reason' must be one of {', '.join(REASONS)}, not {value!r}")
    return None if value == ANY_REASON else Reason(str(value))


def _ids(value: object) -> list[int] | None:
    if not isinstance(value, list) or not all(type(entry) is int for entry in value):
        raise BadRequestError(
            f"'ids' must be a list of whole numbers from stg.dead_letters.id, such as [12, 15], not {value!r}"
        )
    return value or None


def _max_letters(value: object) -> int:
    if type(value) is not int or value not in MAX_LETTERS:
        raise BadRequestError(
            f"'limit' must be a whole number from {MAX_LETTERS[0]} to {MAX_LETTERS[-1]}, not {value!r}"
        )
    return value

"""Why a message is refused: the reason codes of `stg.dead_letters`, and the exception that carries one."""

from collections.abc import Callable, Sequence
from enum import StrEnum


class Reason(StrEnum):
    """Reason codes; docs/messages.md says for each what to do."""

    TOMBSTONE = "tombstone"
    INVALID_UTF8 = "invalid_utf8"
    BROKEN_JSON = "broken_json"
    NOT_AN_OBJECT = "not_an_object"
    OVERSIZED = "oversized"
    TOO_DEEP = "too_deep"
    BAD_TEXT = "bad_text"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    BAD_NUMBER = "bad_number"
    BAD_TIME = "bad_time"
    TOO_LONG = "too_long"
    WRONG_DOCUMENT = "wrong_document"
    NOT_A_STRING = "not_a_string"
    REFUSED_BY_DATABASE = "refused_by_database"
    UNREADABLE_BATCH = "unreadable_batch"
    WITHDRAWN = "withdrawn"


class RejectedError(Exception):
    """A message or a document breaks a rule of the contract and belongs into `stg.dead_letters`.

    `reason` is the code. `detail`, which stands beside the message, names the field and shows the values, in ASCII and cut to a
    readable length. `told` is for logs, which more people read: the same words, of each value only what it is and how long. Both
    are made of `words`, in which `{}` stands for a value; `told` is given where words of others may quote one.
    """

    def __init__(self, reason: Reason, words: str, *values: object, told: str | None = None) -> None:
        self.reason = reason
        self.detail = _filled(words, values, shown)
        self.told = _filled(words, values, described) if told is None else told
        super().__init__(f"{reason}: {self.told}")


def _filled(words: str, values: Sequence[object], written: Callable[[object], str]) -> str:
    """Return words in which each `{}` is a value. Without values they stay as they are: they may quote braces."""
    if not values:
        return words
    first, *others = words.split("{}")
    return first + "".join(written(value) + other for value, other in zip(values, others, strict=True))


def shown(value: object, limit: int = 80) -> str:
    """Return `value` for a person: ASCII only (so that any table can hold it), at most `limit` characters."""
    text = ascii(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def described(value: object) -> str:
    """Return what kind of JSON `value` is and how long, and nothing of it."""
    match value:
        case str():
            return f"a text of {len(value)} characters"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return f"an object of {len(value)} fields"
        case None:
            return "null"
        case bool():
            return "a boolean"
        case _:
            return f"a number of {len(str(value))} characters"

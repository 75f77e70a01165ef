"""Why a message is refused: the reason codes of `stg.dead_letters`, and the exception that carries one."""

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

    `reason` is the code, `detail` names the field and shows the value, in ASCII and cut to a readable length.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def shown(value: object, limit: int = 80) -> str:
    """Return `value` for a person: ASCII only (so that any table can hold it), at most `limit` characters."""
    text = ascii(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"

"""Audiences that people write in `config/audiences.yaml`: read, checked, stored."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import yaml

from warehouse.layers import AUDIENCES, AUDIENCES_RETIRED, TAG_RULES_NOW
from warehouse.requests import ACTIVE, RETIRED, BadRequestError, near
from warehouse.session import Session

Audience: TypeAlias = Mapping[str, Any]
"""Values of the keys of `KEYS`."""

IDENTIFIERS = ("guest_id", "login_hmac", "phone_sha256", "email_sha256", "phone_md5")
FORMATS = ("own", "yandex", "mytarget", "google", "meta")
# What applying the file runs.
AUDIENCE_FILES = (AUDIENCES, AUDIENCES_RETIRED, TAG_RULES_NOW)
# The folder beside those of the audiences.
INCOMING = "incoming"
_NAME = re.compile("[a-z0-9][a-z0-9_-]{0,62}")


class BadAudiencesError(BadRequestError):
    """Audiences are wrong; the text says which, where and what is allowed, a line each."""


def _one_of(*allowed: str) -> tuple[str, Callable[[object], bool]]:
    return f"one of {', '.join(allowed)}", lambda value: value in allowed


def _tags(least: int) -> tuple[str, Callable[[object], bool]]:
    def is_right(value: object) -> bool:
        return (
            isinstance(value, list)
            and len(value) >= least
            and all(isinstance(tag, str) and tag for tag in value)
            and len(set(value)) == len(value)
        )

    return f"a list of {'one or more ' if least else ''}tags, each once", is_right


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value == value.strip() and value.isprintable() and 0 < len(value) <= 200


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(_NAME.fullmatch(value))


def _is_percent(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 100 and round(value, 2) == value
    )


def _whole(first: int, last: int) -> tuple[str, Callable[[object], bool]]:
    return f"a whole number from {first} to {last}", lambda value: type(value) is int and first <= value <= last


# Key -> what is allowed, in words, and the test of it.
KEYS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "audience": (
        "a name of a to z, 0 to 9, _ and -, but not incoming",
        lambda value: _is_name(value) and value != INCOMING,
    ),
    "channel": ("a name of a to z, 0 to 9, _ and -", lambda value: _is_name(value)),
    "include_tags": _tags(1),
    "exclude_tags": _tags(0),
    "identifier": _one_of(*IDENTIFIERS),
    "format": _one_of(*FORMATS),
    "control_percent": ("a number from 0 to 99.99 with at most two decimals", _is_percent),
    "salt": ("a text of at most 200 characters", _is_text),
    "requires_consent": ("true or false: somebody has to decide", lambda value: isinstance(value, bool)),
    "min_rows": _whole(0, 1_000_000),
    "max_change_percent": _whole(1, 100),
    "status": _one_of(ACTIVE, RETIRED),
}
DEFAULTS: Audience = {
    "exclude_tags": [],
    "control_percent": 0,
    "min_rows": 0,
    "max_change_percent": 30,
    "status": ACTIVE,
}


def parse_audiences(text: str) -> list[Audience]:
    """Return the audiences of a file. Raises `BadAudiencesError` with every mistake and its line."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadAudiencesError(f"not YAML: {error}") from None
    if not isinstance(document, dict) or set(document) != {"audiences"} or not isinstance(document["audiences"], list):
        raise BadAudiencesError("the file must hold one key, audiences, with a list of audiences")
    lines = [node.start_mark.line + 1 for node in root.value[0][1].value]  # type: ignore[union-attr]  # a list, as just seen
    found: dict[str, Audience] = {}
    mistakes = []
    for line, written in zip(lines, document["audiences"], strict=True):
        complaints = [*_mistakes(written)]
        if not complaints and written["audience"] in found:
            complaints = [f"the audience {written['audience']!r} stands there already"]
        mistakes += [f"line {line}: {complaint}" for complaint in complaints]
        if not complaints:
            found[written["audience"]] = {**DEFAULTS, **written}
    if mistakes:
        raise BadAudiencesError("\n".join(mistakes))
    return list(found.values())


def _mistakes(written: object) -> Iterator[str]:
    if not isinstance(written, dict):
        yield "an audience must be written as key: value"
        return
    for key in sorted(set(written) - KEYS.keys(), key=str):
        yield f"unknown key {key!r}{near(key, KEYS)}; known: {', '.join(KEYS)}"
    for key, (allowed, is_right) in KEYS.items():
        if key not in written and key not in DEFAULTS:
            yield f"{key} is missing: it must be {allowed}"
        elif key in written and not is_right(written[key]):
            yield f"{key} must be {allowed}, not {written[key]!r}"
    try:
        both = set(written.get("include_tags", ())) & set(written.get("exclude_tags", ()))
    except TypeError:
        return
    if both:
        yield f"{sorted(both)[0]!r} is included and excluded: nobody has it and has it not"


def apply_audiences(session: Session, audiences: Collection[Audience]) -> int:
    """Let the warehouse know the audiences, in the transaction that is open; return how many have changed.

    Raises psycopg's `CheckViolation` with a sentence where a first export has locked what would change.
    """
    changed = sum(sum(session.run([AUDIENCES], {"written": json.dumps(audience)}).values()) for audience in audiences)
    retired = session.run([AUDIENCES_RETIRED], {"audiences": [audience["audience"] for audience in audiences]})
    return changed + sum(retired.values())


def unknown_tags(audiences: Iterable[Audience], known: Collection[str]) -> Iterator[str]:
    """Yield what to tell of each tag that no rule has, with the names that are near."""
    for audience in audiences:
        for tag in (*audience["include_tags"], *audience["exclude_tags"]):
            if tag not in known:
                yield f"{audience['audience']}: no rule has the tag {tag!r}{near(tag, known)}"

"""What the runs of all DAGs may be asked for, by form or --conf, judged here with words for whoever asked.

Airflow judges a value by its parameter's JSON schema and takes every key: one that no parameter declares changes nothing and
nobody hears of it. And a schema says `string` of a time that Kafka would read as another. So each task judges the request of its
run before it does anything (`operators.base`). `FORMS` names every DAG, those without parameters, too, and says each limit once:
the schema of a field is made of that by which the code judges it.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import available_timezones

from warehouse.rejection import Reason

BEGINNING = "beginning"
ANY_REASON = "any"
# Of a batch that could not be read there is nothing to try.
REASONS = (ANY_REASON, *(str(reason) for reason in Reason if reason is not Reason.UNREADABLE_BATCH))
IDS = range(1, 2**63)
ONLY_CDM = "cdm"
DDS_AND_CDM = "dds and cdm"
STG_DDS_AND_CDM = "stg, dds and cdm"
WHAT_CHANGED = "what changed, and a slice"
ALL_LAWS_WHOLE = "everything"
ONE_RULE = "set one rule"
THE_FILE = "apply the file"
ACTIVATE = "activate the draft"
THROW_AWAY = "throw the draft away"
RETIRE = "retire"
GO_BACK = "go back to a version"
ALL_AUDIENCES = "all"
WORK_OFF, APPLY_LEDGER = "work requests off", "apply the ledger again"
DIFF, FULL, DRY_RUN = "diff", "full", "dry run"
ACTIVE, DRAFT, RETIRED = "active", "draft", "retired"
VERSIONS = range(1, 2**31)
MAX_COMMENT = 500

# What is written like this Python reads as everybody does; it would also read week dates, dates alone, and any sign for the "T".
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
    r"(?P<zone>Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9])?"
)
# Kafka counts milliseconds from here, and takes what is before it for "the latest" or "the earliest".
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Check = Callable[[str, object], Any]


class BadRequestError(ValueError):
    """A parameter is wrong; the text says which, why, and what is allowed."""


class Field(NamedTuple):
    """A field of a form: what it holds when it opens, its JSON schema with what explains it, and what judges it."""

    default: Any
    schema: Mapping[str, Any]
    check: Check


def one_of(*allowed: str, **words: str) -> Field:
    """Return a field for one of some texts; it opens with the first."""

    def check(name: str, value: object) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise BadRequestError(f"{name!r} must be one of {', '.join(allowed)}, not {value!r}{near(value, allowed)}")
        return value

    return Field(allowed[0], {"type": "string", "enum": list(allowed), **words}, check)


def whole_number(default: int, allowed: range, **words: str) -> Field:
    """Return a field for a whole number, written as one: not `"10"`, `10.0` or `true`."""

    def check(name: str, value: object) -> int:
        if type(value) is not int or value not in allowed:
            raise BadRequestError(f"{name!r} must be a whole number from {allowed[0]} to {allowed[-1]}, not {value!r}")
        return value

    return Field(default, {"type": "integer", "minimum": allowed[0], "maximum": allowed[-1], **words}, check)


def optional_number(allowed: range, **words: str) -> Field:
    """Return a field for a whole number that may be left empty."""
    number = whole_number(allowed[0], allowed, **words)

    def check(name: str, value: object) -> int | None:
        return None if value is None else number.check(name, value)

    return Field(None, {**number.schema, "type": ["null", "integer"]}, check)


def optional_text(**words: str) -> Field:
    """Return a field for a text that may be left empty."""

    def check(name: str, value: object) -> str | None:
        if value is not None and not isinstance(value, str):
            raise BadRequestError(f"{name!r} must be a text, not {value!r}")
        return value

    return Field(None, {"type": ["null", "string"], **words}, check)


def remark(longest: int, **words: str) -> Field:
    """Return a field for what people write to each other, up to so many characters; empty where it is left out."""

    def check(name: str, value: object) -> str:
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > longest or "\x00" in value:
            raise BadRequestError(f"{name!r} must be a text of at most {longest} characters, not {value!r}")
        return value.strip()

    return Field(None, {"type": ["null", "string"], "maxLength": longest, **words}, check)


def flag(default: bool, **words: str) -> Field:  # what the field holds
    """Return a field for true or false, written as such."""

    def check(name: str, value: object) -> bool:
        if not isinstance(value, bool):
            raise BadRequestError(f"{name!r} must be true or false, not {value!r}")
        return value

    return Field(default, {"type": "boolean", **words}, check)


def ids(name: str, value: object) -> list[int] | None:
    """Return a list of ids, None for an empty one, which asks for all."""
    if not isinstance(value, list) or not all(type(entry) is int and entry in IDS for entry in value):
        raise BadRequestError(
            f"{name!r} must be a list of whole numbers from stg.dead_letters.id, such as [12, 15], not {value!r}"
        )
    return value or None


def begin_at(name: str, value: object) -> datetime | None:
    """Return the time to be compared with the one that Kafka has stamped a record with, None for the beginning."""
    if value == BEGINNING:
        return None
    expected = f"{name!r} must be {BEGINNING!r} or an ISO 8601 time with a zone, such as 2026-11-25T00:00:00+03:00"
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise BadRequestError(f"{expected}, not {value!r}")
    if not match["zone"]:
        raise BadRequestError(f"{expected}; {value!r} has no zone: add Z for UTC or an offset")
    try:
        moment = datetime.fromisoformat(match[0])
    except ValueError as error:
        raise BadRequestError(f"{expected}, not {value!r} ({error})") from None
    if moment - _EPOCH < timedelta(0):
        raise BadRequestError(f"{expected}; Kafka knows no times before 1970, say {BEGINNING!r} instead of {value!r}")
    if moment > datetime.now(UTC):
        raise BadRequestError(f"{expected}; {value!r} is still to come: nothing would be read")
    return moment


def moment(name: str, value: object) -> datetime | None:
    """Return a time with a zone, None for an empty one."""
    if value is None or value == "":
        return None
    match = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    try:
        if match and match["zone"]:
            return datetime.fromisoformat(match[0])
    except ValueError:
        pass
    raise BadRequestError(
        f"{name!r} must be an ISO 8601 time with a zone, such as 2026-11-25T00:00:00+03:00, or empty, not {value!r}"
    )


def optional_moment(**words: str) -> Field:
    """Return a field for a time with a zone that may be left empty."""
    return Field(None, {"type": ["null", "string"], **words}, moment)


def zone(name: str, value: object) -> str:
    """Return the name of a zone that is known."""
    if not isinstance(value, str) or value not in available_timezones():
        told = near(value, available_timezones())
        raise BadRequestError(f"{name!r} must be the name of a zone, such as Europe/Moscow or UTC, not {value!r}{told}")
    return value


def _reason(field: Field) -> Field:
    """Return the field with a check that makes a reason code of its text, None of any."""

    def check(name: str, value: object) -> Reason | None:
        known = field.check(name, value)
        return None if known == ANY_REASON else Reason(known)

    return field._replace(check=check)


# A tag rule, in the form and in config/tag_rules.yaml. Tag and category may be empty in the form: not every action needs them.
# What else they may be is said in warehouse.tag_rules.
TAG_RULE: Mapping[str, Field] = {
    "tag": optional_text(title="Tag", description_md="Such as `soup_fan`; one that is known is changed"),
    "category": optional_text(title="Category", description_md="As the menus write it, such as `Супы`"),
    # Up to what is beyond any number of orders, and within PostgreSQL's integer.
    "threshold": whole_number(
        5,
        range(1_000_001),
        title="Threshold",
        description="CLOSED orders of the category that do not yet suffice: with 5, the sixth gives the tag",
    ),
    "window_days": optional_number(
        range(1, 3661), title="Window, days", description="An order counts for so many days; empty: for ever"
    ),
    "exit_threshold": optional_number(
        range(1_000_001),
        title="Exit threshold",
        description="Who has the tag keeps it until no more than so many orders count; empty: as the threshold",
    ),
    "status": one_of(
        ACTIVE,
        DRAFT,
        RETIRED,
        title="Status",
        description="Better begin with a draft, rehearse it, then activate it: a draft judges nobody. A rule that is retired "
        "takes the tag from everybody",
    ),
    "comment": remark(MAX_COMMENT, title="Comment", description="What people should know of the rule"),
    "active": flag(True, title="Active", description="Off retires the rule, as the status does"),
}
# As of when the marts are judged.
AS_OF: Mapping[str, Field] = {
    "as_of": optional_moment(
        title="As of",
        description_md="Empty: now, as the drain found it. For tests and repairs: an ISO 8601 time with a zone "
        "(`2026-03-31T12:00:00Z`), not before that of the run before",
    ),
    "as_of_ahead": flag(
        False,
        title="As of ahead",
        description="The time above may be later than now: tags that end by then are gone for good",
    ),
}
# By DAG: its form.
FORMS: Mapping[str, Mapping[str, Field]] = {
    "orders_micro_batch": AS_OF,
    "suppressions_load": {},
    "retention": {},
    "guest_erase": {
        "action": one_of(
            WORK_OFF,
            APPLY_LEDGER,
            title="Action",
            description="Erase whoever a request names; or, after a restore, once more everybody whom the ledger names. No guest "
            "is named here: whatever stands in a form stays in the history of runs",
        ),
    },
    "audience_export": {
        "audience": optional_text(
            title="Audience", description_md=f"One of `config/audiences.yaml`; empty or `{ALL_AUDIENCES}`: each of them"
        ),
        "mode": one_of(
            DIFF,
            FULL,
            DRY_RUN,
            title="Mode",
            description="What has changed since the last export; everybody anew, which whoever reads the files asks for after a "
            "gap; or only say what would go",
        ),
    },
    "audience_approve": {
        "audience": optional_text(title="Audience", description="Whose held export may go"),
        "seq": optional_number(
            VERSIONS, title="Export", description="The number of the held export, as you have seen it"
        ),
        "plan_hash": optional_text(
            title="Plan hash", description="Its plan hash, as you have seen it: exactly that goes, or nothing"
        ),
    },
    "data_checks": {
        "scope": one_of(
            WHAT_CHANGED,
            ALL_LAWS_WHOLE,
            title="Asked about",
            description="What changed since the last check and the next 24th of all orders and guests, as every hour; "
            "or all that is stored, by every law",
        )
    },
    "orders_backfill": {
        "from": Field(
            BEGINNING,
            {
                "type": "string",
                "title": "From",
                "description_md": f"`{BEGINNING}`, or an ISO 8601 time with a zone (`2026-11-25T00:00:00+03:00`), "
                "compared with the time that Kafka has stamped a record with",
            },
            begin_at,
        ),
        "chunk_messages": whole_number(
            10_000,
            range(100, 500_001),
            title="Messages a chunk",
            description="Each chunk is one transaction; larger ones take more memory and are hardly faster",
        ),
        "workers": whole_number(
            1,
            range(1, 65),
            title="Workers",
            description="So many tasks drain the topic side by side, each its partitions: no more than there are partitions",
        ),
    },
    "marts_rebuild": {
        "layers": one_of(
            ONLY_CDM,
            DDS_AND_CDM,
            STG_DDS_AND_CDM,
            title="Layers",
            description="The marts from the vault; or before that the vault from STG; or before that STG, by the rules of today",
        ),
        **AS_OF,
    },
    "dead_letters_replay": {
        "reason": _reason(
            one_of(*REASONS, title="Reason", description="Only dead letters of this reason code (docs/messages.md)")
        ),
        "ids": Field(
            [],
            {
                "type": "array",
                "items": {"type": "integer", "minimum": IDS[0]},
                "title": "Ids",
                "description_md": "Only these, by `stg.dead_letters.id`, one a line; none given: all",
            },
            ids,
        ),
        "limit": whole_number(
            10_000, range(1, 1_000_001), title="Limit", description="At most so many are tried, the oldest first"
        ),
    },
    "tag_rule_rehearse": {
        "tag": optional_text(title="Tag", description="Its draft is rehearsed, or else its rule in force"),
        "category": optional_text(
            title="Category", description="Of a rule that stands nowhere yet: given, what is below is rehearsed"
        ),
        **{name: TAG_RULE[name] for name in ("threshold", "window_days", "exit_threshold")},
        "from": optional_moment(title="From", description="Where the weeks begin; empty: a year before the end"),
        "as_of": optional_moment(title="As of", description="Where they end; empty: as of when the tags stand now"),
        "zone": Field(
            "Europe/Moscow",
            {"type": "string", "title": "Zone", "description": "Whose Mondays begin the weeks"},
            zone,
        ),
    },
    "tag_rules": {
        "action": one_of(
            ONE_RULE,
            THE_FILE,
            ACTIVATE,
            THROW_AWAY,
            RETIRE,
            GO_BACK,
            title="Action",
            description_md="Set the rule below; apply `config/tag_rules.yaml`, whatever stands below; or do something with "
            "the rule of the tag below: only *go back* needs a version, too, and makes a new one of it",
        ),
        **TAG_RULE,
        "version": optional_number(VERSIONS, title="Version", description="To go back to"),
        "expected_version": optional_number(
            range(2**31),
            title="Expected version",
            description="The newest version of the tag that you have seen (0: none): a change that somebody else made since "
            "is not written over. Empty: whatever there is",
        ),
        "category_is_new": flag(False, title="Category is new", description="No menu has the category yet"),
    },
}


def judged(dag_id: str, conf: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that a run of a DAG was asked for, by parameter. Raises `BadRequestError`.

    `conf` is what was given, `params` what Airflow has made of it: the declared parameters with their defaults, and every other
    key of `conf`.
    """
    form = FORMS[dag_id]
    for key in conf:
        if key not in form:
            known = f"known: {', '.join(form)}" if form else f"{dag_id} has no parameters"
            raise BadRequestError(f"unknown parameter {key!r}{near(key, form)} ({known})")
    return {name: field.check(name, conf.get(name, params[name])) for name, field in form.items()}


def near(name: object, names: Iterable[str]) -> str:
    """Return the question whether a known name was meant, empty where none is near."""
    by_case = {other.casefold(): other for other in names}
    found = [
        by_case[match] for match in difflib.get_close_matches(str(name).casefold(), list(by_case), n=3, cutoff=0.6)
    ]
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""

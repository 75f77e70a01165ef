"""An export of an audience: planned in the warehouse, written as files, published by its manifest.

Rows and the hash of the plan are committed before the first file; the members change after the manifest. So whoever is killed
in between leaves a planned export: the next run finds the manifest there, and takes it for published, or plans anew under the
same number, by the suppressions of then.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import psycopg

from warehouse.export_files import ExportFiles, header_of
from warehouse.layers import (
    AUDIENCE_EXPORT_ROWS,
    AUDIENCE_EXPORT_ROWS_ERASED,
    AUDIENCE_EXPORT_ROWS_OF,
    AUDIENCE_EXPORTS,
    AUDIENCE_EXPORTS_DELETED,
    AUDIENCE_EXPORTS_OLD,
    AUDIENCE_EXPORTS_OPEN,
    AUDIENCE_EXPORTS_PUBLISHED,
    AUDIENCE_MEMBER_CHANGES,
    AUDIENCE_MEMBERS,
    AUDIENCE_NOW,
    AUDIENCE_PLAN,
    AUDIENCE_PLANNED,
    EXPORT_LOCK,
    WHOLE,
)
from warehouse.requests import DIFF, DRY_RUN, BadRequestError
from warehouse.session import Session

# What an export runs; a session of its own holds the turn of its channel meanwhile, by `EXPORT_LOCK`.
EXPORT_FILES = (
    *(WHOLE, EXPORT_LOCK, *AUDIENCE_PLANNED, AUDIENCE_NOW, AUDIENCE_PLAN, AUDIENCE_EXPORTS, AUDIENCE_EXPORT_ROWS),
    *(
        AUDIENCE_EXPORT_ROWS_OF,
        AUDIENCE_EXPORT_ROWS_ERASED,
        AUDIENCE_MEMBER_CHANGES,
        *AUDIENCE_MEMBERS,
        AUDIENCE_EXPORTS_OPEN,
    ),
    AUDIENCE_EXPORTS_PUBLISHED,
)
FORCED, REMOVE, ADD = "forced", "remove", "add"
PARTS = (FORCED, REMOVE, ADD)
NOTHING, PLANNED, HELD, WAITING, PUBLISHED = "nothing", "planned", "held", "waiting", "published"
SKIPPED = ("control", "suppressed", "no_consent", "no_identifier", "invalid", "already_hashed", "shared")
GUARDED_FROM = 100
LOCK_TIMEOUT_MS = 60_000
# Of HMAC: the block of SHA-256, and what its key is mixed with.
BLOCK, INNER, OUTER = 64, 0x36, 0x5C


class ExportError(Exception):
    """An export can't go out; the text says why and what to do."""


class Audience(NamedTuple):
    """What an export must know of its audience."""

    audience: str
    channel: str
    identifier: str
    format: str
    min_rows: int
    max_change_percent: int


class Asked(NamedTuple):
    """What a run was asked for, and by whom. `seq` and `plan_hash`: the held export that is approved, as it was seen."""

    mode: str = DIFF
    by: str = "audience_export"
    seq: int | None = None
    plan_hash: str | None = None


class Plan(NamedTuple):
    """What parts of a plan come to: lines of the files, how many of them change something at the channel, and their hash."""

    adds: int
    removes: int
    came: int
    went: int
    plan_hash: str


class Decision(NamedTuple):
    """Which parts of a plan go, and what becomes of the others: held or waiting."""

    parts: Sequence[str]
    rest: str = NOTHING


class Export(NamedTuple):
    """An export, as it stands in cdm.audience_exports."""

    seq: int
    mode: str
    status: str
    as_of: datetime
    planned_dt: datetime
    adds: int
    removes: int
    members_after: int
    skipped: Mapping[str, int]
    plan_hash: str


class Outcome(NamedTuple):
    """What goes (its status is `nothing` where nothing has changed), and what is held back."""

    export: Export
    held_back: Export | None


def decide(whole: Plan, forced: Plan, members: int, audience: Audience) -> Decision:
    """Judge a plan. What is forced goes whatever holds the rest: guests who are suppressed, or are no guests any more."""
    swing = max(whole.came, whole.went - forced.went)
    if members >= GUARDED_FROM and swing * 100 > members * audience.max_change_percent:
        return Decision([FORCED], HELD)
    if 0 < whole.adds < audience.min_rows:
        return Decision([FORCED, REMOVE], WAITING)
    return Decision(PARTS)


def pads(key: str | None) -> dict[str, bytes | None]:
    """Return what HMAC-SHA-256 by a key puts before the two texts that it hashes, None without a key."""
    if key is None:
        return {"inner_pad": None, "outer_pad": None}
    secret = key.encode()
    block = (hashlib.sha256(secret).digest() if len(secret) > BLOCK else secret).ljust(BLOCK, b"\0")
    return {"inner_pad": bytes(byte ^ INNER for byte in block), "outer_pad": bytes(byte ^ OUTER for byte in block)}


def take_turn(session: Session, channel: str) -> bool:
    """Take the turn of a channel until the end of the transaction that is open; False where another exporter has it."""
    return bool(session.look(EXPORT_LOCK, {"channel": channel})[0][0])


def export_audience(
    session: Session, files: ExportFiles, audience: Audience, asked: Asked, now: datetime, key: str | None = None
) -> Outcome:
    """Bring a channel up to date with an audience; whoever calls holds the channel's turn.

    `now`: the moment whose suppressions and consents count. `key`: that of the channel, for `login_hmac`. Raises
    `BadRequestError` where what is approved is no longer what would go, which is held instead, and `ExportError` where the folder
    knows more than we do.
    """
    finish_what_was_begun(session, files, audience, now)
    with session.transaction():
        outcome = _plan(session, audience, asked, now, key)
        if asked.mode == DRY_RUN:
            raise psycopg.Rollback
    export = outcome.export
    if asked.mode == DRY_RUN:
        return outcome
    if asked.plan_hash is not None and export.status != PLANNED:
        now_held = outcome.held_back or export
        raise BadRequestError(
            f"{audience.audience}: the plan has changed: it is export {now_held.seq} now, -{now_held.removes} +{now_held.adds}. "
            "Look again; nothing was handed over"
        )
    if files.published_hash(audience.audience, export.seq) is not None:
        raise ExportError(
            f"{audience.audience}: export {export.seq} lies in its folder already, and this warehouse does not know it. Was it "
            "restored from a backup? Move that folder away, and start this with the mode 'full'"
        )
    # What a run before this one has left, and no manifest has made an export.
    files.delete(audience.audience, export.seq)
    if export.status == NOTHING:
        return outcome
    _write(session, files, audience, export)
    return outcome._replace(export=_publish(session, audience, export, now))


def finish_what_was_begun(session: Session, files: ExportFiles, audience: Audience, now: datetime) -> None:
    """Take an export for published whose manifest is there, though whoever made it has not come to say so."""
    with session.transaction():
        unfinished = _open(session, audience)
    for export in unfinished:
        if export.status == PLANNED and files.published_hash(audience.audience, export.seq) == export.plan_hash:
            _publish(session, audience, export, now)


def old_exports(session: Session, published_before: datetime) -> list[tuple[str, int]]:
    """Return audience and number of the exports whose files are still there and older than that."""
    return [
        (audience, seq) for audience, seq in session.ask(AUDIENCE_EXPORTS_OLD, {"published_before": published_before})
    ]


def delete_files(session: Session, files: ExportFiles, exports: Sequence[tuple[str, int]], now: datetime) -> None:
    """Delete the files of exports, and note it."""
    for audience, seq in exports:
        files.delete(audience, seq)
        with session.transaction():
            session.run([AUDIENCE_EXPORTS_DELETED], {"audience": audience, "seq": seq, "deleted_dt": now})


def _open(session: Session, audience: Audience) -> list[Export]:
    """Return the exports that are not published, in the transaction that is open."""
    return [Export(*row) for row in session.look(AUDIENCE_EXPORTS_OPEN, {"audience": audience.audience})]


def _plan(session: Session, audience: Audience, asked: Asked, now: datetime, key: str | None) -> Outcome:
    """Plan an export anew, in the transaction that is open: its rows, and what becomes of the members."""
    session.run([WHOLE], {"lock_timeout_ms": LOCK_TIMEOUT_MS})
    mode = DIFF if asked.mode == DRY_RUN else asked.mode
    if asked.plan_hash is not None:
        mode = next((export.mode for export in _open(session, audience) if export.seq == asked.seq), mode)
    params = {"audience": audience.audience, "mode": mode, "planned_dt": now, **pads(key)}
    session.run(AUDIENCE_PLANNED, params)
    ((as_of, members, last_seq, skipped),) = session.look(AUDIENCE_NOW, params)
    decision = _decided(session, audience, asked, members, last_seq + 1)
    others = [part for part in PARTS if part not in decision.parts]
    goes, rest = (_plan_of(session, parts) for parts in (decision.parts, others))
    # What is forced goes as what has changed, though the rest would be everybody anew.
    export = Export(
        seq=last_seq + 1,
        mode=DIFF if decision.rest == HELD else mode,
        status=PLANNED if goes.adds or goes.removes else NOTHING,
        as_of=as_of or now,
        planned_dt=now,
        adds=goes.adds,
        removes=goes.removes,
        members_after=members + goes.came - goes.went,
        skipped=dict.fromkeys(SKIPPED, 0) | skipped,
        plan_hash=goes.plan_hash,
    )
    session.run([AUDIENCE_MEMBER_CHANGES], {**params, "parts": list(decision.parts)})
    if export.status == PLANNED:
        _store(session, audience, asked, export)
        session.run([AUDIENCE_EXPORT_ROWS], {**params, "seq": export.seq, "parts": list(decision.parts)})
    else:
        session.run(AUDIENCE_MEMBERS, {**params, "seq": None, "since_dt": now})
    if not (rest.adds or rest.removes):
        return Outcome(export, None)
    held_back = export._replace(
        seq=export.seq + (export.status == PLANNED),
        mode=mode,
        status=decision.rest,
        adds=rest.adds,
        removes=rest.removes,
        members_after=export.members_after + rest.came - rest.went,
        plan_hash=rest.plan_hash,
    )
    _store(session, audience, asked, held_back)
    return Outcome(export, held_back)


def _decided(session: Session, audience: Audience, asked: Asked, members: int, seq: int) -> Decision:
    whole = _plan_of(session, PARTS)
    if asked.plan_hash is None:
        return decide(whole, _plan_of(session, [FORCED]), members, audience)
    # What is another one by now is held whole, to be looked at; what has no need of that goes with the next hour's run.
    return Decision(PARTS) if (asked.seq, asked.plan_hash) == (seq, whole.plan_hash) else Decision([], HELD)


def _plan_of(session: Session, parts: Sequence[str]) -> Plan:
    return Plan(*session.look(AUDIENCE_PLAN, {"parts": list(parts)})[0])


def _store(session: Session, audience: Audience, asked: Asked, export: Export) -> None:
    more = {"audience": audience.audience, "planned_by": asked.by, "skipped": json.dumps(export.skipped)}
    session.run([AUDIENCE_EXPORTS], export._asdict() | more)


def _write(session: Session, files: ExportFiles, audience: Audience, export: Export) -> None:
    """Write the files of a planned export, and let its manifest appear."""
    header = header_of(audience.format, audience.identifier)
    hashes = {}
    for op in ("remove", "add"):
        params = {"audience": audience.audience, "seq": export.seq, "op": op}
        identifiers = [identifier for (identifier,) in session.ask(AUDIENCE_EXPORT_ROWS_OF, params)]
        hashes[f"{op}.csv"] = files.write(audience.audience, export.seq, f"{op}.csv", header, identifiers)
    manifest = {
        "audience": audience.audience,
        "channel": audience.channel,
        "seq": export.seq,
        "previous_seq": export.seq - 1 or None,
        "mode": export.mode,
        "as_of": export.as_of.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "identifier": audience.identifier,
        "adds": export.adds,
        "removes": export.removes,
        "members_after": export.members_after,
        "skipped": export.skipped,
        "plan_hash": export.plan_hash,
        "files": hashes,
    }
    files.publish(audience.audience, export.seq, manifest)


def _publish(session: Session, audience: Audience, export: Export, now: datetime) -> Export:
    """Say that an export is out, and let the members be those that it leaves."""
    params = {"audience": audience.audience, "seq": export.seq, "since_dt": export.planned_dt, "published_dt": now}
    with session.transaction():
        session.run([AUDIENCE_EXPORT_ROWS_ERASED, *AUDIENCE_MEMBERS, AUDIENCE_EXPORTS_PUBLISHED], params)
    return export._replace(status=PUBLISHED)

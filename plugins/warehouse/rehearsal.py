"""A rehearsal of a tag rule: run in the warehouse, told in words, drawn as a picture."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, NamedTuple

from warehouse.laws import one_snapshot
from warehouse.layers import (
    REHEARSAL,
    REHEARSED,
    RULE_CATEGORIES,
    RULE_TO_REHEARSE,
    TAG_CLOCK,
    TRANSACTION,
    WHOLE,
)
from warehouse.requests import BadRequestError, near
from warehouse.session import Session

REHEARSAL_FILES = (TRANSACTION, WHOLE, *REHEARSAL, REHEARSED, RULE_CATEGORIES, RULE_TO_REHEARSE, TAG_CLOCK)
A_YEAR = timedelta(days=365)
NOBODY = "somebody"
# Tags that guests have, too, in the log and the picture: the rest is in cdm.v_rehearsal_overlaps, and the page.
OVERLAPS_TOLD = 20
# Of the picture, in pixels.
WIDTH, HEIGHT, MARGIN = 960, 260, 40


class Week(NamedTuple):
    """A week of a rehearsal, by its Monday."""

    week: str
    entries: int
    exits: int
    exits_by_time: int
    carried: int


class Rehearsal(NamedTuple):
    """What a rule would do."""

    id: int
    guests: int
    would_enter: int
    would_leave: int
    kept_by_hysteresis: int
    flapping_guests: int
    most_entries: int
    dated_ahead: int
    weeks: Sequence[Week]
    near: Sequence[tuple[int, int]]
    overlaps: Sequence[tuple[str, int, int, int]]


def wanted(session: Session, request: Mapping[str, Any], by: str | None) -> dict[str, Any]:
    """Return the parameters of a rehearsal that a run asks for. Raises `BadRequestError` with what is allowed."""
    tag = (request["tag"] or "").strip()
    if not tag:
        raise BadRequestError(
            "'tag' must name the tag whose draft or rule is rehearsed, or a new one with its category"
        )
    rule = {name: request[name] for name in ("category", "threshold", "window_days", "exit_threshold")}
    if not rule["category"]:
        found = session.ask(RULE_TO_REHEARSE, {"tag": tag})
        if not found:
            raise BadRequestError(
                f"{tag!r} has no draft and no rule in force: give the category and the rest of a rule"
            )
        rule = dict(zip(rule, found[0], strict=True))
    known = [name for (name,) in session.ask(RULE_CATEGORIES)]
    if rule["category"] not in known:
        raise BadRequestError(f"no menu has the category {rule['category']!r}{near(rule['category'], known)}")
    if rule["exit_threshold"] is not None and rule["exit_threshold"] > rule["threshold"]:
        raise BadRequestError(
            f"'exit_threshold' must be from 0 to the threshold, which is {rule['threshold']}, not {rule['exit_threshold']}"
        )
    now = datetime.now(UTC)
    as_of = request["as_of"] or next((stands for (stands,) in session.ask(TAG_CLOCK)), now)
    from_dt = request["from"] or as_of - A_YEAR
    if from_dt >= as_of:
        raise BadRequestError(f"'from' must be before 'as_of', which is {as_of.isoformat()}, not {from_dt.isoformat()}")
    moments = {"from_dt": from_dt, "as_of": as_of, "zone": request["zone"], "load_dt": now}
    return {"tag": tag, "made_by": by or NOBODY, **moments, **rule}


def rehearse(session: Session, params: Mapping[str, Any]) -> Rehearsal:
    """Rehearse in one transaction, of one snapshot, which writes nothing but what comes of it; return that.

    Raises `RebuildIsOnError` where the vault is being built again for longer than a statement may wait.
    """
    with one_snapshot(session, {"lock_timeout_ms": session.params["statement_timeout_ms"]}):
        session.run(REHEARSAL, params)
    ((*counts, weeks, near_misses, overlaps),) = session.ask(REHEARSED, {"load_dt": params["load_dt"]})
    lists = [Week(*week) for week in weeks or ()], [*map(tuple, near_misses or ())], [*map(tuple, overlaps or ())]
    return Rehearsal._make([*counts, *lists])


def in_words(params: Mapping[str, Any], told: Rehearsal) -> list[str]:
    """Return the lines of the log that a person reads."""
    window = f" within {params['window_days']} days" if params["window_days"] else ""
    leaves = "" if params["exit_threshold"] is None else f", kept down to {params['exit_threshold']}"
    rule = f"{params['tag']}: more than {params['threshold']} of {params['category']}{window}{leaves}"
    changes = f"{told.would_enter:,} new ones; {told.would_leave:,} who carry it now would not"
    first, more = told.overlaps[:OVERLAPS_TOLD], len(told.overlaps) - OVERLAPS_TOLD
    often = f"{told.flapping_guests:,} got it more than once, at most {told.most_entries:,} times"
    return [
        f"{rule}, as of {params['as_of'].isoformat()} by today's menus",
        f"{told.guests:,} guests would carry it: {changes}",
        f"{told.kept_by_hysteresis:,} by the exit threshold alone; {often}; {told.dated_ahead:,} orders are dated ahead",
        *(f"{guests:,} {f'miss {missing}' if missing else 'leave within 7 days'}" for missing, guests in told.near),
        *(f"{both:,} have {tag}, too; {only:,} do not" for tag, both, only, _ in first),
        *([f"{more:,} more tags are in cdm.v_rehearsal_overlaps"] if more > 0 else []),
        *(in_words_of_week(week) for week in told.weeks),
    ]


def in_words_of_week(week: Week) -> str:
    """Return a line: `2026-03-09: 1 in, 0 out (0 by time), 1 carry it`."""
    return f"{week.week}: {week.entries:,} in, {week.exits:,} out ({week.exits_by_time:,} by time), {week.carried:,} carry it"


def picture(params: Mapping[str, Any], told: Rehearsal) -> str:
    """Return the weeks as a page of HTML with one drawing: a line of those who carry the tag, bars of who comes and goes."""
    most = max([1, *(week.carried for week in told.weeks)])
    moved = max([1, *(max(week.entries, week.exits) for week in told.weeks)])
    step = (WIDTH - 2 * MARGIN) / max(1, len(told.weeks))
    base, reach = HEIGHT / 2, HEIGHT / 2 - MARGIN
    bars, points = [], []
    for number, week in enumerate(told.weeks):
        left, width = MARGIN + number * step, max(1.0, step * 0.7)
        up, down = reach * week.entries / moved, reach * week.exits / moved
        by_time = reach * week.exits_by_time / moved
        bars += [
            f"<g><title>{escape(in_words_of_week(week))}</title>",
            f'<rect x="{left:.1f}" y="{base - up:.1f}" width="{width:.1f}" height="{up:.1f}" fill="#2f7d4f"/>',
            f'<rect x="{left:.1f}" y="{base:.1f}" width="{width:.1f}" height="{down:.1f}" fill="#b5482f"/>',
            f'<rect x="{left:.1f}" y="{base:.1f}" width="{width:.1f}" height="{by_time:.1f}" fill="#d9a441"/></g>',
        ]
        points.append(f"{left + width / 2:.1f},{HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * week.carried / most:.1f}")
    title = escape(in_words(params, told)[0])
    lines = "".join(f"<li>{escape(line)}</li>" for line in in_words(params, told)[1:])
    return (
        f'<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">{"".join(bars)}'
        f'<polyline points="{" ".join(points)}" fill="none" stroke="#1f3f77" stroke-width="2"/>'
        f'<text x="{MARGIN}" y="20">up: in; down: out, yellow by time; line: who carry it, at most {most:,}</text></svg>'
        f"<ul>{lines}</ul>"
    )

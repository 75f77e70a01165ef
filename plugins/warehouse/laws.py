"""Checks the laws of the data: each statement in `sql/checks/` selects the rows that break one.

A law says what it is over. `orders`, `guests` and `rows` (of its table, by their own key) are asked of a `Scope`: what
changed, and a slice of all keys. Keys are hashes, so a slice of the keys is as large a slice of the rows. `all` is asked of
everything each time: small tables, queues. What neither a difference nor a slice can check and is not small is `all, once a
round`: such laws take turns while the slices go through the keys. One text serves every scope; `EVERYTHING` is one, too.
"""

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from warehouse.constants import SQL_FOLDER
from warehouse.errors import without_rows
from warehouse.gather import CANNOT, bring
from warehouse.layers import CHECK_PROGRESS, CHECKED, CHECKED_BEFORE, LAW_CHECKS, WHOLE
from warehouse.rejection import described
from warehouse.session import Session
from warehouse.sql_files import is_distributed, read_sql, run_sql, with_own_names

LAWS_FOLDER = "checks"
# Each statement of a file begins so; the name is that of the table, and a word of its own where the table has several laws.
HEADER = re.compile(r"^-- Law ([\w.]+): ", re.MULTILINE)
OVER = re.compile(r"^-- Over: (orders|guests|rows|all|all, once a round)$", re.MULTILINE)
KEYS = 2**128
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
# A round through all keys is a day of hourly checks. A check that comes later takes more of them: what falls due in this time.
ROUND = 24 * HOUR
MAX_LATE = 4 * HOUR
# How much of what changed a check looks at besides its slice; and what a load may take from its time stamp to its commit.
MAX_CHANGED = 20_000
OVERLAP = 2 * HOUR


# Columns whose texts are ours, or of who runs the warehouse. Any other text may be what a message or a document has brought: more
# people read logs than may read rows.
OWN_TEXTS = frozenset(
    "audience detail event event_before grp kind last_event object_type op source tag topic who why withdrawn_by".split()  # noqa: SIM905
)


class RebuildIsOnError(Exception):
    """The vault is being built again; whoever looked now would see an empty one, so nothing was looked at."""


class Law(NamedTuple):
    """A law: its name, such as `dds.h_order.current`, its file below `sql/`, and the query for the rows that break it."""

    name: str
    file: str
    text: str

    @property
    def words(self) -> str:
        """The law in words: the header of its statement."""
        comment = self.text.split("\n-- Over:", maxsplit=1)[0]
        return HEADER.sub("", comment).replace("\n-- ", " ")

    @property
    def over(self) -> str:
        """What the law is over."""
        (kind,) = OVER.findall(self.text)
        return str(kind)

    @property
    def is_of_a_part(self) -> bool:
        """Whether it is asked of the scope alone."""
        return not self.over.startswith("all")

    @property
    def takes_turns(self) -> bool:
        """Whether it is asked once a round."""
        return self.over == "all, once a round"


class Scope(NamedTuple):
    """What is asked about: what was stored later than `changed_since`, and a slice of all keys (none: no first key)."""

    changed_since: str
    first_key: UUID | None
    last_key: UUID

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the laws and of what they are asked of."""
        return self._asdict()

    def due(self, laws: Sequence[Law]) -> list[Law]:
        """Return the laws that are asked; of those that take turns the ones whose place in the round is in the slice."""
        turns = [law for law in laws if law.takes_turns]
        places = {law: UUID(int=KEYS * place // len(turns)) for place, law in enumerate(turns)}
        return [law for law in laws if law not in places or self.holds(places[law])]

    def holds(self, key: UUID) -> bool:
        """Tell whether a key is in the slice."""
        return self.first_key is not None and self.first_key <= key <= self.last_key


LAST_KEY = UUID(int=KEYS - 1)
EVERYTHING = Scope("-infinity", UUID(int=0), LAST_KEY)


class Progress(NamedTuple):
    """How far the checks have come, what waits, and which laws were broken when last asked (`sql/ask/stg/check_progress.sql`)."""

    checked_key: UUID | None
    checked_dt: datetime | None
    changed_since: str
    waiting_since: datetime | None
    broken_before: Sequence[str]

    def next_scope(self, now: datetime) -> Scope:
        """Return what is to be asked about: what changed, and as large a slice as has fallen due since the last check."""
        late = now - (self.checked_dt or now)
        minutes = round(min(max(late, HOUR), MAX_LATE) / MINUTE)
        size = -(-KEYS * minutes // (ROUND // MINUTE))
        first = 0 if self.checked_key in (None, LAST_KEY) else self.checked_key.int + 1
        return Scope(self.changed_since, UUID(int=first), UUID(int=min(first + size, KEYS) - 1))

    def after(self, scope: Scope, now: datetime) -> "Progress":
        """Return how far they have come with this scope, by a check that began now.

        What waited then, and what was stored shortly before and perhaps not committed, counts as changed the next time, too.
        """
        changed_since = min(now, self.waiting_since or now) - OVERLAP
        return self._replace(checked_key=scope.last_key, checked_dt=now, changed_since=changed_since.isoformat())


def read_laws() -> list[Law]:
    """Read the laws of `sql/checks/`. Raises FileNotFoundError where there is none: no law holds because none was asked."""
    laws = [law for path in sorted(Path(SQL_FOLDER, LAWS_FOLDER).glob("*.sql")) for law in laws_of(path)]
    if not laws:
        raise FileNotFoundError(f"{SQL_FOLDER}/{LAWS_FOLDER} holds no law")
    return laws


def laws_of(path: Path) -> list[Law]:
    """Return the laws of a file: a statement each."""
    text = path.read_text(encoding="utf-8")
    headers = list(HEADER.finditer(text))
    ends = [*(header.start() for header in headers[1:]), len(text)]
    return [
        Law(header[1], f"{LAWS_FOLDER}/{path.name}", text[header.start() : end])
        for header, end in zip(headers, ends, strict=True)
    ]


class Answers(NamedTuple):
    """What a check has found: the laws that were asked, the broken ones (law: rows), and those without an answer (law: error)."""

    asked: Sequence[Law]
    broken: dict[str, int]
    unanswered: dict[str, str]


@contextmanager
def one_snapshot(session: Session, params: Mapping[str, Any]) -> Iterator[None]:
    """Hold one repeatable-read transaction, which sees the loads that have committed, each whole; no load waits for it.

    `WHOLE` keeps rebuilds of the vault out; raises `RebuildIsOnError` where one does not end within its `lock_timeout_ms`.
    """
    before = session.connection.isolation_level
    session.connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
    try:
        with session.transaction():
            try:
                session.run([WHOLE], params)
            except psycopg.errors.LockNotAvailable as error:
                raise RebuildIsOnError(str(error).strip()) from error
            yield
    finally:
        session.connection.set_isolation_level(before)


def check_laws(
    session: Session, laws: Sequence[Law], params: Mapping[str, Any], *, max_rows: int
) -> tuple[dict[str, int], dict[str, str]]:
    """Check all laws of everything in one snapshot; return the broken ones (law: rows) and those without an answer (law: error).

    Each law is logged with its rows and seconds, the first `max_rows` offending rows as JSON, by their keys: of texts
    that are not ours the kind and the length. A law that PostgreSQL does not
    answer (a statement timeout, a table that is gone) costs none of the others. Nothing is written.
    """
    with one_snapshot(session, params):
        return ask_laws(session.connection, laws, params, max_rows=max_rows, log=session.log)


def check_next(
    session: Session, laws: Sequence[Law], params: Mapping[str, Any], *, max_rows: int, everything: bool = False
) -> Answers:
    """Check what is due (or everything), as `check_laws` does, and write the answers and how far the checks have come.

    A law that was broken is asked of everything until it holds: elsewhere than where it is broken it would seem to hold. While a
    law has no answer the checks come no step farther.
    """
    now = datetime.now(UTC)
    with one_snapshot(session, params):
        (row,) = session.ask(CHECKED_BEFORE, {"max_changed": MAX_CHANGED})
        progress = Progress(*row)
        scope = EVERYTHING if everything else progress.next_scope(now)
        suspects = [law for law in laws if law.name in progress.broken_before]
        due = [law for law in scope.due(laws) if law not in suspects]
        answers = Answers([*due, *suspects], {}, {})
        for asked, of in ((due, scope), (suspects, EVERYTHING)):
            if asked:
                broken, unanswered = ask_laws(
                    session.connection, asked, params, max_rows=max_rows, log=session.log, scope=of
                )
                answers.broken.update(broken)
                answers.unanswered.update(unanswered)
    _store(session, laws, answers, progress.after(scope, now))
    return answers


def ask_laws(
    connection: psycopg.Connection[Any],
    laws: Sequence[Law],
    params: Mapping[str, Any],
    *,
    max_rows: int,
    log: logging.Logger,
    scope: Scope = EVERYTHING,
) -> tuple[dict[str, int], dict[str, str]]:
    """Check the laws inside the connection's transaction, whatever it sees; else as `check_laws`."""
    broken: dict[str, int] = {}
    unanswered: dict[str, str] = {}
    values = {**params, **scope.params}
    brought: dict[tuple[str, str], str] = {}
    of_all, of_a_part = ([law for law in laws if law.is_of_a_part is part] for part in (False, True))
    for law in [*of_all, *of_a_part]:
        if of_a_part and law is of_a_part[0]:
            # Large tables are read by index alone from here on.
            run_sql(connection, read_sql(CHECKED), values, log)
        started = time.monotonic()
        try:
            rows, shown = _offending_rows(connection, law, values, max_rows, brought)
        except psycopg.Error as error:
            if connection.broken:
                raise
            unanswered[law.name] = without_rows(error)
            log.error("%-36s can't be checked: %s", law.name, unanswered[law.name])  # noqa: TRY400  # the text says it all
            continue
        log.info("%-36s %9d rows in %6.2f s", law.name, rows, time.monotonic() - started)
        if rows:
            broken[law.name] = rows
            _log_broken(law, rows, shown, log)
    return broken, unanswered


def _store(session: Session, laws: Sequence[Law], answers: Answers, progress: Progress) -> None:
    """Write answers to `stg.law_checks`, and how far the checks have come. `laws`: all there are."""
    answered = [law.name for law in answers.asked if law.name not in answers.unanswered]
    params = {
        "laws": [law.name for law in laws],
        "answered": answered,
        "broken_rows": [answers.broken.get(name, 0) for name in answered],
        "checked_dt": datetime.now(UTC),
    }
    with session.transaction():
        session.run([LAW_CHECKS], params)
        if not answers.unanswered:
            session.run([CHECK_PROGRESS], progress._asdict())


def _offending_rows(
    connection: psycopg.Connection[Any],
    law: Law,
    params: Mapping[str, Any],
    max_rows: int,
    brought: dict[tuple[str, str], str],
) -> tuple[int, list[str]]:
    """Return how many rows break the law, and the first of them as they may be told; the rest is counted as it streams by.

    `brought`: what has come to the coordinator for the laws before, where the warehouse is distributed.
    """
    text = law.text
    while True:
        try:
            with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
                cursor.execute("set transaction read only")
                rows = cursor.stream(with_own_names(connection, text), params)
                shown = [_told(row) for row in islice(rows, max_rows)]
                return len(shown) + sum(1 for _ in rows), shown
        except CANNOT:
            if text is not law.text or not is_distributed(connection):
                raise
        text = bring(connection, law.text, law.over, brought)


def _told(row: Mapping[str, Any]) -> str:
    """Return a row as JSON, of texts that are not ours only what they are."""
    told = {
        name: described(value) if isinstance(value, str | list | dict) and name not in OWN_TEXTS else value
        for name, value in row.items()
    }
    return json.dumps(told, default=str, ensure_ascii=False)


def _log_broken(law: Law, rows: int, shown: Sequence[str], log: logging.Logger) -> None:
    log.error("broken in %d rows: %s (sql/%s)", rows, law.words, law.file)
    for row in shown:
        log.error("  %s", row)
    if rows > len(shown):
        log.error("  and %d more: run the law to see them", rows - len(shown))

"""Checks the laws of the data: each statement in `sql/checks/` selects the rows that break one."""

import json
import logging
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import dict_row

from warehouse.constants import SQL_FOLDER
from warehouse.layers import LAW_CHECKS, WHOLE
from warehouse.session import Session

LAWS_FOLDER = "checks"
# Each statement of a file begins so; the name is that of the table, and a word of its own where the table has several laws.
HEADER = re.compile(r"^-- Law ([\w.]+): ", re.MULTILINE)


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
        comment = self.text.split("\n-- Params:", maxsplit=1)[0]
        return HEADER.sub("", comment).replace("\n-- ", " ")


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


def check_laws(
    session: Session, laws: Sequence[Law], params: Mapping[str, Any], *, max_rows: int
) -> tuple[dict[str, int], dict[str, str]]:
    """Check all laws in one snapshot; return the broken ones (law: rows) and those that could not be checked (law: error).

    Each law is logged with its rows and seconds, the first `max_rows` offending rows as JSON. A law that PostgreSQL does not
    answer (a statement timeout, a table that is gone) costs none of the others. Nothing is written and no load waits: one
    repeatable-read transaction sees the loads that have committed, each whole. `WHOLE` keeps rebuilds of the vault out; raises
    `RebuildIsOnError` where one does not end within its `lock_timeout_ms`.
    """
    session.connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
    session.connection.set_read_only(True)
    with session.transaction():
        try:
            session.run([WHOLE], params)
        except psycopg.errors.LockNotAvailable as error:
            raise RebuildIsOnError(str(error).strip()) from error
        return ask_laws(session.connection, laws, params, max_rows=max_rows, log=session.log)


def ask_laws(
    connection: psycopg.Connection[Any],
    laws: Sequence[Law],
    params: Mapping[str, Any],
    *,
    max_rows: int,
    log: logging.Logger,
) -> tuple[dict[str, int], dict[str, str]]:
    """Check the laws inside the connection's transaction, whatever it sees; else as `check_laws`."""
    broken: dict[str, int] = {}
    unanswered: dict[str, str] = {}
    for law in laws:
        started = time.monotonic()
        try:
            rows, shown = _offending_rows(connection, law, params, max_rows)
        except psycopg.Error as error:
            if connection.broken:
                raise
            unanswered[law.name] = str(error).strip()
            log.error("%-36s can't be checked: %s", law.name, unanswered[law.name])  # noqa: TRY400  # the text says it all
            continue
        log.info("%-36s %9d rows in %6.2f s", law.name, rows, time.monotonic() - started)
        if rows:
            broken[law.name] = rows
            _log_broken(law, rows, shown, log)
    return broken, unanswered


def store_answers(
    session: Session, laws: Sequence[Law], broken: Mapping[str, int], unanswered: Mapping[str, str]
) -> None:
    """Write what `check_laws` has found to `stg.law_checks`."""
    names = [law.name for law in laws]
    answered = [name for name in names if name not in unanswered]
    session.connection.set_isolation_level(None)
    session.connection.set_read_only(None)
    answers = {"laws": names, "answered": answered, "broken_rows": [broken.get(name, 0) for name in answered]}
    with session.transaction():
        session.run([LAW_CHECKS], {**answers, "checked_dt": datetime.now(UTC)})


def _offending_rows(
    connection: psycopg.Connection[Any], law: Law, params: Mapping[str, Any], max_rows: int
) -> tuple[int, list[str]]:
    """Return how many rows break the law, and the first of them as JSON; the rest is counted as it streams by."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.stream(law.text, params)
        shown = [json.dumps(row, default=str, ensure_ascii=False) for row in islice(rows, max_rows)]
        return len(shown) + sum(1 for _ in rows), shown


def _log_broken(law: Law, rows: int, shown: Sequence[str], log: logging.Logger) -> None:
    log.error("broken in %d rows: %s (sql/%s)", rows, law.words, law.file)
    for row in shown:
        log.error("  %s", row)
    if rows > len(shown):
        log.error("  and %d more: run the law to see them", rows - len(shown))

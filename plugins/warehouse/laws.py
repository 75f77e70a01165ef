"""Checks the laws of the data: each file of `sql/checks/` selects the rows that break one."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from warehouse.constants import SQL_FOLDER
from warehouse.sql_files import SqlFile, read_sql, run_sql

LAWS_FOLDER = "checks"


class RebuildIsOnError(Exception):
    """The vault is being built again; whoever looked now would see an empty one, so nothing was looked at."""


def read_laws() -> list[SqlFile]:
    """Read every file of `sql/checks/`. Raises FileNotFoundError where there is none: no law holds because none was asked."""
    names = sorted(path.name for path in Path(SQL_FOLDER, LAWS_FOLDER).glob("*.sql"))
    if not names:
        raise FileNotFoundError(f"{SQL_FOLDER}/{LAWS_FOLDER} holds no law")
    return read_sql([f"{LAWS_FOLDER}/{name}" for name in names])


def check_laws(
    connection: psycopg.Connection[Any],
    *,
    prepare: Sequence[SqlFile],
    laws: Sequence[SqlFile],
    params: Mapping[str, Any],
    max_rows: int,
    log: logging.Logger,
) -> tuple[dict[str, int], dict[str, str]]:
    """Check all laws in one snapshot; return the broken ones (law: rows) and those that could not be checked (law: error).

    Each law is logged with its rows and seconds, the first `max_rows` offending rows as JSON. A law that PostgreSQL does not
    answer (a statement timeout, a table that is gone) costs none of the others. Nothing is written and no load waits: one
    repeatable-read transaction sees the loads that have committed, each whole. `prepare` ends with `sql/whole.sql`, which keeps
    rebuilds of the vault out; raises `RebuildIsOnError` where one does not end within its `lock_timeout_ms`.
    """
    connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
    connection.set_read_only(True)
    with connection.transaction():
        try:
            run_sql(connection, prepare, params, log)
        except psycopg.errors.LockNotAvailable as error:
            raise RebuildIsOnError(str(error).strip()) from error
        return ask_laws(connection, laws, params, max_rows=max_rows, log=log)


def ask_laws(
    connection: psycopg.Connection[Any],
    laws: Sequence[SqlFile],
    params: Mapping[str, Any],
    *,
    max_rows: int,
    log: logging.Logger,
) -> tuple[dict[str, int], dict[str, str]]:
    """Check the laws inside the connection's transaction, whatever it sees; else as `check_laws`."""
    broken: dict[str, int] = {}
    unanswered: dict[str, str] = {}
    for law in laws:
        name = Path(law.name).stem
        started = time.monotonic()
        try:
            rows, shown = _offending_rows(connection, law, params, max_rows)
        except psycopg.Error as error:
            if connection.broken:
                raise
            unanswered[name] = str(error).strip()
            log.error("%-36s can't be checked: %s", name, unanswered[name])  # noqa: TRY400  # the text says it all
            continue
        log.info("%-36s %9d rows in %6.2f s", name, rows, time.monotonic() - started)
        if rows:
            broken[name] = rows
            _log_broken(law, rows, shown, log)
    return broken, unanswered


def store_answers(
    connection: psycopg.Connection[Any],
    *,
    files: Sequence[SqlFile],
    laws: Sequence[SqlFile],
    broken: Mapping[str, int],
    unanswered: Mapping[str, str],
    params: Mapping[str, Any],
    log: logging.Logger,
) -> None:
    """Write what `check_laws` has found to `stg.law_checks`; `params` are those of a transaction, and `checked_dt`."""
    names = [Path(law.name).stem for law in laws]
    answered = [name for name in names if name not in unanswered]
    connection.set_isolation_level(None)
    connection.set_read_only(None)
    with connection.transaction():
        answers = {"laws": names, "answered": answered, "broken_rows": [broken.get(name, 0) for name in answered]}
        run_sql(connection, files, {**params, **answers}, log)


def stated_law(law: SqlFile) -> str:
    """Return the law in words: the header of its file."""
    lines = [line.removeprefix("--").strip() for line in law.text.split("\n-- Params:", maxsplit=1)[0].splitlines()]
    return " ".join(lines).removeprefix("Law: ")


def _offending_rows(
    connection: psycopg.Connection[Any], law: SqlFile, params: Mapping[str, Any], max_rows: int
) -> tuple[int, list[str]]:
    """Return how many rows break the law, and the first of them as JSON; the rest is counted as it streams by."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.stream(law.text, params)
        shown = [json.dumps(row, default=str, ensure_ascii=False) for row in islice(rows, max_rows)]
        return len(shown) + sum(1 for _ in rows), shown


def _log_broken(law: SqlFile, rows: int, shown: Sequence[str], log: logging.Logger) -> None:
    log.error("broken in %d rows: %s (sql/%s)", rows, stated_law(law), law.name)
    for row in shown:
        log.error("  %s", row)
    if rows > len(shown):
        log.error("  and %d more: run the file to see them", rows - len(shown))

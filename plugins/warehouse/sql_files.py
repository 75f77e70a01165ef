"""Runs SQL files inside one transaction, and says in one line each what they did."""

import logging
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import psycopg

from warehouse.constants import SQL_FOLDER

WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE")

# The temporary tables of a transaction. tests/sql/test_sql_laws.py sees to it that they, and nothing else, are named so.
TEMPORARY = re.compile(r"\b(?:batch|incoming)_\w+")
CREATED = re.compile(r"create temporary table (\w+)")
_numbers = count(1)
_own_names: WeakKeyDictionary[psycopg.Connection[Any], dict[str, str]] = WeakKeyDictionary()


class SqlFile(NamedTuple):
    """A file below `sql/`: its name, such as `dds/h_order.sql`, and its text with psycopg's `%(name)s` parameters."""

    name: str
    text: str

    @property
    def table(self) -> str:
        """The table that the file fills, such as `dds.h_order`, in whichever room of `sql/` it lies."""
        return ".".join(self.name.removesuffix(".sql").split("/")[-2:])


def read_sql(names: Iterable[str]) -> list[SqlFile]:
    """Read files below `sql/`, in the order given. Tasks get them from Airflow's template search path instead."""
    return [SqlFile(name, Path(SQL_FOLDER, name).read_text(encoding="utf-8")) for name in names]


def named_sql(names: Sequence[str], texts: Sequence[str]) -> list[SqlFile]:
    """Pair the names given to an operator with the texts that Airflow has rendered from them.

    Airflow only logs a file that it does not find and leaves the name in place of the text: here that is an error.
    """
    missing = [text for text in texts if text.endswith(".sql")]
    if missing:
        raise FileNotFoundError(f"not found on the DAG's template_searchpath: {', '.join(missing)}")
    return [SqlFile(name, text) for name, text in zip(names, texts, strict=True)]


def run_sql(
    connection: psycopg.Connection[Any], files: Sequence[SqlFile], params: Mapping[str, Any], log: logging.Logger
) -> dict[str, int]:
    """Run files one after another in the connection's transaction; return the rows that each has written, by table.

    A file that writes (most do) is logged with its rows and seconds. Parameters are bound by the client: so a file may hold
    several statements (a temporary table is created, filled and analysed).
    """
    counts = {}
    with psycopg.ClientCursor(connection) as cursor:
        for file in files:
            started = time.monotonic()
            cursor.execute(with_own_names(connection, file.text), params)
            rows = _rows_written(cursor)
            if rows is not None:
                counts[file.table] = rows
                log.info("%-32s %9d rows in %6.2f s", file.table, rows, time.monotonic() - started)
    return counts


def with_own_names(connection: psycopg.Connection[Any], text: str) -> str:
    """Return an SQL text in which a temporary table has a name of its own each time it is created: `batch_orders_4711_1`.

    Beside an open transaction the catalogues keep a dead row of every temporary table there was, and to look up a name is to
    read all rows that have borne it: beside a report of seven hours a minute's run read nine times as many pages.
    """
    names = _own_names.setdefault(connection, {})
    for name in CREATED.findall(text):
        names[name] = f"{name}_{connection.info.backend_pid}_{next(_numbers)}"
    return TEMPORARY.sub(lambda found: names.get(found[0], found[0]), text)


def _rows_written(cursor: psycopg.ClientCursor[Any]) -> int | None:
    """Return the rows written by all statements of the last execute, None where none of them writes."""
    rows = None
    while True:
        if (cursor.statusmessage or "").startswith(WRITES):
            rows = (rows or 0) + cursor.rowcount
        if not cursor.nextset():
            return rows

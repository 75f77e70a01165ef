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
from warehouse.distribution import MAKING, WORK, WORK_SCHEMA, layout_digest, said_otherwise

WRITES = ("INSERT", "UPDATE", "DELETE", "MERGE")

# The temporary tables of a transaction. tests/sql/test_sql_laws.py sees to it that they, and nothing else, are named so.
TEMPORARY = re.compile(r"\b(?:batch|incoming)_\w+")
CREATED = re.compile(r"create temporary table (\w+)")
ANALYZED = re.compile(r"\banalyze (\w+)(?: \([^)]*\))?;")
_numbers = count(1)
_distributed: WeakKeyDictionary[psycopg.Connection[Any], bool] = WeakKeyDictionary()
_own_names: WeakKeyDictionary[psycopg.Connection[Any], dict[str, str]] = WeakKeyDictionary()


class LayoutError(Exception):
    """The warehouse is distributed otherwise than this release knows."""


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
            text, is_otherwise = said_here(connection, file)
            cursor.execute(text, params)
            rows = _rows_written(cursor, 1 if is_otherwise else None)
            if rows is not None:
                counts[file.table] = rows
                log.info("%-32s %9d rows in %6.2f s", file.table, rows, time.monotonic() - started)
    return counts


def said_here(connection: psycopg.Connection[Any], file: SqlFile) -> tuple[str, bool]:
    """Return a file's text as the connection's warehouse takes it, and whether that is another one than the file's."""
    otherwise = said_otherwise(file.name) if is_distributed(connection) else None
    text = file.text if otherwise is None else otherwise.read_text(encoding="utf-8")
    return with_own_names(connection, text), otherwise is not None


def is_distributed(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether the tables lie on several machines. Asks once a connection, in a transaction of its own where none is open.

    Raises LayoutError where they lie as another release's list said.
    """
    known = _distributed.get(connection)
    if known is None:
        query = f"select obj_description(to_regnamespace('{WORK_SCHEMA}'), 'pg_namespace')"
        with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
            (digest,) = cursor.execute(query).fetchone() or (None,)
        if digest not in (None, layout_digest()):
            raise LayoutError(
                "the warehouse was distributed by another release's list: run python -m deploy.distribute of this release "
                "(docs/scale.md)"
            )
        known = _distributed[connection] = digest is not None
    return known


def empty_work_tables(connection: psycopg.Connection[Any]) -> None:
    """Empty what the transaction has used of the tables that are not temporary, so that nobody ever sees a row of them."""
    if not is_distributed(connection):
        return
    names = _own_names.setdefault(connection, {})
    used = [name for name in WORK if name in names]
    for name in used:
        connection.execute(f"delete from {names.pop(name)}".encode())


def with_own_names(connection: psycopg.Connection[Any], text: str) -> str:
    """Return an SQL text in which a temporary table has a name of its own each time it is created: `batch_orders_4711_1`.

    Beside an open transaction the catalogues keep a dead row of every temporary table there was, and to look up a name is to
    read all rows that have borne it: beside a report of seven hours a minute's run read nine times as many pages.
    """
    names = _own_names.setdefault(connection, {})
    elsewhere: dict[str, str] = {}
    if is_distributed(connection):
        elsewhere = {name: f"{WORK_SCHEMA}.{name}" for name in WORK}
        names |= {name: elsewhere[name] for name, _ in MAKING.findall(text) if name in WORK}
        text = MAKING.sub(lambda found: "" if found[1] in WORK else found[0], text)
        text = ANALYZED.sub(lambda found: "" if found[1] in WORK else found[0], text)
    for name in CREATED.findall(text):
        names[name] = f"{name}_{connection.info.backend_pid}_{next(_numbers)}"
    known = elsewhere | names
    return TEMPORARY.sub(lambda found: known.get(found[0], found[0]), text)


def _rows_written(cursor: psycopg.ClientCursor[Any], statements: int | None = None) -> int | None:
    """Return the rows that the last execute has written, or its first `statements` that write; None where none does."""
    rows = None
    counted = 0
    while True:
        if (cursor.statusmessage or "").startswith(WRITES) and (statements is None or counted < statements):
            rows = (rows or 0) + cursor.rowcount
            counted += 1
        if not cursor.nextset():
            return rows

"""The warehouse as a task has it: a connection, and the SQL files that it may run there, by name."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import psycopg

from warehouse.layers import TRANSACTION
from warehouse.sql_files import SqlFile, empty_work_tables, is_distributed, run_sql, said_here, with_own_names

NONE: Mapping[str, Any] = MappingProxyType({})


class Session:
    """Runs SQL files by name. `TRANSACTION` is one of them; each gets the limit of its statements beside its own parameters."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        files: Iterable[SqlFile],
        *,
        statement_timeout_s: float = 300.0,
        log: logging.Logger,
    ) -> None:
        self.connection = connection
        self.files = {file.name: file for file in files}
        self.params = {"statement_timeout_ms": int(statement_timeout_s * 1000)}
        self.log = log

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold a transaction with the settings that all of the pipeline's have; commit it where the block succeeds."""
        # Asked before: inside, the question would take the snapshot of a transaction that must lock first (`WHOLE`).
        is_distributed(self.connection)
        with self.connection.transaction():
            self.run([TRANSACTION])
            yield
            empty_work_tables(self.connection)

    @property
    def is_distributed(self) -> bool:
        """Whether the warehouse lies on several machines."""
        return is_distributed(self.connection)

    def run(self, names: Iterable[str], params: Mapping[str, Any] = NONE) -> dict[str, int]:
        """Run files in the transaction that is open; return the rows that each has written, by table."""
        return run_sql(self.connection, [self.files[name] for name in names], {**self.params, **params}, self.log)

    def run_alone(self, name: str) -> None:
        """Run a file of one statement outside of any transaction; none is open."""
        before = self.connection.autocommit
        self.connection.autocommit = True
        try:
            self.connection.execute(self.files[name].text.encode())
        finally:
            self.connection.autocommit = before

    def look(self, name: str, params: Mapping[str, Any] = NONE) -> list[tuple[Any, ...]]:
        """Return the rows of a question, in the transaction that is open."""
        with psycopg.ClientCursor(self.connection) as cursor:
            text, _ = said_here(self.connection, self.files[name])
            return cursor.execute(text, params).fetchall()

    def ask(self, name: str, params: Mapping[str, Any] = NONE) -> list[tuple[Any, ...]]:
        """Return the rows of a question, in a transaction of its own."""
        with self.transaction():
            return self.look(name, params)

    def copy(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Copy rows into a temporary table of the transaction that is open."""
        if not rows:
            return
        with self.connection.cursor() as cursor, cursor.copy(with_own_names(self.connection, statement)) as copy:
            for row in rows:
                copy.write_row(row)

"""Reads the BI views for the page: as `dwh_page`, read-only, over few connections, and never for long.

The API server answers many requests of its own in a thread pool that all its apps share. The page asks in threads of its own: a
warehouse that hangs holds those, and nobody else's.
"""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk.exceptions import AirflowNotFoundException
from psycopg import errors
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError

from warehouse.constants import POSTGRES_LIMITS, SQL_FOLDER
from warehouse.layers import GUEST_LOOKS_NOTED

CONN_ID = "postgres_dwh_bi"
# A process of the API server holds at most this many connections, and as many threads, whoever looks at the page.
POOL_SIZE = 3
# As many questions may wait for one of them; the next is refused at once.
MAX_WAITING = 60
# A question is answered or refused within this time, also where PostgreSQL says nothing at all and its own limits don't help.
DEADLINE_S = 6.0
CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_MS = 5_000
SESSION = f"-c default_transaction_read_only=on -c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC"

LOG = logging.getLogger(__name__)


class UnavailableError(Exception):
    """The marts can't be read now. `code` tells the page which words to use, the text is for the rest of the world."""

    def __init__(self, code: str, text: str) -> None:
        """Neither holds an address or a password: whoever sees the page may see both."""
        super().__init__(text)
        self.code = code


NOT_CONNECTED = ("not_connected", f"Airflow has no connection {CONN_ID}")
UNREACHABLE = ("unreachable", f"the warehouse does not answer on the connection {CONN_ID}")
NOT_MIGRATED = (
    "not_migrated",
    "the views of the page are missing or closed to its role (dwh_page): run the migrations",
)
TOO_SLOW = ("too_slow", f"the warehouse took longer than {STATEMENT_TIMEOUT_MS // 1000} s")
BUSY = ("busy", "all connections of the page are in use")

_threads = ThreadPoolExecutor(POOL_SIZE, "guest-tags-page")
_places = threading.BoundedSemaphore(POOL_SIZE + MAX_WAITING)
# Questions that nobody waits for any more and that still hold their thread.
_hanging: set[Future[list[dict[str, Any]]]] = set()


async def read(name: str, **params: object) -> list[dict[str, Any]]:
    """Run `sql/page/<name>.sql` with bound parameters and return its rows by column. Raises `UnavailableError`.

    Where all threads hang, it says so at once: nobody waits for what nobody got before.
    """
    return await _asked(f"page/{name}.sql", params)


async def note_look(**params: object) -> None:
    """Write down that somebody looks at a guest: guest_id, looked_by, tag. Raises `UnavailableError`."""
    await _asked(GUEST_LOOKS_NOTED, params, writes=True)


async def _asked(file: str, params: dict[str, object], *, writes: bool = False) -> list[dict[str, Any]]:
    if len(_hanging) == POOL_SIZE:
        raise UnavailableError(*UNREACHABLE)
    if not _places.acquire(blocking=False):
        raise UnavailableError(*BUSY)
    asked = _threads.submit(_rows, file, params, writes=writes)
    asked.add_done_callback(lambda _: _places.release())
    try:
        return await asyncio.wait_for(asyncio.wrap_future(asked), DEADLINE_S)
    except TimeoutError as error:
        if asked.cancelled():
            raise UnavailableError(*BUSY) from error  # it never had a thread
        LOG.warning("page: %s has no answer after %s s", file, DEADLINE_S)
        raise UnavailableError(*UNREACHABLE) from error
    finally:
        if not asked.done():
            _hanging.add(asked)
            asked.add_done_callback(_hanging.discard)


def _rows(file: str, params: dict[str, object], *, writes: bool) -> list[dict[str, Any]]:
    try:
        with _engine().connect() as connection, _transaction(connection, writes=writes):
            return [dict(row) for row in connection.exec_driver_sql(_text(file), params).mappings()]
    except (AirflowNotFoundException, DBAPIError) as error:
        code, text = _reason(error)
        LOG.warning("page: %s could not be read (%s): %s", file, code, error)
        raise UnavailableError(code, text) from error


@contextmanager
def _transaction(connection: Connection, *, writes: bool) -> Iterator[None]:
    """Hold a transaction that may write, which a session of the page else may not."""
    if not writes:
        yield
        return
    driver: Any = connection.connection.driver_connection
    with driver.transaction():
        connection.exec_driver_sql("set transaction read write")
        yield


def _reason(error: Exception) -> tuple[str, str]:
    """Tell apart what a person can do something about; raise what nobody has thought of."""
    if isinstance(error, AirflowNotFoundException):
        return NOT_CONNECTED
    match getattr(error, "orig", None):
        case errors.QueryCanceled():
            return TOO_SLOW
        case (
            errors.UndefinedTable()
            | errors.UndefinedColumn()
            | errors.InvalidSchemaName()
            | errors.InsufficientPrivilege()
        ):
            return NOT_MIGRATED
        case psycopg.OperationalError():
            return UNREACHABLE
    raise error


@cache
def _text(file: str) -> str:
    return Path(SQL_FOLDER, file).read_text(encoding="utf-8")


@cache
def _engine() -> Engine:
    """Make the pool. A connection that the server has closed meanwhile is noticed and replaced."""
    return create_engine(
        "postgresql+psycopg://",
        creator=_connect,
        isolation_level="AUTOCOMMIT",
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_pre_ping=True,
        pool_recycle=600,
    )


def _connect() -> Any:
    """Open a connection by what Airflow knows now: a changed password needs no restart where Airflow holds it."""
    connection = PostgresHook.get_connection(CONN_ID)
    limits = {**POSTGRES_LIMITS, "connect_timeout": CONNECT_TIMEOUT_S, "application_name": "guest-tags-page"}
    connection.extra = json.dumps(limits | connection.extra_dejson)
    return PostgresHook(postgres_conn_id=CONN_ID, connection=connection, options=SESSION).get_conn()

"""Reads the BI views for the page: as `dwh_bi`, read-only, over few connections, and never for long."""

import json
import logging
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk.exceptions import AirflowNotFoundException
from psycopg import errors
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from warehouse.constants import SQL_FOLDER

CONN_ID = "postgres_dwh_bi"
# A process of the API server holds at most this many connections, whoever looks at the page.
POOL_SIZE = 3
POOL_WAIT_S = 5
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
NOT_MIGRATED = ("not_migrated", "the views of the page are missing or closed to dwh_bi: run the migrations")
TOO_SLOW = ("too_slow", f"the warehouse took longer than {STATEMENT_TIMEOUT_MS // 1000} s")
BUSY = ("busy", "all connections of the page are in use")


def read(name: str, **params: object) -> list[dict[str, Any]]:
    """Run `sql/page/<name>.sql` with bound parameters and return its rows by column. Raises `UnavailableError`."""
    try:
        with _engine().connect() as connection:
            return [dict(row) for row in connection.exec_driver_sql(_text(name), params).mappings()]
    except (AirflowNotFoundException, DBAPIError, PoolTimeoutError) as error:
        code, text = _reason(error)
        LOG.warning("page: %s.sql could not be read (%s): %s", name, code, error)
        raise UnavailableError(code, text) from error


def _reason(error: Exception) -> tuple[str, str]:
    """Tell apart what a person can do something about; raise what nobody has thought of."""
    if isinstance(error, AirflowNotFoundException):
        return NOT_CONNECTED
    if isinstance(error, PoolTimeoutError):
        return BUSY
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
def _text(name: str) -> str:
    return Path(SQL_FOLDER, "page", f"{name}.sql").read_text(encoding="utf-8")


@cache
def _engine() -> Engine:
    """Make the pool. A connection that the server has closed meanwhile is noticed and replaced."""
    return create_engine(
        "postgresql+psycopg://",
        creator=_connect,
        isolation_level="AUTOCOMMIT",
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,
        pool_recycle=600,
    )


def _connect() -> Any:
    """Open a connection by what Airflow knows now: a changed password needs no restart where Airflow holds it."""
    connection = PostgresHook.get_connection(CONN_ID)
    extra = {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "guest-tags-page", **connection.extra_dejson}
    connection.extra = json.dumps(extra)
    return PostgresHook(postgres_conn_id=CONN_ID, connection=connection, options=SESSION).get_conn()

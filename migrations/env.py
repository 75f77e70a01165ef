"""Runs the migrations on the database that DWH_URL names, as the role that owns the warehouse.

The history is forward only and is written in SQL: revision `0001_staging.py` runs `0001_staging.sql` beside it.
"""

import os
import sys
import time
from pathlib import Path

from alembic import context
from psycopg import errors
from sqlalchemy import Connection, create_engine, event, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins"))

from warehouse.constants import POSTGRES_LIMITS  # found by the line above

VERSION_SCHEMA = "migration"
# A statement that waits for a table lets everybody wait who comes after it, readers too. So none waits for longer than this, and
# then they have as much time for themselves.
LOCK_TIMEOUT_S = float(os.environ.get("MIGRATION_LOCK_TIMEOUT_S", "3"))
# For how long it is tried to find a moment in which nobody is in the way.
WAIT_S = float(os.environ.get("MIGRATION_WAIT_S", "1800"))
# As the writers of the layers do: no load and no rebuild is on while a table changes, and none is waited for in a table's queue.
TURNS = f"""
set local lock_timeout = {LOCK_TIMEOUT_S * 1000:.0f};
select pg_advisory_xact_lock(hashtext('dwh.stg'));
select pg_advisory_xact_lock(hashtext('dwh.dds'));
select pg_advisory_xact_lock(hashtext('dwh.cdm'));
"""


def run() -> None:
    """Apply the pending revisions, each in a transaction of its own; begin again while somebody is in the way."""
    dwh_url = os.environ.get("DWH_URL")
    if not dwh_url:
        raise SystemExit(
            'DWH_URL is not set: try eval "$(make -s env)", or export the URL of the owner of the warehouse'
        )
    url = make_url(dwh_url).set(drivername="postgresql+psycopg")
    engine = create_engine(url, poolclass=NullPool, connect_args=POSTGRES_LIMITS)
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            with engine.connect() as connection:
                return migrate(connection)
        except OperationalError as error:
            if not isinstance(error.orig, errors.LockNotAvailable | errors.DeadlockDetected):
                raise
            if time.monotonic() > deadline:
                raise SystemExit(
                    f"the migration found no free moment in {WAIT_S:.0f} s; what is applied stays, begin again later. "
                    f'Who is in the way: docs/runbook.md, "Migrations". {error.orig}'
                ) from error
            print(
                f"a load, a rebuild or a reader is in the way: {str(error.orig).strip()}", file=sys.stderr, flush=True
            )
            time.sleep(LOCK_TIMEOUT_S)


def migrate(connection: Connection) -> None:
    """Apply what is pending. Raises `OperationalError` where another session is in the way; what is committed stays."""
    connection.exec_driver_sql(f"set lock_timeout = {LOCK_TIMEOUT_S * 1000:.0f}")
    connection.exec_driver_sql("select pg_advisory_lock(hashtext('dwh.migrations'))")  # two runs at once take turns
    connection.exec_driver_sql(f"create schema if not exists {VERSION_SCHEMA}")
    connection.commit()
    context.configure(connection=connection, version_table_schema=VERSION_SCHEMA, transaction_per_migration=True)
    if context.get_context().get_current_revision() != context.get_head_revision():
        event.listen(connection, "begin", lambda begun: begun.exec_driver_sql(TURNS))
    connection.rollback()
    with context.begin_transaction():
        context.run_migrations()


run()

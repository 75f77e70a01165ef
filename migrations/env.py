"""Runs the migrations on the database that DWH_URL names, as the role that owns the warehouse.

The history is forward only and is written in SQL: revision `0001_staging.py` runs `0001_staging.sql` beside it.
"""

import os

from alembic import context
from sqlalchemy import create_engine, make_url

VERSION_SCHEMA = "migration"


def run() -> None:
    """Apply the pending revisions, each in a transaction of its own; two runs at once take turns."""
    dwh_url = os.environ.get("DWH_URL")
    if not dwh_url:
        raise SystemExit(
            'DWH_URL is not set: try eval "$(make -s env)", or export the URL of the owner of the warehouse'
        )
    engine = create_engine(make_url(dwh_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        connection.exec_driver_sql("select pg_advisory_lock(hashtext('dwh.migrations'))")
        connection.exec_driver_sql(f"create schema if not exists {VERSION_SCHEMA}")
        connection.commit()
        context.configure(connection=connection, version_table_schema=VERSION_SCHEMA, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()

"""Create the role and the database of Airflow's metadata, where Airflow shares the warehouse's server.

Reads DWH_ADMIN_URL as bootstrap.py does, and AIRFLOW_DB_PASSWORD. Safe to run again; the password is set anew.

    python -m deploy.bootstrap_airflow
"""

import os

import psycopg
from psycopg import sql

from deploy.bootstrap import ensure_role

NAME = "airflow"  # of the role and of its database


def main() -> None:
    """Connect, then create what is missing."""
    admin_url = os.environ.get("DWH_ADMIN_URL")
    if not admin_url:
        raise SystemExit("DWH_ADMIN_URL is not set: give the URL of a role that may create roles and databases")
    try:
        with psycopg.connect(admin_url, autocommit=True) as connection:
            connection.execute("select pg_advisory_lock(hashtext('dwh.bootstrap'))")
            ensure_role(connection, NAME, os.environ.get("AIRFLOW_DB_PASSWORD"), "AIRFLOW_DB_PASSWORD")
            ensure_database(connection)
    except psycopg.Error as error:
        raise SystemExit(f"bootstrap of Airflow's database failed: {error}") from error


def ensure_database(connection: psycopg.Connection) -> None:
    """Create the database, closed to everybody but its owner."""
    name = sql.Identifier(NAME)
    member = connection.execute("select pg_has_role(current_user, %s, 'usage')", [NAME]).fetchone()
    if member != (True,):
        # An admin without superuser rights may create a database for roles that it is a member of only.
        connection.execute(sql.SQL("grant {} to current_user").format(name))
    if not connection.execute("select 1 from pg_database where datname = %s", [NAME]).fetchone():
        connection.execute(sql.SQL("create database {} owner {} encoding 'UTF8' template template0").format(name, name))
    connection.execute(sql.SQL("revoke all on database {} from public").format(name))


if __name__ == "__main__":
    main()

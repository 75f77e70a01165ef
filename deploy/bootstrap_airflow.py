"""Create the role and the database of Airflow's metadata, where Airflow shares the warehouse's server.

Reads DWH_ADMIN_URL as bootstrap.py does, and AIRFLOW_DB_PASSWORD. Safe to run again; the password is set anew.

    python -m deploy.bootstrap_airflow
"""

import os

import psycopg
from psycopg import sql

from deploy.bootstrap import ONE_AT_A_TIME, as_admin, become_member, ensure_role

NAME = "airflow"  # of the role and of its database


def main() -> None:
    """Connect, then create what is missing."""
    with as_admin("Airflow's database") as connection:
        connection.execute(ONE_AT_A_TIME)
        ensure_role(connection, NAME, os.environ.get("AIRFLOW_DB_PASSWORD"), "AIRFLOW_DB_PASSWORD")
        ensure_database(connection)


def ensure_database(connection: psycopg.Connection) -> None:
    """Create the database, closed to everybody but its owner."""
    name = sql.Identifier(NAME)
    become_member(connection, NAME)
    if not connection.execute("select 1 from pg_database where datname = %s", [NAME]).fetchone():
        connection.execute(sql.SQL("create database {} owner {} encoding 'UTF8' template template0").format(name, name))
    connection.execute(sql.SQL("revoke all on database {} from public").format(name))


if __name__ == "__main__":
    main()

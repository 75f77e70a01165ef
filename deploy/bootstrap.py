"""Create the roles and the database of the warehouse: what must exist before the migrations can run.

Reads DWH_ADMIN_URL (a superuser; or a role with CREATEROLE and CREATEDB, as managed clouds give; or `dwh_owner` itself
where the cloud's console has made the roles and the database), and the passwords DWH_OWNER_PASSWORD, DWH_ETL_PASSWORD,
DWH_BI_PASSWORD, DWH_PAGE_PASSWORD (without it that of dwh_bi: a deployment that is older than the role has no other).
Safe to run again and in parallel: what exists is kept, passwords and rights are set anew; a role that the admin may not
alter is left as it is. DWH_WORKERS names the workers of a Citus cluster that is to hold the warehouse
(deploy/link_workers.py); DWH_ADMIN_URL is its coordinator's then.

    python -m deploy.bootstrap
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deploy.link_workers import link_workers, wanted_workers

DATABASE = "dwh"
OWNER = "dwh_owner"
# role -> (the variable with its password, its rights on the database)
ROLES = {
    OWNER: ("DWH_OWNER_PASSWORD", None),
    "dwh_etl": ("DWH_ETL_PASSWORD", "connect, temporary"),
    "dwh_bi": ("DWH_BI_PASSWORD", "connect"),
    "dwh_page": ("DWH_PAGE_PASSWORD", "connect"),
}
# What a variable is where it is not set.
INSTEAD = {"DWH_PAGE_PASSWORD": "DWH_BI_PASSWORD"}
# What keeps a dashboard, or a transaction that somebody has forgotten, from holding up the loads. Defaults of a session: what the
# role may see and do is said by grants, and the pipeline sets limits of its own (sql/turn/transaction.sql, sql/turn/*/lock.sql).
LIMITS = {
    # The weekly test of the backup restores a dump into a database of its own.
    OWNER: ("set idle_in_transaction_session_timeout = '5min'", "createdb"),
    "dwh_etl": ("set idle_in_transaction_session_timeout = '5min'",),
    "dwh_bi": (
        "connection limit 20",
        "set statement_timeout = '30s'",
        "set idle_in_transaction_session_timeout = '60s'",
        # The only one of these that a session can't lift: it is a superuser's setting.
        "set temp_file_limit = '1GB'",
        "set default_transaction_read_only = on",
        "set timezone = 'UTC'",
    ),
    # The page "Guest tags": three connections of each process of the API server, 5 s a question; and the watcher outside.
    "dwh_page": (
        "connection limit 20",
        "set statement_timeout = '10s'",
        "set idle_in_transaction_session_timeout = '60s'",
        "set temp_file_limit = '1GB'",
        "set default_transaction_read_only = on",
        "set timezone = 'UTC'",
    ),
}
# What PUBLIC may do by default and a reader needs not: write large objects, and the server's log of writes.
WRITING = """
    select oid::regprocedure::text
    from pg_proc
    where
        pronamespace = 'pg_catalog'::regnamespace
        and proname in (
            'lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'lo_open', 'lo_put', 'lo_truncate', 'lo_truncate64',
            'lo_unlink', 'lowrite', 'pg_logical_emit_message'
        )
        and has_function_privilege('public', oid, 'execute')
"""
# Databases that every server has, and that everybody may connect to and make temporary tables in.
EVERY_SERVERS = ("postgres", "template1")
ONE_AT_A_TIME = "select pg_advisory_lock(hashtext('dwh.bootstrap'))"


def main() -> None:
    """Connect, then create or correct each role, the database and who may connect to it."""
    workers = wanted_workers()
    if workers:
        with as_admin("the warehouse") as connection:
            connection.execute(ONE_AT_A_TIME)
            link_workers(os.environ["DWH_ADMIN_URL"], workers, DATABASE, OWNER)
    with as_admin("the warehouse", DATABASE if workers else None) as connection:
        connection.execute(ONE_AT_A_TIME)
        for role, (variable, _) in ROLES.items():
            ensure_role(connection, role, password_of(variable), variable)
        for role, limits in LIMITS.items():
            limit_role(connection, role, limits)
        let_owner_see_sessions(connection)
        ensure_database(connection)
        close_other_databases(connection)
    with as_admin("the warehouse", DATABASE) as connection:
        grant_rights(connection)
        take_writing_functions(connection)


@contextmanager
def as_admin(what: str, database: str | None = None) -> Iterator[psycopg.Connection]:
    """Yield a connection by DWH_ADMIN_URL, to `database` or the one named there.

    Raises SystemExit where the URL is not set or PostgreSQL refuses something: the bootstrap of `what` has failed.
    """
    url = os.environ.get("DWH_ADMIN_URL")
    if not url:
        raise SystemExit("DWH_ADMIN_URL is not set: give the URL of a role that may create roles and databases")
    try:
        with psycopg.connect(make_conninfo(url, dbname=database), autocommit=True) as connection:
            yield connection
    except psycopg.Error as error:
        raise SystemExit(f"bootstrap of {what} failed: {error}") from error


def password_of(variable: str) -> str | None:
    """Return the password that a variable holds, or the one that stands for it."""
    return os.environ.get(variable) or os.environ.get(INSTEAD.get(variable, ""))


def ensure_role(connection: psycopg.Connection, role: str, password: str | None, variable: str) -> None:
    """Create the role, or give an existing one this password; without a password an existing role is kept."""
    exists = connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone()
    if not password:
        if not exists:
            raise SystemExit(f"{variable} is not set and role {role} does not exist yet")
        return
    # Hashed here, so that neither the server's log nor pg_stat_activity ever holds the password itself.
    secret = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    verb = sql.SQL("alter role" if exists else "create role")
    statement = sql.SQL("{} {} with login password {}").format(verb, sql.Identifier(role), sql.Literal(secret))
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        if not exists:
            raise
        print(f"role {role} is kept as it is: {error.diag.message_primary}", file=sys.stderr)


def limit_role(connection: psycopg.Connection, role: str, limits: Sequence[LiteralString]) -> None:
    """Give the role its limits; of those that the admin may not give, say how somebody who may can do it."""
    refused = []
    for limit in limits:
        statement = sql.SQL("alter role {} " + limit).format(sql.Identifier(role))
        try:
            connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            refused.append(statement.as_string(connection))
    if refused:
        print(f"not allowed: {'; '.join(refused)}. Set this in the cloud's console, or as an admin", file=sys.stderr)


def let_owner_see_sessions(connection: psycopg.Connection) -> None:
    """Make the owner a member of pg_read_all_stats: else the law on old transactions sees those of the owner only."""
    if connection.execute("select pg_has_role(%s, 'pg_read_all_stats', 'usage')", [OWNER]).fetchone() == (True,):
        return
    statement = sql.SQL("grant pg_read_all_stats to {}").format(sql.Identifier(OWNER))
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        text = statement.as_string(connection)
        print(f"not allowed: {text}. Do this in the cloud's console, or as an admin", file=sys.stderr)


def ensure_database(connection: psycopg.Connection) -> None:
    """Create the database in UTF-8, owned by the owner; refuse one that belongs to another role."""
    become_member(connection, OWNER)
    owner = connection.execute(
        "select pg_get_userbyid(datdba) from pg_database where datname = %s", [DATABASE]
    ).fetchone()
    if owner is None:
        connection.execute(
            sql.SQL("create database {} owner {} encoding 'UTF8' template template0").format(
                sql.Identifier(DATABASE), sql.Identifier(OWNER)
            )
        )
    elif owner[0] != OWNER:
        raise SystemExit(
            f"database {DATABASE} exists and belongs to {owner[0]}: "
            f"give it to {OWNER} (alter database {DATABASE} owner to {OWNER}), or move it away"
        )


def become_member(connection: psycopg.Connection, role: str) -> None:
    """Make an admin without superuser rights a member of the role: only a member may create its database."""
    member = connection.execute("select pg_has_role(current_user, %s, 'usage')", [role]).fetchone()
    if member != (True,):
        connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(role)))


def grant_rights(connection: psycopg.Connection) -> None:
    """Let in the roles of the warehouse and nobody else; schemas and tables are the migrations' business."""
    database = sql.Identifier(DATABASE)
    connection.execute(sql.SQL("revoke all on database {} from public").format(database))
    connection.execute("revoke create on schema public from public")
    for role, (_, rights) in ROLES.items():
        if rights:
            connection.execute(
                sql.SQL("grant {} on database {} to {}").format(sql.SQL(rights), database, sql.Identifier(role))
            )


def take_writing_functions(connection: psycopg.Connection) -> None:
    """Take from PUBLIC what writes without a right to any table; where the admin may not, say how somebody who may can do it."""
    functions = [name for (name,) in connection.execute(WRITING)]
    refused = []
    for function in functions:
        statement = f"revoke execute on function {function} from public"
        try:
            connection.execute(statement.encode())
        except psycopg.errors.InsufficientPrivilege:
            refused.append(statement)
    if refused:
        print(f"not allowed: {'; '.join(refused)}. Do this in {DATABASE} as a superuser", file=sys.stderr)


def close_other_databases(connection: psycopg.Connection) -> None:
    """Close the databases that every server has to PUBLIC; name those that readers of the warehouse may still write in."""
    for database in EVERY_SERVERS:
        statement = sql.SQL("revoke all on database {} from public").format(sql.Identifier(database))
        with suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
    open_to_readers = connection.execute(
        """
        select datname
        from pg_database
        where datallowconn and datname <> %s and has_database_privilege('public', oid, 'connect')
        order by datname
        """,
        [DATABASE],
    )
    names = [name for (name,) in open_to_readers]
    if names:
        print(
            f"dwh_bi and dwh_page may connect to {', '.join(names)}, too: revoke all on database ... from public, as the "
            "owner of each",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()

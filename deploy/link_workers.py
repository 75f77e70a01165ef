"""Make the warehouse's database one of a Citus cluster: it and the extension on every node, each known to the coordinator.

For a cluster that has just been started, as the chart and compose do (docs/scale.md); where one is there already, its own tools
have done this. Before the roles are made: only those of a linked database are the same on all nodes. Safe to run again.
"""

import os

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

PORT = "5432"
# The second comes with the first: the log may lie in columns.
EXTENSIONS = ("citus", "citus_columnar")


def wanted_workers() -> list[tuple[str, str]]:
    """Return host and port of each worker that DWH_WORKERS names (`host:port`, with blanks between them)."""
    nodes = [node.partition(":") for node in os.environ.get("DWH_WORKERS", "").split()]
    return [(host, port or PORT) for host, _, port in nodes]


def link_workers(admin_url: str, workers: list[tuple[str, str]], database: str, owner: str) -> None:
    """Make the database on the coordinator, which `admin_url` names, and on the workers; let the nodes know each other.

    The coordinator is reached by the others as by this program. The owner, made where it is missing, has no password yet.
    """
    known = conninfo_to_dict(admin_url)
    coordinator = (str(known["host"]), str(known.get("port", PORT)))
    nodes = {(host, port): make_conninfo(admin_url, host=host, port=port) for host, port in [coordinator, *workers]}
    for node in nodes.values():
        _make_database(node, database)
    with psycopg.connect(make_conninfo(admin_url, dbname=database), autocommit=True) as connection:
        connection.execute("select citus_set_coordinator_host(%s, %s::integer)", coordinator)
        for worker in workers:
            connection.execute("select citus_add_node(%s, %s::integer)", worker)
        if not connection.execute("select 1 from pg_roles where rolname = %s", [owner]).fetchone():
            connection.execute(sql.SQL("create role {} with login").format(sql.Identifier(owner)))
    give = sql.SQL("alter database {} owner to {}").format(sql.Identifier(database), sql.Identifier(owner))
    for node in nodes.values():
        with psycopg.connect(make_conninfo(node, dbname=database), autocommit=True) as connection:
            connection.execute("set citus.enable_ddl_propagation = off")
            connection.execute(give)


def _make_database(node: str, database: str) -> None:
    with psycopg.connect(node, autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [database]).fetchone():
            make = sql.SQL("create database {} encoding 'UTF8' template template0")
            connection.execute(make.format(sql.Identifier(database)))
    with psycopg.connect(make_conninfo(node, dbname=database), autocommit=True) as connection:
        # A worker that the coordinator knows refuses even `if not exists`.
        there = {name for (name,) in connection.execute("select extname from pg_extension")}
        for extension in [name for name in EXTENSIONS if name not in there]:
            connection.execute(sql.SQL("create extension {}").format(sql.Identifier(extension)))

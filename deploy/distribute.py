"""Spread the warehouse over the workers of a distributed PostgreSQL (Citus), after the migrations; or gather it again.

Reads DWH_URL (the owner, on the coordinator), DWH_DISTRIBUTED (`true` asks for it; where nobody asks, nothing happens) and
DWH_SHARDS (the first time; as the cluster is set, unless given). DWH_COLUMNAR_LOG=true lays the log of orders in columns, in a
tenth of the room, when it is distributed first. Safe to run again: what lies where
plugins/warehouse/distribution.py says is left there. One transaction: it is done whole or not at all.
How a living warehouse is moved: docs/scale.md.

    python -m deploy.distribute            # after each `alembic upgrade head`
    python -m deploy.distribute --back     # all of it on the coordinator again, with the keys of a plain warehouse
"""

import os
import re
import sys
from collections.abc import Iterable

import psycopg
from psycopg import sql

from warehouse.distribution import (
    ADDED,
    DISTRIBUTED,
    LOCAL,
    MADE_IDS,
    WORK,
    WORK_SCHEMA,
    layout_digest,
    views_said_otherwise,
    work_columns,
)

ROLES_THAT_READ_VIEWS = ("dwh_bi", "dwh_page")
OWNERS_FUNCTIONS = ("dds.clear_vault()",)
VAULT = sorted(table for table in {*DISTRIBUTED, *LOCAL} if re.match(r"dds\.(h|l|s|es)_", table))
LOG = "stg.order_event_log"
TURNS = ("dwh.stg", "dwh.dds", "dwh.cdm")


class CannotDistributeError(Exception):
    """Says in words what is missing and what to do."""


class CannotReadError(Exception):
    """The tables are distributed; the views can't all be read yet."""


def main(arguments: Iterable[str] = ()) -> None:
    """Distribute, or gather, the warehouse that DWH_URL names; exit with a sentence where that can't be."""
    back = "--back" in arguments
    if not back and os.environ.get("DWH_DISTRIBUTED", "").lower() != "true":
        print("nobody asks for a distributed warehouse (DWH_DISTRIBUTED is not true): nothing to do")
        return
    try:
        with psycopg.connect(os.environ["DWH_URL"]) as connection:
            print(gather(connection) if back else distribute(connection))
    except CannotDistributeError as error:
        raise SystemExit(f"not distributed, nothing was changed: {error}") from error
    except CannotReadError as error:
        raise SystemExit(f"distributed, but {error}. Run this again") from error
    except psycopg.Error as error:
        raise SystemExit(f"not distributed, nothing was changed: PostgreSQL says: {error}") from error


def distribute(connection: psycopg.Connection) -> str:
    """Give each table of the list its place, make the tables of batches, and let the views be read; return what was done."""
    check_cluster(connection)
    in_columns = os.environ.get("DWH_COLUMNAR_LOG", "").lower() == "true"
    if in_columns:
        check_columns(connection)
    take_turns(connection)
    found = connection.execute(
        "select table_name::text, distribution_column from citus_tables where citus_table_type = 'distributed'"
    ).fetchall()
    placed: dict[str, str] = dict(found)
    check_places(connection, placed)
    connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(WORK_SCHEMA)))
    connection.execute(
        f"create table if not exists {WORK_SCHEMA}.restoring "
        "(step integer, place bigint generated always as identity, statement text)"
    )
    missing = [table for table in DISTRIBUTED if table not in placed]
    if shards := os.environ.get("DWH_SHARDS"):
        connection.execute("select set_config('citus.shard_count', %s, true)", [shards])
    kept = neighbours(connection) if missing else []
    for table in missing:
        prepare(connection, table)
    if LOG in missing and in_columns:
        lay_in_columns(connection)
    for table in missing:
        spread(connection, table, DISTRIBUTED[table])
    for statement in kept:
        connection.execute(statement)
    say_views_otherwise(connection)
    if missing:
        let_loads_do_what_owners_do(connection)
        let_chunks_write_side_by_side(connection)
    made = make_work_tables(connection)
    connection.execute(f"comment on schema {WORK_SCHEMA} is '{layout_digest()}'")
    # What follows is done by connections of their own, on shards that are there.
    connection.commit()
    let_views_be_read(connection)
    return f"{len(missing)} tables distributed, {len(DISTRIBUTED) - len(missing)} were; {made} tables for batches made"


def check_cluster(connection: psycopg.Connection) -> None:
    """Raise where the extension is missing, has no workers, or one of them can't be reached."""
    if not connection.execute("select 1 from pg_extension where extname = 'citus'").fetchone():
        raise CannotDistributeError(
            "this database has no extension citus. Make it one of a cluster (docs/scale.md, Citus), or ask for a plain "
            "warehouse: warehouse.distributed.enabled: false"
        )
    workers = connection.execute(
        "select nodename, nodeport from pg_dist_node where noderole = 'primary' and shouldhaveshards"
    ).fetchall()
    if not workers:
        raise CannotDistributeError(
            "the coordinator knows no worker: select citus_add_node('host', 5432) for each, as its admin"
        )
    unreachable = connection.execute(
        "select to_nodename || ':' || to_nodeport from citus_check_cluster_node_health() where not result"
    ).fetchall()
    if unreachable:
        nodes = ", ".join(sorted({node for (node,) in unreachable}))
        raise CannotDistributeError(
            f"these nodes can't be reached: {nodes}. Start them, or take them off with citus_remove_node"
        )


def check_columns(connection: psycopg.Connection) -> None:
    """Raise where the log can't lie in columns."""
    if not connection.execute("select 1 from pg_extension where extname = 'citus_columnar'").fetchone():
        raise CannotDistributeError(
            "the log is to lie in columns, and this database has no extension citus_columnar: create extension citus_columnar, "
            "as its admin, or take columnarLog off (DWH_COLUMNAR_LOG)"
        )


def take_turns(connection: psycopg.Connection) -> None:
    """Wait for no load: whoever writes a layer goes first, and none begins before this is done."""
    connection.execute("set local lock_timeout = '60s'")
    for turn in TURNS:
        connection.execute("select pg_advisory_xact_lock(hashtext(%s))", [turn])


def check_places(connection: psycopg.Connection, placed: dict[str, str]) -> None:
    """Raise where a table lies elsewhere than the list says, or is not in it."""
    tables = {
        table
        for (table,) in connection.execute(
            "select schemaname || '.' || tablename from pg_tables where schemaname in ('stg', 'dds', 'cdm')"
        ).fetchall()
    }
    homeless = sorted(tables - DISTRIBUTED.keys() - LOCAL)
    if homeless:
        raise CannotDistributeError(
            f"plugins/warehouse/distribution.py does not say where these lie: {', '.join(homeless)}"
        )
    moved = sorted(
        table
        for table, column in placed.items()
        if not table.startswith(f"{WORK_SCHEMA}.") and DISTRIBUTED.get(table) != column
    )
    if moved:
        raise CannotDistributeError(
            f"the warehouse was distributed by an older list; these lie elsewhere now: {', '.join(moved)}. "
            "Gather it with the release that distributed it (python -m deploy.distribute --back), then distribute it again"
        )


def prepare(connection: psycopg.Connection, table: str) -> None:
    """Give a table that is still plain the columns and keys that Citus can hold, and note how to give it back its own."""
    column = DISTRIBUTED[table]

    def change(statement: str, back: str, step: int) -> None:
        connection.execute(statement)
        note(connection, step, back)

    for name, definition in connection.execute(
        "select tgname, pg_get_triggerdef(oid) from pg_trigger where tgrelid = %s::regclass and not tgisinternal",
        [table],
    ).fetchall():
        change(f"drop trigger {name} on {table}", definition, 5)
    for name, owner, definition in connection.execute(
        """
        select conname, conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint
        where contype = 'f' and %s::regclass in (conrelid, confrelid)
        """,
        [table],
    ).fetchall():
        change(
            f"alter table {owner} drop constraint {name}", f"alter table {owner} add constraint {name} {definition}", 4
        )
    if table == "stg.load_queue":
        # Of what an older release queued the order stands in the log alone.
        connection.execute(
            "update stg.load_queue as queue set object_id = log.object_id from stg.order_event_log as log "
            "where queue.source = 'order_event_log' and queue.object_id is null and queue.value_hash = log.value_hash"
        )
    if table in ADDED:
        name, made_of = ADDED[table]
        change(
            f"alter table {table} add column {name} uuid generated always as ({made_of}) stored",
            f"alter table {table} drop column {name}",
            2,
        )
        connection.execute(f"alter table {table} alter column {name} drop expression")
        connection.execute(f"alter table {table} alter column {name} set not null")
    if table in MADE_IDS:
        change(
            f"alter table {table} alter column id drop identity",
            f"alter table {table} alter column id add generated always as identity",
            3,
        )
        # Given anew, some are numbers that other rows have from when the warehouse was plain: meanwhile without the key.
        note(connection, 1, f"alter table {table} drop constraint {table.split('.')[1]}_pkey")
        note(connection, 2, renumber(table))
        # Numbers go on behind those that are there.
        note(
            connection,
            4,
            f"select setval(pg_get_serial_sequence('{table}', 'id'), greatest(max(id), 1), max(id) is not null) from {table}",
        )
    for name, is_constraint, definition, columns in connection.execute(KEYS, [table]).fetchall():
        if column in columns:
            continue
        listed = ", ".join(f'"{key}"' for key in columns)
        if is_constraint == "p":
            change(
                f"alter table {table} drop constraint {name}, add constraint {name} primary key ({column}, {listed})",
                f"alter table {table} drop constraint if exists {name}, add constraint {name} {definition}",
                3,
            )
        else:
            # What is unique by another column follows from the key being made of it; whoever looks it up finds an index.
            change(
                f"alter table {table} drop constraint {name}",
                f"alter table {table} add constraint {name} {definition}",
                3,
            )
            change(f"create index {name} on {table} ({listed})", f"drop index {table.split('.')[0]}.{name}", 2)


def lay_in_columns(connection: psycopg.Connection) -> None:
    """Lay the log in columns, which know the least and the greatest value of each part themselves: so they take no such index."""
    for name, definition in connection.execute(RANGES, [LOG]).fetchall():
        connection.execute(f"drop index {name}")
        note(connection, 5, definition)
    connection.execute(f"alter table {LOG} set access method columnar")
    note(connection, 1, f"alter table {LOG} set access method heap")


def neighbours(connection: psycopg.Connection) -> list[str]:
    """Return the statements that make the foreign keys to a table beside its own: those by which both are distributed."""
    found = connection.execute(FOREIGN_KEYS).fetchall()
    return [
        f"alter table {table} add constraint {name} {definition}"
        for table, name, definition, column, other, other_column in found
        if (DISTRIBUTED.get(table), DISTRIBUTED.get(other)) == (column, other_column)
    ]


VIEW_GRANTS = """
select format('grant select on %I.%I to %I', n.nspname, c.relname, grantee.rolname)
from pg_class as c
inner join pg_namespace as n on c.relnamespace = n.oid
cross join lateral aclexplode(c.relacl) as held
inner join pg_roles as grantee on held.grantee = grantee.oid
where c.relkind = 'v' and n.nspname in ('stg', 'dds', 'cdm') and held.privilege_type = 'SELECT'
"""
FOREIGN_KEYS = """
select conrelid::regclass::text, conname, pg_get_constraintdef(oid), here.attname, confrelid::regclass::text, there.attname
from pg_constraint
inner join pg_attribute as here on here.attrelid = conrelid and here.attnum = conkey[1]
inner join pg_attribute as there on there.attrelid = confrelid and there.attnum = confkey[1]
where contype = 'f' and connamespace in ('stg'::regnamespace, 'dds'::regnamespace, 'cdm'::regnamespace)
order by 1, 2
"""
RANGES = """
select indexrelid::regclass::text, pg_get_indexdef(indexrelid)
from pg_index
inner join pg_class on indexrelid = pg_class.oid
inner join pg_am on relam = pg_am.oid
where indrelid = %s::regclass and amname = 'brin'
"""
KEYS = """
select conname, contype, pg_get_constraintdef(oid), array(
    select attname::text from unnest(conkey) with ordinality as part (number, place)
    inner join pg_attribute on attrelid = conrelid and attnum = part.number order by part.place
)
from pg_constraint
where conrelid = %s::regclass and contype in ('p', 'u')
"""


def renumber(table: str) -> str:
    """Return the statement that gives the rows serial numbers again."""
    return (
        f"update {table} as stored set id = numbered.id "
        f"from (select ctid as place, row_number() over (order by id) as id from {table}) as numbered "
        "where stored.ctid = numbered.place"
    )


def spread(connection: psycopg.Connection, table: str, column: str) -> None:
    """Distribute a table, beside those that are: what lies in it moves to the workers."""
    first = next(iter(DISTRIBUTED))
    connection.execute(
        "select create_distributed_table(%s::regclass, %s, colocate_with => %s)",
        [table, column, "none" if table == first else first],
    )


def say_views_otherwise(connection: psycopg.Connection) -> None:
    """Let views ask what each worker can answer by itself, and note how they were: anew where a migration has made them again."""
    for view, statement in views_said_otherwise().items():
        before, options = connection.execute(VIEW, [view]).fetchone() or ("", None)
        connection.execute(statement)
        after, _ = connection.execute(VIEW, [view]).fetchone() or ("", None)
        if before != after:
            made = f"create or replace view {view}{options or ''} as {before}"
            connection.execute(
                f"delete from {WORK_SCHEMA}.restoring where statement like 'create or replace view {view}%'"
            )
            note(connection, 1, made)


VIEW = """
select pg_get_viewdef(oid), ' with (' || array_to_string(reloptions, ', ') || ')' from pg_class where oid = %s::regclass
"""


def let_loads_do_what_owners_do(connection: psycopg.Connection) -> None:
    """Let dwh_etl do with its own rights what functions do with those of the owner.

    Citus lets one transaction touch a shard as one role only. So here, and here alone, the role of the loads may empty the vault.
    """
    rights = [("truncate", table) for table in VAULT]
    for right, table in rights:
        connection.execute(f"grant {right} on {table} to dwh_etl")
        note(connection, 1, f"revoke {right} on {table} from dwh_etl")
    # Of a number that a statement on several nodes takes, PostgreSQL asks whether who runs it may.
    for schema in ("stg", "dds", "cdm"):
        connection.execute(f"grant usage on all sequences in schema {schema} to dwh_etl")
    for function in OWNERS_FUNCTIONS:
        connection.execute(f"alter function {function} security invoker")
        note(connection, 1, f"alter function {function} security definer")


def let_chunks_write_side_by_side(connection: psycopg.Connection) -> None:
    """Let two chunks of a history fill the tables of batches at once, as they do where each session has its own.

    For the sake of copies of shards, which nobody has here, Citus lets a statement wait for the end of another transaction. The
    later chunk's waits for the turn of the earlier one, within one process: nobody would see that they wait for each other.
    """
    database = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("alter database {} set citus.all_modifications_commutative = 'on'").format(database))
    reset = sql.SQL("alter database {} reset citus.all_modifications_commutative").format(database)
    note(connection, 1, reset.as_string(connection))


def note(connection: psycopg.Connection, step: int, statement: str) -> None:
    """Note how something is taken back when the warehouse is gathered."""
    connection.execute(f"insert into {WORK_SCHEMA}.restoring (step, statement) values (%s, %s)", [step, statement])


def make_work_tables(connection: psycopg.Connection) -> int:
    """Make the tables of batches as the loads would, where they are not so already; return how many."""
    digest = connection.execute("select obj_description(to_regnamespace(%s), 'pg_namespace')", [WORK_SCHEMA]).fetchone()
    if digest == (layout_digest(),):
        return 0
    connection.execute(f"grant usage on schema {WORK_SCHEMA} to dwh_etl")
    for table, columns in work_columns().items():
        name = f"{WORK_SCHEMA}.{table}"
        connection.execute(f"drop table if exists {name}")
        connection.execute(
            f"create unlogged table {name} ({columns}\n) "
            "with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)"
        )
        spread(connection, name, WORK[table])
        connection.execute(f"grant select, insert, update, delete, truncate on {name} to dwh_etl")
    return len(WORK)


def let_views_be_read(connection: psycopg.Connection) -> None:
    """Let who reads the views of cdm read the shards below them, on the workers.

    There a statement runs as whoever has asked for it, and a view's owner means nothing. On the coordinator, the only node that
    lets them in, nothing changes: they may read the views and no table.
    """
    for role in ROLES_THAT_READ_VIEWS:
        for schema in ("stg", "dds", "cdm"):
            connection.execute(f"grant usage on schema {schema} to {role}")
        for table in DISTRIBUTED:
            refused = connection.execute(
                "select result from run_command_on_shards(%s, %s) where not success",
                [table, f"grant select on %s to {role}"],
            ).fetchall()
            if refused:
                raise CannotReadError(f"{role} can't be let read {table}: {refused[0][0]}")


def gather(connection: psycopg.Connection) -> str:
    """Bring every table back to the coordinator and give it back the keys of a plain warehouse; return what was done."""
    if connection.execute("select to_regnamespace(%s)::text", [WORK_SCHEMA]).fetchone() == (None,):
        return "the warehouse is not distributed: nothing to do"
    check_cluster(connection)
    connection.execute(
        "set local citus.multi_shard_modify_mode to 'sequential'"
    )  # functions are changed with the tables
    take_turns(connection)
    for table in WORK:
        connection.execute(f"drop table if exists {WORK_SCHEMA}.{table}")
    for table, name, *_ in connection.execute(FOREIGN_KEYS).fetchall():
        if table in DISTRIBUTED:
            connection.execute(f"alter table {table} drop constraint {name}")
    readers = connection.execute(VIEW_GRANTS).fetchall()
    for table in DISTRIBUTED:
        connection.execute("select undistribute_table(%s::regclass)", [table])
    for (statement,) in readers:  # the views were made again
        connection.execute(statement)
    for (statement,) in connection.execute(
        f"select statement from {WORK_SCHEMA}.restoring order by step, place"
    ).fetchall():
        connection.execute(statement)
    connection.execute(f"drop schema {WORK_SCHEMA} cascade")
    return f"{len(DISTRIBUTED)} tables lie on the coordinator again"


if __name__ == "__main__":
    main(sys.argv[1:])

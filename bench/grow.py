"""Makes a long history out of a loaded one, fast: the tables are multiplied in place, their indexes built afterwards."""

from pathlib import Path
from typing import Any

import psycopg

GROW = Path(__file__).with_name("grow.sql")
CONSTRAINTS = """
    select conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    from pg_constraint
    where connamespace = any(array['stg', 'dds', 'cdm']::regnamespace[]) and contype = any(%s)
    order by contype = 'f' desc
"""
INDEXES = """
    select format('%I.%I', n.nspname, c.relname), pg_get_indexdef(c.oid)
    from pg_class as c
    inner join pg_namespace as n on c.relnamespace = n.oid
    where n.nspname in ('stg', 'dds', 'cdm') and c.relkind = 'i'
"""


def grow(connection: psycopg.Connection[Any], copies: int) -> None:
    """Multiply the history: `copies` times as many orders and guests as one demo history, which must be all there is."""
    keys = connection.execute(CONSTRAINTS, [["f", "p", "u"]]).fetchall()
    for table, name, _ in keys:
        connection.execute(f'alter table {table} drop constraint "{name}"')
    indexes = connection.execute(INDEXES).fetchall()
    for name, _ in indexes:
        connection.execute(f"drop index {name}")
    connection.execute("set maintenance_work_mem = '1GB'; set work_mem = '256MB'")
    with psycopg.ClientCursor(connection) as cursor:
        cursor.execute(GROW.read_text(), {"first_copy": 1, "last_copy": copies - 1})
    for table, name, definition in reversed(keys):
        connection.execute(f'alter table {table} add constraint "{name}" {definition}')
    for _, definition in indexes:
        connection.execute(definition)
    connection.execute("vacuum analyze")

"""Answers on a distributed warehouse what its workers can't answer each by itself: the rows come to the coordinator first.

A law that is asked of some orders or guests brings the rows of these; one that is asked of everything brings its tables whole.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import psycopg

from warehouse.distribution import ADDED, DISTRIBUTED, WORK_SCHEMA

# What Citus says of a statement that its workers can't answer each by itself; of a join that moves rows it says XX000.
CANNOT = (psycopg.errors.FeatureNotSupported, psycopg.errors.InternalError_)
NAMED = re.compile(r"\b(?:stg|dds|cdm)\.[a-z]\w*\b(?!\()")
# What a law is over -> (column of a table -> which of its rows are brought: those with a key of this table).
PARTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "orders": MappingProxyType({"h_order_pk": "batch_checked_orders"}),
        "guests": MappingProxyType(
            {
                "h_order_pk": "batch_checked_baskets",
                "h_user_pk": "batch_checked_guests",
                "user_id": "batch_checked_guests",
            }
        ),
    }
)
VIEW = """
select pg_get_viewdef(c.oid)
from pg_catalog.pg_class as c
inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
where n.nspname || '.' || c.relname = %s and c.relkind = 'v'
"""
CHECKED = re.compile(r"\bbatch_checked_\w+")
KEY = re.compile(r"_(?:pk|id|hash)$")


def bring(connection: psycopg.Connection[Any], text: str, over: str, brought: dict[tuple[str, str], str]) -> str:
    """Return a statement that reads copies, of this transaction, where it has read tables of the workers, or views of such.

    `brought`: what the transaction has brought already, by table and part; what is brought now is added.
    """
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        for name in sorted(set(NAMED.findall(text))):
            copy = _copy(cursor, name, over if over in PARTS else "", brought)
            text = re.sub(rf"\b{re.escape(name)}\b(?!\()", copy, text)
        for name in sorted(set(CHECKED.findall(text))):
            if (name, "") not in brought:
                cursor.execute(
                    f"create temporary table brought_{name} on commit drop as table {WORK_SCHEMA}.{name}".encode()
                )
                cursor.execute(f"analyze brought_{name}".encode())
                brought[name, ""] = f"brought_{name}"
    return CHECKED.sub(lambda found: f"brought_{found[0]}", text)


def _copy(cursor: psycopg.ClientCursor[Any], name: str, over: str, brought: dict[tuple[str, str], str]) -> str:
    """Return by which name the statement may read a table or a view."""
    known = brought.get((name, over))
    if known is not None:
        return known
    copy = f"brought_{over}_{name.replace('.', '_')}"
    if name in DISTRIBUTED:
        _bring_table(cursor, name, over, copy)
    else:
        definition = cursor.execute(VIEW, [name]).fetchone()
        if definition is None:
            copy = name
        else:
            text = str(definition[0]).rstrip(";")
            for inner in sorted(set(NAMED.findall(text))):
                of_inner = _copy(cursor, inner, over, brought)
                text = re.sub(rf"\b{re.escape(inner)}\b(?!\()", of_inner, text)
                # PostgreSQL says of a table without another name whose column is meant by the table's own.
                text = re.sub(rf"(?<![\w.]){inner.split('.')[1]}\.(?=\w)", f"{of_inner}.", text)
            cursor.execute(f"create or replace temporary view {copy} as {text}".encode())
    brought[name, over] = copy
    return copy


def _bring_table(cursor: psycopg.ClientCursor[Any], name: str, over: str, copy: str) -> None:
    key = DISTRIBUTED[name]
    part = PARTS.get(over, {}).get(key)
    condition = f" where stored.{key} in (select {_key_of(part)} from {WORK_SCHEMA}.{part})" if part else ""
    cursor.execute(
        f"create temporary table {copy} on commit drop as select stored.* from {name} as stored{condition}".encode()
    )
    columns = [column.name for column in cursor.execute(f"table {copy} limit 0".encode()).description or ()]
    for column in columns:
        if KEY.search(column):
            cursor.execute(f"create index on {copy} ({column})".encode())
    if name in ADDED:
        cursor.execute(f"alter table {copy} drop column {ADDED[name][0]}".encode())
    cursor.execute(f"analyze {copy}".encode())


def _key_of(part: str) -> str:
    return "h_user_pk" if part == "batch_checked_guests" else "h_order_pk"

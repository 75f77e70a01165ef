"""Looks at a distributed warehouse through a plain one: its rows are copied there, and any question may be asked."""

import os
from collections.abc import Sequence
from typing import Any, Self, cast

import psycopg
from psycopg import sql

from harness.pipeline import Pipeline, empty

COLUMNS = """
select table_schema, table_name, array_agg(column_name::text order by ordinal_position)
from information_schema.columns
inner join information_schema.tables using (table_schema, table_name)
where table_schema in ('stg', 'dds', 'cdm') and table_type = 'BASE TABLE'
group by table_schema, table_name
order by table_schema, table_name
"""
WRITTEN = "select nodeid, result from run_command_on_all_nodes('select pg_current_wal_insert_lsn()') order by nodeid"
WRITES = ("insert", "update", "delete", "truncate", "merge", "set", "analyze", "vacuum")


class Owner:
    """The owner's connection of a `Pipeline`: writes go to the coordinator, questions to the plain copy of all rows."""

    def __init__(self, coordinator: psycopg.Connection[Any], copy_url: str) -> None:
        self.coordinator = coordinator
        self.copy = psycopg.connect(copy_url, autocommit=True)
        self.copy.execute("set session_replication_role = replica")  # neither keys to other tables nor triggers
        self.state: list[tuple[Any, ...]] = []
        self.tables = self.copy.execute(COLUMNS).fetchall()

    def execute(self, query: Any, params: Sequence[Any] | None = None) -> psycopg.Cursor[Any]:
        """Run a statement where it belongs."""
        text = query if isinstance(query, str) else bytes(query).decode() if isinstance(query, bytes) else ""
        if not text or text.split(maxsplit=1)[0].lower() in WRITES:
            return self.coordinator.execute(query, params)
        self.refresh()
        return self.copy.execute(query, params)

    def refresh(self) -> None:
        """Copy every row of every table, where a node has written since."""
        state = self.coordinator.execute(WRITTEN).fetchall()
        if state == self.state:
            return
        self.state = state
        self.copy.execute(";".join(f"delete from {schema}.{table}" for schema, table, _ in self.tables))
        for schema, table, columns in self.tables:
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            name = sql.Identifier(schema, table)
            out = sql.SQL("copy (select {} from {}) to stdout").format(names, name)
            into = sql.SQL("copy {} ({}) from stdin").format(name, names)
            source, target = self.coordinator.cursor(), self.copy.cursor()
            with source.copy(out) as rows, target.copy(into) as stored:
                for part in rows:
                    stored.write(part)

    def close(self) -> None:
        """Close both connections."""
        self.coordinator.close()
        self.copy.close()


class SeenPipeline(Pipeline):
    """A `Pipeline` of a distributed warehouse whose rows are asked of a plain copy, which CITUS_COPY_URL names."""

    def __init__(self, env: Any = os.environ) -> None:
        super().__init__(env)
        self.owner = cast("psycopg.Connection[Any]", Owner(self.owner, env["CITUS_COPY_URL"]))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def clear(self) -> None:
        """Empty the warehouse and Redis; ids begin at 1 again."""
        empty(cast("Any", self.owner).coordinator)
        self.redis.flushall()

"""A warehouse of the release before, and its way to the tables of today.

The code of that release runs as it was, from an archive of its commit; what it has stored is compared by what every table says in
the columns that it had.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import psycopg
from psycopg import sql

REPO = Path(__file__).resolve().parents[1]
MIGRATIONS = REPO / "migrations/versions"
# The commit of the last image that was released. A release sets it to its own once it is out.
RELEASE = "1e59a86"
# Run in the checkout of that commit: rules, two loads with a changed, a retired and a deleted rule between, and then what waits:
# orders that are OPEN for the vault, or (`everything`) orders that count for the vault and for the marts, and a rule.
FILL = """
import json
import sys
from harness.pipeline import Pipeline
from source.generate import Generator

orders, waits = int(sys.argv[1]), sys.argv[2]
generator = Generator(seed=17, orders=orders)
messages = [message.value for message in generator.messages()]
documents = [("user", key, text.encode()) for key, text in generator.users()]
documents += [("restaurant", key, text.encode()) for key, text in generator.restaurant_documents()]

def again(values, first_id, status):
    for object_id, message in enumerate(map(json.loads, values), first_id):
        message["object_id"] = object_id
        message["payload"]["final_status"] = status
        yield json.dumps(message).encode()

with Pipeline() as pipeline:
    for rule in (("pizza", "Пицца", 0), ("soups", "Супы", 1), ("gone", "Десерты", 0), ("sweet", "Десерты", 1)):
        pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values (%s, %s, %s)", rule)
    pipeline.refer(documents)
    pipeline.stage(messages[: orders // 2])
    pipeline.load()
    pipeline.owner.execute("update cdm.tag_rules set threshold = 1 where tag = 'pizza'")
    pipeline.owner.execute("update cdm.tag_rules set active = false where tag = 'sweet'")
    pipeline.owner.execute("delete from cdm.tag_rules where tag = 'gone'")
    pipeline.load()
    pipeline.stage(messages[orders // 2 :])
    pipeline.load()
    known = [value for value in messages if json.loads(value)["object_type"] == "order"][:40]
    if waits == "everything":
        pipeline.stage(again(known[:20], 900_001, "CLOSED"))
        pipeline.load_dds()
        pipeline.owner.execute("update cdm.tag_rules set threshold = 0 where tag = 'soups'")
        pipeline.stage(again(known[20:], 900_101, "CLOSED"))
    else:
        pipeline.stage(again(known, 900_001, "OPEN"))
"""

Columns: TypeAlias = Mapping[str, list[str]]


class Step(NamedTuple):
    """What a migration has done: its seconds, which tables of before nobody could read meanwhile, and which it wrote anew."""

    revision: str
    seconds: float
    locked: list[str]
    rewritten: list[str]


class Release:
    """The code of the release before, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        archive = subprocess.run(["git", "archive", RELEASE], cwd=REPO, capture_output=True, check=False)
        assert archive.returncode == 0, (
            f"the history up to {RELEASE} is needed (git fetch --unshallow): {archive.stderr.decode()}"
        )
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)

    @property
    def revision(self) -> str:
        """Its last migration."""
        return max(path.name[:4] for path in (self.folder / "migrations/versions").glob("*.sql"))

    def run(self, code: str, *arguments: str, env: Mapping[str, str] = os.environ) -> str:
        """Run Python code by it; return what that has printed."""
        paths = {"PYTHONPATH": f"{self.folder / 'plugins'}{os.pathsep}{self.folder}"}
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=self.folder,
            env={**env, **paths},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def fill(self, env: Mapping[str, str], orders: int, waits: str = "nothing that counts") -> None:
        """Load a history into the warehouse of `env`, which has its tables; leave what waits."""
        self.run(FILL, str(orders), waits, env=env)


def columns_of(owner: psycopg.Connection) -> dict[str, list[str]]:
    """Return the columns of each table."""
    query = """
        select table_schema || '.' || table_name, array_agg(column_name::text order by ordinal_position)
        from information_schema.columns
        inner join information_schema.tables using (table_schema, table_name)
        where table_schema in ('stg', 'dds', 'cdm') and table_type = 'BASE TABLE'
        group by 1
    """
    return dict(owner.execute(query).fetchall())


def content(owner: psycopg.Connection, columns: Columns) -> dict[str, tuple[int, str]]:
    """Return of each table how many rows it has, and a digest of what they say in these columns."""
    query = """
        select count(*), md5(coalesce(string_agg(row_hash, '' order by row_hash), ''))
        from (select md5(row({})::text) as row_hash from {}) as hashed
    """
    found = {}
    for table, names in columns.items():
        statement = sql.SQL(query).format(
            sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(*table.split("."))
        )
        ((rows, digest),) = owner.execute(statement).fetchall()
        found[table] = (rows, digest)
    return found


def migrate_by_steps(url: str, after: str) -> Iterator[Step]:
    """Apply what comes after a revision as Alembic does, a transaction each; yield what each has done."""
    files = """
        select c.oid, n.nspname || '.' || c.relname, pg_relation_filenode(c.oid)
        from pg_class as c
        inner join pg_namespace as n on c.relnamespace = n.oid
        where n.nspname in ('stg', 'dds', 'cdm') and c.relkind = 'r'
    """
    held = "select relation from pg_locks where pid = pg_backend_pid() and mode = 'AccessExclusiveLock'"
    for path in sorted(path for path in MIGRATIONS.glob("*.sql") if path.name[:4] > after):
        with psycopg.connect(url) as connection:
            before = {oid: (name, file) for oid, name, file in connection.execute(files)}
            connection.rollback()
            started = time.perf_counter()
            connection.execute(path.read_text(encoding="utf-8").replace("%%", "%").encode())
            locked = {oid for (oid,) in connection.execute(held)}
            now = {oid: file for oid, _, file in connection.execute(files)}
            connection.execute("update migration.alembic_version set version_num = %s", [path.name[:4]])
            connection.commit()
            seconds = time.perf_counter() - started
        yield Step(
            path.name[:4],
            seconds,
            sorted(name for oid, (name, _) in before.items() if oid in locked),
            sorted(name for oid, (name, file) in before.items() if now.get(oid) != file),
        )

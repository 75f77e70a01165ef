"""A year of minutes, simulated at speed: does the run of every minute end at the cost that it began with?

    make year

525,600 runs with five orders each leave 2.6 million orders, and in the catalogues, queues, sums and counters the dead rows of as
many transactions. The orders come from `grow.sql`, the dead rows from `year.sql`; before and after, real runs are measured.
Autovacuum works as it is set, but looks every second, for a second is an hour or more here.
"""

import argparse
import os
import re
import sys
import time
from typing import Any

import psycopg

from bench.__main__ import HOME, load
from bench.grow import grow
from bench.measure import HISTORY, ORDERS_A_MINUTE, REPO, minutes, say
from bench.world import SCHEMAS, World

YEAR = 365 * 24 * 60
RUNS = 9
CREATED = re.compile(r"create temporary table \w+ (\(.*?\n\)) on commit drop", re.DOTALL)
CATALOGUES = "select sum(pg_total_relation_size(oid)) from pg_class where relnamespace = 'pg_catalog'::regnamespace"


def main() -> int:
    """Measure, simulate, measure; print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.year", description=__doc__)
    parser.add_argument("--minutes", type=int, default=YEAR, help="how many are simulated (default %(default)s)")
    parser.add_argument(
        "--tables-every",
        type=int,
        default=10,
        metavar="N",
        help="the temporary tables, six times as slow as all else, come with each N-th minute (default %(default)s)",
    )
    given = parser.parse_args()
    world = World(HOME)
    try:
        load(world, HISTORY)
        before = measured(world)
        copies = max(1, given.minutes * ORDERS_A_MINUTE // HISTORY)
        if copies > 1:
            load(world, HISTORY)
            grow(world.owner, copies)
            say(f"{copies * HISTORY:,} orders")
        world.configure("autovacuum_naptime", "1s")
        pass_minutes(given.minutes, given.tables_every)
        after = measured(world)
    finally:
        world.close()
    say(f"\n| | before | after {given.minutes:,} minutes | ratio |\n|---|---:|---:|---:|")
    for name, first in before.items():
        say(f"| {name} | {first:,.0f} | {after[name]:,.0f} | {after[name] / first:.2f} |")
    return 0


def measured(world: World) -> dict[str, float]:
    """Return what a run with five orders costs, and how large the catalogues are."""
    result = minutes(world, HISTORY, RUNS)[str(ORDERS_A_MINUTE)]
    size = world.owner.execute(CATALOGUES).fetchone()
    assert size is not None
    return {
        "milliseconds of a run": result["seconds"]["total"] * 1000,
        "pages looked at": result["buffers"],
        "rows read": result["rows_read"],
        "catalogues, MiB": float(size[0]) / 2**20,
    }


def pass_minutes(count: int, tables_every: int) -> None:
    """Let so many minutes pass, a thousand a session; tell how far it is."""
    tables = [
        columns
        for schema in SCHEMAS
        for path in sorted((REPO / "sql").glob(f"batch/{schema}/*.sql"))
        for columns in CREATED.findall(path.read_text())
    ]
    statement: Any = (REPO / "bench" / "year.sql").read_text()
    started, done = time.monotonic(), 0
    while done < count:
        some = min(1000, count - done)
        with psycopg.connect(os.environ["DWH_URL"], autocommit=True) as owner, psycopg.ClientCursor(owner) as cursor:
            cursor.execute(statement, {"minutes": some, "tables": tables, "every": tables_every})
        done += some
        if done % 10_000 == 0:
            say(f"  {done:,} of {count:,} minutes after {time.monotonic() - started:,.0f} s")


if __name__ == "__main__":
    sys.exit(main())

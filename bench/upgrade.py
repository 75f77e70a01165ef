"""What the migrations cost that come after the release before, on a warehouse that it has filled: `python -m bench.upgrade`.

The tables are compared before and after, and a minute's run of today must change no tag.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from bench.__main__ import HOME
from bench.measure import HISTORY, REPO, say
from bench.world import World
from harness.pipeline import Pipeline
from harness.upgrade import RELEASE, Release, columns_of, content, migrate_by_steps

DATABASE = "dwh_before"
TAGS = ("cdm.user_tags", "cdm.tag_events", "cdm.tag_rule_versions", "dds.counter_queue", "cdm.rule_queue")


def main() -> int:
    """Fill, migrate, compare, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.upgrade", description=__doc__)
    parser.add_argument("--orders", type=int, default=HISTORY, help="of the history (default %(default)s)")
    given = parser.parse_args()
    world = World(HOME)
    try:
        with tempfile.TemporaryDirectory() as folder:
            measure(Release(Path(folder)), given.orders)
    finally:
        world.close()
    return 0


def measure(release: Release, orders: int) -> None:
    """Do it in a database of its own, with the tables of the release before."""
    with psycopg.connect(os.environ["DWH_ADMIN_URL"], autocommit=True) as admin:
        admin.execute(f"create database {DATABASE} owner dwh_owner encoding 'UTF8' template template0")
    urls = {name: os.environ[name].rsplit("/", 1)[0] + f"/{DATABASE}" for name in ("DWH_URL", "DWH_ETL_URL")}
    env = {**os.environ, **urls}
    command = [sys.executable, "-m", "alembic", "upgrade", release.revision]
    subprocess.run(command, env=env, cwd=REPO, check=True, capture_output=True)
    release.fill(env, orders)
    with Pipeline(env) as pipeline:
        columns = columns_of(pipeline.owner)
        before = content(pipeline.owner, columns)
        say(f"release {RELEASE}, {orders:,} orders: " + ", ".join(f"{before[table][0]:,} in {table}" for table in TAGS))
        for step in migrate_by_steps(urls["DWH_URL"], release.revision):
            say(
                f"{step.revision}: {step.seconds * 1000:.0f} ms; locked: {', '.join(step.locked) or 'none'}; "
                f"written anew: {', '.join(step.rewritten) or 'none'}"
            )
        assert content(pipeline.owner, columns) == before, "the migrations have changed what was there"
        pipeline.load()
        after = content(pipeline.owner, columns)
        assert [after[table] for table in TAGS] == [before[table] for table in TAGS], "somebody was judged anew"
        say("every table says what it said; a minute's run has changed no tag, no event and no version")


if __name__ == "__main__":
    sys.exit(main())

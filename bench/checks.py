"""How long the hourly check takes on a long history: `python -m bench.checks --orders 1000000`.

Some hours of checks one after another, each after as many new orders as an hour brings, then all laws of
everything.
"""

import argparse
import sys
import time
from datetime import UTC, datetime

from bench.__main__ import HOME, load
from bench.chores import DAY_S
from bench.measure import HISTORY, ORDERS_A_MINUTE, say
from bench.world import World, plain_orders
from harness.runs import run
from operators.check_laws import CheckLawsOperator
from warehouse.requests import ALL_LAWS_WHOLE, WHAT_CHANGED

HOURS = 4


def main() -> int:
    """Load, check, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.checks", description=__doc__)
    parser.add_argument("--orders", type=int, default=1_000_000, help="of the history (default %(default)s)")
    given = parser.parse_args()
    world = World(HOME)
    try:
        load(world, given.orders)
        say(f"{given.orders:,} orders are there")
        topic, generator = world.topic(), plain_orders(HISTORY, seed=42)
        world.owner.execute("insert into stg.check_progress values (true, %s, now(), now())", ["0" * 32])
        for hour in range(HOURS):
            # The history was loaded in the last hour, too, which is not what an hour brings.
            world.owner.execute("update stg.check_progress set changed_dt = now()")
            moment = datetime(2026, 12, 1, hour, tzinfo=UTC)
            world.produce(topic, world.fresh_orders(generator, 60 * ORDERS_A_MINUTE, moment))
            world.minute(topic)
            _check(world, WHAT_CHANGED)
        _check(world, ALL_LAWS_WHOLE)
    finally:
        world.close()
    return 0


def _check(world: World, scope: str) -> None:
    pages, started = world.buffers(), time.perf_counter()
    run(CheckLawsOperator(task_id="laws", scope=scope, max_lag_s=DAY_S))
    seconds = time.perf_counter() - started
    say(f"{scope}: {seconds:.1f} s, {world.buffers() - pages:,} pages")


if __name__ == "__main__":
    sys.exit(main())

"""What loads cost, counted: `make guard` counts and records, the tests count again and compare.

Pages and rows, not seconds: they are the same on a busy machine.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg

from bench.grow import grow
from bench.measure import ORDERS_A_MINUTE, REPO, say
from bench.world import World, plain_orders
from warehouse.laws import KEYS, LAST_KEY, Scope, ask_laws, read_laws

RECORDED = Path(__file__).with_name("guard.json")
ORDERS = 5_000
COPIES = 10
# Beyond this much more than recorded a load has begun to read or write what it need not.
TOLERANCE = 1.25
LOG = logging.getLogger("bench.guard")


def measure(home: Path) -> dict[str, float]:
    """Count pages looked at and rows read and written: by a history, an order; by a minute's run on one and on ten.

    And by the hourly check of a minute's orders, and of a slice of all keys.
    """
    world = World(home)
    # It would look at pages whenever it likes.
    world.configure("autovacuum", "off")
    generator = plain_orders(ORDERS, seed=42)
    topic, live = world.topic(), world.topic()
    world.produce(topic, generator.messages())
    world.load_reference(generator)
    moments = iter(range(100))

    def minute() -> None:
        moment = datetime(2026, 11, 25, 12, next(moments), tzinfo=UTC)
        world.produce(live, world.fresh_orders(generator, ORDERS_A_MINUTE, moment))
        world.minute(live)

    try:
        world.clear()
        world.settle()
        history = _counted(world, lambda: world.history(topic))
        world.settle()
        minute()  # the first one meets cold caches
        short = _named("minute", _counted(world, minute)) | _checks(world)
        world.clear()
        world.history(topic)
        grow(world.owner, COPIES)
        world.settle()
        minute()
        long = _named("minute", _counted(world, minute)) | _checks(world)
    finally:
        world.close()
    return {
        **{f"history_{name}_an_order": count / ORDERS for name, count in history.items()},
        **short,
        **{f"{name}_ten_times_the_history": count for name, count in long.items()},
    }


def _named(prefix: str, counts: dict[str, int]) -> dict[str, int]:
    return {f"{prefix}_{name}": count for name, count in counts.items()}


def _checks(world: World) -> dict[str, int]:
    """Count the check of the newest minute's orders, and that of a slice. Raises RuntimeError where a law is broken."""
    laws = read_laws()
    moments = {name for law in laws for name in re.findall(r"%\((\w+_before)\)s", law.text)}
    ((newest,),) = world.owner.execute("select max(load_dt) - interval '1 s' from stg.order_event_log").fetchall()

    def check(scope: Scope) -> None:
        with psycopg.connect(os.environ["DWH_ETL_URL"]) as connection:
            params = dict.fromkeys(moments, "-infinity")
            broken, unanswered = ask_laws(connection, scope.due(laws), params, max_rows=1, log=LOG, scope=scope)
        if broken or unanswered:
            raise RuntimeError(f"{broken} {unanswered}")

    # That of the second hour: in it no law has its turn that is asked of everything.
    scopes = {
        "what_changed": Scope(str(newest), None, LAST_KEY),
        "a_slice": Scope("infinity", UUID(int=KEYS // 24), UUID(int=KEYS // 12 - 1)),
    }
    return {f"check_of_{name}_pages": _counted(world, lambda: check(scope))["pages"] for name, scope in scopes.items()}  # noqa: B023  # called at once


def _counted(world: World, work: Callable[[], object]) -> dict[str, int]:
    pages, rows = world.buffers(), world.rows()
    work()
    return {"pages": world.buffers() - pages} | {
        f"rows_{name}": count - rows[name] for name, count in world.rows().items()
    }


def main() -> int:
    """Count on a stack of its own and record."""
    figures = measure(REPO / ".local-guard")
    RECORDED.write_text(json.dumps({name: round(value, 1) for name, value in figures.items()}, indent=2) + "\n")
    say(RECORDED.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())

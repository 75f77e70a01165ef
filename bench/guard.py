"""What loads cost, counted: `make guard` counts and records, the tests count again and compare.

Pages and rows, not seconds: they are the same on a busy machine.
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench.grow import grow
from bench.measure import ORDERS_A_MINUTE, REPO, say
from bench.world import World, plain_orders

RECORDED = Path(__file__).with_name("guard.json")
ORDERS = 5_000
COPIES = 10
# Beyond this much more than recorded a load has begun to read or write what it need not.
TOLERANCE = 1.25


def measure(home: Path) -> dict[str, float]:
    """Count pages looked at and rows read and written: by a history, an order; by a minute's run on one and on ten."""
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
        short = _counted(world, minute)
        world.clear()
        world.history(topic)
        grow(world.owner, COPIES)
        world.settle()
        minute()
        long = _counted(world, minute)
    finally:
        world.close()
    return {
        **{f"history_{name}_an_order": count / ORDERS for name, count in history.items()},
        **{f"minute_{name}": count for name, count in short.items()},
        **{f"minute_{name}_ten_times_the_history": count for name, count in long.items()},
    }


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

"""A small bench of ratios, which the tests compare with what was recorded: `make guard` measures and records anew."""

import json
import sys
from pathlib import Path

from bench.grow import grow
from bench.measure import REPO, backfill, minutes, say
from bench.world import World

RECORDED = Path(__file__).with_name("guard.json")
ORDERS = 5_000
COPIES = 10
# Beyond twice the recorded ratio something has become slower, not the machine busier.
TOLERANCE = 2.0


def measure(home: Path) -> dict[str, float]:
    """Return ratios: a history of 5,000 orders to its floor, and a minute's run on ten such histories to one on one."""
    world = World(home)
    try:
        history = backfill(world, ORDERS, runs=3)
        world.settle()
        short = minutes(world, ORDERS, runs=5)["5"]
        world.clear()
        backfill(world, ORDERS, runs=1)
        grow(world.owner, COPIES)
        world.settle()
        long = minutes(world, ORDERS * COPIES, runs=5)["5"]
    finally:
        world.close()
    return {
        "backfill_over_floor": history["over_floor"],
        "minute_long_over_short": long["seconds"]["total"] / short["seconds"]["total"],
        "minute_pages_long_over_short": long["buffers"] / short["buffers"],
    }


def main() -> int:
    """Measure on a stack of its own and record."""
    figures = measure(REPO / ".local-guard")
    RECORDED.write_text(json.dumps({name: round(value, 2) for name, value in figures.items()}, indent=2) + "\n")
    say(RECORDED.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())

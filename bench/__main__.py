"""Runs the benchmarks and writes `bench/results.json`, `bench/README.md` and `bench/results.svg`: `make bench`."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import report, views
from bench.chores import chores
from bench.grow import grow
from bench.measure import HISTORY, REPO, alternatives, backfill, memory, minutes, say
from bench.overhead import overhead
from bench.world import World, plain_orders

HOME = REPO / ".local-bench"


@contextmanager
def told(title: str) -> Iterator[None]:
    """Tell what is measured and how long that took."""
    say(title)
    started = time.monotonic()
    yield
    say(f"  ({time.monotonic() - started:.0f} s)")


def main() -> int:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each measurement (default 3)")
    parser.add_argument(
        "--backfills", default="50000,500000", help="orders of the histories that are loaded (default %(default)s)"
    )
    parser.add_argument(
        "--histories",
        default="50000,500000,5000000",
        help="orders of history under the minute runs (default %(default)s)",
    )
    parser.add_argument(
        "--messages", default="1,100", help="histories of 50,000 orders in the drain's topic (default %(default)s)"
    )
    parser.add_argument("--output", type=Path, default=REPO / "bench", help="folder of the results (default bench/)")
    arguments = parser.parse_args()

    results: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {"cpus": os.cpu_count(), "cpu": report.cpu_model(), "python": platform.python_version()},
    }
    world = World(HOME)
    try:
        results["machine"]["postgresql"] = world.owner.info.parameter_status("server_version")
        results["backfill"] = []
        # The smallest last: it is what the first minute runs find loaded.
        for orders in sorted({HISTORY, *_numbers(arguments.backfills)}, reverse=True):
            with told(f"backfill of {orders} orders against the floor"):
                runs = arguments.runs if orders == HISTORY else 1
                results["backfill"].insert(0, backfill(world, orders, runs))
        with told("what one might pick instead of the drain, against the floor"):
            results["alternatives"] = alternatives(world)
        results["minutes"], results["views"] = [], []
        loaded = HISTORY
        for history in sorted(_numbers(arguments.histories)):
            with told(f"minute runs at {history} orders of history"):
                if history != loaded:
                    topic = world.topic()
                    world.produce(topic, plain_orders(HISTORY, seed=42).messages())
                    world.clear()
                    world.history(topic)
                    grow(world.owner, history // HISTORY)
                    loaded = history
                world.settle()
                results["minutes"].append(minutes(world, history, max(arguments.runs, 5)))
                results["views"].append({"history": history, "ms": views.measure(os.environ["DWH_BI_URL"])})
            if history == HISTORY:
                with told("rebuilds, checks, rules"):
                    results["chores"] = chores(world, max(arguments.runs, 5))
                with told("Airflow's own share of a minute's run"):
                    results["overhead"] = overhead(world, max(arguments.runs, 5))
        results["memory"] = []
        for repeats in _numbers(arguments.messages):
            with told(f"memory of the drain at {repeats * HISTORY} orders"):
                results["memory"].append(memory(world, repeats))
    finally:
        world.close()
    results |= report.headline(results)
    arguments.output.mkdir(exist_ok=True, parents=True)
    report.write(results, arguments.output)
    say(report.table(results))
    return 0


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())

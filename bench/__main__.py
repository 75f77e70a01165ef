"""Runs the benchmarks and writes `bench/results.json`, `bench/README.md` and `bench/results.svg`: `make bench`."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import report, views
from bench.chores import chores
from bench.grow import grow
from bench.measure import HISTORY, REPO, alternatives, backfill, memory, minutes, say
from bench.overhead import overhead
from bench.rules import rules
from bench.world import World, plain_orders
from source.generate import Generator

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
    given = arguments()
    results: dict[str, Any] = {}
    if set(given.parts) != set(PARTS):
        results = json.loads((given.output / "results.json").read_text(encoding="utf-8"))
    results["machine"] = {"cpus": os.cpu_count(), "cpu": report.cpu_model(), "python": platform.python_version()}
    results.setdefault("dates", {}).update(dict.fromkeys(given.parts, datetime.now(UTC).date().isoformat()))
    world = World(HOME)
    try:
        results["machine"]["postgresql"] = world.owner.info.parameter_status("server_version")
        for part in PARTS:
            if part in given.parts:
                results |= MEASURES[part](world, given)
    finally:
        world.close()
    results |= report.headline(results)
    given.output.mkdir(exist_ok=True, parents=True)
    report.write(results, given.output)
    say(report.table(results))
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each measurement (default 3)")
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=PARTS,
        default=PARTS,
        help="what to measure (default all); the rest stays as the folder of the results has it",
    )
    parser.add_argument(
        "--backfills",
        type=numbers,
        default="50000,500000",
        help="orders of the histories that are loaded, 50000 always (default %(default)s)",
    )
    parser.add_argument(
        "--histories",
        type=numbers,
        default="50000,500000,5000000",
        help="orders of history under the minute runs, 50000 always (default %(default)s)",
    )
    parser.add_argument(
        "--messages",
        type=numbers,
        default="1,100",
        help="histories of 50,000 orders in the drain's topic (default %(default)s)",
    )
    parser.add_argument("--output", type=Path, default=REPO / "bench", help="folder of the results (default bench/)")
    return parser.parse_args()


def numbers(text: str) -> list[int]:
    """Read numbers between commas."""
    return [int(number) for number in text.split(",")]


def measure_backfill(world: World, given: argparse.Namespace) -> dict[str, Any]:
    """Measure histories of each length; the usual one several times."""
    results = []
    for orders in sorted({HISTORY, *given.backfills}):
        with told(f"backfill of {orders} orders against the floor"):
            results.append(backfill(world, orders, given.runs if orders == HISTORY else 1))
    return {"backfill": results}


def measure_alternatives(world: World, _: argparse.Namespace) -> dict[str, Any]:
    """Measure other ways, once."""
    with told("what one might pick instead of the drain, against the floor"):
        return {"alternatives": alternatives(world)}


def measure_minutes(world: World, given: argparse.Namespace) -> dict[str, Any]:
    """Measure the minute's runs and the views on each history, on the shortest one everything else as well."""
    results: dict[str, Any] = {"minutes": [], "views": []}
    runs = max(given.runs, 5)
    for history in sorted({HISTORY, *given.histories}):
        with told(f"minute runs at {history} orders of history"):
            load(world, history)
            results["minutes"].append(minutes(world, history, runs))
            results["views"].append({"history": history, "ms": views.measure(os.environ["DWH_BI_URL"])})
        if history == HISTORY:
            with told("rebuilds, checks, rules"):
                results["chores"] = chores(world, runs)
            with told("Airflow's own share of a minute's run"):
                results["overhead"] = overhead(world, runs)
    return results


def measure_memory(world: World, given: argparse.Namespace) -> dict[str, Any]:
    """Measure the memory of the drain on topics of each length."""
    results = []
    for repeats in given.messages:
        with told(f"memory of the drain at {repeats * HISTORY} orders"):
            results.append(memory(world, repeats))
    return {"memory": results}


def measure_rules(world: World, given: argparse.Namespace) -> dict[str, Any]:
    """Measure what tag rules cost, on the shortest history and the longest; these end today, for windows look back from now."""
    results = []
    for history in sorted({HISTORY, max(given.histories)}):
        with told(f"tag rules at {history} orders of history"):
            generator = plain_orders(HISTORY, seed=42, end=datetime.now(UTC).replace(minute=0, second=0, microsecond=0))
            load(world, history, generator)
            results.append({"history": history, **rules(world, generator, max(given.runs, 5))})
    return {"rules": results}


MEASURES: dict[str, Callable[[World, argparse.Namespace], dict[str, Any]]] = {
    "backfill": measure_backfill,
    "alternatives": measure_alternatives,
    "minutes": measure_minutes,
    "rules": measure_rules,
    "memory": measure_memory,
}
PARTS = tuple(MEASURES)


def load(world: World, history: int, generator: Generator | None = None) -> None:
    """Make the warehouse hold a history of so many orders and nothing else: that of the demo, or of a generator of as many."""
    generator = generator or plain_orders(HISTORY, seed=42)
    topic = world.topic()
    world.produce(topic, generator.messages())
    world.load_reference(generator)
    world.clear()
    world.history(topic)
    if history > HISTORY:
        grow(world.owner, history // HISTORY)
    world.settle()


if __name__ == "__main__":
    sys.exit(main())

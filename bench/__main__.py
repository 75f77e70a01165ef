"""Runs the benchmarks and writes `bench/results.json`, `bench/README.md` and `bench/results.svg`: `make bench`."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import report
from bench.floor import floor
from bench.grow import grow
from bench.world import STAGES, Clock, World, plain_orders

REPO = Path(__file__).resolve().parents[1]
HOME = REPO / ".local-bench"
HISTORY = 50_000
EMPTY = 0


def medians(clocks: list[Clock]) -> dict[str, float]:
    """Return the median seconds of each stage and of the whole."""
    stages = {stage: statistics.median(clock.seconds[stage] for clock in clocks) for stage in STAGES}
    return {**stages, "total": statistics.median(clock.total for clock in clocks)}


def backfill(world: World, orders: int, runs: int) -> dict[str, Any]:
    """Measure a history from Kafka to tags against the floor, alternately, `runs` times each."""
    topic = world.topic()
    generator = plain_orders(orders, seed=42)
    messages = world.produce(topic, generator.messages())
    world.load_reference(generator)
    floors, clocks = [], []
    for number in range(runs):
        world.clear()
        world.settle()
        floors.append(floor(topic))
        world.settle()
        clocks.append(world.history(topic))
        say(
            f"  run {number + 1}: floor {floors[-1]:.2f} s, {clocks[-1].total:.2f} s = {clocks[-1].total / floors[-1]:.1f}x"
        )
    ratios = [clock.total / seconds for clock, seconds in zip(clocks, floors, strict=True)]
    size = world.owner.execute("select pg_database_size(current_database())").fetchone()
    assert size is not None
    return {
        "orders": orders,
        "messages": messages,
        "floor_s": statistics.median(floors),
        "seconds": medians(clocks),
        "over_floor": statistics.median(ratios),
        "runs": [round(ratio, 2) for ratio in ratios],
        "database_bytes_per_order": size[0] / orders,
    }


def minutes(world: World, history: int, runs: int) -> dict[str, Any]:
    """Measure minute runs on top of what is loaded: none, 5 and 500 new orders."""
    topic = world.topic()
    generator = plain_orders(HISTORY, seed=42)
    result: dict[str, Any] = {"history": history}
    start = datetime(2026, 11, 25, tzinfo=UTC)
    for orders in (EMPTY, 5, 500):
        clocks, buffers = [], []
        for number in range(runs + 1):
            if orders:
                moment = start + timedelta(minutes=number, hours=orders)
                world.produce(topic, world.fresh_orders(generator, orders, moment))
            before = world.buffers()
            clocks.append(world.minute(topic))
            buffers.append(world.buffers() - before)
        # The first run meets cold caches and plans; the others are the steady state that is asked for.
        result[str(orders)] = {"seconds": medians(clocks[1:]), "buffers": statistics.median(buffers[1:])}
        say(f"  {orders} orders: {result[str(orders)]['seconds']['total'] * 1000:.0f} ms")
    return result


def memory(world: World, repeats: int) -> dict[str, Any]:
    """Measure the peak memory of the drain on `repeats` histories in one topic."""
    topic = world.topic()
    for _ in range(repeats):
        world.produce(topic, plain_orders(HISTORY, seed=42).messages())
    world.clear()
    command = [sys.executable, "-m", "bench.memory", topic, "10000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPO, env=os.environ | python_path())
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    world.admin.delete_topics([topic])[topic].result(30)
    say(f"  {result['messages']} messages: {result['peak_mib']:.0f} MiB")
    return result


def python_path() -> dict[str, str]:
    """Return what a child process needs to find our packages."""
    return {"PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "plugins")])}


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, flush=True)


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
        with told(f"backfill of {HISTORY} orders against the floor"):
            results["backfill"] = [backfill(world, HISTORY, arguments.runs)]
        results["minutes"] = []
        loaded = HISTORY
        for history in sorted(int(number) for number in arguments.histories.split(",")):
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
        results["memory"] = []
        for repeats in (int(number) for number in arguments.messages.split(",")):
            with told(f"memory of the drain at {repeats * HISTORY} orders"):
                results["memory"].append(memory(world, repeats))
    finally:
        world.close()
    results |= report.headline(results)
    arguments.output.mkdir(exist_ok=True, parents=True)
    report.write(results, arguments.output)
    say(report.table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())

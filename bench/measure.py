"""The measurements of `make bench`, each on a running world: medians of several runs, ratios within a run."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.alternatives import row_by_row, stock_operator
from bench.floor import floor
from bench.world import STAGES, Clock, World, plain_orders

REPO = Path(__file__).resolve().parents[1]
HISTORY = 50_000
ORDERS_A_MINUTE = 5
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
    floors, clocks, wal = [], [], []
    for number in range(runs):
        world.clear()
        world.settle()
        floors.append(floor(topic))
        world.settle()
        before = world.wal_bytes()
        clocks.append(world.history(topic))
        wal.append(world.wal_bytes() - before)
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
        "wal_bytes_per_order": statistics.median(wal) / orders,
    }


def minutes(world: World, history: int, runs: int) -> dict[str, Any]:
    """Measure minute runs on top of what is loaded: none, 5 and 500 new orders."""
    topic = world.topic()
    generator = plain_orders(HISTORY, seed=42)
    result: dict[str, Any] = {"history": history}
    start = datetime(2026, 11, 25, tzinfo=UTC)
    for orders in (EMPTY, ORDERS_A_MINUTE, 500):
        clocks, buffers, read, written = [], [], [], []
        for number in range(runs + 1):
            if orders:
                moment = start + timedelta(minutes=number, hours=orders)
                world.produce(topic, world.fresh_orders(generator, orders, moment))
            before, rows = world.buffers(), world.rows()
            clocks.append(world.minute(topic))
            buffers.append(world.buffers() - before)
            read.append(world.rows()["read"] - rows["read"])
            written.append(world.rows()["written"] - rows["written"])
        # The first run meets cold caches and plans; the others are the steady state that is asked for.
        result[str(orders)] = {
            "seconds": medians(clocks[1:]),
            "buffers": statistics.median(buffers[1:]),
            "rows_read": statistics.median(read[1:]),
            "rows_written": statistics.median(written[1:]),
        }
        say(f"  {orders} orders: {result[str(orders)]['seconds']['total'] * 1000:.0f} ms")
    return result


def alternatives(world: World) -> dict[str, Any]:
    """Measure other ways into one plain table, on the messages of a history, each against a floor of the same moment."""
    topic = world.topic()
    messages = world.produce(topic, plain_orders(HISTORY, seed=42).messages())
    ways: dict[str, Callable[[str], float]] = {
        "the provider's ConsumeFromTopicOperator, insert_rows": stock_operator,
        "row by row, a commit each": row_by_row,
    }
    results: dict[str, Any] = {"messages": messages, "ways": {}}
    for name, way in ways.items():
        world.settle()
        floor_s = floor(topic)
        world.settle()
        seconds = way(topic)
        results["ways"][name] = {"seconds": seconds, "over_floor": seconds / floor_s}
        say(f"  {name}: {seconds:.1f} s = {seconds / floor_s:.1f}x")
    return results


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

"""What a distributed warehouse costs beside a plain one: `python -m bench.distributed`.

A history and runs of the minute, the same messages into both, on one machine: the CPU seconds of each PostgreSQL, which depend
less than the clock on what else the machine does. The cluster is one that somebody has started, by CITUS_COORDINATOR_URL and
CITUS_WORKER_URLS, and its warehouse is made anew; the plain one is the benchmark's own.
"""

import argparse
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from bench import world as worlds
from bench.__main__ import HOME
from bench.measure import say
from bench.pair import server_seconds
from harness.cluster import environment, make_warehouse
from warehouse import session as sessions
from warehouse import sql_files

ORDERS_A_MINUTE = 5
MARTS = """
select
    (select count(*) from cdm.user_product_counters),
    (select sum(order_cnt) from cdm.user_category_counters),
    (select count(*) from cdm.user_tags)
"""


@dataclass
class NodesClock(worlds.Clock):
    """Seconds by stage, and the CPU seconds of each node."""

    nodes: list[int] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage."""
        before = [server_seconds(node) for node in self.nodes]
        with super().stage(name):
            yield
        self.cpu[name] = [server_seconds(node) - used for node, used in zip(self.nodes, before, strict=True)]


class FileCosts:
    """The CPU seconds that the session of a load, on the coordinator, spends on each SQL file and on its COPYs."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        costs, run, copy = self, sql_files.run_sql, sessions.Session.copy

        def counted_run(connection: psycopg.Connection[Any], files: Sequence[Any], params: Any, log: Any) -> Any:
            counts: dict[str, int] = {}
            for file in files:
                with costs.of(connection, file.name):
                    counts |= run(connection, [file], params, log)
            return counts

        def counted_copy(self: sessions.Session, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
            with costs.of(self.connection, " ".join(statement.split()[:2])):
                copy(self, statement, rows)

        sessions.run_sql = counted_run
        sessions.Session.copy = counted_copy  # type: ignore[method-assign]

    @contextmanager
    def of(self, connection: psycopg.Connection[Any], name: str) -> Iterator[None]:
        """Count what the connection's session uses meanwhile."""
        before = _session_seconds(connection.info.backend_pid)
        yield
        self.seconds[name] += _session_seconds(connection.info.backend_pid) - before


def _session_seconds(process: int) -> float:
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


def main() -> int:
    """Load both, compare what has come of it, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.distributed", description=__doc__)
    parser.add_argument("--orders", type=int, default=50_000, help="of the history (default %(default)s)")
    parser.add_argument("--minutes", type=int, default=20, help="runs of the minute (default %(default)s)")
    parser.add_argument("--files", action="store_true", help="tell what the coordinator's session has worked at")
    given = parser.parse_args()
    cluster = [os.environ["CITUS_COORDINATOR_URL"], *os.environ["CITUS_WORKER_URLS"].split()]
    world = worlds.World(HOME)
    try:
        generator = worlds.plain_orders(given.orders, seed=42)
        topic = world.topic()
        messages = world.produce(topic, generator.messages())
        world.load_reference(generator)
        say(f"{given.orders:,} orders, {messages:,} messages")
        plain = measure(world, topic, generator, given.minutes, [os.environ["DWH_ADMIN_URL"]])
        os.environ.update(environment(cluster[0]))
        make_warehouse(dict(os.environ))
        world.owner.close()
        world.owner = psycopg.connect(os.environ["DWH_URL"], autocommit=True)
        costs = FileCosts() if given.files else None
        spread = measure(world, topic, generator, given.minutes, cluster, costs)
        assert plain == spread, f"the marts are different: {plain}, {spread}"
    finally:
        world.close()
    return 0


def measure(
    world: worlds.World, topic: str, generator: Any, minutes: int, nodes: list[str], costs: FileCosts | None = None
) -> tuple[Any, ...]:
    """Load a history and runs of the minute into the warehouse of the environment, and tell what they cost; return its marts."""
    servers = [_server(node) for node in nodes]
    worlds.Clock = lambda: NodesClock(nodes=servers)  # type: ignore[assignment, misc]
    names = ("plain",) if len(nodes) == 1 else ("coordinator", *["worker"] * (len(nodes) - 1))
    world.clear()
    world.owner.execute("analyze")
    clock = world.history(topic)
    assert isinstance(clock, NodesClock)
    _tell("history", names, clock.cpu, clock.total)
    _tell_files("history", costs)
    live, clocks = world.topic(), []
    moment = datetime(2026, 11, 25, tzinfo=UTC)
    for _ in range(minutes):
        moment += timedelta(minutes=1)
        world.produce(live, world.fresh_orders(generator, ORDERS_A_MINUTE, moment))
        clocks.append(world.minute(live))
    cpu = {
        stage: [
            sum(values) / minutes
            for values in zip(*(one.cpu[stage] for one in clocks if isinstance(one, NodesClock)), strict=True)
        ]
        for stage in worlds.STAGES
    }
    _tell("a minute, the mean of all", names, cpu, statistics.median(one.total for one in clocks))
    _tell_files(f"{minutes} minutes", costs)
    return world.owner.execute(MARTS).fetchone() or ()


def _server(node: str) -> int:
    with psycopg.connect(node) as connection:
        (text,) = connection.execute("select pg_read_file('postmaster.pid')").fetchone() or ("",)
    return int(text.split()[0])


def _tell(load: str, names: Sequence[str], cpu: dict[str, list[float]], seconds: float) -> None:
    say(f"\n| {load}, CPU seconds | {' | '.join(names)} | all |\n|---|{'---:|' * (len(names) + 1)}")
    totals = [sum(values) for values in zip(*cpu.values(), strict=True)]
    for stage, values in [*cpu.items(), ("all", totals)]:
        say(f"| {stage} | {' | '.join(f'{value:.3f}' for value in [*values, sum(values)])} |")
    say(f"{seconds:.2f} s on the clock; {names[0]}: {100 * totals[0] / sum(totals):.0f} % of the CPU")


def _tell_files(load: str, costs: FileCosts | None) -> None:
    if costs:
        say(f"\nthe coordinator's session, {load}: {sum(costs.seconds.values()):.3f} s; of these")
        for name, seconds in sorted(costs.seconds.items(), key=lambda item: -item[1])[:25]:
            say(f"  {seconds:.3f}  {name}")
        costs.seconds.clear()


if __name__ == "__main__":
    sys.exit(main())

"""What an erasure costs, and what looking the guests up costs a minute's run while nobody was erased: `python -m bench.erasures`.

The run of the minute is compared with itself without the ledger, in turns, by the CPU seconds of this process and of PostgreSQL;
each round is ten runs with 5 orders. Rounds differ by more than a question costs, so the questions of a run are also counted, and
asked by themselves a thousand times. Then 1,000 guests of the history are erased, and the run is compared with itself before.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from unittest.mock import patch

from bench.__main__ import HOME, load
from bench.measure import HISTORY, ORDERS_A_MINUTE, say
from bench.pair import RUNS_A_ROUND, server_seconds
from bench.world import World, plain_orders
from harness.pipeline import Pipeline
from harness.runs import run
from operators.erase_guests import EraseGuestsOperator
from source.generate import Generator
from warehouse.ledger import Ledger, mark_of, no_pepper, read_ledger
from warehouse.requests import WORK_OFF

GUESTS = 1_000
ASKED_ALONE = 1_000
NOBODY = Ledger()
ASK = """
    select stg.request_erasure(user_id)
    from (select user_id from dds.h_user order by h_user_pk limit %s) as guest
"""


def main() -> int:
    """Load, compare, erase, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.erasures", description=__doc__)
    parser.add_argument("--orders", type=int, default=HISTORY, help="of the history (default %(default)s)")
    parser.add_argument("--guests", type=int, default=GUESTS, help="who are erased (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=15, help="of ten runs each way (default %(default)s)")
    given = parser.parse_args()
    world = World(HOME)
    try:
        generator = plain_orders(HISTORY, seed=42)
        load(world, given.orders, generator)
        say(f"{given.orders:,} orders are there")
        minutes = _Minutes(world, generator)
        _ask_alone(minutes)
        _compare(minutes, given.rounds)
        before = statistics.median(minutes.round() for _ in range(given.rounds))
        world.owner.execute(ASK, [given.guests])
        started = time.perf_counter()
        counts = run(EraseGuestsOperator(task_id="erase"), **_by_form())
        seconds = time.perf_counter() - started
        say(
            f"{counts['guests']:,} guests erased in {seconds:.1f} s, {seconds / counts['guests'] * 1000:.1f} ms each: {counts}"
        )
        after = statistics.median(minutes.round() for _ in range(given.rounds))
        say(f"ten runs after it: {after:.2f} s of CPU, {after / before:.3f} of before")
    finally:
        world.close()
    return 0


class _Minutes:
    """Runs of the minute on top of what is loaded."""

    def __init__(self, world: World, generator: Generator) -> None:
        self.world, self.generator, self.topic = world, generator, world.topic()
        self.moment = datetime(2026, 11, 25, tzinfo=UTC)
        self.server = int((HOME / "postgres" / "postmaster.pid").read_text().split()[0])
        self.round()  # meets cold caches

    def round(self) -> float:
        """Do ten runs with 5 orders; return their CPU seconds."""
        used = 0.0
        for _ in range(RUNS_A_ROUND):
            self.moment += timedelta(minutes=1)
            self.world.produce(self.topic, self.world.fresh_orders(self.generator, ORDERS_A_MINUTE, self.moment))
            before = self.used()
            self.world.minute(self.topic)
            used += self.used() - before
        return used

    def used(self) -> float:
        """Return the CPU seconds of this process and of PostgreSQL so far."""
        return server_seconds(self.server) + sum(os.times()[:2])


def _ask_alone(minutes: _Minutes) -> None:
    """Say what the questions of a run cost, by what one of a thousand costs."""
    with (
        patch("warehouse.staging.read_ledger", wraps=read_ledger) as read,
        patch("warehouse.staging.mark_of", wraps=mark_of) as mark,
    ):
        a_run = minutes.round() / RUNS_A_ROUND
    with Pipeline() as pipeline:
        session = pipeline.session
        before = minutes.used()
        for _ in range(ASKED_ALONE):
            read_ledger(session, no_pepper)
        between = minutes.used()
        with session.transaction():
            for _ in range(ASKED_ALONE):
                mark_of(session)
        after = minutes.used()
    asked = (read.call_count + mark.call_count) / RUNS_A_ROUND
    spent = read.call_count * (between - before) + mark.call_count * (after - between)
    questions = spent / ASKED_ALONE / RUNS_A_ROUND
    say(
        f"the ledger in a minute's run: {asked:.1f} questions, {questions * 1000:.2f} ms of "
        f"{a_run * 1000:.0f} ms of CPU, {questions / a_run:.2%}"
    )


def _compare(minutes: _Minutes, rounds: int) -> None:
    ratios = []
    for number in range(rounds):
        found: dict[bool, float] = {}
        for is_asked in (True, False) if number % 2 else (False, True):
            with nullcontext() if is_asked else _unasked():
                found[is_asked] = minutes.round()
        ratios.append(found[True] / found[False])
    told = ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
    say(f"a minute's run with an empty ledger over one without: {statistics.median(ratios):.3f} ({told})")


@contextmanager
def _unasked() -> Iterator[None]:
    """Let nobody ask the ledger: as the code would be that knows no erasure."""
    with (
        patch("warehouse.staging.read_ledger", lambda *_: NOBODY),
        patch("warehouse.staging.mark_of", lambda _: NOBODY.mark),
    ):
        yield


def _by_form() -> dict[str, object]:
    request = {"action": WORK_OFF}
    return {"dag_run": SimpleNamespace(conf=request), "dag": SimpleNamespace(dag_id="guest_erase"), "params": request}


if __name__ == "__main__":
    sys.exit(main())

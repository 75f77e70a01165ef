"""Two checkouts side by side, in turns: what do a history of 50,000 orders and runs of the minute cost in each?

    make pair ARGS="../the-other-checkout"

The other one is installed like this one (`make install`). Counted are the CPU seconds of the loading process and of PostgreSQL,
which depend less than the clock on what else the machine does; each round does the same in both, in changing order, and the ratio
is the median of the rounds'.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
HISTORY, ORDERS_A_MINUTE = 50_000, 5
# One run of the minute takes too little for the kernel's clock.
RUNS_A_ROUND = 10
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Ask both in turns and print a table of each kind of load."""
    parser = argparse.ArgumentParser(prog="python -m bench.pair", description=__doc__)
    parser.add_argument("other", type=Path, help="the checkout to compare with: its cost is 1")
    parser.add_argument("--histories", type=int, default=5, help="how many each loads (default %(default)s)")
    parser.add_argument(
        "--minutes", type=int, default=9, help="rounds of ten minute runs in each (default %(default)s)"
    )
    given = parser.parse_args()
    with ExitStack() as stack:
        other, this = (stack.enter_context(_worker(checkout)) for checkout in (given.other.resolve(), REPO))
        for load, rounds in (("history", given.histories), ("minutes", given.minutes)):
            costs: dict[str, list[dict[str, float]]] = {"other": [], "this": []}
            for number in range(rounds + 1):
                order = [("other", other), ("this", this)]
                for name, worker in order if number % 2 else reversed(order):
                    costs[name].append(_ask(worker, load))
            # The first round meets cold caches.
            _tell(load, {name: each[1:] for name, each in costs.items()})
    return 0


def _tell(load: str, costs: dict[str, list[dict[str, float]]]) -> None:
    totals = {name: [sum(cost.values()) for cost in each] for name, each in costs.items()}
    ratios = [this / other for this, other in zip(totals["this"], totals["other"], strict=True)]
    stages = list(costs["this"][0])
    print(f"\n| {load}, CPU seconds | {' | '.join(stages)} | total |\n|---|{'---:|' * (len(stages) + 1)}")
    for name, each in costs.items():
        medians = [statistics.median(cost[stage] for cost in each) for stage in stages]
        print(f"| {name} | {' | '.join(f'{seconds:.2f}' for seconds in [*medians, statistics.median(totals[name])])} |")
    print(f"\nratio {statistics.median(ratios):.3f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})", flush=True)


@contextmanager
def _worker(checkout: Path) -> Iterator[subprocess.Popen[str]]:
    """Run this file in a checkout, with the code of that one; it is ready when it has written a line."""
    command = [str(checkout / ".venv" / "bin" / "python"), str(Path(__file__).resolve()), "--work"]
    paths = {"PYTHONPATH": os.pathsep.join([str(checkout), str(checkout / "plugins")])}
    with subprocess.Popen(
        command,
        cwd=checkout,
        env=os.environ | paths,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as worker:
        assert worker.stdin is not None
        try:
            _answer(worker)
            yield worker
        finally:
            worker.stdin.close()


def _ask(worker: subprocess.Popen[str], load: str) -> dict[str, float]:
    assert worker.stdin is not None
    print(load, file=worker.stdin, flush=True)
    cost: dict[str, float] = _answer(worker)
    return cost


def _answer(worker: subprocess.Popen[str]) -> Any:
    assert worker.stdout is not None
    if not (line := worker.stdout.readline()):
        raise SystemExit(f"{worker.args!r} has ended: is that checkout installed, and its stack down?")
    return json.loads(line)


def work() -> None:
    """Load what standard input asks for, a line a load, and write what each stage has cost."""
    # Airflow logs to standard output.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    from bench import world as worlds

    class CpuClock(worlds.Clock):
        @contextmanager
        def stage(self, name: str) -> Iterator[None]:
            before = server_seconds(server) + sum(os.times()[:2])
            yield
            self.seconds[name] = server_seconds(server) + sum(os.times()[:2]) - before

    worlds.Clock = CpuClock  # type: ignore[misc]
    home = Path(".local-pair")
    world = worlds.World(home)
    server = int((home / "postgres" / "postmaster.pid").read_text().split()[0])
    try:
        generator = worlds.plain_orders(HISTORY, seed=42)
        history, live = world.topic(), world.topic()
        world.produce(history, generator.messages())
        world.load_reference(generator)
        moment = datetime(2026, 11, 25, tzinfo=UTC)
        print(json.dumps("ready"), file=answers, flush=True)
        for line in sys.stdin:
            cost: Counter[str] = Counter()
            if line.strip() == "history":
                world.clear()
                world.settle()
                cost.update(world.history(history).seconds)
            else:
                for _ in range(RUNS_A_ROUND):
                    moment += timedelta(minutes=1)
                    world.produce(live, world.fresh_orders(generator, ORDERS_A_MINUTE, moment))
                    cost.update(world.minute(live).seconds)
            print(json.dumps(cost), file=answers, flush=True)
    finally:
        world.close()


def server_seconds(server: int) -> float:
    """Return the CPU seconds that a PostgreSQL, with its sessions, those that have ended too, has used so far."""
    ticks = sum(_ticks(server)[:4])
    for session in Path(f"/proc/{server}/task/{server}/children").read_text().split():
        ticks += sum(_ticks(int(session))[:2])
    return ticks / TICKS


def _ticks(process: int) -> list[int]:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile: then the server has its time
        return [0]
    return [int(field) for field in status.rsplit(")", 1)[1].split()[11:15]]


if __name__ == "__main__":
    if "--work" in sys.argv:
        work()
    else:
        sys.exit(main())

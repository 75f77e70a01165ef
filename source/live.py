"""Orders as they come in: a few a minute, each told status by status within seconds, until somebody says stop.

    eval "$(make -s env)"; python -m source.live --rate 5

Reads KAFKA_BOOTSTRAP_SERVERS. One at a time for a folder: while one is running, a second start leaves it alone.
Order ids are the milliseconds since 1970 at which the orders were placed: no history has them, no restart repeats them.
"""

from __future__ import annotations

import argparse
import fcntl
import heapq
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from source.generate import DEFAULT_ORDERS, DEFAULT_SEED, Generator, Message
from source.seed import OrderProducer, SeedError

HOME = Path(__file__).resolve().parents[1] / ".local"
DEFAULT_RATE = 5.0
PACE_S = 3
# How soon a stopped stack is noticed.
LOOK_EVERY_S = 1.0


class AlreadyRunningError(Exception):
    """Another process keeps the orders flowing."""


def order_ids(clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> Iterator[int]:
    """Ids that only ever grow, also over restarts: the time in milliseconds, or one more than the last."""
    last = 0
    while True:
        last = max(last + 1, clock_ms())
        yield last


def flow(
    generator: Generator,
    send: Callable[[Message], None],
    *,
    rate: float,
    goes_on: Callable[[float], bool],
    clock: Callable[[], float] = time.time,
) -> int:
    """Send `rate` orders a minute; return how many were begun.

    `goes_on(seconds)` sleeps at most so long and tells whether to continue; `clock` gives seconds since 1970.
    """
    rng = random.Random()  # noqa: S311 -- made-up data; another one each time, unlike the history
    ids = order_ids(lambda: int(clock() * 1000))
    ties = count()
    due: list[tuple[float, int, Message]] = []
    next_order = clock()
    begun = 0
    while True:
        now = clock()
        if now >= next_order:
            for message in generator.live_order(next(ids), int(now), rng, pace_s=PACE_S):
                heapq.heappush(due, (message.timestamp_ms / 1000, next(ties), message))
            begun += 1
            # After a machine's sleep the flow goes on as before, it doesn't make up for it.
            next_order = max(next_order + 60 / rate, now)
        while due and due[0][0] <= now:
            send(heapq.heappop(due)[2])
        wait = min([next_order, *(entry[0] for entry in due[:1])]) - clock()
        if not goes_on(max(0.0, min(wait, LOOK_EVERY_S))):
            return begun


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Be the only flow of this folder, with the process id in `<home>/live.pid`; raise `AlreadyRunningError` if not."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "live.pid").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRunningError(f"orders are flowing already, process {file.read().strip()}") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _log(text: str) -> None:
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {text}", flush=True)


def main(argv: Sequence[str] | None = None, is_over: Callable[[], bool] = lambda: False) -> int:
    """Keep orders flowing until SIGTERM, Ctrl-C, or the time when `is_over()`."""
    parser = argparse.ArgumentParser(prog="python -m source.live", description=main.__doc__)
    parser.add_argument("--rate", type=float, default=DEFAULT_RATE, help="orders a minute (default %(default)s)")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="the history's, for the same app")
    parser.add_argument("--guests", type=int, default=None, help="how many there are (default: the history's)")
    parser.add_argument("--home", type=Path, default=HOME, help="one flow a folder (default %(default)s)")
    args = parser.parse_args(argv)
    if args.rate <= 0:
        parser.error("--rate must be above 0")
    if "KAFKA_BOOTSTRAP_SERVERS" not in os.environ:
        parser.error('KAFKA_BOOTSTRAP_SERVERS is not set; after `make up`: eval "$(make -s env)"')
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with only_one(args.home):
            producer = OrderProducer(os.environ["KAFKA_BOOTSTRAP_SERVERS"])
            generator = Generator(args.seed, orders=DEFAULT_ORDERS, guests=args.guests)
            _log(f"{args.rate:g} orders a minute to {producer.topic}")
            begun = flow(
                generator, producer.send, rate=args.rate, goes_on=lambda s: not is_over() and not stopped.wait(s)
            )
            over = is_over()
            if not over:
                producer.flush()
            _log(f"{'the stack was stopped' if over else 'asked to stop'}; {begun} orders")
    except AlreadyRunningError as error:
        _log(str(error))
        return 0
    except SeedError as error:
        _log(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

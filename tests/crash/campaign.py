"""A long campaign of faults: `make chaos`.

Each round makes a small world with random orders, disturbs a run of the pipeline, starts everything again, runs again, and
compares the marts with the reference model, the losses noted with those made, and the vault with the laws of `sql/checks/`.
Disturbed is a run by its death at a random step, or by what it depends on: a server killed or frozen under it, the warehouse
restored from an older copy behind it, the topic truncated or created again before it, a clock that is wrong. Prints the faults
injected and the differences found; 0 is expected.
"""

import argparse
import logging
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psutil
import psycopg
from confluent_kafka import Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from harness.pipeline import Pipeline
from harness.runs import history_run, load_layers, minute_run, rebuild_run
from local.stack import Stack
from source.generate import Generator
from tests.crash.child import Children, Job, at_another_time
from tests.crash.conftest import GROUP
from tests.streams import MOMENTS, broken_laws, differences, model_state, warehouse_state
from witness import marts
from witness.model import Model

HOME = Path(__file__).resolve().parents[2] / ".local-chaos"
NOISE = Path(f"{HOME}.log")
ORDERS = 150
# A run has about this many steps; a larger number is a run that nobody disturbs.
STEPS = 90
SERVERS = ("postgres", "kafka", "redis")
RUN_S = 300
HOUR_S = 3_600
DAY_S = 24 * HOUR_S
YEAR_S = 365 * DAY_S


class HangingError(Exception):
    """A run did not end when whoever disturbed it had stopped."""


class Round:
    """One world, one fault, one verdict."""

    def __init__(self, stack: Stack, children: Children, seed: int) -> None:
        self.stack = stack
        self.children = children
        self.random = random.Random(seed)
        self.generator = Generator(seed=seed, orders=ORDERS, broken=3)
        self.documents = {key: document.encode() for key, document in self.generator.reference()}
        self.messages = list(self.generator.messages())
        # Where the first copy of each message lies: (partition, offset), by its number.
        self.places: dict[int, tuple[int, int]] = {}
        # What Kafka removed before it was read: numbers of messages, and stretches (partition, first, behind).
        self.lost: set[int] = set()
        self.losses: set[tuple[int, int, int]] = set()

    def play(self) -> tuple[str, list[str]]:
        """Return the fault that was injected and the differences that were found."""
        self.cut = self.random.randrange(1, len(self.messages))
        with Pipeline(os.environ) as pipeline:
            pipeline.clear()
            self.topic = pipeline.topic()
            pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('t', 'Пицца', 1)")
            pipeline.owner.execute(
                "insert into cdm.tag_rules (tag, category_name, threshold, window_days, exit_threshold)"
                " values ('lately', 'Пицца', 0, 30, null), ('loyal', 'Пицца', 1, 365, 0)"
            )
            self._fill_redis(pipeline)
        self._produce(range(self.cut))
        minute_run(self.topic)
        fault = self._disturb()
        self.stack.start(list(SERVERS))
        with Pipeline(os.environ) as pipeline:
            self._fill_redis(pipeline)
            minute_run(self.topic)
            load_layers()
            found = self._differences(pipeline)
            admin = self._admin()
            admin.delete_topics([self.topic])[self.topic].result(30)
            admin.delete_consumer_groups([GROUP])[GROUP].exception()
        return fault, found

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]})

    def _fill_redis(self, pipeline: Pipeline) -> None:
        pipeline.redis.mset(self.documents)

    def _produce(self, numbers: Iterable[int]) -> None:
        """Write messages, stamped by a producer whose clock is days behind or an hour ahead.

        Kafka takes no more than an hour, and removes what is a week old by its stamp.
        """
        producer = Producer({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"], "linger.ms": 5})

        def note(number: int) -> Callable[[Any, Message], None]:
            def delivered(error: Any, message: Message) -> None:
                assert error is None, error
                self.places[number] = (message.partition(), message.offset())  # type: ignore[assignment]

            return delivered

        for number in numbers:
            stamp = int(1000 * (time.time() + self.random.uniform(-5 * DAY_S, HOUR_S - 60)))
            message = self.messages[number]
            producer.produce(self.topic, message.value, message.key, timestamp=stamp, on_delivery=note(number))
        assert producer.flush(60) == 0

    def _rest(self) -> range:
        return range(self.cut, len(self.messages))

    def _disturb(self) -> str:
        faults = [self._death] * 6 + [self._killed_server] * 3 + [self._frozen_server] * 4 + [self._restored] * 3
        faults += [self._truncated] * 3 + [self._created_again] * 2 + [self._wrong_clock] * 3
        return self.random.choice(faults)()

    def _job(self) -> tuple[Job, tuple[str, ...]]:
        return self.random.choice(  # type: ignore[return-value]
            [
                (minute_run, (self.topic,)),
                (history_run, (self.topic, f"run-{self.random.random()}")),
                (rebuild_run, ()),
            ]
        )

    def _finish(self, process: ForkServerProcess) -> None:
        process.join(RUN_S)
        if process.is_alive():
            process.kill()
            process.join()
            raise HangingError(f"a run did not end within {RUN_S} s")

    def _death(self) -> str:
        self._produce(self._rest())
        job, arguments = self._job()
        die_at = self.random.randint(1, STEPS)
        steps = self.children.run(job, *arguments, die_at=die_at)
        return f"{job.__name__} killed" if len(steps) == die_at else f"{job.__name__} undisturbed"

    def _killed_server(self) -> str:
        self._produce(self._rest())
        job, arguments = self._job()
        server = self.random.choice(SERVERS)
        process = self.children.start(job, *arguments)
        time.sleep(self.random.uniform(0, 1))
        self.stack.kill(server)
        self.stack.start([server])
        self._finish(process)
        return f"{server} killed under {job.__name__}"

    def _frozen_server(self) -> str:
        """Freeze a server with all its processes, or one of PostgreSQL's that serves the run; let it go on, or kill it then."""
        self._produce(self._rest())
        job, arguments = self._job()
        server = self.random.choice(SERVERS)
        process = self.children.start(job, *arguments)
        time.sleep(self.random.uniform(0, 1))
        (main,) = [
            psutil.Process(pid) for status in self.stack.status() if status.name == server for pid in status.pids
        ]
        frozen = [main, *main.children(recursive=True)]
        what = server
        if server == "postgres" and self.random.random() < 0.5:
            serving = [child for child in frozen[1:] if any("dwh_etl" in word for word in child.cmdline())]
            frozen, what = serving[:1], "a backend of postgres"
        ended = self.random.random() < 0.5 and what == server
        for one in frozen:
            with suppress(psutil.NoSuchProcess):
                one.suspend()
        time.sleep(self.random.uniform(1, 10))
        if ended:
            self.stack.kill(server)
            self.stack.start([server])
        for one in frozen:
            with suppress(psutil.NoSuchProcess):
                one.resume()
        self._finish(process)
        return f"{what} frozen under {job.__name__}{', then killed' if ended else ''}"

    def _restored(self) -> str:
        """Bring back a copy of the warehouse from before the run; the topic and the group are ahead of it."""
        with psycopg.connect(os.environ["DWH_ADMIN_URL"], autocommit=True) as server:
            # A template may have no clients, not even those that are about to go.
            server.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'dwh'")
            server.execute("create database dwh_before template dwh owner dwh_owner")
            self._produce(self._rest())
            job, arguments = self._job()
            self.children.run(job, *arguments)
            server.execute("drop database dwh with (force)")
            server.execute("alter database dwh_before rename to dwh")
        return f"warehouse of before {job.__name__} restored"

    def _truncated(self) -> str:
        """Remove some of what was not read, and then perhaps run while nothing else is there."""
        read = self._read_to()
        self._produce(self._rest())
        ends = self._read_to()
        lows = {partition: self.random.randint(0, end) for partition, end in ends.items()}
        cuts = [TopicPartition(self.topic, partition, low) for partition, low in lows.items()]
        admin = self._admin()  # a client that is gone answers nobody
        for answer in admin.delete_records(cuts).values():
            answer.result(30)
        self.lost = {
            number for number in self._rest() for partition, offset in [self.places[number]] if offset < lows[partition]
        }
        self.losses = {
            (partition, read.get(partition, 0), low) for partition, low in lows.items() if low > read.get(partition, 0)
        }
        job, arguments = self._job()
        self.children.run(job, *arguments)
        return f"topic truncated before {job.__name__}"

    def _read_to(self) -> dict[int, int]:
        """Return what lies behind the last message of each partition."""
        ends: Counter[int] = Counter()
        for partition, offset in self.places.values():
            ends[partition] = max(ends[partition], offset + 1)
        return dict(ends)

    def _created_again(self) -> str:
        """Delete the topic, all of which was read, and create it again for the rest and some of what was there."""
        admin = self._admin()
        admin.delete_topics([self.topic])[self.topic].result(30)
        deadline = time.monotonic() + RUN_S
        while True:  # a deletion takes a moment to be whole
            created = admin.create_topics([NewTopic(self.topic, self.random.randint(1, 3), 1)])[self.topic]
            if created.exception(30) is None:
                break
            assert time.monotonic() < deadline, created.exception()
            time.sleep(0.2)
        again = self.random.sample(range(self.cut), self.random.randint(0, self.cut))
        self._produce([*again, *self._rest()])
        job, arguments = self._job()
        self.children.run(job, *arguments)
        return f"topic created again before {job.__name__}"

    def _wrong_clock(self) -> str:
        self._produce(self._rest())
        job, arguments = self._job()
        shift_s = self.random.choice([-1, 1]) * self.random.choice([60, HOUR_S, DAY_S, YEAR_S])
        die_at = self.random.choice([None, self.random.randint(1, STEPS)])
        self.children.run(at_another_time, shift_s, job, *arguments, die_at=die_at)
        return f"clock wrong under {job.__name__}"

    def _differences(self, pipeline: Pipeline) -> list[str]:
        model = Model()
        model.as_of = marts.clock(pipeline.owner) or model.as_of
        # Besides ours those of config/tag_rules.yaml, which a start of PostgreSQL brings with it.
        for rule in marts.rules(pipeline.owner):
            model.add_rule(*rule)
        for number, message in enumerate(self.messages):
            if number not in self.lost:
                model.message(message.value, message.key)
        model.refresh(self.documents)
        told = set(pipeline.rows('select "partition", from_offset, to_offset from stg.lost_messages'))
        found = warehouse_state(pipeline) | {"dead letters": len(pipeline.dead_letters()), "lost messages": told}
        expected = model_state(model) | {"dead letters": len(model.dead_letters()), "lost messages": self.losses}
        pipeline.etl.rollback()
        # A clock that was wrong has dated what it wrote: nothing is too old.
        broken = broken_laws(pipeline.etl, **dict.fromkeys(MOMENTS, "-infinity") | {"queued_before": "infinity"})
        noted = {"stg.lost_messages"} if self.losses else set()
        return differences(found, expected) + sorted(set(broken) ^ noted)


def main() -> int:
    """Play rounds until the time is over; return 1 when a difference was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.campaign", description=__doc__)
    parser.add_argument("--minutes", type=float, default=15, help="how long (default %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first round; each round adds 1 (default %(default)s)"
    )
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    print(f"what the disturbed runs and the servers' clients complain of goes to {NOISE}")
    said = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    with NOISE.open("w") as noise:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(noise.fileno(), stream.fileno())
    stack = Stack(HOME, report=lambda _: None)
    stack.reset()
    stack.start(list(SERVERS))
    os.environ.update(stack.env())
    faults: Counter[str] = Counter()
    found = 0
    seed = arguments.seed
    deadline = time.monotonic() + arguments.minutes * 60
    try:
        children = Children()
        while time.monotonic() < deadline:
            fault, differences = Round(stack, children, seed).play()
            faults[fault] += 1
            if differences:
                found += 1
                print(f"seed {seed}, {fault}: {', '.join(differences)}", file=said, flush=True)
            seed += 1
    finally:
        stack.reset()
    for fault, times in faults.most_common():
        print(f"{times:6d}  {fault}", file=said)
    injected = sum(times for fault, times in faults.items() if not fault.endswith("undisturbed"))
    print(f"{faults.total()} rounds, {injected} faults injected, {found} rounds with a difference", file=said)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

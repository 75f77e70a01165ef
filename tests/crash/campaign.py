"""A long campaign of faults: `make chaos`.

Each round makes a small world with random orders, disturbs a run of the pipeline (a death at a random step, or a server killed
under it), starts everything again, runs again, and compares the marts with the reference model and the vault with the laws of
`sql/checks/`. Prints the faults injected and the differences found; 0 is expected.
"""

import argparse
import logging
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

from confluent_kafka.admin import AdminClient

from local.generate import Generator
from local.stack import Stack
from tests.crash.child import Children, history_run, load_layers, minute_run, rebuild_run
from tests.crash.conftest import GROUP
from tests.model import Model
from tests.pipeline import Pipeline
from tests.streams import MOMENTS
from warehouse.laws import check_laws, read_laws
from warehouse.sql_files import read_sql

HOME = Path(__file__).resolve().parents[2] / ".local-chaos"
NOISE = Path(f"{HOME}.log")
ORDERS = 150
# A run has about this many steps; a larger number is a run that nobody disturbs.
STEPS = 90
SERVERS = ("postgres", "kafka", "redis")
LOG = logging.getLogger("chaos")


class Round:
    """One world, one fault, one verdict."""

    def __init__(self, stack: Stack, children: Children, seed: int) -> None:
        self.stack = stack
        self.children = children
        self.random = random.Random(seed)
        self.generator = Generator(seed=seed, orders=ORDERS, broken=3)
        self.documents = {key: document.encode() for key, document in self.generator.reference()}

    def play(self) -> tuple[str, list[str]]:
        """Return the fault that was injected and the differences that were found."""
        with Pipeline(os.environ) as pipeline:
            pipeline.clear()
            topic = pipeline.topic()
            messages = list(self.generator.messages())
            cut = self.random.randrange(len(messages))
            pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('t', 'Пицца', 1)")
            self._fill_redis(pipeline)
            pipeline.produce(topic, [m.value for m in messages[:cut]], [m.key for m in messages[:cut]])
            minute_run(topic)
            pipeline.produce(topic, [m.value for m in messages[cut:]], [m.key for m in messages[cut:]])
        fault = self._disturb(topic)
        self.stack.start(list(SERVERS))
        with Pipeline(os.environ) as pipeline:
            self._fill_redis(pipeline)
            minute_run(topic)
            load_layers()
            differences = self._differences(pipeline, messages)
            admin = AdminClient({"bootstrap.servers": pipeline.env["KAFKA_BOOTSTRAP_SERVERS"]})
            admin.delete_topics([topic])[topic].result(30)
            admin.delete_consumer_groups([GROUP])[GROUP].exception()
        return fault, differences

    def _fill_redis(self, pipeline: Pipeline) -> None:
        pipeline.redis.mset(self.documents)

    def _disturb(self, topic: str) -> str:
        job, arguments = self.random.choice(
            [(minute_run, (topic,)), (history_run, (topic, f"run-{self.random.random()}")), (rebuild_run, ())]
        )
        if self.random.random() < 0.75:
            die_at = self.random.randint(1, STEPS)
            steps = self.children.run(job, *arguments, die_at=die_at)
            return f"{job.__name__} killed" if len(steps) == die_at else f"{job.__name__} undisturbed"
        server = self.random.choice(SERVERS)
        process, _ = self.children.start(job, *arguments)
        time.sleep(self.random.uniform(0, 1))
        self.stack.kill(server)
        self.stack.start([server])
        process.join(120)
        return f"{server} killed under {job.__name__}"

    def _differences(self, pipeline: Pipeline, messages: list) -> list[str]:
        model = Model()
        model.add_rule("t", "Пицца", 1)
        for message in messages:
            model.message(message.value, message.key)
        model.refresh(self.documents)
        compared = {
            "user_product_counters": (pipeline.user_product_counters(), model.user_product_counters()),
            "user_category_counters": (pipeline.user_category_counters(), model.user_category_counters()),
            "user_tags": (pipeline.user_tags(), model.user_tags()),
            "dead letters": (len(pipeline.dead_letters()), len(model.dead_letters())),
        }
        differences = [name for name, (found, expected) in compared.items() if found != expected]
        pipeline.etl.rollback()
        broken, unanswered = check_laws(
            pipeline.etl,
            prepare=read_sql(["transaction.sql"]),
            laws=read_laws(),
            params={
                "statement_timeout_ms": 60_000,
                **dict.fromkeys(MOMENTS, "-infinity"),
                "queued_before": "infinity",
            },
            max_rows=3,
            log=LOG,
        )
        return differences + list(broken) + list(unanswered)


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
    with NOISE.open("w") as noise:
        os.dup2(noise.fileno(), sys.stderr.fileno())
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
                print(f"seed {seed}, {fault}: {', '.join(differences)}", flush=True)
            seed += 1
    finally:
        stack.reset()
    for fault, times in faults.most_common():
        print(f"{times:6d}  {fault}")
    injected = sum(times for fault, times in faults.items() if not fault.endswith("undisturbed"))
    print(f"{faults.total()} rounds, {injected} faults injected, {found} rounds with a difference")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

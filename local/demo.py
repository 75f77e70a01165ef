"""From nothing to tags: the stack, a week of orders, their counters and tags, and then a few new orders a minute.

`make demo` runs it. A second run finds what the first one left and goes on from there: the history is made once, and
what was interrupted is done again, which changes nothing that was done.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition
from psycopg.rows import namedtuple_row

from local import flow
from local.airflow_api import FINISHED, AirflowApi, AirflowApiError
from local.processes import StartError
from local.services.base import REPO
from local.stack import DEFAULT_HOME, Stack
from local.state import State
from source.generate import DEFAULT_DAYS, DEFAULT_ORDERS, DEFAULT_SEED, Generator, moment
from source.live import DEFAULT_RATE
from source.seed import TOPIC, SeedError, load_reference, produce
from witness.recount import compare

SQL = Path(__file__).with_name("sql")
BACKFILL, MICRO_BATCH = "orders_backfill", "orders_micro_batch"
BROKEN_MESSAGES = 12
BACKFILL_TIMEOUT_S = 900
# A minute until the run begins, and time for it to work.
MICRO_BATCH_TIMEOUT_S = 150
LOOK_EVERY_S = 1.0
LOG_LINES_SHOWN = 20


class DemoError(Exception):
    """A step failed; the text says which one, why, and where to look."""


class Failure(NamedTuple):
    """A task that failed, and its log."""

    task_id: str
    log: Path


class Screen:
    """Numbered steps with their durations, and one line of progress that a terminal sees in place."""

    def __init__(self, steps: int) -> None:
        """Expect so many steps."""
        self._steps = steps
        self._step = 0
        self._last = ""
        self._is_terminal = sys.stdout.isatty()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step; when it is done, tell how long it took."""
        self._step += 1
        begin = time.monotonic()
        print(f"[{self._step}/{self._steps}] {title}", flush=True)
        yield
        self.line(f"done in {time.monotonic() - begin:.1f} s")

    def line(self, text: str) -> None:
        """Print a line that stays."""
        print(f"{self._erase()}      {text}", flush=True)
        self._last = ""

    def progress(self, text: str) -> None:
        """Show the state of affairs: in place on a terminal, elsewhere a line whenever it has changed."""
        if text == self._last:
            return
        print(f"{self._erase()}      {text}", end="" if self._is_terminal else "\n", flush=True)
        self._last = text

    def _erase(self) -> str:
        return "\r\033[K" if self._is_terminal else ""


class Demo:
    """The steps, on one stack."""

    def __init__(self, stack: Stack, screen: Screen, orders: int, rate: float) -> None:
        """Plan a history of so many orders (unless the stack holds one) and so many new ones a minute."""
        self._stack = stack
        self._screen = screen
        self._rate = rate
        self._state = State(stack.home / "state.json")
        self._wanted_orders = orders
        self._env: dict[str, str] = {}

    def run(self) -> None:
        """Do every step; raise when one fails."""
        screen = self._screen
        with screen.step("Start PostgreSQL, Redis, Kafka and Airflow; migrate the warehouse"):
            self._stack.start()
            self._env = self._stack.env()
        generator = self._generator()
        with screen.step("Load reference data into Redis"):
            documents = load_reference(self._env["REDIS_URL"], generator)
            screen.line(f"{documents:,} documents: {len(generator.restaurants)} restaurants, the rest guests")
        with screen.step(f"Produce a week of {generator.orders:,} orders to Kafka"):
            self._produce_history(generator)
        api = AirflowApi(*self._stack.ui_login())
        with screen.step("Load the history: Kafka -> STG -> DDS -> CDM, by the DAG orders_backfill"):
            self._load_history(api)
        with screen.step(f"Keep {self._rate:g} orders a minute flowing, load them every minute by orders_micro_batch"):
            self._go_live(api, generator)

    def _generator(self) -> Generator:
        """Return the history of this stack: the one it holds, or a new one that ends now and is remembered."""
        if self._state.get("demo", "end") is None:
            now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
            self._state.put("demo", "orders", self._wanted_orders)
            self._state.put("demo", "end", now.isoformat())
        plan = self._state.section("demo")
        if plan["orders"] != self._wanted_orders:
            self._screen.line(
                f"this stack holds a history of {plan['orders']:,} orders: `make reset` makes room for another"
            )
        return Generator(
            DEFAULT_SEED,
            orders=plan["orders"],
            days=DEFAULT_DAYS,
            end=moment(plan["end"]),
            broken=BROKEN_MESSAGES,
        )

    def _produce_history(self, generator: Generator) -> None:
        if self._state.get("demo", "produced"):
            self._screen.line("it is there already")
            return
        servers = self._env["KAFKA_BOOTSTRAP_SERVERS"]
        sent = produce(servers, generator.messages(), lambda n: self._screen.progress(f"{n:,} messages"))
        self._state.put("demo", "produced", True)
        self._screen.line(
            f"{sent:,} messages: several versions of some orders, repeats, and {BROKEN_MESSAGES} broken ones"
        )

    def _load_history(self, api: AirflowApi) -> None:
        api.wait_for_dags((BACKFILL, MICRO_BATCH))
        if self._state.get("demo", "loaded"):
            self._screen.line("it is loaded already")
            return
        api.unpause(BACKFILL)
        unfinished = [run for run in api.runs(BACKFILL) if run["state"] not in FINISHED]
        run_id = unfinished[0]["dag_run_id"] if unfinished else api.trigger(BACKFILL, {"from": "beginning"})
        self._watch(api, BACKFILL, run_id, timeout_s=BACKFILL_TIMEOUT_S)
        for task in api.tasks(BACKFILL, run_id):
            self._screen.line(f"{task['task_id']:<10} {task['state']}, {task['duration'] or 0:.1f} s")
        self._state.put("demo", "loaded", True)
        self._recount()

    def _recount(self) -> None:
        """Let the independent witness judge."""
        env = self._env
        compared = compare(env["KAFKA_BOOTSTRAP_SERVERS"], env["REDIS_URL"], env["DWH_URL"])
        wrong = [line for lines in compared.differences.values() for line in lines]
        if wrong:
            shown = "\n".join(wrong[:LOG_LINES_SHOWN])
            raise DemoError(f"an independent recount of the raw messages differs in {len(wrong)} rows:\n{shown}")
        rows = ", ".join(f"{count:,} {name}" for name, count in compared.rows.items())
        self._screen.line(f"an independent recount of the raw messages agrees: {rows}")

    def _go_live(self, api: AirflowApi, generator: Generator) -> None:
        began = datetime.now(UTC) - timedelta(seconds=1)
        orders = flow.start(self._stack.home, self._env, rate=self._rate, guests=generator.guests, seed=generator.seed)
        for dag_id in api.dag_ids():
            api.unpause(dag_id)
        deadline = time.monotonic() + MICRO_BATCH_TIMEOUT_S
        while True:
            if orders.process() is None:
                raise DemoError(f"no orders are flowing: the producer ended, see {orders.log}")
            runs = [r for r in api.runs(MICRO_BATCH) if r["start_date"] and moment(r["start_date"]) >= began]
            finished = [run for run in runs if run["state"] in FINISHED]
            if finished:
                self._watch(api, MICRO_BATCH, finished[-1]["dag_run_id"], timeout_s=LOOK_EVERY_S)
                break
            self._screen.progress("waiting for the first run of the minute")
            if time.monotonic() > deadline:
                raise DemoError(f"{MICRO_BATCH} did not finish a run in {MICRO_BATCH_TIMEOUT_S} s, see {api.address}")
            time.sleep(LOOK_EVERY_S)

    def _watch(self, api: AirflowApi, dag_id: str, run_id: str, timeout_s: float) -> None:
        """Show how a run gets on until it succeeds; raise `DemoError` with the end of its log if it doesn't."""
        deadline = time.monotonic() + timeout_s
        with self._connect() as connection:
            while True:
                state = api.run_state(dag_id, run_id)
                tasks = api.tasks(dag_id, run_id)
                if state in FINISHED:
                    break
                states = ", ".join(f"{task['task_id']} {task['state'] or 'waits'}" for task in tasks)
                held = _rows(connection, "demo_progress")[0]
                self._screen.progress(
                    f"{states} | orders in STG {held.stg_orders:,}, in DDS {held.dds_orders:,};"
                    f" counters {held.cdm_counters:,}, tags {held.cdm_tags:,}"
                )
                if time.monotonic() > deadline:
                    raise DemoError(f"{dag_id} has not finished after {timeout_s:.0f} s: {states}; see {api.address}")
                time.sleep(LOOK_EVERY_S)
        if state == "failed":
            raise DemoError(failure_text(dag_id, failures(tasks, self._stack.home / "airflow" / "logs")))

    def _connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._env["DWH_URL"], autocommit=True, row_factory=namedtuple_row)

    def summary(self) -> str:
        """Say what a person wants to see at the end."""
        with self._connect() as connection:
            total = _rows(connection, "demo_totals")[0]
            statuses = _rows(connection, "demo_statuses")
            tags = _rows(connection, "demo_top_tags")
            letters = _rows(connection, "demo_dead_letters")
            read = {row.partition: row.next_offset for row in _rows(connection, "demo_read")}
        lag = kafka_lag(self._env["KAFKA_BOOTSTRAP_SERVERS"], read)
        address, user, password = self._stack.ui_login()
        home = self._stack.home
        orders = sum(row.orders for row in statuses)
        by_status = ", ".join(f"{row.orders:,} {row.status}" for row in statuses)
        refused = ", ".join(f"{row.letters} {row.reason}" for row in letters) or "none"
        queued = f"{total.queued} in the queues" if total.queued else "queues empty"
        return "\n".join(
            [
                f"orders        {orders:,}: {by_status} ({total.messages:,} messages)",
                f"guests        {total.guests:,} with {total.dishes:,} dishes of {total.categories} categories",
                f"counters      {total.product_counters:,} by dish, {total.category_counters:,} by category",
                f"tags          {total.tags:,} carried by {total.tagged_guests:,} guests, by {total.rules} rules; the most:",
                *(
                    f"                {t.tag:<18}{t.guests:>6,} guests with over {t.threshold} orders of {t.category_name}"
                    for t in tags
                ),
                f"dead letters  {sum(row.letters for row in letters)}: {refused}",
                f"freshness     newest order {total.newest_order_age_s:.0f} s old; {lag:,} messages behind in Kafka; {queued}",
                "",
                f"Airflow       {address}   user {user}   password {password}",
                f"data, logs    {_shown(home)}, {_shown(home / 'log')}; live orders: {_shown(flow.daemon(home).log)}",
                'look          eval "$(make -s env)"; psql "$DWH_URL" -c \'select * from cdm.user_tags limit 10\'',
                "check         make recount",
                "stop          make down (data stays; make reset deletes it)",
            ]
        )


def failures(tasks: Sequence[dict[str, Any]], logs: Path) -> list[Failure]:
    """Return the failed ones of a run's tasks, each with the log of its last attempt below Airflow's folder of logs."""
    return [
        Failure(
            task["task_id"],
            logs
            / f"dag_id={task['dag_id']}"
            / f"run_id={task['dag_run_id']}"
            / f"task_id={task['task_id']}"
            / f"attempt={task['try_number']}.log",
        )
        for task in tasks
        if task["state"] == "failed"
    ]


def failure_text(dag_id: str, failed: Sequence[Failure]) -> str:
    """Say which tasks failed, how their logs end, and where these are."""
    told = [f"{dag_id} failed"]
    for task_id, log in failed:
        end = "\n".join(f"    {line}" for line in log_lines(log)[-LOG_LINES_SHOWN:])
        told.append(f"  task {task_id}, log: {log}\n{end or '    (no log)'}")
    return "\n".join(told)


def log_lines(log: Path) -> list[str]:
    """Return a task's log as plain lines: Airflow writes one JSON object a line."""
    written = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return [plain for line in written for plain in _plain(line)]


def _plain(line: str) -> list[str]:
    try:
        entry = json.loads(line)
        errors = entry.get("error_detail") or []
        return [f"{entry['level']}: {entry['event']}", *(f"{e['exc_type']}: {e['exc_value']}" for e in errors)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [line]


def kafka_lag(bootstrap_servers: str, read: Mapping[int, int], topic: str = TOPIC) -> int:
    """Count the messages behind what was read (partition -> next offset): the group of the pipeline only shows it to others."""
    settings = {"bootstrap.servers": bootstrap_servers, "group.id": "demo", "enable.auto.commit": False}
    with closing(Consumer(settings)) as consumer:
        lag = 0
        for number in consumer.list_topics(topic, timeout=30).topics[topic].partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)
            lag += high - max(low, read.get(number, 0))
    return lag


def _rows(connection: psycopg.Connection[Any], name: str) -> list[Any]:
    return connection.execute((SQL / f"{name}.sql").read_bytes()).fetchall()


def _shown(path: Path) -> str:
    return str(path.relative_to(REPO)) if path.is_relative_to(REPO) else str(path)


def main(argv: Sequence[str] | None = None) -> int:
    """Show the whole warehouse at work, from an empty machine."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=main.__doc__)
    parser.add_argument("--orders", type=int, default=DEFAULT_ORDERS, help="orders of history (default %(default)s)")
    parser.add_argument("--rate", type=float, default=DEFAULT_RATE, help="new orders a minute (default %(default)s)")
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME, help="folder of the stack (default %(default)s)")
    args = parser.parse_args(argv)
    begin = time.monotonic()
    screen = Screen(steps=5)
    demo = Demo(Stack(args.home, report=screen.line), screen, args.orders, args.rate)
    try:
        demo.run()
        print(f"\n{demo.summary()}\n\nready in {time.monotonic() - begin:.0f} s")
    except (StartError, SeedError, AirflowApiError, DemoError, psycopg.Error, KafkaException) as error:
        screen.line(f"failed: {error}")
        return 1
    except KeyboardInterrupt:
        screen.line("interrupted: `make demo` goes on from here, `make down` stops what runs")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Whoever is there and does not answer: a client frozen in its turn, a backend or a whole server frozen under a task."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from airflow.sdk.execution_time.timeout import TimeoutPosix

from harness import runs
from harness.runs import load_layers, minute_run
from local.stack import Stack
from operators.connections import open_redis
from tests.crash.child import Children, Job
from tests.crash.conftest import World
from tests.waiting import wait_for
from warehouse.constants import REDIS_CONN_ID, SQL_FOLDER
from warehouse.drain import DrainError

LIMIT = "idle_in_transaction_session_timeout = '60s'"
LAYERS = ("stg", "dds", "cdm")
HOUR_S = 3_600


def run_from(sql_folder: str, topic: str) -> None:
    """Do what `orders_micro_batch` does, with the SQL files of another folder."""
    runs.SQL_FOLDER = sql_folder
    minute_run(topic)


def timed_drain(topic: str) -> None:
    """Drain as a task does: Airflow ends it by SIGALRM when its time is over, or when the test says so."""
    with TimeoutPosix(HOUR_S):
        runs.drain(topic)


def timed_load() -> None:
    """Load the layers as tasks do."""
    with TimeoutPosix(HOUR_S):
        load_layers()


@pytest.fixture
def hasty_sql(tmp_path: Path) -> str:
    """The SQL files with 2 s in place of the minute that a silent writer may keep its turn."""
    folder = shutil.copytree(SQL_FOLDER, tmp_path / "sql")
    for layer in LAYERS:
        lock = folder / "turn" / layer / "lock.sql"
        text = lock.read_text(encoding="utf-8")
        assert LIMIT in text
        lock.write_text(text.replace(LIMIT, LIMIT.replace("60s", "2s")), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_turn_is_taken_from_a_client_that_is_frozen_in_it(
    world: World, children: Children, hasty_sql: str, layer: str
) -> None:
    lock = f"before select pg_advisory_xact_lock(hashtext('dwh.{layer}'));"
    steps = children.run(run_from, hasty_sql, world.topic)
    world.begin_again()
    with started(children, run_from, hasty_sql, world.topic, stop_at=steps.index(lock) + 2) as (process, pid):
        wait_for(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
        with started(children, minute_run, world.topic) as (other, _):
            other.join(60)
            assert other.exitcode == 0, "another run gets the turn"
        os.kill(pid, signal.SIGCONT)
        process.join(60)
        assert process.exitcode not in (0, None), "whoever has lost the turn does not go on as if nothing had happened"
    load_layers()
    world.assert_right()


@pytest.mark.parametrize("whole_server", [False, True], ids=["backend", "server"])
@pytest.mark.parametrize(("table", "job"), [("stg.order_events", timed_drain), ("dds.h_order", timed_load)])
def test_a_task_ends_when_its_time_is_over_though_postgresql_is_frozen(
    world: World, children: Children, stack: Stack, table: str, job: Callable[..., None], whole_server: bool
) -> None:
    if job is timed_load:
        runs.drain(world.topic)
    with (
        psycopg.connect(world.pipeline.env["DWH_URL"]) as other,
        held(other, table),
        started(children, job, *[world.topic] * (job is timed_drain)) as (process, pid),
    ):
        backend = wait_for(lambda: waiting_backend(world))
        with frozen([*pids_of(stack, "postgres"), backend] if whole_server else [backend]):  # type: ignore[list-item]
            os.kill(pid, signal.SIGALRM)
            process.join(60)
            assert process.exitcode is not None, "the task's own limit ends it"
    assert process.exitcode != 0
    minute_run(world.topic)
    world.assert_right()


def test_a_frozen_broker_fails_the_drain(world: World, stack: Stack) -> None:
    with frozen(pids_of(stack, "kafka")), pytest.raises(DrainError):
        runs.drain(world.topic, timeout_s=3, stall_s=3)

    def drained() -> bool:
        with suppress(DrainError):  # for a moment the broker takes itself for dead
            minute_run(world.topic)
            return True
        return False

    wait_for(drained)
    world.assert_right()


def test_redis_has_a_limit_for_each_answer(world: World) -> None:
    with open_redis(REDIS_CONN_ID) as client:
        limits = client.get_connection_kwargs()
        assert limits["socket_connect_timeout"] <= HOUR_S / 60
        assert limits["socket_timeout"] <= HOUR_S / 60


def pids_of(stack: Stack, name: str) -> list[int]:
    """Return the processes of a server that do not come of another."""
    (pids,) = [status.pids for status in stack.status() if status.name == name]
    return pids


def waiting_backend(world: World) -> int | None:
    """Return the backend that waits for a lock of a table."""
    found = world.pipeline.rows("select pid from pg_locks where locktype = 'relation' and not granted")
    return found[0][0] if found else None


@contextmanager
def held(connection: psycopg.Connection[Any], table: str) -> Iterator[None]:
    """Let nobody read or write a table."""
    connection.execute(f"lock table {table} in access exclusive mode")
    yield
    connection.rollback()


@contextmanager
def started(children: Children, job: Job, *arguments: Any, **options: Any) -> Iterator[tuple[ForkServerProcess, int]]:
    """Start a job; yield its process and pid; it is gone at the end."""
    process = children.start(job, *arguments, **options)
    assert process.pid
    try:
        yield process, process.pid
    finally:
        process.kill()
        process.join(60)


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    """Stop processes; let them go on at the end."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

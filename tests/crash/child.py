"""A run of the pipeline in a process of its own, which can be told to kill or freeze itself at any of its steps.

Steps are: each statement, each COPY, each commit of PostgreSQL and of Kafka, before and after; each file of an export. It
dies by SIGKILL, so that nothing of it can clean up: servers see a client that is gone.
"""

import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

import psycopg
from fsspec.implementations.local import LocalFileSystem

from warehouse.drain import TopicDrain

Job = Callable[..., None]


def at_another_time(shift_s: float, job: Job, *arguments: Any) -> None:
    """Do a job on a machine whose clock is wrong by so many seconds: what `datetime.now` says to our modules."""

    class Moved(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, datetime)

        def __getattr__(cls, name: str) -> Any:
            return getattr(datetime, name)

        def __call__(cls, *values: Any, **named: Any) -> datetime:
            return datetime(*values, **named)  # noqa: DTZ001  # what the caller says

    class MovedDatetime(metaclass=Moved):
        @staticmethod
        def now(zone: tzinfo | None = None) -> datetime:
            return datetime.now(zone) + timedelta(seconds=shift_s)

    ours = [module for name, module in sys.modules.items() if name.startswith(("warehouse.", "operators."))]
    moved = [module for module in ours if getattr(module, "datetime", None) is datetime]
    assert moved, "nothing of ours asks for the time"
    for module in moved:
        module.datetime = MovedDatetime  # type: ignore[attr-defined]
    job(*arguments)


class Children:
    """Starts jobs in processes that are forked from a clean one, which has imported everything and opened nothing."""

    def __init__(self) -> None:
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        # The server preloads before it learns of this process's path (CPython 3.11), and ignores what it can't import.
        os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
        self._context.set_forkserver_preload([__name__, "harness.runs"])

    def start(
        self,
        job: Job,
        *arguments: Any,
        die_at: int | None = None,
        stop_at: int | None = None,
        tell: Connection | None = None,
    ) -> ForkServerProcess:
        """Start a job; `die_at` (`stop_at`) is the number of the step before which it kills (freezes) itself.

        It writes the names of its steps to `tell`, whose other end somebody must read: a full pipe would hold it up.
        """
        process = self._context.Process(target=_work, args=(tell, job, arguments, die_at, stop_at))
        process.start()
        return process

    def run(self, job: Job, *arguments: Any, die_at: int | None = None) -> list[str]:
        """Run a job to its end, or to its death at `die_at`; return the names of the steps it has taken."""
        reader, writer = self._context.Pipe(duplex=False)
        process = self.start(job, *arguments, die_at=die_at, tell=writer)
        writer.close()
        steps = []
        try:
            while True:
                steps.append(reader.recv())
        except EOFError:
            process.join(60)
        if die_at is None:
            assert process.exitcode == 0, f"failed after {steps[-1:]}"
        return steps


def kill_points(steps: list[str]) -> Iterator[tuple[int, str]]:
    """Yield number and name of the steps to die at: what stands between two commits is undone as one, so a few of it are enough.

    All commits and files, and each fifth statement; KILL_EVERY=1 in the environment asks for each.
    """
    every = int(os.environ.get("KILL_EVERY", "5"))
    for number, name in enumerate(steps, start=1):
        if number % every == 0 or "commit" in name or "file" in name:
            yield number, name


def _work(
    tell: Connection | None, job: Job, arguments: tuple[Any, ...], die_at: int | None, stop_at: int | None
) -> None:
    taken = 0

    def step(name: str) -> None:
        nonlocal taken
        taken += 1
        if tell is not None:
            # Without what makes the name of a temporary table its session's own: a step is the same in every process.
            tell.send(re.sub(r"\b((?:batch|incoming)_[a-z_]+)_\d+_\d+", r"\1", name))
        if taken == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if taken == stop_at:
            os.kill(os.getpid(), signal.SIGSTOP)

    _count_steps(step)
    job(*arguments)


def _count_steps(step: Callable[[str], None]) -> None:
    """Announce each step of this process before (and, for commits, after) it is taken."""
    execute, copy, transaction = psycopg.ClientCursor.execute, psycopg.Cursor.copy, psycopg.Connection.transaction
    commit = TopicDrain.commit

    def counted_execute(self: psycopg.ClientCursor[Any], query: Any, params: Any = None, **options: Any) -> Any:
        words = [line for line in str(query).splitlines() if line and not line.startswith("--")]
        step(f"before {words[0] if words else query}")
        return execute(self, query, params, **options)

    def counted_copy(self: psycopg.Cursor[Any], statement: Any, *arguments: Any, **options: Any) -> Any:
        step(f"before {statement}")
        return copy(self, statement, *arguments, **options)

    @contextmanager
    def counted_transaction(self: psycopg.Connection[Any], *arguments: Any, **options: Any) -> Iterator[Any]:
        with transaction(self, *arguments, **options) as inner:
            yield inner
            step("before the commit of PostgreSQL")
        step("after the commit of PostgreSQL")

    def counted_commit(self: TopicDrain, next_offsets: dict[int, int]) -> None:
        step("before the commit of Kafka")
        commit(self, next_offsets)
        step("after the commit of Kafka")

    write, move = LocalFileSystem.pipe_file, LocalFileSystem.mv

    def counted_write(self: LocalFileSystem, path: str, *arguments: Any, **options: Any) -> None:
        step(f"before the file {path.rsplit('/', 1)[1]}")
        write(self, path, *arguments, **options)

    def counted_move(self: LocalFileSystem, path: str, to: str, **options: Any) -> None:
        step(f"before the file {to.rsplit('/', 1)[1]}")
        move(self, path, to, **options)
        step(f"after the file {to.rsplit('/', 1)[1]}")

    LocalFileSystem.pipe_file, LocalFileSystem.mv = counted_write, counted_move
    psycopg.ClientCursor.execute = counted_execute  # type: ignore[method-assign, assignment]
    psycopg.Cursor.copy = counted_copy  # type: ignore[method-assign]
    psycopg.Connection.transaction = counted_transaction  # type: ignore[method-assign]
    TopicDrain.commit = counted_commit  # type: ignore[method-assign]

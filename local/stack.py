"""The stack as a whole: which services there are, in which order they start, what a client must know."""

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local.processes import StartError
from local.services.airflow import Airflow, Triggerer
from local.services.base import REPO, Service
from local.services.kafka import Kafka
from local.services.postgres import Postgres, find_programs
from local.services.redis import Redis
from local.state import NoFreePortError, State

DEFAULT_HOME = REPO / ".local"
SERVICES: tuple[type[Service], ...] = (Postgres, Redis, Kafka, Airflow, Triggerer)
ALL = tuple(service.name for service in SERVICES)


class NotStartedError(Exception):
    """There is no stack in this home folder."""


@dataclass(frozen=True)
class Status:
    """What `status` tells about one service."""

    name: str
    running: bool
    address: str
    pids: list[int]
    logs: list[Path]


class Stack:
    """Real servers on 127.0.0.1 whose data, logs, ports and passwords all live in one folder.

    `start`, `stop` and `kill` take names of services and leave the others alone; with the same `home` a later process
    finds the servers of an earlier one. Two stacks with different homes run side by side.
    """

    def __init__(self, home: Path = DEFAULT_HOME, report: Callable[[str], None] = print) -> None:
        """Keep everything below `home`; tell progress line by line to `report`."""
        self.home = home.resolve()
        self._report = report
        self._state = State(self.home / "state.json")
        self._services = {service.name: service(self.home, self._state) for service in SERVICES}

    def start(self, names: Sequence[str] = ALL) -> None:
        """Start services with what they need, side by side; return when all can be used.

        What runs already is left alone. Raises StartError, after stopping what this call had started.
        """
        wanted = set(names) | {need for name in names for need in self._service(name).needs}
        with self._locked(), _alone_on_this_machine():
            new = [name for name in ALL if name in wanted and not self._services[name].running()]
            pending: dict[str, Future[None]] = {}
            with ThreadPoolExecutor(len(ALL)) as pool:
                for name in ALL:
                    if name in wanted:
                        needs = [pending[need] for need in self._services[name].needs]
                        pending[name] = pool.submit(self._start_one, self._services[name], needs)
            failures = [error for future in pending.values() if (error := future.exception())]
            if failures:
                for name in reversed(new):
                    self._services[name].stop()
                raise failures[0]

    def stop(self, names: Sequence[str] = ALL) -> None:
        """Stop services in the opposite order; return when no process of theirs is left. Data stays."""
        self._end(names, kill=False)

    def kill(self, *names: str) -> None:
        """End services by SIGKILL, as a crash would; `start` then finds the data as the crash left it."""
        self._end(names, kill=True)

    def reset(self) -> None:
        """Stop everything and delete data, logs, ports and passwords; downloaded jars stay."""
        self.stop()
        for service in self._services.values():
            service.erase()
        for entry in self.home.iterdir() if self.home.exists() else ():
            if entry.is_dir() and not entry.is_symlink():
                if entry.name != "lib":
                    shutil.rmtree(entry)
            else:
                entry.unlink()

    def status(self) -> list[Status]:
        """Return how each service is doing."""
        self._must_exist()
        return [
            Status(
                name=service.name,
                running=service.running(),
                address=service.address(),
                pids=[process.pid for daemon in service.daemons if (process := daemon.process())],
                logs=[daemon.log for daemon in service.daemons],
            )
            for service in self._services.values()
        ]

    def env(self) -> dict[str, str]:
        """Return the variables by which any client, and the `airflow` CLI, reach this stack from any folder."""
        self._must_exist()
        airflow = self._service("airflow")
        env = {"AIRFLOW_API_URL": airflow.address(), "PATH": _path()}
        for service in self._services.values():
            env |= service.env()
        return dict(sorted(env.items()))

    def ui_login(self) -> tuple[str, str, str]:
        """Return the address of Airflow's UI, the user and the password."""
        airflow = Airflow(self.home, self._state)
        return airflow.address(), airflow.user, airflow.password()

    def viewer_login(self) -> tuple[str, str, str]:
        """Return the same for a person who may only look."""
        airflow = Airflow(self.home, self._state)
        return airflow.address(), airflow.viewer, airflow.viewers_password()

    def _start_one(self, service: Service, needs: list[Future[None]]) -> None:
        for need in needs:
            if need.exception():
                return
        begin = time.monotonic()
        known = service.running()
        try:
            service.start()
        except (NoFreePortError, OSError) as error:
            raise StartError(f"{service.name} did not start: {error}") from error
        took = "was running" if known else f"ready in {time.monotonic() - begin:.1f} s"
        self._report(f"{service.name:<9} {took}, {service.address()}")

    def _end(self, names: Sequence[str], *, kill: bool) -> None:
        services = [self._service(name) for name in names]
        if self._state.exists():
            with self._locked():
                for service in sorted(services, key=lambda service: ALL.index(service.name), reverse=True):
                    service.stop(kill=kill)

    def _service(self, name: str) -> Service:
        try:
            return self._services[name]
        except KeyError:
            raise ValueError(f"no service {name!r}; there are {', '.join(ALL)}") from None

    def _must_exist(self) -> None:
        if not self._state.exists():
            raise NotStartedError(f"there is no stack in {self.home}: run `make up` first")

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one command at a time change this stack."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


@contextlib.contextmanager
def _alone_on_this_machine() -> Iterator[None]:
    """Let one stack of this user start at a time: a port is chosen a moment before its server listens on it."""
    lock_file = Path(tempfile.gettempdir(), f"guest-tags-dwh-{os.getuid()}.lock")
    with os.fdopen(os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _path() -> str:
    """Return PATH with the venv's programs first and PostgreSQL's (psql) last."""
    venv, postgres = str(Path(sys.prefix) / "bin"), str(find_programs())
    others = [part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if part not in (venv, postgres)]
    return os.pathsep.join([venv, *others, postgres])

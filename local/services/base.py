"""What every service of the stack can do."""

import os
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from local.processes import Daemon
from local.state import State

REPO = Path(__file__).resolve().parents[2]


class Service(ABC):
    """A server, or a few that make sense together only."""

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    process_names: ClassVar[tuple[str, ...]]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, home: Path, state: State) -> None:
        """Keep the data below `home`; ports, passwords and pids in `state`."""
        self.home = home
        self.state = state
        self.daemons = [
            Daemon(name, state, home / "log" / f"{name}.log", self.stop_signal) for name in self.process_names
        ]

    @abstractmethod
    def start(self) -> None:
        """Start what is not running and return when it can be used; raise StartError when it can't."""

    @abstractmethod
    def env(self) -> dict[str, str]:
        """Return the environment variables by which its clients find it."""

    @abstractmethod
    def address(self) -> str:
        """Return where clients reach it, for people to read; no password in it."""

    def erase(self) -> None:  # noqa: B027 - most have nothing there
        """Remove what it keeps outside of the home folder."""

    def running(self) -> bool:
        """Tell whether all of its processes run."""
        return all(daemon.process() for daemon in self.daemons)

    def stop(self, *, kill: bool = False) -> None:
        """End its processes, in the opposite order of their start; data stays."""
        for daemon in reversed(self.daemons):
            daemon.stop(kill=kill)


def inherited_env(**more: str) -> dict[str, str]:
    """Return this process's environment without settings meant for another Airflow or PostgreSQL, plus the given ones.

    Where metrics are to go is for the caller to say: docs/metrics.md.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("AIRFLOW__METRICS__") or not name.startswith(("AIRFLOW", "PG"))
    }
    return kept | more


def retry(attempt: Callable[[], object], *errors: type[Exception]) -> Callable[[], bool]:
    """Turn a call that raises while a server is coming up into a check that is false until then."""

    def ready() -> bool:
        try:
            attempt()
        except errors:
            return False
        return True

    return ready

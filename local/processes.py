"""Background processes: started detached, found again by a later command, stopped with everything they started."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from local.state import State

STOP_TIMEOUT_S = 30
LOG_LINES_SHOWN = 15

# Held so that a long-lived Python (pytest) neither warns about these children nor leaves them as zombies.
_children: list[subprocess.Popen[bytes]] = []


class StartError(Exception):
    """A service did not start; the text says which one, why, and where its log is."""


class Daemon:
    """One server process and all that descends from it."""

    def __init__(self, name: str, state: State, log: Path, stop_signal: signal.Signals) -> None:
        """Name the process; its pid goes to `state`, its output to the end of `log`; `stop_signal` ends it in order."""
        self.name = name
        self.log = log
        self._stop_signal = stop_signal
        self._state = state

    def launch(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path,
        uid: int | None = None,
    ) -> None:
        """Start the command in a session of its own (as another user if `uid` is given) and remember its pid."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
                user=uid,
                group=uid,
                extra_groups=None if uid is None else [],
            )
        _children.append(child)
        self._state.put("pids", self.name, {"pid": child.pid, "created": psutil.Process(child.pid).create_time()})

    def process(self) -> psutil.Process | None:
        """Return the running process; None when it is gone or when its pid now belongs to somebody else."""
        known = self._state.get("pids", self.name)
        if not known:
            return None
        try:
            process = psutil.Process(known["pid"])
        except psutil.NoSuchProcess:
            return None
        same = abs(process.create_time() - known["created"]) < 2
        return process if same and _runs(process) else None

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Return once `ready()` is true; raise StartError when the process ends first or the time is over."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self.process() is None:
                raise self.failure("it ended right after its start")
            if time.monotonic() > deadline:
                raise self.failure(f"it was not ready after {timeout_s:.0f} s")
            time.sleep(0.1)

    def failure(self, reason: str) -> StartError:
        """Make the error that tells what happened, with the end of the log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        tail = "".join(f"\n    {line}" for line in lines[-LOG_LINES_SHOWN:]) or "\n    (empty)"
        return StartError(f"{self.name} did not start: {reason}\n  log: {self.log}{tail}")

    def stop(self, *, kill: bool = False) -> None:
        """End the process and its descendants, politely at first unless `kill`; return when none of them is left."""
        process = self.process()
        if process is not None:
            family = _family(process)
            if not kill:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(self._stop_signal)
                _wait_for_end({process}, timeout_s=STOP_TIMEOUT_S)
                family |= _session(process.pid)
                _wait_for_end(family, timeout_s=2)
            for survivor in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    survivor.kill()
            left = _wait_for_end(family, timeout_s=STOP_TIMEOUT_S)
            if left:
                raise RuntimeError(f"{self.name}: process {left.pop().pid} survived SIGKILL")
        self._state.put("pids", self.name, None)


def _wait_for_end(processes: set[psutil.Process], *, timeout_s: float) -> set[psutil.Process]:
    """Return what still runs when the time is over, as soon as that is nothing.

    A zombie has ended: where no init collects orphans (a container), psutil's own waiting would never see it go.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        _collect_children()
        left = {process for process in processes if _runs(process)}
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        # A zombie that still has threads (the JVM's) has not closed its ports and files yet.
        return bool(process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1))
    return False


def _collect_children() -> None:
    """Let the system forget those of our children that have ended."""
    _children[:] = [child for child in _children if child.poll() is None]


def _family(process: psutil.Process) -> set[psutil.Process]:
    """Return the process, what descends from it and what shares its session (an orphan keeps the session)."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return {process, *process.children(recursive=True), *_session(process.pid)}
    return {process}


def _session(leader_pid: int) -> set[psutil.Process]:
    """Return the processes of the session that this process leads."""
    members = set()
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            if os.getsid(pid) == leader_pid:
                members.add(psutil.Process(pid))
    return members

"""Programs that are no packages of Python, run for one test: found by a variable or on PATH, else the test is skipped."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.request import urlopen

import pytest

from local.state import is_free

# What `local/install.sh charts` has brought.
BROUGHT = Path(__file__).resolve().parents[1] / ".local" / "bin"
START_S = 30.0
# Each worker of pytest-xdist looks for ports of its own.
PORTS_A_WORKER = 100


def program(name: str) -> str:
    """Return the path of a program: $NAME, else what PATH knows or was brought. Skips the test where none does."""
    variable = name.upper()
    path = os.environ.get(variable) or shutil.which(name) or shutil.which(name, path=BROUGHT)
    if not path:
        pytest.skip(f"{name} is not on PATH, and {variable} does not name it")
    return path


def worker_number() -> int:
    """Return the number of this worker of pytest-xdist, from 1; 0 without workers."""
    name = os.environ.get("PYTEST_XDIST_WORKER")
    return int(name.removeprefix("gw")) + 1 if name else 0


UNTRIED_PORTS = count(21_000 + PORTS_A_WORKER * worker_number())


def free_port() -> int:
    """Return a port of TCP and UDP that nobody listens on and that no test was given before, below those of clients."""
    return next(port for port in UNTRIED_PORTS if is_free(port) and is_free(port, socket.SOCK_DGRAM))


@contextmanager
def running(
    command: Sequence[str | Path], ready: str, log: Path, env: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a server until the block ends; it is ready when the URL `ready` answers."""
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
    try:
        give_up = time.monotonic() + START_S
        while True:
            try:
                fetched(ready)
                break
            except OSError:
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < give_up, log.read_text()
                time.sleep(0.1)
        yield
    finally:
        server.terminate()
        server.wait(START_S)


def fetched(url: str) -> str:
    """Return what the URL answers. Raises `HTTPError` where that is an error."""
    with urlopen(url, timeout=START_S) as answer:
        return str(answer.read().decode())

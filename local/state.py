"""What a stack remembers between two commands: ports, passwords, process ids. One file, for its owner's eyes only."""

import json
import os
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
DEFAULT_PORTS = {
    "postgres": 15432,
    "redis": 16379,
    "kafka": 19092,
    "kafka-controller": 19093,
    "airflow": 18080,
}
EPHEMERAL_PORTS_BEGIN = 32768


class NoFreePortError(Exception):
    """Every port from the default one to the ephemeral range is taken."""


def is_free(port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1 now; on that of UDP for `SOCK_DGRAM`."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


class State:
    """Sections of named values in `<home>/state.json`; every change is on disk before the call returns."""

    def __init__(self, path: Path) -> None:
        """Keep the values in `path`; the file appears with the first value."""
        self.path = path
        self._lock = threading.RLock()

    def exists(self) -> bool:
        """Tell whether this stack was ever started."""
        return self.path.exists()

    def section(self, name: str) -> dict[str, Any]:
        """Return a copy of one section, empty when nothing was put there."""
        section: dict[str, Any] = self._read().get(name, {})
        return section

    def get(self, section: str, key: str) -> Any:
        """Return one value, None when it is not known."""
        return self.section(section).get(key)

    def put(self, section: str, key: str, value: Any) -> None:
        """Remember a value; None forgets it."""
        with self._lock:
            state = self._read()
            values = state.setdefault(section, {})
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
            self._write(state)

    def secret(self, name: str, make: Callable[[], str] = lambda: secrets.token_hex(16)) -> str:
        """Return the secret of this name, made on first use."""
        with self._lock:
            value = self.get("secrets", name) or make()
            self.put("secrets", name, value)
            return str(value)

    def port(self, name: str) -> int:
        """Return the port chosen for a listener, choosing it on first use."""
        return self.get("ports", name) or self.choose_port(name)

    def choose_port(self, name: str) -> int:
        """Choose where a listener that is not running will listen: its last port, its default, or the next free one."""
        with self._lock:
            ports = self.section("ports")
            last = ports.pop(name, None)
            candidates = ([last] if last else []) + list(range(DEFAULT_PORTS[name], EPHEMERAL_PORTS_BEGIN))
            for port in candidates:
                if port not in ports.values() and is_free(port):
                    self.put("ports", name, port)
                    return int(port)
        raise NoFreePortError(f"no free port for {name} in {DEFAULT_PORTS[name]}..{EPHEMERAL_PORTS_BEGIN - 1}")

    def _read(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads(self.path.read_text())
        except FileNotFoundError:
            return {}
        return state

    def _write(self, state: dict[str, Any]) -> None:
        draft = self.path.with_suffix(".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(state, file, indent=2)
        draft.replace(self.path)

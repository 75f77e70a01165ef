"""Keeps what a process holds within bounds: memory beyond them is refused to it, instead of the process being killed later."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1024 * 1024
# So much may be taken in any case: who holds much already is not ended by the next thing that it does.
LEAST_BYTES = 128 * MIB


def bound_memory(limit_bytes: int, least_bytes: int = LEAST_BYTES) -> None:
    """Let this process take memory until it holds `limit_bytes`, or `least_bytes` more than now, whichever is more.

    Linux counts what was reserved and not what is held, and the stacks of threads are mostly reserved. So say it again from
    time to time: it then goes by what is held.
    """
    room = max(limit_bytes - _bytes_of("VmRSS"), least_bytes)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = _bytes_of("VmData") + room
    resource.setrlimit(resource.RLIMIT_DATA, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


@contextmanager
def bounded_memory(limit_bytes: int) -> Iterator[None]:
    """Bound this process's memory for the time of the block; if it is aborted in it, it leaves no image of itself on the disk."""
    kept = {kind: resource.getrlimit(kind) for kind in (resource.RLIMIT_DATA, resource.RLIMIT_CORE)}
    resource.setrlimit(resource.RLIMIT_CORE, (0, kept[resource.RLIMIT_CORE][1]))
    bound_memory(limit_bytes)
    try:
        yield
    finally:
        for kind, limits in kept.items():
            resource.setrlimit(kind, limits)


def _bytes_of(name: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{name}:")[1].split()[0]) * 1024

"""Waits for what other processes and threads do."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_for(look: Callable[[], Found], what: str = "what was waited for", *, within_s: float = 60) -> Found:
    """Return the first thing found that is true. Fails, naming it, where none is found in time."""
    deadline = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.05)
    return found

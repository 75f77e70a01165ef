"""The flow of live orders in the background of a stack: it ends with the stack's broker."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from local.processes import Daemon
from local.services.base import REPO
from local.state import State
from source import live


def daemon(home: Path) -> Daemon:
    """The flow of the stack in `home`; its log is `<home>/log/live.log`."""
    return Daemon("live", State(home / "state.json"), home / "log" / "live.log", signal.SIGTERM)


def start(home: Path, env: dict[str, str], *, rate: float, guests: int, seed: int) -> Daemon:
    """Have orders flow in the background of the stack in `home`; a flow that runs already is left alone."""
    flow = daemon(home)
    if flow.process() is None:
        options = ["--home", str(home), "--rate", str(rate), "--guests", str(guests), "--seed", str(seed)]
        flow.launch([sys.executable, "-m", "local.flow", *options], env=env, cwd=REPO)
        flow.wait_until(lambda: (home / "live.pid").exists(), timeout_s=30)
    return flow


def main(argv: list[str]) -> int:
    """Keep orders flowing, as `source.live` does with these options, until the broker of `--home` is gone."""
    home = Path(argv[argv.index("--home") + 1])
    kafka = Daemon("kafka", State(home / "state.json"), home / "log" / "kafka.log", signal.SIGTERM)
    return live.main(argv, is_over=lambda: kafka.process() is None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

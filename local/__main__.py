"""The command line of the local stack: `python -m local up|down|status|reset|env`."""

import argparse
import shlex
import sys
from pathlib import Path

from local.processes import StartError
from local.stack import ALL, DEFAULT_HOME, NotStartedError, Stack


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code: 0, or 1 with the reason on standard error."""
    options = _parser().parse_args(arguments)
    stack = Stack(options.home)
    try:
        if options.command == "up":
            stack.start(options.services)
        elif options.command == "down":
            stack.stop(options.services)
        elif options.command == "reset":
            stack.reset()
        elif options.command == "status":
            _print_status(stack)
        elif options.command == "env":
            print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in stack.env().items()))
    except (StartError, NotStartedError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, what in {
        "up": "start the services; harmless when they run",
        "down": "stop the services; data stays",
        "status": "show what runs, where, and how to log in",
        "reset": "stop everything and delete the data",
        "env": 'print export lines, for: eval "$(make -s env)"',
    }.items():
        command = commands.add_parser(name, help=what, description=what)
        command.add_argument(
            "--home", type=Path, default=DEFAULT_HOME, help="folder of the stack (default: %(default)s)"
        )
        if name in ("up", "down"):
            command.add_argument(
                "--services", nargs="+", choices=ALL, default=ALL, metavar="NAME", help=f"some of: {', '.join(ALL)}"
            )
    return parser


def _print_status(stack: Stack) -> None:
    for service in stack.status():
        state = f"up, pid {', '.join(map(str, service.pids))}" if service.running else "down"
        print(f"{service.name:<9} {service.address:<24} {state}")
        for log in service.logs:
            print(f"{'':<9} log: {log}")
    address, user, password = stack.ui_login()
    print(f"Airflow UI: {address}  user: {user}  password: {password}")


if __name__ == "__main__":
    sys.exit(main())

"""Why has a guest a tag, or why not yet: which orders count, which don't, what is missing, until when.

Reads the guest's id from standard input, so that it stands in no history of a shell, and DWH_PAGE_URL: the page's role may ask,
dwh_bi may not. That you ask is written down, as from the page: by the name of the account and of the machine.

    python -m deploy.why < id.txt
    python -m deploy.why --tag pizza_lover < id.txt
"""

import argparse
import getpass
import logging
import os
import socket
import sys
from typing import Any

import psycopg

from warehouse.layers import GUEST_LOOKS_NOTED, TRANSACTION, WHY, WHY_PROGRESS
from warehouse.session import Session
from warehouse.sql_files import read_sql


def main() -> None:
    """Read the id, ask, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tag", help="of this tag alone; else of all whose rule is in force")
    arguments = parser.parse_args()
    url = os.environ.get("DWH_PAGE_URL")
    if not url:
        raise SystemExit("DWH_PAGE_URL is not set: give the URL of the warehouse as dwh_page")
    guest_id = sys.stdin.readline().rstrip("\n")
    if not guest_id:
        raise SystemExit("no guest: write the id to standard input, as in `python -m deploy.why < id.txt`")
    try:
        with psycopg.connect(url) as connection:
            session = Session(
                connection,
                read_sql([TRANSACTION, GUEST_LOOKS_NOTED, WHY, WHY_PROGRESS]),
                log=logging.getLogger(__name__),
            )
            connection.read_only = False  # the role's default is that it is
            wanted = {"guest_id": guest_id, "tag": arguments.tag}
            session.ask(GUEST_LOOKS_NOTED, {**wanted, "looked_by": account()})
            progress, orders = session.ask(WHY_PROGRESS, wanted), session.ask(WHY, wanted)
    except psycopg.Error as error:
        raise SystemExit(f"the warehouse does not answer: {error}") from error
    if not orders:
        raise SystemExit("the warehouse knows no order of this guest, or no rule of this tag is in force")
    print("\n".join([*map(progress_in_words, progress), *map(order_in_words, orders)]))


def account() -> str:
    """Return who runs this: `ann@laptop`; a container may have a user without a name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return f"{name}@{socket.gethostname()}"


def progress_in_words(row: tuple[Any, ...]) -> str:
    """Return a line about a tag: `pizza_lover: 1 missing, 2 of Пицца count, more than 2 within 30 days give it`."""
    tag, category, order_cnt, threshold, window_days, exit_threshold, carries_tag, orders_missing, leaves_dt = row
    window = f" within {window_days} days" if window_days else ""
    keeps = "" if exit_threshold is None else f", more than {exit_threshold} keep it"
    stands = "carried" if carries_tag else f"{orders_missing} missing"
    ends = f"; it ends on {leaves_dt:%Y-%m-%d %H:%M} UTC if nothing more happens" if leaves_dt else ""
    return f"{tag}: {stands}, {order_cnt} of {category} count, more than {threshold}{window} give it{keeps}{ends}"


def order_in_words(row: tuple[Any, ...]) -> str:
    """Return a line about an order: `pizza_lover: order 102, CANCELLED: does not count (not_closed)`."""
    tag, order_id, status, closed_dt, counts, why_not, leaves_dt = row
    closed = f" since {closed_dt:%Y-%m-%d %H:%M} UTC" if closed_dt and counts else ""
    until = f" until {leaves_dt:%Y-%m-%d %H:%M} UTC" if leaves_dt else ""
    return f"{tag}: order {order_id}, {status}{closed}: {'counts' + until if counts else f'does not count ({why_not})'}"


if __name__ == "__main__":
    main()

"""Ask for the erasure of guests, one id a line on standard input: an argument would stay in the history of a shell.

Reads DWH_ETL_URL, the warehouse. The DAG `guest_erase` works the requests off, each hour or when it is started.

    python -m deploy.erase request < id.txt
"""

import os
import sys

import psycopg


def main(arguments: list[str]) -> None:
    """Note a request for each line. Raises SystemExit with what is allowed, or why PostgreSQL refuses it."""
    if arguments != ["request"]:
        raise SystemExit("usage: python -m deploy.erase request < id.txt, one id a line; no id as an argument")
    url = os.environ.get("DWH_ETL_URL")
    if not url:
        raise SystemExit("DWH_ETL_URL is not set: give the URL of the warehouse")
    guests = [line for line in sys.stdin.read().splitlines() if line.strip()]
    if not guests:
        raise SystemExit("there is no id on standard input")
    try:
        with psycopg.connect(url) as connection:
            for guest in guests:
                connection.execute("select stg.request_erasure(%s)", [guest])
    except psycopg.Error as error:
        raise SystemExit(f"nothing was noted: PostgreSQL says {error.sqlstate or 'nothing: is it up?'}") from None
    print(f"{len(guests)} requested; guest_erase works them off")


if __name__ == "__main__":
    main(sys.argv[1:])

"""How long the BI views take to answer: `python -m bench.views --url "$DWH_BI_URL"`, beside any load.

Views that are read whole are read whole, with all their columns; the one that grows with the hours by its last week, as the
dashboard asks for it; views of guests by one guest and by one tag, as a dashboard pages through them. A time is that of the
query and of the transfer of its rows, the median of several runs.
"""

import argparse
import json
import statistics
import sys
import time
from typing import Any

import psycopg

VIEWS = """
    select table_name::text, bool_or(column_name = 'guest_id') as is_of_guests, bool_or(column_name = 'tag') as is_of_tags
    from information_schema.columns
    where table_schema = 'cdm' and table_name like 'v\\_%' and table_name <> 'v_orders_hourly'
    group by table_name
    order by is_of_guests, table_name
"""
PAGE_ROWS = 1_000
WEEK = "select * from cdm.v_orders_hourly where order_hour > %s::timestamptz - interval '7 days'"
NEWEST_HOUR = "select max(order_hour) from cdm.v_orders_hourly"
# The tag with most guests, and a guest who carries it and has a history.
LARGEST_TAG = "select tag from cdm.v_tags order by guests desc, tag limit 1"
GUEST = "select guest_id from cdm.v_tag_events where tag = %s limit 1"


def measure(url: str, runs: int = 7) -> dict[str, float]:
    """Return milliseconds by view (`v_tags`) or by view and filter (`v_guest_tags by guest`), of a warehouse with tags."""
    with psycopg.connect(url, autocommit=True) as connection:
        tag = _value(connection, LARGEST_TAG, [])
        guest = _value(connection, GUEST, [tag])
        newest_hour = _value(connection, NEWEST_HOUR, [])
        milliseconds = {"v_orders_hourly of a week": _median_ms(connection, WEEK, [newest_hour], runs)}
        for view, is_of_guests, is_of_tags in connection.execute(VIEWS).fetchall():
            read = f"select * from cdm.{view}"
            if not is_of_guests:
                milliseconds[view] = _median_ms(connection, read, [], runs)
                continue
            milliseconds[f"{view} by guest"] = _median_ms(connection, f"{read} where guest_id = %s", [guest], runs)
            if is_of_tags:
                by_tag = f"{read} where tag = %s limit {PAGE_ROWS}"
                milliseconds[f"{view} by tag"] = _median_ms(connection, by_tag, [tag], runs)
        return milliseconds


def _value(connection: psycopg.Connection[Any], query: str, params: list[Any]) -> Any:
    row = connection.execute(query, params).fetchone()
    if row is None:
        raise RuntimeError("no guest carries a tag: load a history and rules before measuring")
    return row[0]


def _median_ms(connection: psycopg.Connection[Any], query: str, params: list[Any], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        connection.execute(query, params)  # returns when all rows have arrived
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds) * 1000, 2)


def main() -> int:
    """Print the milliseconds of each view as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.views", description=__doc__)
    parser.add_argument("--url", required=True, help="the warehouse, best as dwh_bi")
    parser.add_argument("--runs", type=int, default=7, help="runs of each view (default %(default)s)")
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.url, arguments.runs), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a load costs: rows and pages read, not seconds. It is the same after few versions or runs and after many."""

import os
from collections.abc import Callable, Iterator

import psycopg
import pytest

from harness.pipeline import Pipeline
from local.stack import Stack
from tests.messages import order, restaurant, user

FEW, MANY = 5, 500


@pytest.fixture
def warehouse(stack: Stack) -> Iterator[Pipeline]:
    """An empty warehouse."""
    with Pipeline() as pipeline:
        pipeline.clear()
        yield pipeline
        pipeline.clear()


def counted(pipeline: Pipeline, query: str) -> int:
    """Return a sum of the statistics, with all that the session that loads has done so far."""
    pipeline.etl.execute("select pg_stat_force_next_flush()")
    pipeline.etl.commit()
    pipeline.etl.execute("select 1")  # the flush comes when a transaction ends
    pipeline.etl.commit()
    return int(pipeline.value(query))


def rows_read(pipeline: Pipeline) -> int:
    """Return how many rows of the logs, the vault and the marts have been read since the statistics began."""
    return counted(
        pipeline,
        """
        select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))
        from pg_stat_user_tables
        where schemaname in ('dds', 'cdm') or relname in ('order_event_log', 'reference_log')
        """,
    )


def moment(number: int) -> str:
    """Return the time of version `number`, a minute after the one before."""
    return f"2026-01-{1 + number // 1440:02d} {number // 60 % 24:02d}:{number % 60:02d}:00"


def an_order(number: int) -> Callable[[Pipeline], object]:
    return lambda pipeline: pipeline.stage([order(1, update_ts=moment(number), cost=number)])


def a_guest(number: int) -> Callable[[Pipeline], object]:
    return lambda pipeline: pipeline.refer([("user", "guest", user(update_ts=moment(number)))])


def a_menu(number: int) -> Callable[[Pipeline], object]:
    menu = restaurant(menu={"pizza": "Pizza"}, name=f"Diner {number}", update_ts=moment(number))
    return lambda pipeline: pipeline.refer([("restaurant", "diner", menu)])


@pytest.mark.parametrize("version", [an_order, a_guest, a_menu])
def test_one_more_version_reads_as_many_rows_after_many_versions_as_after_few(
    warehouse: Pipeline, version: Callable[[int], Callable[[Pipeline], object]]
) -> None:
    def cost_of_one_more(number: int) -> int:
        version(number)(warehouse)
        before = rows_read(warehouse)
        warehouse.load_dds()
        return rows_read(warehouse) - before

    def store(numbers: range) -> None:
        for number in numbers:
            version(number)(warehouse)
        warehouse.load_dds()

    store(range(FEW))
    few = cost_of_one_more(FEW)
    store(range(FEW + 1, MANY))
    warehouse.owner.execute("analyze stg.order_event_log, stg.reference_log")  # as autovacuum does
    many = cost_of_one_more(MANY)
    assert 0 < many <= few + 5


def test_one_more_order_of_a_guest_reads_as_many_rows_after_many_orders_as_after_few(warehouse: Pipeline) -> None:
    def cost_of_one_more(number: int) -> int:
        warehouse.stage([order(number)])
        before = rows_read(warehouse)
        warehouse.load()
        return rows_read(warehouse) - before

    warehouse.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    warehouse.stage([*map(order, range(FEW)), *(order(MANY + n, user=f"guest {n}") for n in range(1, MANY))])
    warehouse.load()
    few = cost_of_one_more(FEW)
    warehouse.stage(map(order, range(FEW + 1, MANY)))
    warehouse.load()
    warehouse.owner.execute("analyze")  # as autovacuum does
    many = cost_of_one_more(MANY)
    assert 0 < many <= few + 5
    assert warehouse.user_category_counters()[("guest", "Pizza")] == MANY + 1


def catalogue_pages(pipeline: Pipeline) -> int:
    """Return how many pages of the catalogues the session that loads has looked at since the statistics began."""
    query = (
        "select sum(heap_blks_hit + heap_blks_read) from pg_statio_sys_tables where relname in ('pg_class', 'pg_type')"
    )
    return counted(pipeline, query)


def test_a_minute_costs_the_same_however_many_ran_beside_an_open_transaction(warehouse: Pipeline) -> None:
    # Whoever holds a snapshot keeps every dead row of the catalogues, also those of temporary tables.
    numbers = iter(range(1, 1000))

    def minutes(count: int) -> int:
        before = catalogue_pages(warehouse)
        for _ in range(count):
            warehouse.stage([order(next(numbers))])
            warehouse.load()
        return catalogue_pages(warehouse) - before

    minutes(2)
    with psycopg.connect(os.environ["DWH_URL"]) as report:
        report.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        report.execute("select count(*) from stg.order_events")
        first = minutes(5)
        minutes(50)
        assert minutes(5) < 1.5 * first

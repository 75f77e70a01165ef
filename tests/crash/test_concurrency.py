"""Runs side by side: no order missed, none counted twice, no reader sees half a load."""

import threading
from typing import Any

import psycopg
import pytest

from harness.pipeline import Pipeline
from harness.runs import history_run, load_layers, minute_run, rebuild_run, worker_run
from tests.crash.child import Children
from tests.crash.conftest import World
from tests.messages import order, restaurant
from tests.streams import Run, load_cdm_overtaken
from warehouse import layers

MANY = [
    order(n, user=f"guest-{n % 41}", dishes=("pizza", "tea"), update_ts="2026-01-02 10:00:00") for n in range(10, 1_510)
]
CANCELLED = [
    order(n, "CANCELLED", user=f"guest-{n % 41}", dishes=("pizza", "tea"), update_ts="2026-01-03 10:00:00")
    for n in range(10, 1_510, 5)
]


@pytest.fixture
def crowd(world: World) -> World:
    """A world whose topic holds many orders and their cancellations, far from each other."""
    world.pipeline.produce(world.topic, [*MANY, *CANCELLED])
    return world


def together(children: Children, *jobs: tuple[Any, ...]) -> None:
    """Run jobs at the same time, each in its own process, and see all of them succeed."""
    started = [children.start(*job) for job in jobs]
    for process in started:
        process.join(120)
        assert process.exitcode == 0


def assert_crowd_is_right(world: World) -> None:
    model = world.model()
    model.messages([*MANY, *CANCELLED])
    assert world.pipeline.marts() == model.marts()
    assert world.pipeline.value("select count(*) from stg.order_event_log") == len(model._versions)


def test_a_minute_run_and_a_history_at_once_end_as_one_of_them_alone(crowd: World, children: Children) -> None:
    together(children, (minute_run, crowd.topic), (history_run, crowd.topic, "run"))
    load_layers()  # what one of them has queued after the other's last look
    assert_crowd_is_right(crowd)


def test_three_minute_runs_at_once_store_everything_once(crowd: World, children: Children) -> None:
    together(children, *[(minute_run, crowd.topic)] * 3)
    load_layers()
    assert_crowd_is_right(crowd)


def test_workers_of_a_drain_killed_and_run_again_beside_each_other_store_everything_once(
    crowd: World, children: Children
) -> None:
    steps = children.run(worker_run, crowd.topic, 0, 2)
    crowd.begin_again()
    children.run(worker_run, crowd.topic, 0, 2, die_at=len(steps) // 2)
    together(children, (worker_run, crowd.topic, 0, 2), (worker_run, crowd.topic, 1, 2), (minute_run, crowd.topic))
    load_layers()
    assert_crowd_is_right(crowd)


def test_a_rebuild_during_loads_loses_nothing(crowd: World, children: Children) -> None:
    together(children, (history_run, crowd.topic, "run"), (rebuild_run,), (minute_run, crowd.topic), (rebuild_run,))
    load_layers()
    assert_crowd_is_right(crowd)


def test_a_message_that_commits_late_is_not_missed(pipeline: Pipeline) -> None:
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    with psycopg.connect(pipeline.env["DWH_ETL_URL"]) as slow:
        # Another writer that does not wait for its turn, as a migration or a person at a console would.
        slow.execute(
            """
            insert into stg.order_event_log (
                value_hash, object_id, update_ts, sent_dttm, order_dt, user_id, restaurant_id, final_status,
                item_ids, item_names, value, topic, load_dt
            )
            select gen_random_uuid(), 1, ts, ts, ts, 'guest', 'diner', 'CLOSED', '{pizza}', '{null}', '{}', 'late', ts
            from (values ('2026-01-01T12:00:00Z'::timestamptz)) as moment (ts)
            """
        )
        slow.execute(
            "insert into stg.load_queue select 'order_event_log', value_hash, load_dt from stg.order_event_log"
        )
        pipeline.stage([order(2)])
        pipeline.load()
        assert pipeline.user_category_counters() == {("guest", "Pizza"): 1}
        slow.commit()
    pipeline.load()
    assert pipeline.user_category_counters() == {("guest", "Pizza"): 2}


STATEMENTS = layers.CDM.claim + layers.CDM.load
MENU = ("restaurant", "diner", restaurant(menu={"pizza=Pizza": "Pizza"}))
PIZZA_IS_TEA = ("restaurant", "diner", restaurant(menu={"pizza=Pizza": "Tea"}, update_ts="2026-01-02 12:00:00"))


@pytest.mark.parametrize("overtaken_at", range(len(STATEMENTS)), ids=STATEMENTS)
def test_what_the_vault_loads_in_the_middle_of_a_load_of_the_marts_counts_once(
    pipeline: Pipeline, overtaken_at: int
) -> None:
    run = Run(pipeline)
    run.read([MENU])
    run.send([order(1), order(2), order(3, user="other")])
    run.settle()
    # One guest is to be counted anew, baskets of another one have come and gone.
    run.send([order(4, user="new"), order(5), order(1, "CANCELLED", update_ts="2026-01-01 13:00:00")])
    pipeline.load_dds()
    run.send([order(6, user="new"), order(7), order(2, user="other", update_ts="2026-01-01 13:00:00")])
    load_cdm_overtaken(pipeline, overtaken_at)
    waiting = pipeline.rows("select h_user_pk from dds.counter_queue where h_order_pk is null")
    run.settle()
    assert len(waiting) == (3 if overtaken_at else 0), "guests to be counted anew, for the marts were at work"


@pytest.mark.parametrize("overtaken_at", range(len(STATEMENTS)), ids=STATEMENTS)
def test_a_dish_that_changes_in_the_middle_of_a_load_of_the_marts_leaves_no_half_a_count(
    pipeline: Pipeline, overtaken_at: int
) -> None:
    run = Run(pipeline)
    run.read([MENU])
    run.send([order(1)])
    run.settle()
    run.send([order(1, "CANCELLED", update_ts="2026-01-01 13:00:00")])
    pipeline.load_dds()
    run.read([PIZZA_IS_TEA])
    load_cdm_overtaken(pipeline, overtaken_at)
    counted = list(pipeline.user_product_counters().values()), list(pipeline.user_category_counters().items())
    assert counted in (([("Pizza", 1)], [(("guest", "Pizza"), 1)]), ([], []))
    run.settle()


def test_a_guest_queued_while_the_marts_take_the_queue_is_counted_once_more(pipeline: Pipeline) -> None:
    pipeline.refer([MENU])
    pipeline.stage([order(1)])
    pipeline.load_dds()
    with psycopg.connect(pipeline.env["DWH_ETL_URL"]) as marts:
        # A load of the release before, which counts guests anew, has taken the guest and looked at the vault.
        marts.execute("select pg_advisory_xact_lock(hashtext('dwh.cdm'))")
        marts.execute("delete from dds.counter_queue")
        pipeline.stage([order(2)])
        pipeline.load_dds()  # must neither wait for it nor think that the guest is queued already
        marts.commit()
    pipeline.load_cdm()
    assert pipeline.user_category_counters() == {("guest", "Pizza"): 2}


def test_readers_never_see_half_a_load(crowd: World, children: Children) -> None:
    """Every order here holds a pizza and a tea: whoever sees a whole load sees as many of the one as of the other."""
    halves: list[object] = []
    looks = 0
    stop = threading.Event()

    def look() -> None:
        nonlocal looks
        with psycopg.connect(crowd.pipeline.env["DWH_ETL_URL"]) as reader:
            reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            while not stop.is_set():
                with reader.transaction():
                    seen = reader.execute(
                        """
                        select c.user_id, min(c.order_cnt), max(c.order_cnt), count(*)
                        from cdm.user_category_counters as c
                        where c.user_id not in (select dds_key from (values (%s::uuid), (%s), (%s)) as known (dds_key))
                        group by c.user_id
                        having min(c.order_cnt) <> max(c.order_cnt) or count(*) <> 2
                        """,
                        others,
                    ).fetchall()
                    tagged = reader.execute(
                        """
                        select t.user_id, t.tag
                        from cdm.user_tags as t
                        left join cdm.user_category_counters as c
                            on t.user_id = c.user_id and t.category_name = c.category_name
                        where c.order_cnt is distinct from t.order_cnt
                        """
                    ).fetchall()
                halves.extend(seen + tagged)
                looks += 1

    others = [crowd.pipeline.value("select dds.hash_key(%s)", [guest]) for guest in ("guest", "other", "newcomer")]
    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        together(children, (history_run, crowd.topic, "run"), (minute_run, crowd.topic))
        together(children, (rebuild_run,))
        load_layers()
    finally:
        stop.set()
        watcher.join()
    assert looks > 10
    assert halves == []
    assert_crowd_is_right(crowd)

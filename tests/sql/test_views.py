"""The BI views: every number equals a naive recount, and the small tables under them can drift and be set right."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from psycopg import sql

from harness.pipeline import Pipeline
from harness.runs import drain, run
from operators.check_laws import BrokenLawError, CheckLawsOperator
from tests.messages import order, restaurant
from tests.streams import STREAMS_PROFILE, Broom, Run, Settle, Step, broken_laws, streams
from warehouse.layer_load import load_layer
from warehouse.layers import CDM_REBUILD, CDM_SUMS, STG_RECOUNT
from witness.model import TagRule

REPO = Path(__file__).resolve().parents[2]
SUMS = ("stg.order_hours", "stg.order_statuses", "cdm.product_totals", "cdm.category_histogram", "cdm.tag_days")
NEAR = range(4)


@pytest.fixture
def bi(pipeline: Pipeline) -> Iterator[psycopg.Connection]:
    """A session of the BI role."""
    with psycopg.connect(pipeline.env["DWH_BI_URL"], autocommit=True) as connection:
        yield connection


def rows_of(connection: psycopg.Connection, view: str) -> list[tuple[Any, ...]]:
    """Return a view, whole."""
    return connection.execute(sql.SQL("select * from {}").format(sql.Identifier("cdm", view))).fetchall()


def rebuild(pipeline: Pipeline) -> None:
    """Do what `marts_rebuild` does with the sums and the marts."""
    session = pipeline.session
    with session.transaction():
        session.run(STG_RECOUNT)
    load_layer(session, CDM_REBUILD, max_batches=1)


# --- each view against a recount -----------------------------------------------------------------------------------------


def recounted(run: Run) -> dict[str, Counter[tuple[Any, ...]]]:
    """Return the rows that views must have, from the model's orders, counters and tags, in plain Python."""
    model, rules, changes = run.model, run.model.rules, rule_changes(run.pipeline)
    products, categories, tags = model.user_product_counters(), model.user_category_counters(), model.user_tags()
    counting, windows = model.counting(), model.timed_tags()
    names, kinds, orders = model.product_names(), model.product_categories(), model.current().values()
    places = model.satellites()["s_restaurant_names"]
    carriers = Counter(tag for _, tag in tags)

    spread: dict[str, list[int]] = defaultdict(list)
    for (_, category), count in categories.items():
        spread[category].append(count)
    dishes: dict[str, list[int]] = defaultdict(list)
    for (_, dish), (_, count) in products.items():
        dishes[dish].append(count)
    hours: dict[tuple[datetime, str, str], list[Decimal]] = defaultdict(list)
    for version in orders:
        hour = version.order_dt.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        hours[hour, version.restaurant_id, version.status].append(version.cost or Decimal(0))
    on_menus = {dish for dish, (name, _) in model._menu_entries() if name is not None}
    lost = Counter[tuple[str, str, str]]()
    for version in orders:
        if version.status != "CLOSED":
            lost["not_closed", version.status, "orders"] += 1
        elif not version.dishes:
            lost["empty_basket", "", "orders"] += 1
    for dish, counts in dishes.items():
        if dish not in kinds:
            detail = "menu_without_category" if dish in on_menus else "dish_on_no_menu"
            lost["no_category", detail, "order lines"] += sum(counts)

    def progress(guest: str, tag: str, rule: TagRule) -> tuple[Any, ...]:
        count = counting.get((guest, tag), 0) if rule.is_timed else categories[guest, rule.category]
        leaves = windows[guest, tag][2] if (guest, tag) in windows else None
        missing = 0 if (guest, tag) in tags else max(0, rule.threshold + 1 - count)
        carries = (guest, tag) in tags
        return count, tag, rule.threshold, carries, missing, rule.window_days, rule.exit_threshold, leaves

    views: dict[str, list[tuple[Any, ...]]] = {
        "v_tags": [
            (
                tag,
                rule.category,
                rule.threshold,
                *changes[tag],
                carriers[tag],
                rule.window_days,
                rule.exit_threshold,
            )
            for tag, rule in rules.items()
        ],
        "v_tag_funnel": [
            (
                tag,
                rule.category,
                rule.threshold,
                n,
                carriers[tag] if n == 0 else spread.get(rule.category, []).count(rule.threshold + 1 - n),
            )
            for tag, rule in rules.items()
            for n in NEAR
            if n == 0 or not rule.is_timed
        ],
        "v_category_counters": [(category, len(counts), sum(counts)) for category, counts in spread.items()],
        "v_category_thresholds": [
            (category, threshold, sum(count > threshold for count in counts))
            for category, counts in spread.items()
            for threshold in range(max(counts, default=0))
        ],
        "v_product_counters": [
            (dish, names.get(dish, ""), kinds.get(dish), len(counts), sum(counts)) for dish, counts in dishes.items()
        ],
        "v_orders_hourly": [
            (hour, place, places.get(place, {}).get("name"), status, len(costs), sum(costs))
            for (hour, place, status), costs in hours.items()
        ],
        "v_orders_not_counted": [(reason, detail, amount, unit) for (reason, detail, unit), amount in lost.items()],
        "v_guest_tags": [
            (guest, tag, category, count, threshold) for (guest, tag), (category, count, threshold) in tags.items()
        ],
        "v_guest_progress": [
            (guest, category, *told, count)
            for (guest, category), count in categories.items()
            for told in [progress(guest, tag, rule) for tag, rule in rules.items() if rule.category == category]
            or [(count, None, None, False, None, None, None, None)]
        ],
    }
    return {name: Counter(rows) for name, rows in views.items()}


def rule_changes(pipeline: Pipeline) -> dict[str, tuple[int, datetime]]:
    """Return {tag: (version, changed)} of the rules in force."""
    return {
        tag: (version, changed)
        for tag, version, changed in pipeline.rows("select tag, version, changed_dt from cdm.tag_rules where active")
    }


@settings(STREAMS_PROFILE, max_examples=STREAMS_PROFILE.max_examples // 2)
@given(stream=streams())
def test_after_any_stream_each_view_equals_a_recount(broom: Broom, stream: list[Step]) -> None:
    broom.sweep()
    run = Run(broom.pipeline)
    run.play([*stream, Settle()])
    with psycopg.connect(broom.pipeline.env["DWH_BI_URL"]) as bi:
        for view, expected in recounted(run).items():
            width = len(next(iter(expected), ()))
            found = Counter(row[: width or None] for row in rows_of(bi, view))
            assert found == expected, view
        told = Counter(
            (guest, tag, event, count, threshold, version)
            for guest, tag, event, _, count, threshold, version, *_ in rows_of(bi, "v_tag_events")
        )
        assert told == Counter(broom.pipeline.tag_events())


def test_tags_and_events_tell_when(pipeline: Pipeline, bi: psycopg.Connection) -> None:
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    pipeline.stage([order(1)])
    before = datetime.now(UTC)
    pipeline.load()
    ((assigned_dt,),) = bi.execute("select assigned_dt from cdm.v_guest_tags").fetchall()
    ((event_dt,),) = bi.execute("select event_dt from cdm.v_tag_events").fetchall()
    assert before <= assigned_dt == event_dt <= datetime.now(UTC)


def test_every_rule_in_force_has_four_rows_in_the_funnel_from_the_first_minute(
    pipeline: Pipeline, bi: psycopg.Connection
) -> None:
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold, active)"
        "values ('fan', 'Nothing yet', 2147483647, true), ('old', 'Pizza', 0, false)"
    )
    assert sorted(rows_of(bi, "v_tag_funnel")) == [("fan", "Nothing yet", 2147483647, n, 0) for n in NEAR]


def test_a_guest_who_waits_for_a_changed_rule_is_told_apart(pipeline: Pipeline, bi: psycopg.Connection) -> None:
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    pipeline.stage([order(1)])
    pipeline.load()
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
    assert rows_of(bi, "v_guest_progress") == [("guest", "Pizza", 1, "fan", 0, False, 0, None, None, None, 1)]
    pipeline.load_cdm()
    assert rows_of(bi, "v_guest_progress") == [("guest", "Pizza", 1, "fan", 0, True, 0, None, None, None, 1)]


def test_the_audience_has_every_utc_day_from_the_first_event_to_today(
    pipeline: Pipeline, bi: psycopg.Connection
) -> None:
    def at(day: date, clock: str) -> str:
        return f"{day.isoformat()} {clock}+00"

    today = datetime.now(UTC).date()
    begin = today - timedelta(days=5)
    events = [
        ("fan", "assigned", at(begin, "00:00:00")),
        ("fan", "assigned", at(begin, "23:59:59.999999")),
        ("fan", "assigned", at(begin + timedelta(days=2), "12:00:00")),
        ("fan", "revoked", at(begin + timedelta(days=2), "12:00:00")),
        ("fan", "revoked", at(begin + timedelta(days=4), "00:00:00")),
        ("gone", "assigned", at(today, "00:00:00")),
    ]
    for number, (tag, event, moment) in enumerate(events):
        pipeline.owner.execute(
            """
            insert into cdm.tag_events
            (user_id, tag, event, category_name, order_cnt, threshold, rule_version, event_dt)
            values (dds.hash_key(%s), %s, %s, 'Pizza', 1, 0, 1, %s)
            """,
            [str(number), tag, event, moment],
        )
    pipeline.etl.execute("set timezone = 'Pacific/Auckland'")
    pipeline.session.run([CDM_SUMS])
    pipeline.etl.commit()
    bi.execute("set timezone = 'America/Los_Angeles'")
    fan = [(2, 0, 2), (0, 0, 2), (1, 1, 2), (0, 0, 2), (0, 1, 1), (0, 0, 1)]
    expected = [(begin + timedelta(days=n), "fan", *numbers) for n, numbers in enumerate(fan)]
    assert sorted(rows_of(bi, "v_audience_daily")) == sorted([*expected, (today, "gone", 1, 0, 1)])


def test_a_standstill_is_late_and_breaks_a_law(pipeline: Pipeline) -> None:
    def now() -> tuple[float, int]:
        return pipeline.rows("select lag_s, kafka_lag from cdm.v_freshness")[0]

    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [order(1), order(2)])
    drain(topic)
    pipeline.load()
    assert pipeline.rows("select checked_dt, as_of from stg.drain_ends") == pipeline.rows(
        "select checked_dt, judged_dt from cdm.v_freshness"
    )
    lag_s, kafka_lag = now()
    assert (lag_s < 120, kafka_lag) == (True, 0)
    # Switched off, the scheduler dead, Kafka away: to the warehouse all of them are three minutes without a drain.
    pipeline.owner.execute(
        "update stg.drain_ends set as_of = as_of - interval '3 minutes', checked_dt = checked_dt - interval '3 minutes'"
    )
    assert now()[0] > 120
    with pytest.raises(BrokenLawError, match=r"1 of \d+ laws are broken: stg\.drain_ends\.age"):
        run(CheckLawsOperator(task_id="laws"))
    drain(topic)  # nothing new, and yet it is known again that nothing is
    assert now()[0] < 120
    assert run(CheckLawsOperator(task_id="laws"))["broken"] == 0


def test_freshness_tells_what_waits_and_since_when(pipeline: Pipeline, bi: psycopg.Connection) -> None:
    def now() -> dict[str, Any]:
        cursor = bi.execute("select * from cdm.v_freshness")
        assert cursor.description
        return dict(zip([column.name for column in cursor.description], cursor.fetchone() or (), strict=True))

    assert now() == {
        **dict.fromkeys(now()),
        **dict.fromkeys(["messages_waiting", "guests_waiting", "rules_waiting", "dead_letters", "lag_s"], 0),
    }
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    pipeline.stage([order(1), order(2, user="other"), b"broken"])
    pipeline.owner.execute(
        "update stg.load_queue set load_dt = load_dt - interval '1 hour' where source = 'order_event_log'"
    )
    seen = now()
    assert (seen["messages_waiting"], seen["guests_waiting"], seen["rules_waiting"], seen["dead_letters"]) == (
        3,
        0,
        1,
        1,
    )
    assert 3600 < seen["lag_s"] < 3700
    assert seen["messages_waiting_since"] == pipeline.value("select min(load_dt) from stg.load_queue")
    assert seen["last_order_dt"] == pipeline.value("select load_dt from stg.order_events where object_id = 2")

    pipeline.load_dds()
    seen = now()
    assert (seen["messages_waiting"], seen["messages_waiting_since"], seen["guests_waiting"]) == (0, None, 2)
    assert seen["guests_waiting_since"] == pipeline.value("select min(load_dt) from dds.counter_queue")
    assert 0 < seen["lag_s"] < 100

    pipeline.load_cdm()
    seen = now()
    assert (seen["guests_waiting"], seen["guests_waiting_since"], seen["rules_waiting"], seen["lag_s"]) == (
        0,
        None,
        0,
        0,
    )
    assert seen["last_tag_event_dt"] == pipeline.value("select max(event_dt) from cdm.tag_events")


def test_what_waits_or_was_refused_is_among_what_is_not_counted(pipeline: Pipeline, bi: psycopg.Connection) -> None:
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"})), ("user", "ann", b"{")])
    pipeline.stage([order(1), order(2), b"broken", b"{", b"[]"])
    pipeline.owner.execute("update stg.dead_letters set solved_dt = load_dt where raw = 'broken'")
    assert sorted(rows_of(bi, "v_orders_not_counted")) == [
        ("refused", "broken_json", 2, "messages"),
        ("refused", "not_an_object", 1, "messages"),
        ("waiting", "order", 2, "messages"),
        ("waiting", "reference", 1, "messages"),
    ]
    first, last = pipeline.rows("select min(load_dt), max(load_dt) from stg.dead_letters where topic = 'test'")[0]
    assert sorted(row[:4] for row in rows_of(bi, "v_dead_letters")) == [
        ("redis", "broken_json", 1, 0),
        ("test", "broken_json", 1, 1),
        ("test", "not_an_object", 1, 0),
    ]
    assert {row[4:] for row in rows_of(bi, "v_dead_letters") if row[0] == "test"} == {(first, last)}


def test_every_query_of_the_analysts_page_runs_and_the_page_names_every_view(
    pipeline: Pipeline, bi: psycopg.Connection
) -> None:
    page = (REPO / "docs/views.md").read_text(encoding="utf-8")
    (queries,) = re.findall(r"```sql\n(.+?)```", page, re.DOTALL)
    statements = [statement for statement in queries.split(";") if statement.strip()]
    assert len(statements) > 5
    for statement in statements:
        bi.execute(statement)
    views = {name for (name,) in pipeline.rows("select viewname from pg_views where schemaname = 'cdm'")}
    assert set(re.findall(r"^\| `(v_\w+)` \| [^0-9]", page, re.MULTILINE)) == views


# --- the sums under the views --------------------------------------------------------------------------------------------


def fill(pipeline: Pipeline) -> None:
    """Load a little of everything."""
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza", "tea": "Drinks"}))])
    pipeline.stage([order(1, dishes=("pizza", "tea")), order(2, user="other"), order(3, "OPEN", cost="10.50")])
    pipeline.load()


DOUBLED = dict(zip(SUMS, ("orders", "orders", "guests", "guests", "assigned"), strict=True))
DRIFTS: dict[str, Callable[[str], str]] = {
    "lost": lambda name: f"delete from {name}",
    "doubled": lambda name: f"update {name} set {DOUBLED[name]} = {DOUBLED[name]} * 2",
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_sums_that_have_drifted_hold_up_no_load_and_a_rebuild_sets_them_right(pipeline: Pipeline, drift: str) -> None:
    fill(pipeline)
    for name in SUMS:
        pipeline.owner.execute(DRIFTS[drift](name))
    # Rows that are taken out of sums in which they are not, and put into others.
    pipeline.stage([order(1, "CANCELLED", update_ts="2026-01-02 00:00:00"), order(3, update_ts="2026-01-02 00:00:00")])
    pipeline.load()
    with psycopg.connect(pipeline.env["DWH_ETL_URL"]) as connection:
        assert set(broken_laws(connection)) == set(SUMS)
        connection.rollback()
        rebuild(pipeline)
        assert broken_laws(connection) == {}


def test_a_rebuild_of_right_sums_changes_no_row(pipeline: Pipeline) -> None:
    fill(pipeline)
    places = {name: pipeline.rows(f"select ctid::text, xmin::text from {name} order by 1") for name in SUMS}
    assert all(places.values())
    rebuild(pipeline)
    assert places == {name: pipeline.rows(f"select ctid::text, xmin::text from {name} order by 1") for name in SUMS}


def test_sums_do_not_remember_the_cents_that_went(pipeline: Pipeline) -> None:
    pipeline.stage([order(1, cost="10.50"), order(2, cost="1")])
    pipeline.stage([order(1, cost="9", update_ts="2026-01-01 12:00:01")])
    assert pipeline.value("select cost::text from stg.order_hours") == "10"


def test_an_order_that_moves_takes_its_hour_restaurant_status_basket_and_cost_along(pipeline: Pipeline) -> None:
    pipeline.stage([order(1, "OPEN", cost="10.50", dishes=()), order(2, "OPEN", cost=None)])
    pipeline.stage(
        [
            order(
                1,
                restaurant="cafe",
                cost="7",
                update_ts="2026-01-01 13:59:59",
                statuses=[{"status": "CLOSED", "dttm": "2026-01-01 13:59:59"}],
            )
        ]
    )
    assert pipeline.rows("select * from stg.order_hours order by 1") == [
        (datetime(2026, 1, 1, 12, tzinfo=UTC), "diner", "OPEN", 1, 0, 0),
        (datetime(2026, 1, 1, 13, tzinfo=UTC), "cafe", "CLOSED", 1, 0, 7),
    ]

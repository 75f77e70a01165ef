"""The worked examples of windows, exit thresholds, corrections and rules that change, each by its number in the contract."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.pipeline import Pipeline
from local.stack import Stack
from tests.messages import order, restaurant
from warehouse import layers
from warehouse.layer_load import load_layer

A, B = "64f1c0de0000000000000001", "64f1c0de0000000000000002"
BEFORE = "2026-01-01 00:00:00"
BASE = {101: "2026-03-01 12:00:00", 102: "2026-03-05 12:00:00", 103: "2026-03-10 12:00:00"}
MENU = {"margherita": "Пицца"}


def at(text: str) -> datetime:
    """A moment of 2026, as `03-10 12:00:00`."""
    return datetime.fromisoformat(f"2026-{text}+00:00")


def closed(order_id: int, when: str, user: str = A, status: str = "CLOSED") -> bytes:
    return order(order_id, status, user=user, dishes=("margherita",), update_ts=when, sent=when)


def base() -> list[bytes]:
    return [closed(order_id, when) for order_id, when in BASE.items()]


class World:
    """A warehouse with one tag and runs of the marts as of given moments."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def rule(
        self, threshold: int = 2, exit_threshold: int | None = None, window: int | None = None, *, apply: str = BEFORE
    ) -> None:
        """Put a rule into force, and let a run judge by it."""
        self.change(threshold, exit_threshold, window)
        self.run(apply[5:])

    def change(self, threshold: int, exit_threshold: int | None = None, window: int | None = None) -> None:
        if not self.pipeline.value("select count(*) from cdm.tag_rules"):
            statement = (
                "insert into cdm.tag_rules (threshold, exit_threshold, window_days, tag, category_name)"
                " values (%s, %s, %s, 'pizza_lover', 'Пицца')"
            )
        else:
            statement = "update cdm.tag_rules set threshold = %s, exit_threshold = %s, window_days = %s"
        self.pipeline.owner.execute(statement, [threshold, exit_threshold, window])

    def run(self, as_of: str, *messages: bytes) -> None:
        """What came is loaded and judged as of a moment of 2026."""
        self.pipeline.stage(messages)
        self.pipeline.load(at(as_of))

    def carried(self, user: str = A) -> tuple[int, datetime | None] | None:
        """(count, leaves_dt) of the tag that a guest carries."""
        found = self.pipeline.rows(
            "select order_cnt, leaves_dt from cdm.user_tags where user_id = dds.hash_key(%s)", [user]
        )
        return found[0] if found else None

    def events(self, user: str = A) -> list[tuple[Any, ...]]:
        """(event, reason, effective, trigger, orders, count) of a guest, by time."""
        return self.pipeline.rows(
            "select event, reason, effective_dt, trigger_order_id, order_ids, order_cnt from cdm.tag_events"
            " where user_id = dds.hash_key(%s) order by id",
            [user],
        )

    def due(self, user: str = A) -> datetime | None:
        found = self.pipeline.rows("select due_dt from cdm.guest_due where user_id = dds.hash_key(%s)", [user])
        return found[0][0] if found else None


@pytest.fixture(scope="module")
def module_pipeline(stack: Stack) -> Iterator[Pipeline]:
    with Pipeline() as pipeline:
        yield pipeline
        pipeline.clear()


@pytest.fixture
def world(module_pipeline: Pipeline) -> World:
    module_pipeline.clear()
    module_pipeline.refer([("restaurant", "diner", restaurant(menu=MENU))])
    return World(module_pipeline)


GOT = ("assigned", "orders", at("03-10 12:00:00"), 103, [103, 102, 101], 3)


# --- Windows and time ---------------------------------------------------------------------------------------------------


def test_1_the_third_order_gives_the_tag_until_the_first_is_30_days_old(world: World) -> None:
    world.rule(window=30)
    world.run("03-10 12:00:00", *base())
    assert world.carried() == (3, at("03-31 12:00:00"))
    assert world.events() == [GOT]


def test_2_an_order_dated_ahead_waits_for_its_moment(world: World) -> None:
    world.rule(window=30)
    world.run("03-10 11:59:59", *base())
    assert world.carried() is None
    assert world.events() == []
    assert world.due() == at("03-10 12:00:00")
    world.run("03-10 12:00:00")
    assert world.events() == [GOT]


def test_3_until_a_second_before_it_counts(world: World) -> None:
    world.rule(window=30)
    world.run("03-31 11:59:59", *base())
    assert world.carried() == (3, at("03-31 12:00:00"))


def test_4_and_5_it_ends_by_time_alone_once(world: World) -> None:
    world.rule(window=30)
    world.run("03-10 12:00:00", *base())
    for _ in range(2):
        world.run("03-31 12:00:00")
    for day in range(1, 11):
        world.run(f"04-{day * 3:02} 12:00:00")
    assert world.carried() is None
    assert world.events() == [GOT, ("revoked", "time", at("03-31 12:00:00"), 101, [103, 102], 2)]
    assert world.due() is None


def test_7_without_a_window_it_stays(world: World) -> None:
    world.rule()
    world.run("12-31 00:00:00", *base())
    assert world.carried() == (3, None)
    assert world.events() == [GOT]


def test_8_a_history_that_is_over_makes_no_events(world: World) -> None:
    world.rule(window=30)
    world.pipeline.stage(base())
    world.pipeline.load(datetime(2027, 3, 1, tzinfo=UTC))
    assert world.carried() is None
    assert world.events() == []


def test_9_a_fourth_order_only_moves_the_end(world: World) -> None:
    world.rule(window=30)
    world.run("03-10 12:00:00", *base())
    world.run("03-20 12:00:00", closed(104, "2026-03-20 12:00:00"))
    assert world.carried() == (4, at("04-04 12:00:00"))
    assert world.events() == [GOT]


@pytest.mark.parametrize("zone", ["Asia/Kamchatka", "Europe/Moscow", "UTC"])
def test_12_the_zone_of_the_session_moves_nothing(world: World, zone: str) -> None:
    world.rule(window=30)
    world.run("03-10 12:00:00", *base())
    with Pipeline(world.pipeline.env) as other:
        other.etl.execute(f"set timezone = '{zone}'")
        other.etl.commit()
        other.load(at("03-31 11:59:59"))
        assert world.carried() == (3, at("03-31 12:00:00"))
        other.load(at("03-31 12:00:00"))
    assert world.events()[1:] == [("revoked", "time", at("03-31 12:00:00"), 101, [103, 102], 2)]


# --- Hysteresis ---------------------------------------------------------------------------------------------------------


def test_13_14_and_15_who_has_the_tag_keeps_it_down_to_the_exit_threshold(world: World) -> None:
    world.rule(exit_threshold=1, window=30)
    world.run("03-31 12:00:00", *base())
    assert world.carried() == (2, at("04-04 12:00:00"))
    world.run("04-04 12:00:00")
    assert world.carried() is None
    assert world.events()[-1] == ("revoked", "time", at("04-04 12:00:00"), 102, [103], 1)
    world.rule(exit_threshold=0, window=30, apply="2026-04-04 12:00:00")
    assert world.carried() == (1, at("04-09 12:00:00"))
    world.run("04-09 12:00:00")
    assert world.carried() is None
    assert world.events()[-1] == ("revoked", "time", at("04-09 12:00:00"), 103, [], 0)


def test_13_the_count_falls_while_the_tag_stays(world: World) -> None:
    world.rule(exit_threshold=1, window=30)
    world.run("03-10 12:00:00", *base())
    assert world.carried() == (3, at("04-04 12:00:00"))
    world.run("03-31 12:00:00")
    assert world.carried() == (2, at("04-04 12:00:00"))


def test_16_ten_orders_every_14_days_are_8_entries_and_8_exits(world: World) -> None:
    world.rule(window=30)
    first = datetime(2026, 1, 1, 12, tzinfo=UTC)
    days = [first + timedelta(days=14 * number) for number in range(10)]
    world.pipeline.stage([closed(n, day.strftime("%Y-%m-%d %H:%M:%S")) for n, day in enumerate(days)])
    for moment in sorted({*days, *(day + timedelta(days=30) for day in days)}):
        world.pipeline.load(moment)
    told = [(event, effective) for event, _, effective, *_ in world.events()]
    assert [event for event, _ in told] == ["assigned", "revoked"] * 8
    assert told[0][1] == at("01-29 12:00:00")
    assert told[1][1] == at("01-31 12:00:00")
    assert told[-1][1] == at("05-09 12:00:00")


@pytest.mark.parametrize("way", ["one batch", "three batches", "backwards", "twice", "rebuilt"])
def test_18_any_way_to_the_same_facts_is_the_same_tag(world: World, way: str) -> None:
    world.rule(exit_threshold=1, window=30)
    messages = base()
    chunks = {"three batches": [[m] for m in messages], "backwards": [[m] for m in reversed(messages)]}
    for chunk in chunks.get(way, [messages] * (2 if way == "twice" else 1)):
        world.run("03-31 12:00:00", *chunk)
    if way == "rebuilt":
        for layer in (layers.DDS_REBUILD, layers.CDM_REBUILD):
            params = {**layers.REBUILD_BATCH, "as_of": at("03-31 12:00:00")}
            load_layer(world.pipeline.session, layer, params, max_batches=1)
    assert world.carried() == (2, at("04-04 12:00:00"))
    assert [event[0] for event in world.events()] == ["assigned"]
    assert world.pipeline.value("select since_dt from cdm.user_tags") == at("03-10 12:00:00")


def test_19_the_exit_threshold_lets_nobody_in(world: World) -> None:
    world.rule(exit_threshold=1)
    world.run("03-10 00:00:00", closed(201, "2026-03-02 12:00:00", B), closed(202, "2026-03-03 12:00:00", B))
    assert world.carried(B) is None


# --- Changed orders -----------------------------------------------------------------------------------------------------

CANCELLED = closed(102, "2026-03-12 09:00:00", status="CANCELLED")


def test_20_a_cancellation_takes_the_tag(world: World) -> None:
    world.rule(window=30)
    world.run("03-10 12:00:00", *base())
    world.run("03-12 09:00:00", CANCELLED)
    assert world.carried() is None
    assert world.events() == [GOT, ("revoked", "orders", at("03-12 09:00:00"), 102, [103, 101], 2)]


def test_22_the_exit_threshold_works_without_a_window(world: World) -> None:
    world.rule(exit_threshold=1)
    world.run("03-10 12:00:00", *base())
    world.run("03-12 09:00:00", CANCELLED)
    assert world.carried() == (2, None)


def test_23_an_order_closed_again_counts_from_then_on(world: World) -> None:
    world.rule(window=30)
    world.run("03-10 12:00:00", *base())
    world.run("03-12 09:00:00", CANCELLED)
    world.run("03-20 09:00:00", closed(102, "2026-03-20 09:00:00"))
    assert world.carried() == (3, at("03-31 12:00:00"))
    assert world.events()[-1][4] == [102, 103, 101]
    world.run("03-31 12:00:00")
    assert world.carried() is None
    assert world.events()[-1] == ("revoked", "time", at("03-31 12:00:00"), 101, [102, 103], 2)


def test_24_what_came_and_went_between_two_runs_is_no_event(world: World) -> None:
    world.rule(window=30)
    world.run("03-12 09:00:00", *base(), CANCELLED)
    assert world.carried() is None
    assert world.events() == []


def test_26_a_late_order_lets_the_tag_begin_when_it_would_have(world: World) -> None:
    world.rule(window=30)
    world.run("03-11 00:00:00", *base()[:2])
    world.run("03-12 00:00:00", closed(105, "2026-02-20 12:00:00"))
    assert world.carried() == (3, at("03-22 12:00:00"))
    assert world.events() == [("assigned", "orders", at("03-05 12:00:00"), 102, [102, 101, 105], 3)]


def test_28_a_late_order_that_no_longer_counts_may_have_given_the_tag(world: World) -> None:
    world.rule(exit_threshold=1, window=30)
    world.run("03-11 00:00:00", *base()[:2])
    world.run("03-13 00:00:00", closed(107, "2026-02-10 12:00:00"))
    assert world.carried() == (2, at("03-31 12:00:00"))
    assert world.events() == [("assigned", "orders", at("03-05 12:00:00"), 102, [102, 101], 2)]


def test_29_an_order_of_another_guest_takes_the_tag(world: World) -> None:
    world.rule(window=30)
    world.run("03-10 12:00:00", *base())
    world.run("03-11 12:00:00", closed(103, "2026-03-11 00:00:00", B))
    assert world.carried() is None
    assert world.events()[1:] == [("revoked", "orders", at("03-11 00:00:00"), 103, [102, 101], 2)]
    assert world.pipeline.user_category_counters()[B, "Пицца"] == 1


def test_31_a_dish_that_leaves_the_category_is_a_correction(world: World) -> None:
    world.rule(window=30)
    world.run("03-10 12:00:00", *base())
    menu = restaurant(menu={"margherita": "Закуски"}, update_ts="2026-03-11 00:00:00")
    world.pipeline.refer([("restaurant", "diner", menu)])
    world.run("03-11 12:00:00")
    assert world.events()[1:] == [("revoked", "correction", at("03-11 12:00:00"), None, [], 0)]
    assert world.pipeline.value("select compensates from cdm.tag_events where event = 'revoked'") == 1


# --- Rules and taking back ----------------------------------------------------------------------------------------------

OF_B = [closed(201, "2026-03-02 12:00:00", B), closed(202, "2026-03-03 12:00:00", B)]


def test_32_a_draft_changes_nothing(world: World) -> None:
    world.rule()
    world.run("03-10 12:00:00", *base(), *OF_B)
    before = world.pipeline.snapshot()["cdm.user_tags"], world.events(), world.events(B)
    world.pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold, status) values ('pizza_lover', 'Пицца', 0, 'draft')"
    )
    world.run("03-10 12:00:00")
    assert (world.pipeline.snapshot()["cdm.user_tags"], world.events(), world.events(B)) == before


@pytest.mark.parametrize("window", [None, 30])
def test_33_a_lower_threshold_gives_the_tag_by_rule_to_who_had_it_not(world: World, window: int | None) -> None:
    world.rule(window=window)
    world.run("03-10 12:00:00", *base(), *OF_B)
    world.rule(0, window=window, apply="2026-03-10 12:00:00")
    assert world.pipeline.rows(
        "select threshold, rule_version, order_cnt from cdm.user_tags where user_id = dds.hash_key(%s)", [A]
    ) == [(0, 2, 3)]
    assert len(world.events()) == 1
    assert world.events(B) == [("assigned", "rule", at("03-10 12:00:00"), None, [202, 201], 2)]
    world.rule(2, window=window, apply="2026-03-10 12:00:00")
    assert world.events(B)[1:] == [("revoked", "rule", at("03-10 12:00:00"), None, [202, 201], 2)]
    assert world.pipeline.value("select compensates from cdm.tag_events where event = 'revoked'") == 2
    assert len(world.events()) == 1


def test_35_retiring_takes_the_tag_from_everybody_once(world: World) -> None:
    world.rule(window=30)
    world.run("03-10 12:00:00", *base())
    world.pipeline.owner.execute("update cdm.tag_rules set status = 'retired'")
    for _ in range(2):
        world.run("03-11 12:00:00")
    assert world.events()[1:] == [("revoked", "retired", at("03-11 12:00:00"), None, [103, 102, 101], 3)]
    assert world.carried() is None


# --- Beyond the examples ------------------------------------------------------------------------------------------------


def test_what_was_closed_for_a_while_in_between_counts_in_the_fold(world: World) -> None:
    """Closed and cancelled in one batch: no basket comes or goes, and the count was once above the threshold."""
    world.rule(exit_threshold=1, window=30)
    world.run("03-08 00:00:00", *base()[:2], closed(104, "2026-03-06 12:00:00", status="OPEN"))
    assert world.carried() is None
    there_and_gone = [closed(104, "2026-03-07 12:00:00"), closed(104, "2026-03-07 13:00:00", status="CANCELLED")]
    world.run("03-08 00:00:00", *there_and_gone)
    assert world.carried() == (2, at("03-31 12:00:00"))
    assert world.events() == [("assigned", "orders", at("03-07 12:00:00"), 104, [102, 101], 2)]


def test_a_run_never_goes_back_behind_the_clock(world: World) -> None:
    world.rule(window=30)
    world.run("03-31 12:00:00", *base())
    world.run("03-20 00:00:00")
    assert world.pipeline.value("select as_of from cdm.tag_clock") == at("03-31 12:00:00")
    assert world.carried() is None


def test_what_is_stored_and_waits_for_the_vault_holds_exits_back(world: World) -> None:
    world.rule(window=30)
    world.run("03-10 12:00:00", *base())
    world.pipeline.owner.execute(
        "insert into stg.drain_ends (topic, as_of, checked_dt) values ('t', '2026-03-31 12:00:00+00', now())"
    )
    world.pipeline.stage([closed(104, "2026-03-30 12:00:00")])
    world.pipeline.load_cdm()
    assert world.carried() == (3, at("03-31 12:00:00")), "as of the clock still"
    world.pipeline.load()
    assert world.carried() == (3, at("04-04 12:00:00")), "the order that waited keeps the tag"
    assert world.events() == [GOT]


def test_11_a_failed_drain_holds_exits_back(world: World) -> None:
    ends = "insert into stg.drain_ends (topic, as_of, checked_dt) values ('t', %s, now())"
    world.rule(window=30)
    world.run("03-10 12:00:00", *base())
    world.pipeline.owner.execute(ends, [at("03-31 11:59:00")])
    world.pipeline.load()
    world.pipeline.load()  # the drain of this run has failed: the end stands where it stood
    assert world.carried() == (3, at("03-31 12:00:00"))
    world.pipeline.owner.execute("update stg.drain_ends set as_of = %s", [at("03-31 12:01:00")])
    world.pipeline.load()
    assert world.events()[1:] == [("revoked", "time", at("03-31 12:00:00"), 101, [103, 102], 2)]

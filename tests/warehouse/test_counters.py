"""Counters and tags: what counts, once, and what takes it back."""

from harness.pipeline import Pipeline
from tests.messages import order, restaurant
from warehouse.layer_load import load_layer
from warehouse.layers import DDS_REBUILD, REBUILD_BATCH

MENU = (
    "restaurant",
    "diner",
    restaurant(menu={"pizza=Pizza": "Pizza", "calzone=Calzone": "Pizza", "tea=Tea": "Drinks"}),
)


def test_only_closed_orders_count(pipeline: Pipeline) -> None:
    statuses = ("OPEN", "COOKING", "DELIVERING", "CLOSED", "CANCELLED", "closed", "")
    pipeline.stage(order(n, status) for n, status in enumerate(statuses))
    pipeline.refer([MENU])
    pipeline.load()
    assert pipeline.user_product_counters() == {("guest", "pizza"): ("Pizza", 1)}
    assert pipeline.user_category_counters() == {("guest", "Pizza"): 1}


def test_an_order_seen_open_then_closed_counts_once(pipeline: Pipeline) -> None:
    pipeline.refer([MENU])
    pipeline.stage([order(1, "OPEN", update_ts="2026-01-01 12:00:00")])
    pipeline.load()
    assert pipeline.user_product_counters() == {}
    pipeline.stage([order(1, "CLOSED", update_ts="2026-01-01 13:00:00")])
    pipeline.load()
    assert pipeline.user_category_counters() == {("guest", "Pizza"): 1}


def test_a_cancelled_order_takes_its_count_and_its_tag_back(pipeline: Pipeline) -> None:
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold) values ('pizza_lover', 'Pizza', 0)"
    )
    pipeline.refer([MENU])
    pipeline.stage([order(1, "CLOSED", update_ts="2026-01-01 12:00:00")])
    pipeline.load()
    assert pipeline.user_tags() == {("guest", "pizza_lover"): ("Pizza", 1, 0)}
    pipeline.stage([order(1, "CANCELLED", update_ts="2026-01-01 13:00:00")])
    pipeline.load()
    assert pipeline.user_product_counters() == {}
    assert pipeline.user_category_counters() == {}
    assert pipeline.user_tags() == {}
    assert pipeline.tag_events() == [
        ("guest", "pizza_lover", "assigned", 1, 0, 1),
        ("guest", "pizza_lover", "revoked", 0, 0, 1),
    ]


def test_two_lines_of_one_dish_in_an_order_count_once(pipeline: Pipeline) -> None:
    pipeline.refer([MENU])
    pipeline.stage([order(1, dishes=("pizza", "pizza"))])
    pipeline.load()
    assert pipeline.user_product_counters() == {("guest", "pizza"): ("Pizza", 1)}


def test_two_dishes_of_one_category_in_an_order_count_once_for_the_category(pipeline: Pipeline) -> None:
    pipeline.refer([MENU])
    pipeline.stage([order(1, dishes=("pizza", "calzone", "tea"))])
    pipeline.load()
    assert pipeline.user_category_counters() == {("guest", "Pizza"): 1, ("guest", "Drinks"): 1}


def test_a_guest_gets_the_tag_beyond_the_threshold_not_at_it(pipeline: Pipeline) -> None:
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold) values ('pizza_lover', 'Pizza', 2)"
    )
    pipeline.refer([MENU])
    pipeline.stage([order(1), order(2)])
    pipeline.load()
    assert pipeline.user_tags() == {}
    pipeline.stage([order(3)])
    pipeline.load()
    assert pipeline.user_tags() == {("guest", "pizza_lover"): ("Pizza", 3, 2)}


def test_a_changed_rule_judges_guests_without_new_orders(pipeline: Pipeline) -> None:
    pipeline.refer([MENU])
    pipeline.stage([order(1), order(2)])
    pipeline.load()
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold) values ('pizza_lover', 'Pizza', 1)"
    )
    pipeline.load()
    assert pipeline.user_tags() == {("guest", "pizza_lover"): ("Pizza", 2, 1)}
    pipeline.owner.execute("update cdm.tag_rules set threshold = 2")
    pipeline.load()
    assert pipeline.user_tags() == {}
    pipeline.owner.execute("update cdm.tag_rules set threshold = 0")
    pipeline.load()
    assert pipeline.user_tags() == {("guest", "pizza_lover"): ("Pizza", 2, 0)}
    pipeline.owner.execute("delete from cdm.tag_rules")
    pipeline.load()
    assert pipeline.user_tags() == {}
    assert [event[2:] for event in pipeline.tag_events()] == [
        ("assigned", 2, 1, 1),
        ("revoked", 2, 2, 2),
        ("assigned", 2, 0, 3),
        ("revoked", 2, 0, 3),
    ]


def test_a_dish_counts_by_category_as_soon_as_its_menu_arrives(pipeline: Pipeline) -> None:
    pipeline.stage([order(1, dishes=("pizza=As ordered",))])
    pipeline.load()
    assert pipeline.user_product_counters() == {("guest", "pizza"): ("As ordered", 1)}
    assert pipeline.user_category_counters() == {}
    pipeline.refer([MENU])
    pipeline.load()
    assert pipeline.user_product_counters() == {("guest", "pizza"): ("Pizza", 1)}
    assert pipeline.user_category_counters() == {("guest", "Pizza"): 1}


def test_an_order_corrected_to_another_guest_moves_its_counts(pipeline: Pipeline) -> None:
    pipeline.refer([MENU])
    pipeline.stage([order(1, user="first", update_ts="2026-01-01 12:00:00")])
    pipeline.load()
    pipeline.stage([order(1, user="second", update_ts="2026-01-01 13:00:00")])
    pipeline.load()
    assert pipeline.user_category_counters() == {("second", "Pizza"): 1}


def waiting(pipeline: Pipeline) -> list[tuple[str, int | None, int | None]]:
    """Load the vault; return what waits for the marts: (guest, order, change), and load these."""
    pipeline.load_dds()
    found = pipeline.rows(
        """
        select guest.user_id, orders.order_id, queue.change
        from dds.counter_queue as queue
        inner join dds.h_user as guest on queue.h_user_pk = guest.h_user_pk
        left join dds.h_order as orders on queue.h_order_pk = orders.h_order_pk
        order by queue.id
        """
    )
    pipeline.load_cdm()
    return found


def test_the_marts_are_told_what_changed_and_nothing_else(pipeline: Pipeline) -> None:
    pipeline.refer([MENU])
    pipeline.stage([order(1), order(2, "OPEN")])
    assert waiting(pipeline) == [("guest", None, None)], "who is new is counted whole"
    pipeline.stage([order(2, "COOKING", update_ts="2026-01-01 13:00:00"), order(3, "OPEN")])
    assert waiting(pipeline) == [], "what does not count"
    pipeline.stage([order(1, cost=1, dishes=("pizza", "pizza"), update_ts="2026-01-01 13:00:00")])
    assert waiting(pipeline) == [], "what counts as before"
    pipeline.stage([order(2, update_ts="2026-01-01 14:00:00")])
    assert waiting(pipeline) == [("guest", 2, 1)]
    pipeline.stage([order(2, dishes=("tea",), update_ts="2026-01-01 15:00:00")])
    assert waiting(pipeline) == [("guest", 2, -1), ("guest", 2, 1)]
    pipeline.stage([order(3, "CANCELLED", user="new", update_ts="2026-01-01 15:00:00")])
    assert waiting(pipeline) == [("new", None, None)]
    pipeline.stage([order(2, user="new", dishes=("tea",), update_ts="2026-01-01 16:00:00")])
    assert sorted(waiting(pipeline)) == [("guest", 2, -1), ("new", 2, 1)]
    pipeline.refer([(*MENU[:2], restaurant(menu={"tea=Tea": "Hot drinks"}, update_ts="2026-01-02 12:00:00"))])
    assert sorted(waiting(pipeline)) == [("guest", None, None), ("new", None, None)], "who ever ordered that dish"
    assert pipeline.user_category_counters() == {("guest", "Pizza"): 1, ("new", "Hot drinks"): 1}


def test_a_rebuild_of_the_vault_makes_of_waiting_baskets_guests_to_count_anew(pipeline: Pipeline) -> None:
    pipeline.refer([MENU])
    pipeline.stage([order(1), order(2, "OPEN", user="ghost")])
    pipeline.load()
    pipeline.stage([order(3), order(2, user="ghost", update_ts="2026-01-01 13:00:00")])
    pipeline.load_dds()
    assert pipeline.value("select count(h_order_pk) from dds.counter_queue") == 2
    pipeline.owner.execute("delete from stg.order_event_log where user_id = 'ghost'")
    load_layer(pipeline.session, DDS_REBUILD, REBUILD_BATCH, max_batches=1)
    pipeline.load_cdm()
    assert pipeline.rows("select order_cnt from cdm.user_category_counters") == [(2,)]


def test_an_order_that_comes_back_to_front_in_batches_of_one_is_taken_from_who_had_it(pipeline: Pipeline) -> None:
    pipeline.refer([MENU])
    pipeline.stage([order(1, user="first")])
    pipeline.load()
    pipeline.stage([order(1, "CANCELLED", user="second", update_ts="2026-01-01 14:00:00")])
    pipeline.stage([order(1, user="second", update_ts="2026-01-01 13:00:00")])
    pipeline.load_dds(max_events=1, max_batches=1)
    pipeline.load()
    assert pipeline.user_product_counters() == {}
    assert pipeline.user_category_counters() == {}


def test_an_edited_basket_moves_its_counts(pipeline: Pipeline) -> None:
    pipeline.refer([MENU])
    pipeline.stage([order(1, dishes=("pizza", "tea"), update_ts="2026-01-01 12:00:00")])
    pipeline.load()
    pipeline.stage([order(1, dishes=("tea", "calzone"), update_ts="2026-01-01 13:00:00")])
    pipeline.load()
    assert pipeline.user_product_counters() == {("guest", "tea"): ("Tea", 1), ("guest", "calzone"): ("Calzone", 1)}


def test_an_older_version_never_replaces_a_newer_one(pipeline: Pipeline) -> None:
    pipeline.refer([MENU])
    pipeline.stage([order(1, "CLOSED", update_ts="2026-01-01 13:00:00")])
    pipeline.load()
    pipeline.stage([order(1, "OPEN", update_ts="2026-01-01 12:00:00")])
    pipeline.load()
    assert pipeline.user_category_counters() == {("guest", "Pizza"): 1}
    assert pipeline.value("select payload ->> 'final_status' from stg.order_events") == "CLOSED"


def test_a_late_version_does_not_hide_the_equal_one_after_it(pipeline: Pipeline) -> None:
    pipeline.refer([MENU])
    pipeline.stage(
        [order(1, "CLOSED", update_ts="2026-01-01 11:00:00"), order(1, "CLOSED", update_ts="2026-01-01 13:00:00")]
    )
    pipeline.load()
    pipeline.stage([order(1, "CANCELLED", update_ts="2026-01-01 12:00:00")])
    pipeline.load()
    assert pipeline.user_category_counters() == {("guest", "Pizza"): 1}


def test_replaying_everything_changes_no_row(pipeline: Pipeline) -> None:
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold) values ('pizza_lover', 'Pizza', 0)"
    )
    values = [order(1, "OPEN"), order(1, update_ts="2026-01-02 12:00:00"), order(2, dishes=("tea",)), b"broken", None]
    pipeline.stage(values)
    pipeline.refer([MENU])
    pipeline.load()
    before = pipeline.snapshot()
    assert before["cdm.user_tags"]
    pipeline.stage(reversed(values))
    pipeline.refer([MENU])
    pipeline.load()
    assert pipeline.snapshot() == before


def test_a_message_that_an_older_image_has_queued_without_its_order_counts(pipeline: Pipeline) -> None:
    pipeline.refer([MENU])
    pipeline.stage([order(1), order(2)])
    pipeline.owner.execute("update stg.load_queue set object_id = null where object_id = 2")
    pipeline.load()
    assert pipeline.user_category_counters() == {("guest", "Pizza"): 2}

"""Laws of the reference model: what it must say before a warehouse may be compared with it."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from source.generate import FIRST_ORDER_ID, Generator, Mix
from tests import messages
from witness.model import Model, content_hash, read_order, tag_events

GUEST, OTHER_GUEST, CAFE, OTHER_CAFE = "guest-1", "guest-2", "cafe-1", "cafe-2"


def order(
    order_id: int = 1,
    *,
    at: str = "2026-11-25 12:00:00",
    sent: str | None = None,
    status: str = "CLOSED",
    user: str = GUEST,
    dishes: tuple[str | tuple[str, str | None], ...] = ("pizza",),
    **payload: Any,
) -> bytes:
    """An order message; a dish is its id, or (id, name)."""
    named = [(dish, f"{dish} of the order") if isinstance(dish, str) else dish for dish in dishes]
    return json.dumps(
        {
            "object_id": order_id,
            "object_type": "order",
            "sent_dttm": sent or at,
            "payload": {
                "update_ts": at,
                "user": {"id": user},
                "restaurant": {"id": CAFE},
                "order_items": [{"id": dish} | ({"name": name} if name else {}) for dish, name in named],
                "final_status": status,
                **payload,
            },
        }
    ).encode()


def menu(
    *entries: tuple[str, str | None, str | None], at: str = "2026-11-01 00:00:00", cafe: str = CAFE, name: str = "Cafe"
) -> bytes:
    """A restaurant's document; an entry is (dish, name, category)."""
    listed = [{"_id": dish, "name": title, "category": category} for dish, title, category in entries]
    return json.dumps({"_id": cafe, "name": name, "menu": listed, "update_ts_utc": at}).encode()


def guest(name: str, *, at: str = "2026-11-01 00:00:00", key: str = GUEST) -> bytes:
    return json.dumps({"_id": key, "name": name, "login": f"login of {name}", "update_ts_utc": at}).encode()


@pytest.fixture
def model() -> Model:
    """A warehouse that knows one menu and nothing else."""
    fresh = Model()
    fresh.document("restaurant", CAFE, menu(("pizza", "Пепперони", "Пицца"), ("soup", "Борщ", "Супы")))
    return fresh


# --- what counts -----------------------------------------------------------------------------------------------------


def test_a_closed_order_counts_once_for_its_dish_and_its_category(model: Model) -> None:
    model.message(order())
    assert model.user_product_counters() == {(GUEST, "pizza"): ("Пепперони", 1)}
    assert model.user_category_counters() == {(GUEST, "Пицца"): 1}


@pytest.mark.parametrize("status", ["OPEN", "COOKING", "CANCELLED", "closed", "CLOSED ", ""])
def test_only_closed_exactly_counts(model: Model, status: str) -> None:
    assert model.message(order(status=status)) == "accepted"
    assert model.user_product_counters() == {}


def test_two_lines_of_one_dish_count_once(model: Model) -> None:
    model.message(order(dishes=("pizza", "pizza")))
    assert model.user_product_counters() == {(GUEST, "pizza"): ("Пепперони", 1)}


def test_two_dishes_of_one_category_are_one_order_of_it(model: Model) -> None:
    model.document("restaurant", CAFE, menu(("a", "A", "Пицца"), ("b", "B", "Пицца"), at="2026-11-02 00:00:00"))
    model.message(order(dishes=("a", "b")))
    assert model.user_category_counters() == {(GUEST, "Пицца"): 1}


def test_an_order_seen_open_and_closed_counts_once(model: Model) -> None:
    model.messages([order(status="OPEN", at="2026-11-25 11:00:00"), order()])
    assert model.user_category_counters() == {(GUEST, "Пицца"): 1}


def test_a_later_cancellation_takes_the_count_back(model: Model) -> None:
    model.messages([order(), order(status="CANCELLED", at="2026-11-25 13:00:00")])
    assert model.user_product_counters() == {}
    assert model.orders()[1].status == "CANCELLED"


def test_an_edited_basket_counts_what_it_holds_now(model: Model) -> None:
    model.messages([order(dishes=("pizza", "soup")), order(dishes=("soup",), at="2026-11-25 13:00:00")])
    assert model.user_product_counters() == {(GUEST, "soup"): ("Борщ", 1)}


def test_an_order_corrected_to_another_guest_counts_for_that_one_only(model: Model) -> None:
    model.messages([order(), order(user=OTHER_GUEST, at="2026-11-25 13:00:00")])
    assert model.user_category_counters() == {(OTHER_GUEST, "Пицца"): 1}


def test_an_empty_basket_is_an_order_that_counts_nothing(model: Model) -> None:
    assert model.message(order(dishes=())) == "accepted"
    assert model.orders()[1].products == frozenset()
    assert model.user_product_counters() == {}


def test_costs_are_exact_whether_number_or_text(model: Model) -> None:
    model.message(order(cost="100.10", payment=0.3))
    assert model.satellites()["s_order_cost"] == {1: {"cost": Decimal("100.10"), "payment": Decimal("0.3")}}


# --- versions --------------------------------------------------------------------------------------------------------


def test_an_older_version_never_replaces_a_newer_one(model: Model) -> None:
    model.messages([order(status="CANCELLED", at="2026-11-25 13:00:00"), order(sent="2026-11-30 00:00:00")])
    assert model.orders()[1].status == "CANCELLED"


def test_of_one_update_the_later_sent_counts(model: Model) -> None:
    model.messages([order(status="CANCELLED", sent="2026-11-25 12:00:02"), order(sent="2026-11-25 12:00:01")])
    assert model.orders()[1].status == "CANCELLED"


def test_of_equal_times_the_greater_hash_counts_whichever_came_first() -> None:
    versions = [order(status=status) for status in ("OPEN", "CLOSED", "CANCELLED")]
    greatest = json.loads(max(versions, key=content_hash))["payload"]["final_status"]
    for arrival in (versions, versions[::-1]):
        model = Model()
        model.messages(arrival)
        assert model.orders()[1].status == greatest


def test_times_are_compared_as_moments_not_as_text(model: Model) -> None:
    model.messages([order(at="2026-11-25T12:30:00+01:00", status="CANCELLED"), order(at="2026-11-25 12:00:00")])
    assert model.orders()[1].status == "CLOSED"


def test_order_repeats_and_cuts_change_nothing() -> None:
    generator = Generator(seed=3, orders=300, broken=20)
    told = [message.value for message in generator.messages()]
    straight, shuffled = Model(), Model()
    straight.messages(told)
    random.Random(3).shuffle(told)
    shuffled.messages(told + told[::3])
    for model in (straight, shuffled):
        for key, document in generator.restaurant_documents():
            model.document("restaurant", key, document.encode())
    assert shuffled.orders() == straight.orders()
    assert shuffled.user_product_counters() == straight.user_product_counters()
    assert shuffled.user_category_counters() == straight.user_category_counters()
    assert shuffled.dead_letters_by_reason() == straight.dead_letters_by_reason()


def test_a_history_is_seen_as_it_was_made() -> None:
    told = [message.value for message in Generator(orders=500, mix=Mix(foreign=0.02), broken=10).messages()]
    model = Model()
    model.messages(told)
    assert set(model.orders()) == set(range(FIRST_ORDER_ID, FIRST_ORDER_ID + 500))
    assert {order.status for order in model.orders().values()} == {"CLOSED", "CANCELLED"}
    assert model.skipped == sum(b'"object_type": "user"' in (value or b"") for value in told) > 0
    assert len(model.dead_letters()) == 10


def test_what_was_withdrawn_counts_for_nothing_however_often_it_comes(model: Model) -> None:
    model.withdraw(content_hash(order(2)))
    assert [model.message(order(number)) for number in (1, 2, 2)] == ["accepted", "withdrawn", "withdrawn"]
    assert model.user_category_counters() == {(GUEST, "Пицца"): 1}
    assert model.dead_letters_by_reason() == {"withdrawn": 1}


# --- names and categories --------------------------------------------------------------------------------------------


def test_a_dish_on_no_menu_is_counted_by_product_and_named_by_the_newest_order() -> None:
    model = Model()
    model.message(order(2, dishes=(("dish", "new"),), at="2026-11-25 13:00:00"))
    model.message(order(1, dishes=(("dish", "old"),)))
    assert model.user_product_counters() == {(GUEST, "dish"): ("new", 2)}
    assert model.user_category_counters() == {}


def test_the_first_line_of_a_dish_that_has_a_name_names_it() -> None:
    model = Model()
    model.message(order(dishes=(("dish", None), ("dish", "first"), ("dish", "second"))))
    assert model.product_names() == {"dish": "first"}


def test_a_version_without_a_name_names_nothing() -> None:
    model = Model()
    model.messages(
        [order(1, dishes=(("dish", "named"),)), order(2, dishes=(("dish", None),), at="2026-12-01 00:00:00")]
    )
    assert model.product_names() == {"dish": "named"}


def test_a_dish_that_nobody_named_has_an_empty_name() -> None:
    model = Model()
    model.message(order(dishes=(("dish", None),)))
    assert model.user_product_counters() == {(GUEST, "dish"): ("", 1)}


def test_a_menu_that_comes_late_gives_category_and_name() -> None:
    model = Model()
    model.message(order(dishes=(("pizza", "as ordered"),)))
    model.document("restaurant", CAFE, menu(("pizza", "Пепперони", "Пицца"), at="2020-01-01 00:00:00"))
    assert model.user_product_counters() == {(GUEST, "pizza"): ("Пепперони", 1)}
    assert model.user_category_counters() == {(GUEST, "Пицца"): 1}


def test_a_dish_moved_to_another_category_and_back_counts_where_it_is() -> None:
    model = Model()
    model.message(order())
    for day, category in enumerate(("Пицца", "Закуски", "Пицца"), start=1):
        model.document("restaurant", CAFE, menu(("pizza", "P", category), at=f"2026-11-0{day} 00:00:00"))
        assert model.user_category_counters() == {(GUEST, category): 1}


def test_an_older_menu_that_comes_later_changes_nothing(model: Model) -> None:
    model.message(order())
    model.document("restaurant", CAFE, menu(("pizza", "Старая", "Закуски"), at="2025-01-01 00:00:00"))
    assert model.user_category_counters() == {(GUEST, "Пицца"): 1}


def test_a_dish_gone_from_its_menu_keeps_its_last_category(model: Model) -> None:
    model.message(order())
    model.document("restaurant", CAFE, menu(("soup", "Борщ", "Супы"), at="2026-11-20 00:00:00"))
    assert model.user_category_counters() == {(GUEST, "Пицца"): 1}


def test_of_two_restaurants_with_one_dish_the_newer_menu_counts_then_the_greater_id(model: Model) -> None:
    model.message(order())
    model.document("restaurant", OTHER_CAFE, menu(("pizza", "Х", "Закуски"), cafe=OTHER_CAFE))
    assert model.product_categories()["pizza"] == "Закуски"
    model.document("restaurant", CAFE, menu(("pizza", "П", "Пицца"), at="2026-11-02 00:00:00"))
    assert model.product_categories()["pizza"] == "Пицца"


def test_a_dish_twice_in_a_menu_is_its_first_entry() -> None:
    model = Model()
    model.document("restaurant", CAFE, menu(("dish", "first", "A"), ("dish", "second", "B")))
    assert model.product_names() == {"dish": "first"}
    assert model.product_categories() == {"dish": "A"}


def test_a_menu_entry_without_a_category_takes_none_away(model: Model) -> None:
    model.document("restaurant", CAFE, menu(("pizza", None, None), ("soup", "Борщ", ""), at="2026-11-20 00:00:00"))
    assert model.product_names() == {"pizza": "Пепперони", "soup": "Борщ"}
    assert model.product_categories() == {"pizza": "Пицца", "soup": "Супы"}


def test_guests_and_restaurants_are_called_as_their_newest_documents_say(model: Model) -> None:
    for day, name in ((3, "B"), (1, "A"), (5, "A")):
        model.document("user", GUEST, guest(name, at=f"2026-11-0{day} 00:00:00"))
    assert model.satellites()["s_user_names"] == {GUEST: {"username": "A", "userlogin": "login of A"}}
    assert model.satellites()["s_restaurant_names"] == {CAFE: {"name": "Cafe"}}


# --- reading Redis ---------------------------------------------------------------------------------------------------


def test_a_run_reads_only_those_whom_orders_have_named() -> None:
    model = Model()
    redis = {
        GUEST: guest("A"),
        OTHER_GUEST: guest("B", key=OTHER_GUEST),
        CAFE: menu(),
        OTHER_CAFE: menu(cafe=OTHER_CAFE),
    }
    model.refresh(redis)
    assert model.satellites()["s_user_names"] == {}
    model.message(order())
    model.refresh(redis)
    assert model.satellites()["s_user_names"] == {GUEST: {"username": "A", "userlogin": "login of A"}}
    assert model.satellites()["s_restaurant_names"] == {CAFE: {"name": "Cafe"}}


def test_a_run_reads_a_known_restaurant_again_but_a_quiet_guest_not() -> None:
    model = Model()
    model.message(order())
    model.refresh({GUEST: guest("old"), CAFE: menu(name="old")})
    model.refresh({GUEST: guest("new", at="2026-12-01 00:00:00"), CAFE: menu(name="new", at="2026-12-01 00:00:00")})
    assert model.satellites()["s_user_names"][GUEST]["username"] == "old"
    assert model.satellites()["s_restaurant_names"][CAFE]["name"] == "new"
    model.message(order(2))
    model.refresh({GUEST: guest("new", at="2026-12-01 00:00:00")})
    assert model.satellites()["s_user_names"][GUEST]["username"] == "new"


def test_a_run_looks_for_the_missing_again() -> None:
    model = Model()
    model.message(order())
    model.refresh({})
    model.refresh({GUEST: guest("late")})
    assert model.satellites()["s_user_names"][GUEST]["username"] == "late"


# --- tags ------------------------------------------------------------------------------------------------------------


def test_a_guest_gets_the_tag_at_threshold_plus_one(model: Model) -> None:
    model.add_rule("pizza_lover", "Пицца", 2)
    model.messages([order(1), order(2)])
    assert model.user_tags() == {}
    model.message(order(3))
    assert model.user_tags() == {(GUEST, "pizza_lover"): ("Пицца", 3, 2)}


def test_a_changed_rule_applies_to_all_guests_at_once(model: Model) -> None:
    model.messages([order(1), order(2)])
    model.add_rule("pizza_lover", "Пицца", 5)
    assert model.user_tags() == {}
    model.add_rule("pizza_lover", "Пицца", 1)
    assert model.user_tags() == {(GUEST, "pizza_lover"): ("Пицца", 2, 1)}
    model.drop_rule("pizza_lover")
    assert model.user_tags() == {}


def test_what_a_guest_gets_or_loses_is_an_event_and_a_changed_count_is_none() -> None:
    before = {(GUEST, "kept"): ("A", 2, 1), (GUEST, "lost"): ("B", 2, 1)}
    after = {(GUEST, "kept"): ("A", 3, 1), (OTHER_GUEST, "got"): ("C", 2, 1)}
    assert tag_events(before, after) == {(OTHER_GUEST, "got", "assigned"), (GUEST, "lost", "revoked")}


# --- what is refused -------------------------------------------------------------------------------------------------


def changed(**changes: Any) -> bytes:
    """A good message with some fields replaced or dropped (`messages.changed`)."""
    return messages.changed(order(cost=1, date="2026-11-25 12:00:00", statuses=[]), **changes)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "tombstone"),
        (b"", "broken_json"),
        (b"{", "broken_json"),
        (b"\xef\xbb\xbf{}", "broken_json"),
        (b"\xff{}", "invalid_utf8"),
        (b"[]", "not_an_object"),
        (b'"order"', "not_an_object"),
        (b"{}", "missing_field"),
        (b'{"object_type": 1}', "wrong_type"),
        (b'{"object_type": "order"}', "missing_field"),
        (b"[" * 100_000, "too_deep"),
        (order().replace(b"{", b'{"extra": 1e999999999999999999999, ', 1), "bad_number"),
        (order().replace(b"{", b'{"extra": ' + b"9" * 5_000 + b", ", 1), "bad_number"),
        (order().replace(b"{", b'{"extra": ' + b"[" * 100 + b"]" * 100 + b", ", 1), "too_deep"),
        (changed(object_id=...), "missing_field"),
        (changed(object_id=None), "missing_field"),
        (changed(object_id="1"), "wrong_type"),
        (changed(object_id=True), "wrong_type"),
        (changed(object_id=1.5), "wrong_type"),
        (changed(object_id=2**63), "bad_number"),
        (changed(sent_dttm=...), "missing_field"),
        (changed(sent_dttm="yesterday"), "bad_time"),
        (changed(payload=[]), "wrong_type"),
        (changed(payload__update_ts=...), "missing_field"),
        (changed(payload__update_ts=1764072000), "wrong_type"),
        (changed(payload__update_ts="2026-02-30 00:00:00"), "bad_time"),
        (changed(payload__update_ts="2026-11-25"), "bad_time"),
        (changed(payload__update_ts="2026-11-25 24:00:00"), "bad_time"),
        (changed(payload__update_ts="0001-01-01 00:00:00+03:00"), "bad_time"),
        (changed(payload__user=...), "missing_field"),
        (changed(payload__user="u"), "wrong_type"),
        (changed(payload__user__id=7), "wrong_type"),
        (changed(payload__user__id=""), "missing_field"),
        (changed(payload__user__id="u" * 201), "too_long"),
        (changed(payload__restaurant=...), "missing_field"),
        (changed(payload__final_status=...), "missing_field"),
        (changed(payload__final_status=1), "wrong_type"),
        (changed(payload__order_items=...), "missing_field"),
        (changed(payload__order_items={}), "wrong_type"),
        (changed(payload__order_items=["pizza"]), "wrong_type"),
        (changed(payload__order_items=[{"name": "P"}]), "missing_field"),
        (changed(payload__order_items=[{"id": "p", "price": "dear"}]), "bad_number"),
        (changed(payload__order_items=[{"id": "p", "quantity": []}]), "wrong_type"),
        (changed(payload__cost="dear"), "bad_number"),
        (changed(payload__cost="NaN"), "bad_number"),
        (changed(payload__cost=float("nan")), "bad_number"),
        (changed(payload__anything=float("-inf")), "bad_number"),
        (changed(payload__cost=True), "wrong_type"),
        (changed(payload__cost="1e41"), "bad_number"),
        (changed(payload__date="soon"), "bad_time"),
        (changed(payload__statuses="CLOSED"), "wrong_type"),
        (changed(payload__statuses=[{"dttm": "soon"}]), "bad_time"),
        (changed(payload__comment="a\x00b"), "bad_text"),
        (changed(payload__comment="\ud800"), "bad_text"),
        (changed(**{"payload__\udfff": 1}), "bad_text"),
        (changed(payload__comment="x" * 1024 * 1024), "oversized"),
    ],
)
def test_what_cannot_be_accepted_is_a_dead_letter_with_its_reason(value: bytes | None, reason: str) -> None:
    model = Model()
    assert model.message(value) == reason
    assert model.dead_letters_by_reason() == {reason: 1}
    assert model.orders() == {}


@pytest.mark.parametrize(
    "value",
    [
        changed(payload__cost=None),
        changed(payload__cost="-1.5E+3"),
        changed(payload__cost="123456789012345678901234567890.12"),
        changed(payload__statuses=...),
        changed(payload__statuses=[{}]),
        changed(payload__date=...),
        changed(payload__order_items=[]),
        changed(payload__final_status="ПОТЕРЯН"),
        changed(payload__update_ts="2099-01-01 00:00:00"),
        changed(payload__update_ts="0001-01-01 00:00:00"),
        changed(payload__update_ts="2026-11-25T12:00:00.1234567Z"),
        changed(payload__anything={"deep": [{"nested": "'\\\t\n\\N %s {{ }} 🍕"}]}),
        changed(object_id=-(2**63)),
        order().replace(b"{", b'{"extra": -1e400, ', 1),
        order().replace(b"{", b'{"extra": ' + b"[" * 99 + b"]" * 99 + b", ", 1),
        changed(payload__user__id="O'Hara; drop table guests"),
        b'{"object_type": "user", "object_type": "order",' + order()[1:],
    ],
)
def test_what_is_odd_but_lawful_is_accepted(value: bytes) -> None:
    assert Model().message(value) == "accepted"


def test_another_type_is_skipped_whatever_else_is_wrong_with_it() -> None:
    model = Model()
    assert model.message(changed(object_type="courier", object_id="?", payload=None)) == "skipped"
    assert model.skipped == 1
    assert model.dead_letters() == {}


def test_the_same_bad_content_again_is_no_second_dead_letter() -> None:
    model = Model()
    for _ in range(2):
        model.message(b"{")
        model.message(None, key=b"1")
        model.message(None, key=b"2")
    assert model.dead_letters_by_reason() == {"broken_json": 1, "tombstone": 2}


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("user", b"{", "broken_json"),
        ("user", menu(cafe=GUEST), "wrong_document"),
        ("restaurant", guest("A"), "wrong_document"),
        ("user", guest("A", key=OTHER_GUEST), "wrong_document"),
        ("user", json.dumps({"_id": GUEST}).encode(), "missing_field"),
        ("restaurant", menu(("", "P", "Пицца"), cafe=GUEST), "missing_field"),
        ("restaurant", menu(("p", "P", "Ц" * 201), cafe=GUEST), "too_long"),
        (
            "restaurant",
            json.dumps({"_id": GUEST, "menu": {}, "update_ts_utc": "2026-11-01 00:00:00"}).encode(),
            "wrong_type",
        ),
    ],
)
def test_a_document_that_is_none_is_a_dead_letter(kind: str, value: bytes, reason: str) -> None:
    model = Model()
    assert model.document(kind, GUEST, value) == reason
    assert model.dead_letters_by_reason() == {reason: 1}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-25 12:00:00", datetime(2026, 11, 25, 12, tzinfo=UTC)),
        ("2026-11-25T12:00:00+03:00", datetime(2026, 11, 25, 9, tzinfo=UTC)),
        ("2026-11-25 12:00:00-0330", datetime(2026, 11, 25, 15, 30, tzinfo=UTC)),
        ("2026-11-25 12:00:00,5Z", datetime(2026, 11, 25, 12, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_times_mean_what_iso_8601_says(written: str, meant: datetime) -> None:
    version = read_order(changed(payload__update_ts=written))
    assert version is not None
    assert version.age.update_ts == meant


@pytest.mark.parametrize(
    ("status", "steps", "hour"),
    [
        ("CLOSED", [("CLOSED", 13), ("OPEN", 12)], 13),
        ("CANCELLED", [("CANCELLED", 14), ("CLOSED", 13)], None),
        ("CLOSED", [("CLOSED", 14), ("CLOSED", 13), ("OPEN", 12)], 13),
        ("CLOSED", [("CLOSED", 13), ("CANCELLED", 14), ("CLOSED", 15)], 15),
        ("CLOSED", [("CLOSED", 14), ("CANCELLED", 14), ("CLOSED", 13)], 14),
        ("CLOSED", [("CANCELLED", 14), ("CLOSED", 14), (None, 13), ("CLOSED", 12)], 12),
        ("CLOSED", [], None),
    ],
)
def test_an_order_became_closed_with_the_first_of_its_last_closed_steps(
    status: str, steps: list[tuple[str | None, int]], hour: int | None
) -> None:
    statuses = [{"status": name, "dttm": f"2026-11-25 {at}:00:00"} for name, at in steps]
    model = Model()
    model.message(changed(payload__statuses=statuses, payload__final_status=status))
    assert [order.closed_at for order in model.current().values()] == [
        hour and datetime(2026, 11, 25, hour, tzinfo=UTC)
    ]


def test_an_order_began_with_its_first_status_else_at_its_date_else_now() -> None:
    steps = [{"status": "CLOSED", "dttm": "2026-11-25 12:00:00"}, {"status": "OPEN", "dttm": "2026-11-25 11:00:00"}]
    hours = []
    for value in (
        changed(payload__statuses=steps, payload__date="2026-11-25 09:00:00"),
        changed(payload__date="2026-11-25 09:00:00"),
        changed(payload__date=...),
    ):
        version = read_order(value)
        assert version is not None
        hours.append(version.order_dt.hour)
    assert hours == [11, 9, 12]

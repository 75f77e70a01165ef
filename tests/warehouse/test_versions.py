"""Versions: every order of arrival, every cut into loads, ties, and reference data as Redis really gives it.

The cases that a person would write down stand in tests/sql/cases; here are those that are counted out.
"""

from itertools import pairwise, permutations

import pytest

from harness import runs
from operators.refresh_reference import RefreshReferenceOperator
from tests.messages import order, restaurant, user
from tests.streams import Broom, Guest, Menu, Order, Refer, Run, Stage
from witness.model import content_hash

COSTS_MORE = (("cost", 200),)
# Each history ends in what it began with: what a load leaves out as unchanged is what a late version brings to light.
HISTORIES: dict[str, tuple[Order | Menu | Guest, ...]] = {
    "CLOSED, CANCELLED, CLOSED": (
        Order(at=1, basket=(("a", None),)),
        Order(at=2, status="CANCELLED", basket=(("a", None),)),
        Order(at=3, basket=(("a", None),), more=COSTS_MORE),
    ),
    "when it became CLOSED, corrected and back": (
        Order(at=1, since=0),
        Order(at=2, since=1),
        Order(at=3, since=0, more=COSTS_MORE),
    ),
    "when it became CLOSED, not said for once": (
        Order(at=1, since=0),
        Order(at=2, since=None),
        Order(at=3, since=0, more=COSTS_MORE),
    ),
    "a basket edited and back": (
        Order(at=1, basket=(("a", None), ("b", None))),
        Order(at=2, basket=(("b", None), ("c", None))),
        Order(at=3, basket=(("a", None), ("b", None)), more=COSTS_MORE),
    ),
    "an order corrected to another guest and back": (
        Order(at=1, basket=(("a", None),)),
        Order(at=2, user="bob", basket=(("a", None),)),
        Order(at=3, basket=(("a", None),), more=COSTS_MORE),
    ),
    "a dish moved to another category and back": (
        Menu(at=1, dishes=(("a", "N1", "Pizza"),)),
        Menu(at=2, dishes=(("a", "N1", "Tea"),)),
        Menu(at=3, name="Y", dishes=(("a", "N1", "Pizza"),)),
    ),
    "a dish on the menus of two restaurants": (
        Menu("x", at=1, dishes=(("a", "N1", "Pizza"),)),
        Menu("y", at=1, dishes=(("a", "N2", "Tea"),)),
        Menu("x", at=1, name="Y", dishes=(("a", "N1", "Pizza"),)),
    ),
    "a guest renamed and back": (Guest(at=1), Guest(at=2, name="Bob"), Guest(at=3, login=None)),
    "a dish named by the lines of three orders": (
        Order(1, at=1, basket=(("b", "N1"),)),
        Order(2, at=2, basket=(("b", "N2"),)),
        Order(3, at=3, basket=(("b", "N1"),)),
    ),
    "a dish named by two versions around another order's": (
        Order(1, at=1, basket=(("b", "N1"),)),
        Order(2, at=2, basket=(("b", "N2"),)),
        Order(1, at=3, basket=(("b", "N1"),)),
    ),
}
# Cuts into loads; inside a load the arrival does not matter, so that fewer orders of it are all.
CUTS = {(0, 1, 2, 3): 6, (0, 1, 3): 3, (0, 2, 3): 3, (0, 3): 1}


@pytest.fixture
def run(broom: Broom) -> Run:
    """An empty warehouse, its model, an empty Redis."""
    broom.sweep()
    broom.pipeline.redis.flushall()
    return Run(broom.pipeline)


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_every_arrival_and_every_cut_of_a_history_gives_one_state(
    broom: Broom, history: tuple[Order | Menu | Guest, ...]
) -> None:
    states = []
    for cut, arrivals in CUTS.items():
        distinct = {tuple(frozenset(a[i:j]) for i, j in pairwise(cut)): a for a in permutations(history)}
        assert len(distinct) == arrivals
        for arrival in distinct.values():
            broom.sweep()
            run = Run(broom.pipeline)
            run.rule("fan", "Pizza", 0)
            run.take(Refer((Menu("x", at=0, dishes=(("a", "N1", "Pizza"),)),)))
            run.take(Stage((Order(9, at=0, basket=(("a", None), ("b", None))),)))
            for start, end in pairwise(cut):
                for thing in arrival[start:end]:
                    run.take(Stage((thing,)) if isinstance(thing, Order) else Refer((thing,)))
                state = run.settle()
            states.append(state)
    assert all(state == states[0] for state in states)


@pytest.mark.parametrize("first", [0, 1])
def test_of_versions_with_equal_times_the_greater_content_hash_counts(run: Run, first: int) -> None:
    tied = [order(1, "CLOSED"), order(1, "CANCELLED")]
    run.send([tied[first]])
    run.settle()
    run.send([tied[1 - first]])
    newest = max(tied, key=content_hash)
    assert (run.settle()["s_order_status"][1]["status"] == "CLOSED") == (newest == tied[0])


@pytest.mark.parametrize("first", [0, 1])
def test_of_documents_with_equal_times_the_greater_content_hash_counts(run: Run, first: int) -> None:
    tied = [user(name="A"), user(name="B")]
    run.send([order(1)])
    for value in (tied[first], tied[1 - first]):
        run.read([("user", "guest", value)])
        run.settle()
    assert run.settle()["s_user_names"]["guest"]["username"] == ("A" if max(tied, key=content_hash) == tied[0] else "B")


def test_whatever_redis_answers_at_each_step_the_marts_equal_the_model(run: Run) -> None:
    """Reference data that comes late, is broken, is of the wrong kind, is evicted, moves on: read by the real operator."""
    redis: dict[str, bytes] = {}
    menu = restaurant(menu={"pizza=Pizza": "Pizza"})
    changes: list[dict[str, bytes | None]] = [
        {},  # nobody is there yet
        {"guest": b'{"_id": "guest"', "diner": b"[]"},  # broken JSON; not an object
        {"guest": menu.replace(b'"diner"', b'"guest"'), "diner": user("diner")},  # each of the other's kind
        {"guest": user(name="A"), "diner": menu},  # at last
        {"guest": None, "diner": None},  # evicted
        {"diner": restaurant(menu={"tea": "Drinks"}, update_ts="2026-01-02 00:00:00")},  # the dish is gone
        {"diner": restaurant(menu={"pizza=Calzone": "Bakery"}, update_ts="2026-01-03 00:00:00")},
        {"diner": menu},  # an older one again: Redis was restored from a backup
    ]
    run.rule("fan", "Pizza", 0)
    for number, change in enumerate(changes, start=1):
        for key, value in change.items():
            if value is None:
                redis.pop(key)
                run.pipeline.redis.delete(key)
            else:
                redis[key] = value
                run.pipeline.redis.set(key, value)
        run.send([order(number)])
        runs.run(RefreshReferenceOperator(task_id="reference"))
        run.model.refresh(redis)
        assert run.settle()["user_product_counters"]["guest", "pizza"][1] == number
    assert run.pipeline.user_category_counters() == {("guest", "Bakery"): len(changes)}
    assert run.pipeline.user_tags() == {}
    reasons = [reason for reason, _ in run.pipeline.dead_letters()]
    assert sorted(reasons) == ["broken_json", "not_an_object", "wrong_document", "wrong_document"]

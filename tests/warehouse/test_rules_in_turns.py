"""Many rules that change at once are taken in turns, a batch each; nobody is judged by a rule before its turn."""

from typing import Any

import pytest

from harness.pipeline import Pipeline
from tests.messages import order, restaurant

DISHES = {"margherita": "Pizza", "green": "Tea"}
TAGS = ("fan", "lover", "sipper")


@pytest.fixture
def fed(pipeline: Pipeline) -> Pipeline:
    """Ann has closed two orders, Bob one, of pizza and of tea."""
    pipeline.refer([("restaurant", "diner", restaurant("diner", menu=DISHES))])
    pipeline.stage(closed(n, user) for n, user in ((1, "ann"), (2, "ann"), (3, "bob")))
    pipeline.load()
    return pipeline


def closed(number: int, user: str) -> bytes:
    return order(number, user=user, restaurant="diner", dishes=tuple(DISHES))


def set_rules(pipeline: Pipeline) -> None:
    """One plain, one with a window, one with an exit threshold: in that order."""
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold, window_days, exit_threshold)"
        " values ('fan', 'Pizza', 0, null, null), ('lover', 'Pizza', 1, 3660, null), ('sipper', 'Tea', 1, null, 0)"
    )


def one_batch(pipeline: Pipeline) -> dict[str, int]:
    """Judge the first of the changed rules, whoever else waits."""
    return pipeline.load_cdm(max_rule_guests=1, max_batches=1)


def events(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    return pipeline.rows(
        "select app.user_id, tag, event, reason, order_ids from cdm.tag_events as told"
        " join dds.h_user as app on told.user_id = app.h_user_pk order by tag, event, app.user_id"
    )


def test_a_batch_takes_the_first_rules_that_changed_and_the_rest_wait(fed: Pipeline) -> None:
    set_rules(fed)
    for waiting in (2, 1, 0):
        told = one_batch(fed)
        assert (told["cdm.batch_rules"], told["cdm.batch_waiting"]) == (1, waiting)
        given = [tag for (tag,) in fed.rows("select distinct tag from cdm.tag_events order by tag")]
        assert given == list(TAGS[: 3 - waiting])
    assert one_batch(fed) == {"batches": 0}


def test_in_turns_comes_to_the_same_as_at_once(fed: Pipeline) -> None:
    set_rules(fed)
    for _ in TAGS:
        one_batch(fed)
    in_turns = events(fed), fed.user_tags()
    fed.owner.execute("delete from cdm.tag_rules")
    fed.load_cdm()
    fed.owner.execute("truncate cdm.tag_events, cdm.tag_days")
    set_rules(fed)
    assert fed.load_cdm()["cdm.batch_rules"] == len(TAGS)
    assert (events(fed), fed.user_tags()) == in_turns
    assert {reason for *_, reason, _ in in_turns[0]} == {"rule"}


def test_so_many_guests_are_counted_by_the_rules_before_and_now(fed: Pipeline) -> None:
    set_rules(fed)
    # fan: two guests; lover and sipper: Ann alone, and both by an exit threshold of 0.
    assert fed.load_cdm(max_rule_guests=3, max_batches=1)["cdm.batch_rules"] == 2
    fed.load_cdm()
    fed.owner.execute("update cdm.tag_rules set threshold = 5 where tag = 'fan'")  # nobody now, two before
    fed.owner.execute("update cdm.tag_rules set threshold = 2 where tag = 'lover'")
    assert fed.load_cdm(max_rule_guests=2, max_batches=1)["cdm.batch_rules"] == 1


@pytest.mark.parametrize(
    ("change", "then"),
    [
        ("update cdm.tag_rules set active = false where tag = 'sipper'", ("revoked", "retired")),
        ("update cdm.tag_rules set threshold = 9, exit_threshold = 9 where tag = 'sipper'", ("revoked", "rule")),
        ("update cdm.tag_rules set comment = 'tea time' where tag = 'sipper'", None),
    ],
)
def test_who_is_counted_meanwhile_keeps_what_a_waiting_rule_gave(
    fed: Pipeline, change: str, then: tuple[str, str] | None
) -> None:
    set_rules(fed)
    fed.load_cdm()
    fed.owner.execute("update cdm.tag_rules set threshold = 2 where tag = 'fan'")
    fed.owner.execute(change)
    before = events(fed)
    fed.stage([closed(4, "ann"), closed(5, "bob")])
    fed.load_dds()
    one_batch(fed)
    assert [told for told in events(fed) if told[1] == "sipper"] == [told for told in before if told[1] == "sipper"]
    fed.load_cdm()
    of_ann = [told[2:4] for told in events(fed) if told[:2] == ("ann", "sipper")]
    assert of_ann == [("assigned", "rule"), *([then] if then else [])]
    if then and then[1] == "retired":
        assert not [told for told in events(fed) if told[:2] == ("bob", "sipper")], "he never had it"

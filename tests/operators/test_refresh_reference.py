"""Reference data from a real Redis: whom it asks for, what it does with the answers."""

import json
import os

import pytest

from operators.connections import UnreachableError
from operators.refresh_reference import RefreshReferenceOperator
from tests.messages import order, restaurant, user
from tests.operators.drain_case import run
from tests.pipeline import Pipeline


def refresh(**arguments: object) -> dict[str, int]:
    return run(RefreshReferenceOperator(task_id="reference", **arguments))


def known(pipeline: Pipeline) -> set[tuple[str, str]]:
    return set(pipeline.rows("select object_type, object_id from stg.reference_log"))


def test_the_guests_and_restaurants_of_the_batch_are_read(pipeline: Pipeline) -> None:
    pipeline.redis.mset({"guest": user(), "diner": restaurant(menu={}), "stranger": user("stranger")})
    pipeline.stage([order(1)])
    assert refresh()["documents"] == 2
    assert known(pipeline) == {("user", "guest"), ("restaurant", "diner")}


def test_who_is_missing_is_asked_for_again(pipeline: Pipeline) -> None:
    pipeline.stage([order(1)])
    refresh()
    pipeline.load()
    pipeline.redis.mset({"guest": user(), "diner": restaurant(menu={})})
    assert refresh()["documents"] == 2


def test_a_changed_menu_counts_before_the_restaurants_next_order(pipeline: Pipeline) -> None:
    pipeline.redis.mset({"guest": user(), "diner": restaurant(menu={"pizza": "Pizza"})})
    pipeline.stage([order(1)])
    refresh()
    pipeline.load()
    pipeline.redis.set("diner", restaurant(menu={"pizza": "Bakery"}, update_ts="2026-01-02 00:00:00"))
    assert refresh()["documents"] == 1
    pipeline.load()
    assert pipeline.user_category_counters() == {("guest", "Bakery"): 1}


def test_quiet_restaurants_can_be_read_less_often(pipeline: Pipeline) -> None:
    pipeline.redis.mset({"guest": user(), "diner": restaurant(menu={})})
    pipeline.stage([order(1)])
    refresh()
    pipeline.load()
    wanted = [refresh(restaurants_every_minutes=10**9)["wanted"], refresh()["wanted"]]
    assert wanted == [0, 1]


def test_a_document_that_is_known_adds_nothing(pipeline: Pipeline) -> None:
    pipeline.redis.mset({"guest": user(), "diner": restaurant(menu={})})
    pipeline.stage([order(1)])
    refresh()
    before = pipeline.snapshot()
    assert refresh()["documents"] == 0
    assert pipeline.snapshot() == before


def test_a_key_prefix_is_a_setting(pipeline: Pipeline) -> None:
    pipeline.redis.mset({"ref:guest": user(), "guest": b"not ours"})
    pipeline.stage([order(1)])
    assert refresh(key_prefix="ref:")["documents"] == 1
    assert known(pipeline) == {("user", "guest")}


def test_a_bad_document_is_a_dead_letter_and_costs_no_neighbour(pipeline: Pipeline) -> None:
    pipeline.redis.mset({"guest": b"{broken", "diner": restaurant(menu={})})
    pipeline.stage([order(1)])
    assert refresh()["refused"] == 1
    assert known(pipeline) == {("restaurant", "diner")}
    assert pipeline.rows("select topic, message_key, reason from stg.dead_letters") == [
        ("redis", b"guest", "broken_json")
    ]
    before = pipeline.snapshot()
    refresh()
    assert pipeline.snapshot() == before


def test_a_document_of_the_wrong_kind_under_one_id_does_not_bar_the_right_one(pipeline: Pipeline) -> None:
    pipeline.redis.mset({"guest": user()})
    pipeline.stage([order(1, restaurant="guest")])
    assert refresh()["refused"] == 1
    assert known(pipeline) == {("user", "guest")}


def test_redis_being_down_is_an_error_and_not_missing_data(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.stage([order(1)])
    connection = json.loads(os.environ["AIRFLOW_CONN_REDIS_REFERENCE"]) | {"port": 9}
    monkeypatch.setenv("AIRFLOW_CONN_REDIS_REFERENCE", json.dumps(connection))
    with pytest.raises(UnreachableError, match=r"redis_reference.*Check its host"):
        refresh()

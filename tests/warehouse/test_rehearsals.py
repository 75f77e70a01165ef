"""Rehearsals by the numbers of the worked examples, against the tags that the same rule gives, and run by their operator."""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from deploy.why import account
from harness.pipeline import Pipeline
from harness.runs import run
from local.stack import Stack
from operators.rehearse_tag_rule import RehearseTagRuleOperator
from tests.messages import order, restaurant
from tests.streams import broken_laws
from tests.warehouse.test_rule_examples import CANCELLED, MENU, OF_B, A, B, World, at, base
from warehouse.rehearsal import Rehearsal, in_words, picture, rehearse
from warehouse.requests import FORMS

RULE = {"category": "Пицца", "threshold": 2, "window_days": 30, "exit_threshold": None}
# Changes nothing else: everything but the rehearsals and what hangs from them.
OWN = ("cdm.rehearsals", "cdm.rehearsal_weeks", "cdm.rehearsal_overlaps", "cdm.rehearsal_near")


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


def rehearsed(world: World, as_of: datetime, **changes: Any) -> Rehearsal:
    params = {
        "tag": "pizza_lover",
        "zone": "Europe/Moscow",
        "made_by": "maria",
        "load_dt": datetime.now(as_of.tzinfo),
        "from_dt": at("03-01 21:00:00"),
        "as_of": as_of,
        **RULE,
        **changes,
    }
    told = rehearse(world.pipeline.session, params)
    assert in_words(params, told)[0].startswith(f"pizza_lover: more than {params['threshold']} of Пицца within 30 days")
    assert picture(params, told).count("<rect") == 3 * len(told.weeks)
    return told


def live(world: World) -> dict[str, Any]:
    return {table: rows for table, rows in world.pipeline.snapshot(hide=()).items() if table not in OWN}


def test_38_weeks_tell_who_came_and_went(world: World) -> None:
    world.run("04-06 00:00:00", *base(), *OF_B)
    told = rehearsed(world, datetime.fromisoformat("2026-04-06T00:00:00+03:00"))
    assert [tuple(week) for week in told.weeks] == [
        ("2026-03-02", 0, 0, 0, 0),
        ("2026-03-09", 1, 0, 0, 1),
        ("2026-03-16", 0, 0, 0, 1),
        ("2026-03-23", 0, 0, 0, 1),
        ("2026-03-30", 0, 1, 1, 0),
    ]
    assert (told.guests, told.would_enter, told.would_leave) == (0, 0, 0)
    assert told.near == [(0, 0), (1, 0), (2, 1), (3, 0)], "A has one that counts; B has none and is not in it"
    assert broken_laws(world.pipeline.etl) == {}


def test_39_what_is_foreseen_comes_and_nothing_else_changes(world: World) -> None:
    world.run("03-10 12:00:00", *base(), *OF_B)
    before = live(world)
    told = rehearsed(world, at("03-10 12:00:00"))
    assert live(world) == before
    assert (told.guests, told.would_enter, dict(told.near)[1]) == (1, 1, 1)
    world.rule(window=30, apply="2026-03-10 12:00:00")
    assert [event[:2] for event in world.events()] == [("assigned", "rule")]
    assert world.events(B) == []
    assert of_the_facts_of_now(world) == [(None, True)], "the law cdm.rehearsals.came is about it"
    assert broken_laws(world.pipeline.etl) == {}
    world.run("03-10 12:00:00")
    again = rehearsed(world, at("03-10 12:00:00"))
    assert (again.guests, again.would_enter, again.would_leave) == (1, 0, 0), "the rule in force gives what is carried"
    assert of_the_facts_of_now(world) == [(None, True), (1, True)], "the law cdm.rehearsals is about it"
    assert broken_laws(world.pipeline.etl) == {}


def of_the_facts_of_now(world: World) -> list[tuple[int | None, bool]]:
    """Of each rehearsal the rule that was in force, and whether it was made by the facts by which the tags stand now."""
    return world.pipeline.rows(
        "select made.rule_version, made.facts_dt is not distinct from clock.load_dt"
        " from cdm.rehearsals as made cross join cdm.tag_clock as clock order by made.id"
    )


def test_a_rehearsal_is_held_to_the_tags_only_where_they_stand_by_its_facts(world: World) -> None:
    world.rule(window=30)
    world.run("03-10 12:00:00", *base())
    rehearsed(world, at("03-10 11:00:00"))
    assert of_the_facts_of_now(world) == [(1, False)], "as of another moment"
    rehearsed(world, at("03-10 12:00:00"), exit_threshold=1)
    assert of_the_facts_of_now(world)[1:] == [(1, True)]
    world.change(0, None, 30)
    rehearsed(world, at("03-10 12:00:00"))
    assert of_the_facts_of_now(world)[2:] == [(2, False)], "a rule waits"
    world.pipeline.stage(OF_B)
    world.pipeline.load_dds()
    rehearsed(world, at("03-10 12:00:00"))
    assert of_the_facts_of_now(world)[3:] == [(2, False)], "guests wait"
    world.run("03-10 12:00:00")
    assert [is_of_now for _, is_of_now in of_the_facts_of_now(world)] == [False] * 4, "B has come"
    assert broken_laws(world.pipeline.etl) == {}


def test_41_a_cancellation_is_seen_as_of_its_time(world: World) -> None:
    world.run("03-13 00:00:00", *base(), CANCELLED)
    assert rehearsed(world, at("03-11 00:00:00")).guests == 1
    assert rehearsed(world, at("03-11 00:00:00")).dated_ahead == 1
    assert rehearsed(world, at("03-13 00:00:00")).guests == 0


def test_the_exit_threshold_shows_whom_it_keeps(world: World) -> None:
    world.run("03-31 12:00:00", *base())
    told = rehearsed(world, at("03-31 12:00:00"), exit_threshold=1)
    assert (told.guests, told.kept_by_hysteresis, told.most_entries, told.flapping_guests) == (1, 1, 1, 0)
    assert dict(told.near)[0] == 1, "it ends on 4 April"


def test_other_tags_overlap_and_some_who_carry_it_would_leave(world: World) -> None:
    world.rule(0)
    world.pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('any', 'Пицца', 1)")
    world.run("03-10 12:00:00", *base(), *OF_B)
    told = rehearsed(world, at("03-10 12:00:00"))
    assert (told.guests, told.would_enter, told.would_leave) == (1, 0, 1)
    assert told.overlaps == [("any", 1, 0, 1)]


def test_who_ordered_only_long_before_is_not_looked_at_and_the_weeks_are_the_same(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.run("04-06 00:00:00", *base(), *OF_B)
    until = at("04-06 00:00:00")
    whole = rehearsed(world, until, threshold=1, from_dt=at("03-01 21:00:00"))
    for hour, folded in ((12, 2), (13, 1)):  # when B's order of 3 March stops counting, and after that
        caplog.clear()
        caplog.set_level(logging.INFO)
        told = rehearsed(world, until, threshold=0, from_dt=at(f"04-02 {hour}:00:00"))
        assert re.findall(r"batch_folded +(\d+) rows", caplog.text) == [str(folded)]
        assert tuple(told.weeks[0])[1:] == (0, folded - 1, folded - 1, 1)
    told = rehearsed(world, until, threshold=1, from_dt=at("03-29 21:00:00"))
    assert told.weeks == whole.weeks[-2:]
    assert told._replace(id=whole.id, weeks=whole.weeks, most_entries=1) == whole


def test_of_many_tags_that_overlap_the_log_tells_the_first() -> None:
    overlaps = [(f"tag {number}", 100 - number, 0, 0) for number in range(22)]
    told = Rehearsal(1, 100, 0, 0, 0, 0, 0, 0, [], [], overlaps)
    params = {"tag": "a", "window_days": None, "as_of": at("03-10 12:00:00"), **RULE}
    lines = in_words(params, told)
    assert [line for line in lines if "have tag" in line][-1] == "81 have tag 19, too; 0 do not"
    assert lines[-1] == "2 more tags are in cdm.v_rehearsal_overlaps"


def rehearse_by_form(**conf: Any) -> dict[str, Any]:
    params = {name: field.default for name, field in FORMS["tag_rule_rehearse"].items()}
    context = {
        "dag": SimpleNamespace(dag_id="tag_rule_rehearse"),
        "dag_run": SimpleNamespace(conf=conf, triggering_user_name="maria"),
        "params": params,
    }
    return run(RehearseTagRuleOperator(task_id="rehearse"), **context)


def test_the_form_rehearses_the_draft_or_else_the_rule_in_force(world: World) -> None:
    world.rule(0)
    world.run("03-10 12:00:00", *base(), *OF_B)
    assert rehearse_by_form(tag="pizza_lover")["guests"] == 2
    world.pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold, status) values ('pizza_lover', 'Пицца', 2, 'draft')"
    )
    told = rehearse_by_form(tag="pizza_lover")
    assert (told["guests"], told["would_leave"]) == (1, 1)
    found = world.pipeline.rows(
        "select rehearsal_id, made_by, as_of from cdm.v_rehearsal order by rehearsal_id desc limit 1"
    )
    assert found == [(told["rehearsal_id"], "maria", at("03-10 12:00:00"))], "as of when the tags stand"
    assert rehearse_by_form(tag="new", category="Пицца", threshold=4, as_of="2026-03-20T00:00:00Z")["guests"] == 0


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ({}, "'tag' must name the tag"),
        ({"tag": "none"}, "has no draft and no rule in force"),
        ({"tag": "a", "category": "Пица"}, "did you mean 'Пицца'"),
        ({"tag": "a", "category": "Пицца", "threshold": 1, "exit_threshold": 2}, "from 0 to the threshold, which is 1"),
        ({"tag": "a", "category": "Пицца", "window_days": 0}, "'window_days' must be"),
        ({"tag": "a", "category": "Пицца", "as_of": "2026-03-20"}, "ISO 8601 time with a zone"),
        ({"tag": "a", "category": "Пицца", "zone": "Moscow"}, "must be the name of a zone"),
        (
            {"tag": "a", "category": "Пицца", "as_of": "2026-03-20T00:00:00Z", "from": "2026-03-20T00:00:00Z"},
            "'from' must be before 'as_of'",
        ),
    ],
)
def test_a_wrong_request_says_what_is_allowed(world: World, conf: dict[str, Any], words: str) -> None:
    world.run("03-10 12:00:00", *base())
    with pytest.raises(AirflowFailException, match=words):
        rehearse_by_form(**conf)


def test_why_names_each_cause(world: World) -> None:
    world.rule(window=30)
    menu = restaurant(menu={"margherita": "Пицца", "tea": "Напитки"})
    world.pipeline.refer([("restaurant", "diner", menu)])
    more = [
        order(111, user=A, dishes=("tea",), update_ts="2026-03-09 12:00:00"),
        order(112, user=A, dishes=("unknown",), update_ts="2026-03-09 12:00:00"),
        order(113, user=A, dishes=("margherita",), update_ts="2026-03-20 12:00:00"),
        order(114, user=A, dishes=("margherita",), update_ts="2026-03-02 12:00:00"),
        order(114, user=B, dishes=("margherita",), update_ts="2026-03-03 12:00:00"),
    ]
    world.run("03-10 12:00:00", *base(), *more)
    query = "select order_id, why_not from cdm.v_why where guest_id = %s and why_not is not null order by order_id"
    assert world.pipeline.rows(query, [A]) == [
        (111, "no_dish_of_category"),
        (112, "dish_without_category"),
        (113, "dated_ahead"),
        (114, "other_guest_now"),
    ]
    assert world.pipeline.rows("select as_of, next_due_dt from cdm.v_clock") == [
        (at("03-10 12:00:00"), at("03-20 12:00:00"))
    ]


def test_why_tells_of_each_order_whether_it_counts(world: World) -> None:
    world.rule(window=30)
    world.run("03-12 09:00:00", *base(), CANCELLED, *OF_B)
    query = "select order_id, status, counts, why_not, leaves_dt from cdm.v_why where guest_id = %s order by order_id"
    assert world.pipeline.rows(query, [A]) == [
        (101, "CLOSED", True, None, at("03-31 12:00:00")),
        (102, "CANCELLED", False, "not_closed", None),
        (103, "CLOSED", True, None, at("04-09 12:00:00")),
    ]
    progress = (
        "select order_cnt, carries_tag, orders_missing, window_days from cdm.v_guest_progress where guest_id = %s"
    )
    assert world.pipeline.rows(progress, [A]) == [(2, False, 1, 30)]
    world.run("04-05 00:00:00")
    assert [row[2:4] for row in world.pipeline.rows(query, [A])] == [
        (False, "outside_window"),
        (False, "not_closed"),
        (True, None),
    ]
    assert world.pipeline.rows(progress, [A]) == [(1, False, 2, 30)]


def test_one_command_tells_why_by_an_id_from_standard_input(world: World) -> None:
    world.rule(window=30)
    world.run("03-10 12:00:00", *base(), CANCELLED)
    done = subprocess.run(
        [sys.executable, "-m", "deploy.why", "--tag", "pizza_lover"],
        input=A + "\n",
        env=os.environ | {"PYTHONPATH": "plugins"},
        capture_output=True,
        text=True,
        check=True,
    )
    carried = "pizza_lover: carried, 3 of Пицца count, more than 2 within 30 days give it"
    assert done.stdout.splitlines() == [
        f"{carried}; it ends on 2026-03-31 12:00 UTC if nothing more happens",
        "pizza_lover: order 103, CLOSED since 2026-03-10 12:00 UTC: counts until 2026-04-09 12:00 UTC",
        "pizza_lover: order 102, CLOSED since 2026-03-05 12:00 UTC: counts until 2026-04-04 12:00 UTC",
        "pizza_lover: order 101, CLOSED since 2026-03-01 12:00 UTC: counts until 2026-03-31 12:00 UTC",
    ]
    assert world.pipeline.rows("select looked_by, tag from stg.looks_at(%s)", [A]) == [(account(), "pizza_lover")]

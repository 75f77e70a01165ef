"""Rules of tags in the database: what is refused whoever writes it, what becomes a version, and what people do with drafts."""

from typing import Any

import psycopg
import pytest

from harness.pipeline import Pipeline
from warehouse import layers

RULE = {
    "category": "Pizza",
    "threshold": 2,
    "window_days": None,
    "exit_threshold": None,
    "status": "active",
    "comment": "",
}
NOW = "select status, threshold, window_days, version from cdm.tag_rules order by tag, status"
QUEUE = "select tag from cdm.rule_queue order by id"
HISTORY = "select version, status, threshold from cdm.v_rules where tag = 'fan' order by version"


def change(pipeline: Pipeline, file: str = layers.TAG_RULES, by: str = "maria", **values: Any) -> int:
    """Do as the operator of `tag_rules` does; return how many rows have changed."""
    session = pipeline.session
    with session.transaction():
        session.run([layers.TAG_RULES_LOCK], {"changed_by": by})
        return sum(session.run([file], {**RULE, "tag": "fan", **values}).values())


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        # Example 36 of the contract: each is refused with what is allowed.
        ("exit_threshold = 3", "exit_threshold must be from 0 to the threshold, which is 2, or empty, not 3"),
        ("exit_threshold = -1", "exit_threshold must be from 0 to the threshold"),
        ("window_days = 0", "window_days must be from 1 to 3660, or empty, not 0"),
        ("window_days = 3661", "window_days must be from 1 to 3660, or empty, not 3661"),
        ("status = 'on'", "status must be draft, active or retired, not on"),
        ("category_name = 'Tea'", "for Tea make a new tag, or retire the rule first"),
        ("tag = 'Pizza_Lover'", "differs from the tag pizza_lover only by case, blanks or Unicode form"),
        ("tag = 'pizza_ lover'", "differs from the tag pizza_lover only by case, blanks or Unicode form"),
        ("tag = 'ｐizza_lover'", "differs from the tag pizza_lover only by case, blanks or Unicode form"),
        ("tag = 'pizzа_lover'", "mixes Latin and Cyrillic letters"),
        ("tag = 'ПИЦЦА'", "differs from the tag пицца only by case, blanks or Unicode form"),
    ],
)
def test_plain_sql_is_refused_with_what_is_allowed(pipeline: Pipeline, statement: str, words: str) -> None:
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('пицца', 'Pizza', 0)")
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold) values ('pizza_lover', 'Pizza', 2)"
    )
    before = pipeline.snapshot()
    with pytest.raises(psycopg.errors.CheckViolation, match=words):
        pipeline.owner.execute(f"update cdm.tag_rules set {statement} where tag = 'pizza_lover'")
    assert pipeline.snapshot() == before


def test_a_tag_has_one_rule_in_force_and_one_draft(pipeline: Pipeline) -> None:
    change(pipeline)
    change(pipeline, status="draft")
    insert = "insert into cdm.tag_rules (tag, category_name, threshold, status) values ('fan', 'Pizza', 9, %s)"
    for status in ("active", "draft"):
        with pytest.raises(psycopg.errors.UniqueViolation):
            pipeline.owner.execute(insert, [status])


def test_active_and_status_keep_in_step_whichever_is_written(pipeline: Pipeline) -> None:
    execute, steps = pipeline.owner.execute, "select status, active from cdm.tag_rules"
    execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 2)")
    assert pipeline.rows(steps) == [("active", True)]
    execute("update cdm.tag_rules set active = false")
    assert pipeline.rows(steps) == [("retired", False)]
    execute("update cdm.tag_rules set category_name = 'Tea', active = true")
    assert pipeline.rows(steps) == [("active", True)], "the category of a rule that is not in force may change"
    execute("update cdm.tag_rules set status = 'retired'")
    assert pipeline.rows(steps) == [("retired", False)]
    execute("delete from cdm.tag_rules")
    execute("insert into cdm.tag_rules (tag, category_name, threshold, active) values ('off', 'Pizza', 2, false)")
    execute("insert into cdm.tag_rules (tag, category_name, threshold, status) values ('new', 'Pizza', 2, 'draft')")
    assert pipeline.rows(steps + " order by tag") == [("draft", False), ("retired", False)]


def test_a_draft_judges_nobody_until_it_is_activated(pipeline: Pipeline) -> None:
    change(pipeline)
    pipeline.owner.execute("truncate cdm.rule_queue")
    assert change(pipeline, status="draft", threshold=0, window_days=30) == 1
    assert pipeline.rows(NOW) == [("active", 2, None, 1), ("draft", 0, 30, 2)]
    assert pipeline.rows(QUEUE) == []
    assert change(pipeline, layers.TAG_RULES_ACTIVATED) == 2
    assert pipeline.rows(NOW) == [("active", 0, 30, 3)]
    assert pipeline.rows(QUEUE) == [("fan",)]
    assert change(pipeline, layers.TAG_RULES_ACTIVATED) == 0, "there is no draft any more"


def test_a_draft_of_a_new_tag_is_activated_as_it_is(pipeline: Pipeline) -> None:
    change(pipeline, status="draft")
    assert change(pipeline, layers.TAG_RULES_ACTIVATED) == 1
    assert pipeline.rows(NOW) == [("active", 2, None, 2)]
    assert pipeline.rows(QUEUE) == [("fan",)]


def test_going_back_writes_a_new_version_with_the_old_content(pipeline: Pipeline) -> None:
    change(pipeline)
    change(pipeline, threshold=0)
    assert change(pipeline, layers.TAG_RULES_BACK, version=1) == 1
    assert pipeline.rows(HISTORY) == [(1, "active", 2), (2, "active", 0), (3, "active", 2)]
    assert change(pipeline, layers.TAG_RULES_BACK, version=9) == 0
    change(pipeline, layers.TAG_RULES_RETIRED)
    assert change(pipeline, layers.TAG_RULES_BACK, version=2) == 1
    pipeline.owner.execute("delete from cdm.tag_rules")
    assert change(pipeline, layers.TAG_RULES_BACK, version=1) == 1
    assert [row[:2] for row in pipeline.rows(HISTORY)[3:]] == [
        (4, "retired"),
        (5, "active"),
        (6, "retired"),
        (7, "active"),
    ]


def test_retiring_takes_the_rule_in_force_or_else_the_draft(pipeline: Pipeline) -> None:
    change(pipeline)
    change(pipeline, status="draft", threshold=1)
    assert change(pipeline, layers.TAG_RULES_RETIRED) == 1
    assert pipeline.rows(NOW) == [("draft", 1, None, 2), ("retired", 2, None, 3)]
    assert change(pipeline, layers.TAG_RULES_RETIRED) == 1
    assert [row[0] for row in pipeline.rows(NOW)] == ["retired", "retired"]
    assert change(pipeline, layers.TAG_RULES_RETIRED) == 0


def test_a_rule_that_is_set_as_it_is_keeps_its_version(pipeline: Pipeline) -> None:
    assert change(pipeline, window_days=90, exit_threshold=1, comment="spring") == 1
    assert change(pipeline, window_days=90, exit_threshold=1, comment="spring") == 0
    assert change(pipeline, window_days=90, exit_threshold=1, comment="summer") == 1
    assert change(pipeline, tag="none", status="retired") == 0, "what nobody knows is not retired"
    assert pipeline.rows("select tag, version from cdm.v_rules order by 1, 2") == [("fan", 1), ("fan", 2)]


def test_a_version_names_the_person_and_else_the_role(pipeline: Pipeline) -> None:
    change(pipeline)
    change(pipeline, threshold=3, by="")
    pipeline.owner.execute("update cdm.tag_rules set threshold = 4")
    names = pipeline.rows("select changed_by from cdm.v_rules order by version")
    assert names == [("maria",), ("dwh_etl",), ("dwh_owner",)]


def test_how_tags_stand_is_told_by_their_versions(pipeline: Pipeline) -> None:
    def now() -> list[tuple[Any, ...]]:
        return [(tag, newest, by, in_force, draft) for tag, newest, by, _, in_force, draft in ask(layers.TAG_RULES_NOW)]

    ask = pipeline.session.ask
    assert now() == []
    change(pipeline)
    change(pipeline, status="draft", threshold=1, by="anna")
    assert now() == [("fan", 2, "anna", "Pizza", True)]
    assert change(pipeline, layers.TAG_RULES_DROPPED) == 1
    change(pipeline, layers.TAG_RULES_RETIRED)
    assert now() == [("fan", 3, "maria", None, False)]
    assert change(pipeline, layers.TAG_RULES_DROPPED) == 0, "there is no draft any more"


def test_the_history_of_rules_is_never_rewritten(pipeline: Pipeline) -> None:
    change(pipeline)
    for statement in ("update cdm.tag_rule_versions set threshold = 0", "delete from cdm.tag_rule_versions"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only: write a new version"):
            pipeline.owner.execute(statement)

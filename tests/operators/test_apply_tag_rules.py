"""Rules set by the form and by the file, in a real warehouse."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from harness.pipeline import Pipeline
from harness.runs import run
from operators.apply_tag_rules import ApplyTagRulesOperator
from tests.messages import order, restaurant
from warehouse.requests import ONE_RULE, THE_FILE

REPO = Path(__file__).resolve().parents[2]
FORM = {"action": ONE_RULE, "tag": "fan", "category": "Pizza", "threshold": 1, "active": True, "category_is_new": False}


@pytest.fixture(autouse=True)
def warehouse(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """Two closed orders of a pizza by one guest, loaded, and no rule yet."""
    for name, value in pipeline.env.items():
        if name.startswith("AIRFLOW_CONN_"):
            monkeypatch.setenv(name, value)
    pipeline.refer([("restaurant", "diner", restaurant("diner", menu={"margherita": "Pizza"}))])
    pipeline.stage([order(n, user="ann", restaurant="diner", dishes=("margherita",)) for n in (1, 2)])
    pipeline.load()
    return pipeline


def apply(rules_file: Path | None = None, **form: Any) -> dict[str, int]:
    arguments = {"rules_file": str(rules_file)} if rules_file else {}
    operator = ApplyTagRulesOperator(task_id="rules", **arguments)
    dag = SimpleNamespace(dag_id="tag_rules")
    return run(operator, dag=dag, params={**FORM, **form}, dag_run=SimpleNamespace(conf=form))


def stored(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    return pipeline.rows("select tag, category_name, threshold, active, version from cdm.tag_rules order by tag, id")


def tags(pipeline: Pipeline) -> set[tuple[str, str]]:
    pipeline.load_cdm()
    return set(pipeline.user_tags())


def test_a_rule_of_the_form_gives_and_takes_tags_with_the_next_run(pipeline: Pipeline) -> None:
    assert apply() == {"rules": 1, "changed": 1}
    assert tags(pipeline) == {("ann", "fan")}
    assert apply(threshold=2) == {"rules": 1, "changed": 1}
    assert tags(pipeline) == set()
    apply(threshold=0)
    assert tags(pipeline) == {("ann", "fan")}
    apply(threshold=0, active=False)
    assert tags(pipeline) == set()
    assert stored(pipeline) == [("fan", "Pizza", 0, False, 4)]
    assert pipeline.rows("select event from cdm.tag_events order by id") == [("assigned",), ("revoked",)] * 2


def test_a_rule_that_is_as_it_should_be_keeps_its_version(pipeline: Pipeline) -> None:
    apply()
    before = stored(pipeline)
    assert apply() == {"rules": 1, "changed": 0}
    assert stored(pipeline) == before
    assert pipeline.value("select count(*) from cdm.rule_queue") == 1


def test_a_tag_that_was_switched_off_is_switched_on_again_not_doubled(pipeline: Pipeline) -> None:
    apply()
    apply(active=False)
    apply()
    assert stored(pipeline) == [("fan", "Pizza", 1, True, 3)]


def test_a_version_of_a_tag_is_one_rule_for_ever(pipeline: Pipeline) -> None:
    """A rule is deleted and written again, by the form and by hand: an event must tell which rule gave the tag."""
    by_hand = "insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', %s)"
    apply(threshold=1)
    tags(pipeline)
    pipeline.owner.execute("delete from cdm.tag_rules")
    tags(pipeline)
    pipeline.owner.execute(by_hand, [0])
    tags(pipeline)
    pipeline.owner.execute("update cdm.tag_rules set tag = 'lover'")
    tags(pipeline)
    apply(threshold=1)
    tags(pipeline)
    events = [
        (event, threshold, version) for _, tag, event, _, threshold, version in pipeline.tag_events() if tag == "fan"
    ]
    assert events == [
        ("assigned", 1, 1),
        ("revoked", 1, 1),
        ("assigned", 0, 3),
        ("revoked", 0, 3),
        ("assigned", 1, 5),
    ]
    history = "select version, threshold, active, changed_by from cdm.tag_rule_versions where tag = 'fan' order by 1"
    assert pipeline.rows(history) == [
        (1, 1, True, "dwh_etl"),
        (2, 1, False, "dwh_owner"),
        (3, 0, True, "dwh_owner"),
        (4, 0, False, "dwh_owner"),
        (5, 1, True, "dwh_etl"),
    ]


def test_what_changes_no_rule_adds_no_version(pipeline: Pipeline) -> None:
    apply()
    pipeline.owner.execute("update cdm.tag_rules set threshold = threshold")
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 4)"
        " on conflict (tag) where active do update set threshold = excluded.threshold"
    )
    assert stored(pipeline) == [("fan", "Pizza", 4, True, 2)]
    assert pipeline.rows("select version, threshold from cdm.tag_rule_versions") == [(1, 1), (2, 4)]


def test_rules_of_one_statement_have_versions_of_their_own(pipeline: Pipeline) -> None:
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold, active)"
        " values ('fan', 'Pizza', 1, false), ('fan', 'Pizza', 2, true)"
    )
    assert stored(pipeline) == [("fan", "Pizza", 1, False, 1), ("fan", "Pizza", 2, True, 2)]


def test_the_form_refuses_a_category_of_no_menu_with_near_names(pipeline: Pipeline) -> None:
    with pytest.raises(AirflowFailException, match=r"did you mean 'Pizza'.*category is new"):
        apply(category="pizzas")
    assert stored(pipeline) == []
    assert apply(category="pizzas", category_is_new=True)["changed"] == 1


def test_a_wrong_form_fails_without_retries(pipeline: Pipeline) -> None:
    with pytest.raises(AirflowFailException, match="'threshold' must be"):
        apply(threshold=-1)


def test_the_file_wins_over_the_database_and_leaves_other_tags_alone(pipeline: Pipeline, tmp_path: Path) -> None:
    apply(tag="mine")
    apply(threshold=9)
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "rules:\n- {tag: fan, category: Pizza, threshold: 1}\n- {tag: early, category: Tomorrow, threshold: 0}\n"
    )
    assert apply(rules, action=THE_FILE) == {"rules": 2, "changed": 2}
    assert apply(rules, action=THE_FILE) == {"rules": 2, "changed": 0}
    assert stored(pipeline) == [
        ("early", "Tomorrow", 0, True, 1),
        ("fan", "Pizza", 1, True, 2),
        ("mine", "Pizza", 1, True, 1),
    ]


def test_a_file_with_a_mistake_changes_nothing(pipeline: Pipeline, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "rules:\n- {tag: fan, category: Pizza, threshold: 1}\n- {tag: other, category: Pizza, threshold: -1}\n"
    )
    with pytest.raises(AirflowFailException, match="line 3"):
        apply(rules, action=THE_FILE)
    assert stored(pipeline) == []


def test_a_deployment_applies_the_file_of_the_repository_once(pipeline: Pipeline) -> None:
    def deploy() -> str:
        command = [sys.executable, "-m", "deploy.apply_tag_rules"]
        return subprocess.run(
            command, cwd=REPO, env={"DWH_URL": pipeline.env["DWH_URL"]}, check=True, capture_output=True, text=True
        ).stdout

    assert deploy() == "12 of 12 tag rules have changed\n"
    before = stored(pipeline)
    assert deploy() == "0 of 12 tag rules have changed\n"
    assert stored(pipeline) == before
    assert len(before) == 12

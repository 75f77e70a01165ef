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
from warehouse.requests import ACTIVATE, FORMS, GO_BACK, RETIRE, THE_FILE, THROW_AWAY
from warehouse.tag_rules import folded

REPO = Path(__file__).resolve().parents[2]
FORM = {name: field.default for name, field in FORMS["tag_rules"].items()} | {
    "tag": "fan",
    "category": "Pizza",
    "threshold": 1,
}


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


def asked(rules_file: Path | None = None, by: str | None = None, **form: Any) -> dict[str, Any]:
    """Run the operator as `by` has asked for it; return what it tells the page."""
    arguments = {"rules_file": str(rules_file)} if rules_file else {}
    operator = ApplyTagRulesOperator(task_id="rules", **arguments)
    dag = SimpleNamespace(dag_id="tag_rules")
    dag_run = SimpleNamespace(conf=form, triggering_user_name=by)
    return run(operator, dag=dag, params={**FORM, **form}, dag_run=dag_run)


def apply(rules_file: Path | None = None, **form: Any) -> dict[str, int]:
    """The same, without the version of the tag."""
    counts = asked(rules_file, **form)
    counts.pop("version", None)
    return counts


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


def test_a_draft_is_activated_taken_back_and_retired_in_the_name_of_who_asks(pipeline: Pipeline) -> None:
    assert asked(by="ann", threshold=0)["version"] == 1
    assert tags(pipeline) == {("ann", "fan")}
    draft = asked(by="maria", threshold=5, window_days=90, exit_threshold=2, status="draft", comment="spring")
    assert draft == {"rules": 1, "changed": 1, "version": 2}
    assert tags(pipeline) == {("ann", "fan")}, "a draft judges nobody"
    assert asked(by="ann", action=ACTIVATE, tag="fan", expected_version=2) == {"rules": 1, "changed": 1, "version": 3}
    assert tags(pipeline) == set()
    assert asked(by="bob", action=GO_BACK, tag="fan", version=1, expected_version=3)["version"] == 4
    assert tags(pipeline) == {("ann", "fan")}
    assert asked(by="bob", action=RETIRE, tag="fan") == {"rules": 1, "changed": 1, "version": 5}
    assert asked(by="bob", action=RETIRE, tag="fan") == {"rules": 1, "changed": 0, "version": 5}
    assert tags(pipeline) == set()
    history = "select version, status, threshold, window_days, exit_threshold, comment, changed_by from cdm.v_rules order by 1"
    assert pipeline.rows(history) == [
        (1, "active", 0, None, None, "", "ann"),
        (2, "draft", 5, 90, 2, "spring", "maria"),
        (3, "active", 5, 90, 2, "spring", "ann"),
        (4, "active", 0, None, None, "", "bob"),
        (5, "retired", 0, None, None, "", "bob"),
    ]


def test_a_draft_that_is_thrown_away_changes_nothing_else(pipeline: Pipeline) -> None:
    apply()
    asked(status="draft", threshold=7)
    assert asked(action=THROW_AWAY, tag="fan") == {"rules": 1, "changed": 1, "version": 2}
    assert stored(pipeline) == [("fan", "Pizza", 1, True, 1)]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"action": ACTIVATE}, "fan has no draft to activate: set its rule with the status draft first"),
        ({"action": THROW_AWAY}, "fan has no draft to throw"),
        ({"action": GO_BACK, "version": 9}, "fan never had a version 9; its newest is 1"),
        ({"action": RETIRE, "tag": "nobody"}, "there was never a rule of nobody"),
        ({"threshold": 5, "expected_version": 0}, r"fan has version 1 by now, not 0: ann made it at 20\d\d-.* UTC"),
        ({"action": RETIRE, "expected_version": 2}, "fan has version 1 by now, not 2"),
        ({"tag": "FAN"}, "'FAN' differs from the tag 'fan' only by case"),
        ({"tag": "fаn"}, "mixes Latin and Cyrillic letters"),
        ({"exit_threshold": 2}, "'exit_threshold' must be from 0 to the threshold, which is 1"),
        ({"window_days": 0}, "'window_days' must be a whole number from 1 to 3660"),
        (
            {"category": "Soup", "category_is_new": True},
            "the category of a rule in force stays 'Pizza'; for 'Soup' make a new tag",
        ),
    ],
)
def test_what_can_not_be_done_is_said_and_changes_nothing(pipeline: Pipeline, form: dict[str, Any], words: str) -> None:
    asked(by="ann")
    before = pipeline.snapshot()
    with pytest.raises(AirflowFailException, match=words):
        asked(**{"tag": "fan", **form})
    assert pipeline.snapshot() == before


def test_of_two_who_change_a_tag_at_once_the_second_is_refused(pipeline: Pipeline) -> None:
    asked(by="ann")
    asked(by="ann", threshold=2, expected_version=1)
    with pytest.raises(AirflowFailException, match="has version 2 by now, not 1: ann made it"):
        asked(by="bob", threshold=3, expected_version=1)
    assert stored(pipeline) == [("fan", "Pizza", 2, True, 2)]


def test_what_only_the_table_refuses_is_said_without_retries(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.tag_rules._mistakes", lambda rule, known: ())
    apply()
    with pytest.raises(AirflowFailException, match=r"^tag FAN: differs from the tag fan only by case"):
        apply(tag="FAN")


@pytest.mark.parametrize("tag", ["Fan", " f\ta n ", "ﬁne", "ПИЦЦА", "straße", "２x", "e\u0301", "é"])
def test_names_are_folded_as_the_database_folds_them(pipeline: Pipeline, tag: str) -> None:
    assert pipeline.rows("select cdm.folded_tag(%s)", [tag]) == [(folded(tag),)]


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


def test_a_line_of_the_file_that_the_rules_forbid_is_named_and_nothing_is_changed(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Example 36 of the contract, as the database knows more than the file."""
    apply()
    before = pipeline.snapshot()
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "rules:\n- {tag: good, category: Pizza, threshold: 1}\n- {tag: Fan, category: Pizza, threshold: 1}\n"
        "- {tag: other, category: Pizza, threshold: 1}\n"
    )
    with pytest.raises(AirflowFailException, match=r"^line 3: tag 'Fan' differs from the tag 'fan' only by case"):
        apply(rules, action=THE_FILE)
    rules.write_text(
        "rules:\n- {tag: good, category: Pizza, threshold: 1}\n- {tag: fan, category: Soup, threshold: 1}\n"
    )
    with pytest.raises(AirflowFailException, match=r"^line 3: fan: the category of a rule in force stays 'Pizza'"):
        apply(rules, action=THE_FILE)
    assert pipeline.snapshot() == before


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

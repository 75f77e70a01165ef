"""Rules as people write them: what is taken, and the words for what is not."""

from pathlib import Path
from typing import Any

import pytest

from warehouse.constants import TAG_RULES_FILE
from warehouse.requests import ONE_RULE, THE_FILE, BadRequestError, judged
from warehouse.tag_rules import (
    BadRulesError,
    TagRule,
    parse_rule_request,
    parse_rules,
    unknown_categories,
)

FORM = {
    "action": ONE_RULE,
    "tag": "soup_fan",
    "category": "Супы",
    "threshold": 3,
    "active": True,
    "category_is_new": False,
}


def rule(tag: str, category: str, threshold: int, *, active: bool = True) -> TagRule:
    return {"tag": tag, "category": category, "threshold": threshold, "active": active}


def rules_file(*lines: str) -> str:
    return "\n".join(["rules:", *(f"  - {line}" for line in lines)])


def test_the_file_of_the_repository_is_right() -> None:
    rules = parse_rules(Path(TAG_RULES_FILE).read_text(encoding="utf-8"))
    assert rule("pizza_lover", "Пицца", 5) in rules
    assert len(rules) > 5


def test_a_rule_is_active_unless_it_says_no() -> None:
    text = rules_file("{tag: a, category: A, threshold: 0}", "{tag: b, category: B, threshold: 7, active: false}")
    assert parse_rules(text) == [rule("a", "A", 0), rule("b", "B", 7, active=False)]


def test_a_file_may_hold_no_rule() -> None:
    assert parse_rules("rules: []") == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{tag: a, category: A, threshold: -1}", "line 3: 'threshold' must be a whole number from 0"),
        ("{tag: a, category: A, threshold: 5.0}", "not 5.0"),
        ("{tag: a, category: A, threshold: '5'}", "not '5'"),
        ("{tag: a, category: A, threshold: true}", "not True"),
        ("{tag: a, category: A, threshold: 99999999999}", "from 0 to 1000000"),
        ("{tag: a, category: A}", "'threshold' must be a whole number from 0 to 1000000, not None"),
        ("{tag: a, category: 5, threshold: 5}", "'category' must be a text, not 5"),
        ("{tag: '', category: A, threshold: 5}", "tag must be a text that is not empty"),
        ("{tag: ' a', category: A, threshold: 5}", "without blanks around it"),
        ('{tag: "a\\nb", category: A, threshold: 5}', "must be printable"),
        ("{tag: a, category: A, threshold: 5, active: maybe}", "'active' must be true or false, not 'maybe'"),
        ("{tag: a, category: A, treshold: 5}", "unknown key 'treshold'; did you mean 'threshold'?"),
        ("{tag: a, tag: b, category: A, threshold: 5}", "'tag' stands there twice"),
        ("{tag: [a], category: A, threshold: 5}", "tag must be a single value"),
        ("just a text", "a rule must be written as key: value"),
        ("{tag: first, category: A, threshold: 9}", "the tag 'first' has a rule already"),
    ],
)
def test_a_wrong_rule_is_told_with_its_line(line: str, words: str) -> None:
    with pytest.raises(BadRulesError) as caught:
        parse_rules(rules_file("{tag: first, category: A, threshold: 5}", line))
    assert words in str(caught.value)
    assert str(caught.value).startswith("line 3: ")


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    with pytest.raises(BadRulesError, match=r"(?s)line 2.*line 3"):
        parse_rules(rules_file("{tag: a}", "{category: B}"))


@pytest.mark.parametrize("text", ["", "[]", "rules:", "rule: []", "rules: {}", "rules: []\nmore: 1", "rules: [", "\t"])
def test_a_file_that_is_no_list_of_rules_is_refused(text: str) -> None:
    with pytest.raises(BadRulesError):
        parse_rules(text)


def test_an_unknown_category_comes_with_near_names() -> None:
    rules = [
        rule("a", "пица", 5),
        rule("b", "Супы", 5),
        rule("c", "Космос", 5),
        rule("d", "Космос", 5, active=False),
    ]
    told = list(unknown_categories(rules, ["Пицца", "Супы"]))
    assert told == [
        "a: no menu has the category 'пица'; did you mean 'Пицца'?",
        "c: no menu has the category 'Космос'",
    ]


def test_the_form_asks_for_a_rule_or_for_the_file() -> None:
    assert parse_rule_request(FORM) == (rule("soup_fan", "Супы", 3), False)
    assert parse_rule_request({**FORM, "category_is_new": True}).insists
    assert parse_rule_request({**FORM, "action": THE_FILE, "tag": ""}).rule is None


@pytest.mark.parametrize(
    "wrong", [{"action": "other"}, {"tag": ""}, {"tag": None}, {"threshold": -1}, {"category": None}, {"active": "no"}]
)
def test_a_wrong_form_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError):
        parse_rule_request(judged("tag_rules", wrong, FORM))


def test_a_misspelt_parameter_is_refused() -> None:
    with pytest.raises(BadRequestError, match="did you mean 'threshold'"):
        judged("tag_rules", {"treshold": 5}, FORM)

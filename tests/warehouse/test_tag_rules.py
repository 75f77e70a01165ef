"""Rules as people write them: what is taken, and the words for what is not."""

from pathlib import Path
from typing import Any

import pytest

from warehouse.constants import TAG_RULES_FILE
from warehouse.requests import (
    ACTIVATE,
    FORMS,
    GO_BACK,
    ONE_RULE,
    RETIRE,
    THE_FILE,
    THROW_AWAY,
    BadRequestError,
    judged,
)
from warehouse.tag_rules import (
    BadRulesError,
    TagRule,
    Written,
    parse_rule_request,
    parse_rules,
    unknown_categories,
)

FORM = {name: field.default for name, field in FORMS["tag_rules"].items()} | {
    "tag": "soup_fan",
    "category": "Супы",
    "threshold": 3,
    "comment": "",
}


def rule(tag: str, category: str, threshold: int, **more: Any) -> TagRule:
    plain = {"window_days": None, "exit_threshold": None, "status": "active", "comment": ""}
    return {"tag": tag, "category": category, "threshold": threshold, **plain, **more}


def parsed(text: str) -> list[TagRule]:
    return [rule for rule, _ in parse_rules(text)]


def rules_file(*lines: str) -> str:
    return "\n".join(["rules:", *(f"  - {line}" for line in lines)])


def test_the_file_of_the_repository_is_right() -> None:
    rules = parsed(Path(TAG_RULES_FILE).read_text(encoding="utf-8"))
    assert rule("pizza_lover", "Пицца", 5) in rules
    assert len(rules) > 5


def test_a_rule_is_active_unless_it_says_no() -> None:
    text = rules_file("{tag: a, category: A, threshold: 0}", "{tag: b, category: B, threshold: 7, active: false}")
    assert parsed(text) == [rule("a", "A", 0), rule("b", "B", 7, status="retired")]


def test_a_rule_of_the_file_may_have_a_window_an_exit_threshold_a_status_and_a_comment() -> None:
    line = '{tag: a, category: A, threshold: 5, window_days: 90, exit_threshold: 2, status: draft, comment: " spring "}'
    expected = rule("a", "A", 5, window_days=90, exit_threshold=2, status="draft", comment="spring")
    assert parsed(rules_file(line)) == [expected]


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
        ("{tag: a, category: A, treshold: 5}", "unknown key 'treshold'; did you mean 'threshold' or"),
        ("{tag: a, tag: b, category: A, threshold: 5}", "'tag' stands there twice"),
        ("{tag: [a], category: A, threshold: 5}", "tag must be a single value"),
        # Example 36 of the contract, and what is near it.
        (
            "{tag: a, category: A, threshold: 2, exit_threshold: 3}",
            "'exit_threshold' must be from 0 to the threshold, which is 2",
        ),
        (
            "{tag: a, category: A, threshold: 2, window_days: 0}",
            "'window_days' must be a whole number from 1 to 3660, not 0",
        ),
        ("{tag: a, category: A, threshold: 2, window_days: 3661}", "from 1 to 3660, not 3661"),
        (
            "{tag: First, category: A, threshold: 2}",
            "'First' differs from the tag 'first' only by case, blanks or Unicode form",
        ),
        ("{tag: fi rst, category: A, threshold: 2}", "only by case, blanks or Unicode form; use that name, or another"),
        ("{tag: ﬁrst, category: A, threshold: 2}", "only by case, blanks or Unicode form"),
        ("{tag: pizzа_lover, category: A, threshold: 2}", "mixes Latin and Cyrillic letters, which look alike"),
        (
            "{tag: a, category: A, threshold: 2, status: drat}",
            "must be one of active, draft, retired, not 'drat'; did you mean",
        ),
        ("{tag: a, category: A, threshold: 2, status: draft, active: false}", "a rule is a draft or retired, not both"),
        (
            f"{{tag: a, category: A, threshold: 2, comment: {'x' * 501}}}",
            "'comment' must be a text of at most 500 characters",
        ),
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
        rule("d", "Космос", 5, status="retired"),
    ]
    told = list(
        unknown_categories([Written(rule, f"line {n}: ") for n, rule in enumerate(rules, 2)], ["Пицца", "Супы"])
    )
    assert told == [
        "line 2: a: no menu has the category 'пица'; did you mean 'Пицца'?",
        "line 4: c: no menu has the category 'Космос'",
    ]


def test_the_form_asks_for_a_rule_or_for_the_file() -> None:
    asked = parse_rule_request(FORM)
    assert (asked.action, asked.rule, asked.insists) == (ONE_RULE, rule("soup_fan", "Супы", 3), False)
    assert parse_rule_request({**FORM, "category_is_new": True}).insists
    asked = parse_rule_request({**FORM, "action": THE_FILE, "tag": ""})
    assert (asked.rule, asked.tag, asked.insists) == (None, None, True)


@pytest.mark.parametrize("action", [ACTIVATE, THROW_AWAY, RETIRE, GO_BACK])
def test_the_form_asks_to_do_something_with_a_tag(action: str) -> None:
    form = {"action": action, "tag": "soup_fan", "version": 3, "expected_version": 4}
    asked = parse_rule_request(judged("tag_rules", form, {**FORM, "category": None}))
    assert asked == (action, None, "soup_fan", 3 if action == GO_BACK else None, 4, False)
    with pytest.raises(BadRequestError, match="tag must be a text that is not empty"):
        parse_rule_request({**FORM, **form, "tag": None})


def test_going_back_needs_a_version() -> None:
    with pytest.raises(BadRequestError, match="'version' must say to which version of the tag to go back"):
        parse_rule_request({**FORM, "action": GO_BACK})


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": "other"},
        {"tag": ""},
        {"tag": None},
        {"threshold": -1},
        {"category": None},
        {"active": "no"},
        {"exit_threshold": 4},
        {"window_days": "90"},
        {"expected_version": -1},
    ],
)
def test_a_wrong_form_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError):
        parse_rule_request(judged("tag_rules", wrong, FORM))


def test_a_misspelt_parameter_is_refused() -> None:
    with pytest.raises(BadRequestError, match="did you mean 'threshold'"):
        judged("tag_rules", {"treshold": 5}, FORM)

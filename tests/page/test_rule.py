"""A rule as people read and write it: the page's own module, by a table, in a real browser and without Airflow."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from warehouse.requests import TAG_RULE
from warehouse.tag_rules import BadRulesError, checked_rule, folded

RULE = {"category_name": "Пицца", "threshold": 3, "window_days": None, "exit_threshold": None}
WRITTEN: dict[str, Any] = {
    "tag": "pizza_recent",
    "category": "Пицца",
    "is_new": False,
    "threshold": "3",
    "days": None,
    "exit": None,
    "comment": "",
}
KNOWN = {
    "tags": ["pizza_lover", "суп"],
    "categories": ["Пицца", "Супы"],
    "limits": {name: dict(field.schema) for name, field in TAG_RULE.items()},
}


def asked(page: Page, function: str, *arguments: object, language: str = "en") -> Any:
    """Return what a function of rule.js answers."""
    return page.evaluate(
        """async ([name, given, language]) => {
            const [rule, texts] = await Promise.all([import("/rule.js"), import("/texts.js")]);
            texts.setLanguage(language);
            return rule[name](...given);
        }""",
        [function, list(arguments), language],
    )


@pytest.mark.parametrize(
    ("differs", "english", "russian"),
    [
        (
            {},
            "Guests with more than 3 closed orders of Пицца",
            "Гости, у которых больше 3 закрытых заказов категории «Пицца»",
        ),
        (
            {"window_days": 90, "exit_threshold": 1},
            "Guests with more than 3 closed orders of Пицца in the last 90 days; the tag stays while more than 1 remains",
            "Гости, у которых больше 3 закрытых заказов категории «Пицца» за последние 90 дней; тег держится, пока их больше 1",
        ),
        (
            {"threshold": 21, "window_days": 1, "exit_threshold": 0},
            "Guests with more than 21 closed orders of Пицца in the last day; the tag stays while any remains",
            (
                "Гости, у которых больше 21 закрытого заказа категории «Пицца» за последний день; "
                "тег держится, пока остаётся хоть один"
            ),
        ),
        (
            {"threshold": 1, "window_days": 3, "exit_threshold": 1},
            "Guests with more than 1 closed order of Пицца in the last 3 days",
            "Гости, у которых больше 1 закрытого заказа категории «Пицца» за последние 3 дня",
        ),
    ],
)
def test_a_rule_is_one_sentence_in_both_languages(
    module: Page, differs: dict[str, Any], english: str, russian: str
) -> None:
    for language, words in (("en", english), ("ru", russian)):
        assert asked(module, "ruleSentence", {**RULE, **differs}, language=language) == words


@pytest.mark.parametrize(
    ("threshold", "english"), [(0, "1st"), (1, "2nd"), (2, "3rd"), (3, "4th"), (10, "11th"), (20, "21st")]
)
def test_which_order_gives_the_tag_is_said(module: Page, threshold: int, english: str) -> None:
    rule = {**RULE, "threshold": threshold}
    assert asked(module, "gives", rule) == f"The {english} order gives the tag"
    assert asked(module, "gives", rule, language="ru") == f"Тег даёт {threshold + 1}-й заказ"


# What is written wrongly: the field that it is said at, in both languages, and the name that is offered instead.
WRONG: list[tuple[dict[str, Any], str, str, str, str | None]] = [
    ({"tag": "  "}, "tag", "Write a name for the tag.", "Напишите имя тега.", None),
    ({"tag": "x" * 201}, "tag", "At most 200 characters that can be seen.", "Не больше 200 видимых знаков.", None),
    ({"tag": "a\tb"}, "tag", "At most 200 characters that can be seen.", "Не больше 200 видимых знаков.", None),
    (
        {"tag": "pizzа_lover"},
        "tag",
        "pizzа_lover mixes Latin and Cyrillic letters.",
        "В pizzа_lover смешаны латиница и кириллица.",
        None,
    ),
    (
        {"tag": "Pizza_ Lover"},
        "tag",
        "pizza_lover differs only by case, blanks or the form of its letters. Change that one instead?",
        "pizza_lover отличается только регистром, пробелами или формой букв. Изменить его?",
        "pizza_lover",
    ),
    ({"category": ""}, "category", "Choose a category.", "Выберите категорию.", None),
    (
        {"category": "пица"},
        "category",
        "No menu has “пица”. Did you mean “Пицца”?",
        "Ни в одном меню нет «пица». Может быть, «Пицца»?",
        "Пицца",
    ),
    (
        {"category": "Космос"},
        "category",
        "No menu has “Космос”. If one is to come, tick that no menu has it yet.",
        "Ни в одном меню нет «Космос». Если она появится, отметьте, что её ещё нет.",
        None,
    ),
    *(
        ({"threshold": text}, "threshold", "A whole number from 0 on.", "Целое число от 0.", None)
        for text in ("", "-1", "2.5", "1e3", "1000001")
    ),
    *(
        ({"days": text}, "days", "From 1 to 3,660 days.", "От 1 до 3 660 дней.", None)
        for text in ("", "0", "3661", "x")
    ),
    (
        {"exit": "4"},
        "exit",
        "At most 3: the tag cannot leave before it came.",
        "Не больше 3: тег не может уйти раньше, чем пришёл.",
        None,
    ),
    ({"comment": "x" * 501}, "comment", "At most 500 characters.", "Не больше 500 знаков.", None),
]


@pytest.mark.parametrize(("differs", "field", "english", "russian", "offer"), WRONG)
def test_what_is_wrong_is_said_at_its_field_in_both_languages(
    module: Page, differs: dict[str, Any], field: str, english: str, russian: str, offer: str | None
) -> None:
    for language, words in (("en", english), ("ru", russian)):
        (wrong,) = asked(module, "check", {**WRITTEN, **differs}, KNOWN, language=language)
        assert (wrong["field"], re.sub("[\xa0\u202f]", " ", wrong["text"]), wrong.get("offer")) == (field, words, offer)


@pytest.mark.parametrize(
    "differs",
    [
        {},
        {"tag": "pizza_lover"},
        {"tag": "  суп "},
        {"category": "Космос", "is_new": True},
        {"threshold": "0", "exit": "0", "days": "3660"},
        {"exit": "3", "days": "1"},
    ],
)
def test_what_is_right_is_taken_and_the_pipeline_takes_it_too(module: Page, differs: dict[str, Any]) -> None:
    written = {**WRITTEN, **differs}
    assert asked(module, "check", written, KNOWN) == []
    conf = asked(module, "asConf", asked(module, "asRule", written))
    assert checked_rule(conf)["tag"] == written["tag"].strip()


@pytest.mark.parametrize(
    "differs", [{"threshold": "1000001"}, {"days": "0"}, {"days": "3661"}, {"exit": "4"}, {"tag": "x" * 201}]
)
def test_what_the_page_refuses_the_pipeline_refuses_too(module: Page, differs: dict[str, Any]) -> None:
    assert asked(module, "check", {**WRITTEN, **differs}, KNOWN)
    with pytest.raises(BadRulesError):
        checked_rule(asked(module, "asConf", asked(module, "asRule", {**WRITTEN, **differs})))


@pytest.mark.parametrize("tag", ["Fan", " f\ta n ", "ﬁne", "ПИЦЦА", "straße", "２x", "e\u0301", "é"])
def test_names_are_folded_as_everywhere(module: Page, tag: str) -> None:
    assert asked(module, "folded", tag) == folded(tag)


def test_guests_of_today_are_those_of_the_counters(module: Page) -> None:
    steps = [{"category_name": "Пицца", "threshold": threshold, "guests": 9 - threshold} for threshold in range(5)]
    assert asked(module, "guestsOf", RULE, steps) == 6
    assert asked(module, "guestsOf", {**RULE, "threshold": 5}, steps) == 0
    assert asked(module, "guestsOf", {**RULE, "category_name": "Супы"}, steps) == 0


@pytest.mark.parametrize(
    ("search", "hash_", "tab", "chosen"),
    [
        ("", "", "rules", {}),
        ("?tab=state", "", "state", {}),
        ("?tab=nothing", "#tag=a%26b&orders=7", "rules", {"tag": "a&b", "orders": "7"}),
        ("?tab=rules", "#tag=%D1%81%D1%83%D0%BF", "rules", {"tag": "суп"}),
    ],
)
def test_an_address_says_the_tab_and_what_is_chosen(
    module: Page, search: str, hash_: str, tab: str, chosen: dict[str, str]
) -> None:
    place = module.evaluate(
        """async ([search, hash]) => {
            const place = await import("/place.js");
            const read = place.parse(search, hash);
            const written = new URL(place.write(read), "http://page.test/");
            return [read, place.parse(written.search, written.hash)];
        }""",
        [search, hash_],
    )
    assert place == [{"tab": tab, "chosen": chosen}] * 2


def test_sentences_of_rules_are_made_in_one_place() -> None:
    static = Path(__file__).resolve().parents[2] / "plugins/guest_tags/static"
    users = {script.name for script in static.glob("*.js") if 't("rule.guests"' in script.read_text(encoding="utf-8")}
    assert users == {"rule.js"}

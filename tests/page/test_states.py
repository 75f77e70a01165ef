"""The sentences of the states (`static/states.json`), which the page and the alerts both say."""

import json
import re

from docs.pictures.page_assets import STATIC

STATES = json.loads((STATIC / "states.json").read_text(encoding="utf-8"))
PLACES = {"age", "as_of", "dag", "error", "since", "task", "time"}


def places(sentence: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", sentence))


def test_states_come_in_the_order_in_which_the_first_that_fits_is_said() -> None:
    assert [(state["state"], state["level"]) for state in STATES] == [
        ("unknown", "grey"),
        ("off", "red"),
        ("failing", "red"),
        ("stuck", "red"),
        ("new", "grey"),
        ("late", "red"),
        ("laws", "red"),
        ("late", "yellow"),  # behind the laws: a milder colour hides no worse state
        ("well", "green"),
    ]
    late = [state["over_s"] for state in STATES if state["state"] == "late"]
    assert late == sorted(late, reverse=True)


def test_both_languages_say_the_same_of_a_state() -> None:
    for state in STATES:
        assert len(state["en"]) == len(state["ru"]) >= 1
        for english, russian in zip(state["en"], state["ru"], strict=True):
            assert places(english) == places(russian) <= PLACES
            assert re.search("[а-я]", russian) or russian == english == "{error}"
        assert set(state["runbook"]) == {"en", "ru"}
        assert not any(places(text) for text in state["runbook"].values())

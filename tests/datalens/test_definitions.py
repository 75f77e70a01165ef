"""The definitions themselves: every reference resolves, and what does not is told in words."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import yaml

from datalens.definitions import BOARD, DefinitionError, load, parse
from deploy.bootstrap import LIMITS

Files = dict[str, Any]


@pytest.fixture
def files() -> Files:
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in BOARD.glob("*.yaml")}


def read(files: Files) -> Any:
    return parse(files["connection"], files["datasets"], files["charts"], files["dashboard"])


def test_the_definitions_of_the_repository_hold_together() -> None:
    board = load()
    assert len(board.tabs) == 7
    assert {chart.dataset.name for chart in board.charts.values()} == set(board.datasets)


def test_titles_are_russian_for_the_people_who_read_them() -> None:
    board = load()
    titles = [board.title, *(tab.title for tab in board.tabs), *(chart.title for chart in board.charts.values())]
    titles += [field.title for dataset in board.datasets.values() for field in dataset.fields.values()]
    assert [title for title in titles if not any("а" <= letter.lower() <= "я" for letter in title)] == []


def test_one_viewer_leaves_the_bi_role_connections_for_others() -> None:
    (limit,) = (words.split()[-1] for words in LIMITS["dwh_bi"] if words.startswith("connection limit"))
    assert 2 * load().requests_at_once < int(limit)


def test_no_two_fields_share_a_guid() -> None:
    guids = [field.guid for dataset in load().datasets.values() for field in dataset.fields.values()]
    assert len(guids) == len(set(guids))


def tab(files: Files, name: str) -> Any:
    return next(each for each in files["dashboard"]["tabs"] if each["id"] == name)


MISTAKES: dict[str, Callable[[Files], Any]] = {
    "chart near_1: there is no dataset 'funnel'": lambda f: f["charts"]["near_1"].update(dataset="funnel"),
    "chart near_1: there is no kind 'pie'": lambda f: f["charts"]["near_1"].update(kind="pie"),
    "chart near_1: there is no field 'people'": lambda f: f["charts"]["near_1"].update(field="people"),
    "chart near_1: a number needs field": lambda f: f["charts"]["near_1"].pop("field"),
    "chart near_1: a number has no color": lambda f: f["charts"]["near_1"].update(color="tag"),
    "chart near_1: tag must be measures": lambda f: f["charts"]["near_1"].update(field="tag"),
    "chart audience_by_day: guests must be dimensions": lambda f: f["charts"]["audience_by_day"].update(x="guests"),
    "chart tags_table: there is no field 'people'": lambda f: f["charts"]["tags_table"].update(sort={"people": "asc"}),
    "dataset tags, tag: no type 'text'": lambda f: f["datasets"]["tags"]["fields"].update(tag=["text", "Тег"]),
    "dataset tags, guests: no aggregation 'total'": lambda f: f["datasets"]["tags"]["fields"].update(
        guests=["integer", "Гостей", "total"]
    ),
    "a formula names [Тег], no field has this title": lambda f: f["datasets"]["tags"]["fields"].update(
        tag=["string", "Метка"]
    ),
    "two fields of dataset tags are called 'Тег'": lambda f: f["datasets"]["tags"]["fields"].update(
        category_name=["string", "Тег"]
    ),
    "two datasets are called 'Теги'": lambda f: f["datasets"]["freshness"].update(title="Теги"),
    "two charts are called 'Отставание, с'": lambda f: f["charts"]["near_1"].update(title="Отставание, с"),
    "no tab shows the charts near_1": lambda f: tab(f, "funnel")["rows"][0]["charts"].remove("near_1"),
    "tab funnel: there is no chart 'near_4'": lambda f: tab(f, "funnel")["rows"][0]["charts"].append("near_4"),
    "two charts of the tab funnel are called 'near_1'": lambda f: tab(f, "funnel")["rows"][0]["charts"].append(
        "near_1"
    ),
    "two tabs are called 'funnel'": lambda f: tab(f, "threshold").update(id="funnel"),
    "tab funnel: there is no field of tag_funnel 'label'": lambda f: tab(f, "funnel")["selectors"][0].update(
        field="tag_funnel.label"
    ),
    "tab funnel: there is no dataset 'labels'": lambda f: tab(f, "funnel")["selectors"][0].update(field="labels.tag"),
    "tab funnel: no kind of selector 'radio'": lambda f: tab(f, "funnel")["selectors"][0].update(kind="radio"),
    "the selector 'Категория' filters by a measure": lambda f: tab(f, "funnel")["selectors"][0].update(
        field="tag_funnel.guests"
    ),
    "tab funnel: the selector 'Категория' filters no chart of this tab": lambda f: tab(f, "funnel")["selectors"][
        0
    ].update(field="orders_hourly.status"),
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_told_with_its_place(files: Files, words: str) -> None:
    broken = deepcopy(files)
    MISTAKES[words](broken)
    with pytest.raises(DefinitionError) as told:
        read(broken)
    assert words in str(told.value)

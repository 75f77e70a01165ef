"""The definitions themselves: every reference resolves, and what does not is told in words."""

from typing import Any

import pytest

from datalens.definitions import DefinitionError, load, parse
from deploy.bootstrap import LIMITS
from tests.datalens.board import GONE, put, small


def test_the_definitions_of_the_repository_hold_together() -> None:
    board = load()
    assert len(board.dashboard.tabs) == 8
    assert {chart.dataset.name for chart in board.charts.values()} == set(board.datasets)


def test_titles_are_russian_for_the_people_who_read_them() -> None:
    board = load()
    dashboard = board.dashboard
    titles = [dashboard.title, *(tab.title for tab in dashboard.tabs), *(each.title for each in board.charts.values())]
    titles += [field.title for dataset in board.datasets.values() for field in dataset.fields.values()]
    assert [title for title in titles if not any("а" <= letter.lower() <= "я" for letter in title)] == []


def test_one_viewer_leaves_the_bi_role_connections_for_others() -> None:
    (limit,) = (words.split()[-1] for words in LIMITS["dwh_bi"] if words.startswith("connection limit"))
    assert 2 * load().dashboard.requests_at_once < int(limit)


def test_no_two_fields_share_a_guid() -> None:
    guids = [field.guid for dataset in load().datasets.values() for field in dataset.fields.values()]
    assert len(guids) == len(set(guids))


TAGS, TAB = "datasets.tags", "dashboard.tabs.0"
UNKNOWN_KEY = "Extra inputs are not permitted"
# What is put where -> what is said, with its place.
MISTAKES: list[tuple[str, Any, str]] = [
    (f"{TAGS}.fields.tag", ["text", "Тег"], "datasets.yaml, tags.fields.tag.type: Input should be 'string', 'integer'"),
    (f"{TAGS}.fields.tag", ["string"], "datasets.yaml, tags.fields.tag.title: Field required"),
    (
        f"{TAGS}.fields.guests",
        ["integer", "Гостей", "total"],
        "tags.fields.guests.aggregation: Input should be 'none',",
    ),
    (f"{TAGS}.fields.guests", ["integer", "Гостей", "sum", "?"], f"tags.fields.guests.superfluous: {UNKNOWN_KEY}"),
    (f"{TAGS}.fields.guests", ["integer", "Гости", "sum"], "datasets.yaml, tags: there is no field 'Гостей'"),
    (f"{TAGS}.fields.day", ["date", "Тег"], "datasets.yaml, tags: two are called 'Тег'"),
    (f"{TAGS}.formulas.twice.type", GONE, "datasets.yaml, tags.fields.twice.type: Field required"),
    (f"{TAGS}.view", GONE, "datasets.yaml, tags.view: Field required"),
    (f"{TAGS}.title", "Заказы", "datasets.yaml: two are called 'Заказы'"),
    ("charts.total.dataset", "funnel", "charts.yaml, total.number.dataset: there is no dataset 'funnel'"),
    ("charts.total.kind", "pie", "charts.yaml, total: Input tag 'pie' found using 'kind' does not match"),
    ("charts.total.field", "people", "charts.yaml, total.number.field: there is no field of tags 'people'"),
    ("charts.total.field", GONE, "charts.yaml, total.number.field: Field required"),
    ("charts.total.field", "tag", "charts.yaml, total.number.field: 'tag' is no measure"),
    ("charts.total.color", "tag", f"charts.yaml, total.number.color: {UNKNOWN_KEY}"),
    ("charts.days.x", "guests", "charts.yaml, days.line.x: 'guests' is a measure"),
    ("charts.days.y.0", "tag", "charts.yaml, days.line.y.0: 'tag' is no measure"),
    ("charts.days.color", "guests", "charts.yaml, days.line.color: 'guests' is a measure"),
    ("charts.bars.y", "cost", "charts.yaml, bars.bar.y: 'cost' is a measure"),
    ("charts.pivot.rows.0", "guests", "charts.yaml, pivot.pivot.rows.0: 'guests' is a measure"),
    ("charts.list.bars", ["tag"], "charts.yaml, list.table.bars.0: 'tag' is no measure"),
    ("charts.list.sort", {"people": "asc"}, "charts.yaml, list.table.sort.people.[key]: there is no field of tags"),
    ("charts.list.sort.guests", "down", "list.table.sort.guests: Input should be 'asc' or 'desc'"),
    ("charts.list.filters.tag", {"LIKE": ["a"]}, "list.table.filters.tag.LIKE.[key]: Input should be 'IN', 'EQ'"),
    ("charts.list.filters.tag.EQ", [1], "list.table.filters.tag.EQ.0: Input should be a valid string"),
    ("charts.total.title", "Список", "charts.yaml: two are called 'Список'"),
    (f"{TAB}.rows.0.charts", [], f"dashboard.yaml, {TAB[10:]}.rows.0.charts: List should have at least 1 item"),
    (f"{TAB}.rows.0.charts.1", "near_4", "dashboard.yaml, tabs.0.rows.0.charts.1: there is no chart 'near_4'"),
    (f"{TAB}.rows.0.charts.1", "list", "dashboard.yaml, tabs.0: two are called 'Список'"),
    (f"{TAB}.rows.1.charts.0", GONE, "dashboard.yaml: no tab shows the charts days"),
    (f"{TAB}.rows.0.height", 0, "tabs.0.rows.0.height: Input should be greater than or equal to 1"),
    (f"{TAB}.id", "two", "dashboard.yaml: two are called 'two'"),
    (f"{TAB}.selectors.0.field", "tags.label", "tabs.0.selectors.0.field: there is no field of tags 'label'"),
    (f"{TAB}.selectors.0.also.0", "labels.tag", "tabs.0.selectors.0.also.0: there is no dataset 'labels'"),
    (f"{TAB}.selectors.0.kind", "radio", "tabs.0.selectors.0.kind: Input should be 'list', 'lists', 'interval'"),
    (f"{TAB}.selectors.0.field", "tags.guests", "tabs.0.selectors.0.field: 'guests' is a measure"),
    (f"{TAB}.selectors.1.default", GONE, "tabs.0.selectors.1: an interval has a default [from, to]"),
    ("dashboard.tabs.1.selectors", [{"title": "День", "kind": "list", "field": "x.a"}], "there is no dataset 'x'"),
    ("dashboard.autoupdate_s", 5, "dashboard.yaml, autoupdate_s: Input should be greater than or equal to 30"),
    ("connection.raw_sql_level", "subselect", "connection.yaml, raw_sql_level: Input should be 'off'"),
    ("connection.cache", 5, f"connection.yaml, cache: {UNKNOWN_KEY}"),
]


@pytest.mark.parametrize(("path", "value", "words"), MISTAKES, ids=[words for _, _, words in MISTAKES])
def test_a_mistake_is_told_with_its_place(path: str, value: Any, words: str) -> None:
    with pytest.raises(DefinitionError) as told:
        parse(put(small(), path, value))
    assert words in str(told.value)


def test_a_selector_filters_a_chart_of_its_tab() -> None:
    selector = {"title": "Тег", "kind": "lists", "field": "orders.tag"}
    with pytest.raises(DefinitionError, match=r"tabs\.0: the selector 'Тег' filters no chart of this tab"):
        parse(put(small(), f"{TAB}.selectors.0", selector))


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    with pytest.raises(DefinitionError) as told:
        parse(put(put(small(), "charts.total.field", "people"), "charts.days.x", "guests"))
    assert len(str(told.value).splitlines()) == 2

"""The definitions in board/*.yaml as objects; each reference is followed, each mistake is told with its place."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import yaml

BOARD = Path(__file__).resolve().parent / "board"
SCHEMA = "cdm"
FieldType = Literal["string", "integer", "float", "date", "genericdatetime", "boolean"]
Aggregation = Literal["none", "sum", "avg", "min", "max", "count", "countunique"]
# kind -> what it must name, what it may name; `title`, `dataset`, `description`, `sort` and `filters` besides.
KINDS = {
    "number": ({"field"}, set()),
    "line": ({"x", "y"}, {"color"}),
    "column": ({"x", "y"}, {"color"}),
    "bar": ({"x", "y"}, {"color"}),
    "table": ({"columns"}, {"bars", "limit"}),
    "pivot": ({"rows", "columns", "measures"}, set()),
}
SELECTORS = frozenset({"list", "lists", "interval", "text"})
FIELD_IN_FORMULA = re.compile(r"\[([^\]]+)\]")
T = TypeVar("T")


class DefinitionError(ValueError):
    """A definition that contradicts itself; the text says where."""


@dataclass(frozen=True)
class Field:
    """A column of the view (`formula` empty) or a formula over the other fields of the dataset."""

    guid: str
    name: str
    title: str
    type: FieldType
    aggregation: Aggregation = "none"
    formula: str = ""
    measure: bool = False
    percent: bool = False


@dataclass(frozen=True)
class Dataset:
    """A dataset over one view of the schema cdm."""

    name: str
    title: str
    view: str
    description: str
    fields: Mapping[str, Field]

    @property
    def columns(self) -> list[Field]:
        """The fields that are columns of the view, in its order."""
        return [each for each in self.fields.values() if not each.formula]

    def by_title(self, title: str) -> Field:
        """Return the field that formulas call `[title]`."""
        for each in self.fields.values():
            if each.title == title:
                return each
        raise DefinitionError(f"dataset {self.name}: a formula names [{title}], no field has this title")


@dataclass(frozen=True)
class Chart:
    """A chart; `shape` holds what its kind asks for, with the fields still by name."""

    name: str
    title: str
    kind: str
    dataset: Dataset
    description: str
    shape: Mapping[str, Any]
    sort: Mapping[str, str]
    filters: Mapping[str, Mapping[str, list[str]]]

    def field(self, name: str) -> Field:
        """Return the field of that name."""
        return self.dataset.fields[name]

    def fields(self, key: str) -> list[Field]:
        """Return the fields that `key` names: one or several."""
        names = self.shape.get(key, [])
        return [self.field(name) for name in ([names] if isinstance(names, str) else names)]


@dataclass(frozen=True)
class Selector:
    """A selector: filters by `field` of `dataset`, and by the fields in `also`, whose guids mean the same."""

    title: str
    kind: str
    dataset: Dataset
    field: Field
    also: tuple[Field, ...]
    default: Any = None
    required: bool = False


@dataclass(frozen=True)
class Row:
    """Charts side by side, of one height in steps of the grid."""

    height: int
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class Tab:
    """A tab of the dashboard, from top to bottom: a line of text, its selectors, rows of charts."""

    id: str
    title: str
    text: str
    selectors: tuple[Selector, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Connection:
    """What of the connection is the same everywhere."""

    title: str
    description: str
    cache_ttl_s: int
    raw_sql_level: str
    data_export: str


@dataclass(frozen=True)
class Board:
    """All definitions."""

    connection: Connection
    datasets: Mapping[str, Dataset]
    charts: Mapping[str, Chart]
    title: str
    description: str
    autoupdate_s: int
    requests_at_once: int
    tabs: tuple[Tab, ...] = field(default=())


def load(folder: Path = BOARD) -> Board:
    """Return the definitions in a folder; raises DefinitionError with what is wrong and where."""
    connection, datasets, charts, dashboard = (
        yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in ("connection", "datasets", "charts", "dashboard")
    )
    return parse(connection, datasets, charts, dashboard)


def parse(
    connection: Mapping[str, Any], datasets: Mapping[str, Any], charts: Mapping[str, Any], dashboard: Mapping[str, Any]
) -> Board:
    """Return the definitions given as the YAML files hold them."""
    known_datasets = {name: _dataset(name, body) for name, body in datasets.items()}
    known_charts = {name: _chart(name, body, known_datasets) for name, body in charts.items()}
    _unique("datasets", (each.title for each in known_datasets.values()))
    tabs = tuple(_tab(body, known_datasets, known_charts) for body in dashboard["tabs"])
    _unique("tabs", (tab.id for tab in tabs))
    shown = {chart.name for tab in tabs for row in tab.rows for chart in row.charts}
    if hidden := sorted(set(known_charts) - shown):
        raise DefinitionError(f"no tab shows the charts {', '.join(hidden)}")
    _unique("charts", (each.title for each in known_charts.values()))
    return Board(
        connection=Connection(**connection),
        datasets=known_datasets,
        charts=known_charts,
        title=dashboard["title"],
        description=dashboard["description"],
        autoupdate_s=dashboard["autoupdate_s"],
        requests_at_once=dashboard["requests_at_once"],
        tabs=tabs,
    )


def _unique(what: str, names: Iterable[str]) -> None:
    """Entries are found by their titles, so that no two of a sort may share one."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DefinitionError(f"two {what} are called {name!r}")
        seen.add(name)


def _dataset(name: str, body: Mapping[str, Any]) -> Dataset:
    fields: dict[str, Field] = {}
    for column, (kind, title, *aggregation) in body["fields"].items():
        used: Aggregation = aggregation[0] if aggregation else "none"
        fields[column] = Field(f"{name}_{column}", column, title, kind, used, measure=bool(aggregation))
        if used not in get_args(Aggregation):
            raise DefinitionError(f"dataset {name}, {column}: no aggregation {used!r}")
    for column, formula in body.get("formulas", {}).items():
        fields[column] = Field(
            f"{name}_{column}",
            column,
            formula["title"],
            formula["type"],
            formula=formula["formula"],
            measure=formula.get("measure", False),
            percent=formula.get("percent", False),
        )
    for each in fields.values():
        if each.type not in get_args(FieldType):
            raise DefinitionError(f"dataset {name}, {each.name}: no type {each.type!r}")
    _unique(f"fields of dataset {name}", (each.title for each in fields.values()))
    dataset = Dataset(name, body["title"], body["view"], body["description"], fields)
    for each in fields.values():
        for title in FIELD_IN_FORMULA.findall(each.formula):
            dataset.by_title(title)
    return dataset


def _chart(name: str, body: Mapping[str, Any], datasets: Mapping[str, Dataset]) -> Chart:
    rest = dict(body)
    kind = rest.pop("kind")
    title, description = rest.pop("title"), rest.pop("description", "")
    sort, filters = rest.pop("sort", {}), rest.pop("filters", {})
    dataset = _known("chart", name, "dataset", rest.pop("dataset"), datasets)
    required, optional = KINDS[_known("chart", name, "kind", kind, {each: each for each in KINDS})]
    if missing := sorted(required - set(rest)):
        raise DefinitionError(f"chart {name}: a {kind} needs {', '.join(missing)}")
    if unknown := sorted(set(rest) - required - optional):
        raise DefinitionError(f"chart {name}: a {kind} has no {', '.join(unknown)}")
    chart = Chart(name, title, kind, dataset, description, rest, sort, filters)
    for key in ("field", "x", "y", "color", "columns", "rows", "measures", "bars"):
        names = rest.get(key, [])
        for each in [names] if isinstance(names, str) else names:
            _known("chart", name, key, each, dataset.fields)
    for each in (*sort, *filters):
        _known("chart", name, "field", each, dataset.fields)
    if wrong := [each.name for key in _measures(kind) for each in chart.fields(key) if not each.measure]:
        raise DefinitionError(f"chart {name}: {', '.join(wrong)} must be measures")
    if wrong := [each.name for key in _dimensions(kind) for each in chart.fields(key) if each.measure]:
        raise DefinitionError(f"chart {name}: {', '.join(wrong)} must be dimensions")
    return chart


def _measures(kind: str) -> tuple[str, ...]:
    return {"number": ("field",), "bar": ("x",), "pivot": ("measures",), "table": ("bars",)}.get(kind, ("y",))


def _dimensions(kind: str) -> tuple[str, ...]:
    return {"bar": ("y", "color"), "pivot": ("rows", "columns"), "table": (), "number": ()}.get(kind, ("x", "color"))


def _tab(body: Mapping[str, Any], datasets: Mapping[str, Dataset], charts: Mapping[str, Chart]) -> Tab:
    tab = body["id"]
    selectors = tuple(_selector(tab, each, datasets) for each in body.get("selectors", []))
    rows = tuple(
        Row(row["height"], tuple(_known("tab", tab, "chart", name, charts) for name in row["charts"]))
        for row in body["rows"]
    )
    used = {chart.dataset.name for row in rows for chart in row.charts}
    for selector in selectors:
        fields = (selector.field, *selector.also)
        if not any(each is datasets[name].fields.get(each.name) for name in used for each in fields):
            raise DefinitionError(f"tab {tab}: the selector {selector.title!r} filters no chart of this tab")
    _unique(f"charts of the tab {tab}", (chart.name for row in rows for chart in row.charts))
    return Tab(tab, body["title"], body["text"], selectors, rows)


def _selector(tab: str, body: Mapping[str, Any], datasets: Mapping[str, Dataset]) -> Selector:
    if body["kind"] not in SELECTORS:
        raise DefinitionError(f"tab {tab}: no kind of selector {body['kind']!r}")
    dataset, field_ = _reference(tab, body["field"], datasets)
    if field_.measure:
        raise DefinitionError(f"tab {tab}: the selector {body['title']!r} filters by a measure")
    also = tuple(_reference(tab, each, datasets)[1] for each in body.get("also", []))
    return Selector(
        body["title"], body["kind"], dataset, field_, also, body.get("default"), body.get("required", False)
    )


def _reference(tab: str, path: str, datasets: Mapping[str, Dataset]) -> tuple[Dataset, Field]:
    dataset_name, _, field_name = path.partition(".")
    dataset = _known("tab", tab, "dataset", dataset_name, datasets)
    return dataset, _known("tab", tab, f"field of {dataset_name}", field_name, dataset.fields)


def _known(where: str, name: str, what: str, wanted: str, among: Mapping[str, T]) -> T:
    if wanted not in among:
        raise DefinitionError(f"{where} {name}: there is no {what} {wanted!r}")
    return among[wanted]

"""The definitions in board/*.yaml as pydantic models: each reference is followed, each mistake is told with its place."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import pydantic
import yaml
from datalens_sdk.domain.chart_types import FilterOperation
from pydantic import AfterValidator, BeforeValidator, ValidationInfo
from pydantic import Field as Limit

BOARD = Path(__file__).resolve().parent / "board"
SCHEMA = "cdm"
FIELD_IN_FORMULA = re.compile(r"\[([^\]]+)\]")
FieldType = Literal["string", "integer", "float", "date", "genericdatetime", "boolean"]
Title = Annotated[str, Limit(min_length=1)]
T = TypeVar("T")
E = TypeVar("E", "Dataset", "Chart")


class DefinitionError(ValueError):
    """Definitions that contradict themselves: a line for each mistake says where it stands."""


class Definition(pydantic.BaseModel):
    """Strict: a number is no text, a key that nobody reads is a mistake."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)


class Field(Definition):
    """A column of the view (`formula` empty), a measure if it has an aggregation; or a formula over titles of other fields."""

    dataset: str
    name: str
    title: Title
    type: FieldType
    aggregation: Literal["none", "sum", "avg", "min", "max", "count", "countunique"] = "none"
    formula: str = ""
    measure: bool = False
    percent: bool = False

    @property
    def guid(self) -> str:
        """The id by which charts and formulas know the field."""
        return f"{self.dataset}_{self.name}"


class Dataset(Definition):
    """A dataset over one view of the schema cdm."""

    name: str
    title: Title
    view: str
    description: str
    fields: dict[str, Field]

    @pydantic.model_validator(mode="before")
    @classmethod
    def _fields(cls, body: dict[str, Any]) -> dict[str, Any]:
        """Columns are written [type, title] or [type, title, aggregation], formulas in full: make them one mapping."""
        rest = dict(body)
        fields = {**rest.pop("fields", {}), **rest.pop("formulas", {})}
        for name, each in fields.items():
            if isinstance(each, list):
                column = dict(zip(("type", "title", "aggregation", "superfluous"), each, strict=False))
                fields[name] = column | {"measure": "aggregation" in column}
        return rest | {"fields": _named(fields, dataset=body["name"])}

    @pydantic.model_validator(mode="after")
    def _titles(self) -> "Dataset":
        _unique(each.title for each in self.fields.values())
        for each in self.fields.values():
            for title in FIELD_IN_FORMULA.findall(each.formula):
                self.by_title(title)
        return self

    @property
    def columns(self) -> list[Field]:
        """The fields that are columns of the view, in its order."""
        return [each for each in self.fields.values() if not each.formula]

    def by_title(self, title: str) -> Field:
        """Return the field that formulas call `[title]`."""
        return _known("field", title, {each.title: each for each in self.fields.values()})


def _unique(names: Iterable[str]) -> None:
    """Entries, and fields in formulas, are known by their titles, so that no two of a sort may share one."""
    if twins := [name for name, times in Counter(names).items() if times > 1]:
        raise ValueError(f"two are called {', '.join(map(repr, twins))}")


class Known(NamedTuple):
    """What references are looked up in."""

    datasets: dict[str, Dataset]
    charts: "dict[str, Chart]"


def _known(what: str, name: str, among: Mapping[str, T]) -> T:
    if name not in among:
        raise ValueError(f"there is no {what} {name!r}")
    return among[name]


def _dataset(name: str, info: ValidationInfo[Known]) -> Dataset:
    return _known("dataset", name, info.context.datasets)


def _chart(name: str, info: ValidationInfo[Known]) -> "Chart":
    return _known("chart", name, info.context.charts)


def _field(name: str, info: ValidationInfo[Known]) -> Field:
    """Return a field of the chart's dataset, or of the dataset before the dot."""
    dataset: Dataset | None = info.data.get("dataset")
    if dataset is None:
        prefix, _, name = name.rpartition(".")
        dataset = _dataset(prefix, info)
    return _known(f"field of {dataset.name}", name, dataset.fields)


def _kind(*, measure: bool) -> AfterValidator:
    def check(field: Field) -> Field:
        if field.measure != measure:
            raise ValueError(f"{field.name!r} is {'no' if measure else 'a'} measure")
        return field

    return AfterValidator(check)


AnyField = Annotated[Field, BeforeValidator(_field)]
Measure = Annotated[AnyField, _kind(measure=True)]
Dimension = Annotated[AnyField, _kind(measure=False)]


class Chart(Definition):
    """What all kinds of charts have; the names of fields are those of its dataset."""

    name: str
    title: Title
    dataset: Annotated[Dataset, BeforeValidator(_dataset)]
    description: str = ""
    sort: dict[AnyField, Literal["asc", "desc"]] = {}
    filters: dict[AnyField, dict[FilterOperation, list[str]]] = {}


class Number(Chart):
    """One measure, written large."""

    kind: Literal["number"]
    field: Measure


class Graph(Chart):
    """Lines or columns over `x`; a line, or a part of the column, for each value of `color`, or for each measure."""

    kind: Literal["line", "column"]
    x: Dimension
    y: list[Measure]
    color: Dimension | None = None


class Bar(Chart):
    """Lying columns."""

    kind: Literal["bar"]
    x: list[Measure]
    y: Dimension
    color: Dimension | None = None


class Table(Chart):
    """A flat table of `limit` rows a page; the columns `bars` are drawn as bars."""

    kind: Literal["table"]
    columns: list[AnyField]
    bars: list[Measure] = []
    limit: int = Limit(100, ge=1)


class Pivot(Chart):
    """A pivot table."""

    kind: Literal["pivot"]
    rows: list[Dimension]
    columns: list[Dimension]
    measures: list[Measure]


class Selector(Definition):
    """A selector: filters by `field`, and by the fields in `also`, which mean the same in other datasets."""

    title: Title
    kind: Literal["list", "lists", "interval", "text"]
    field: Dimension
    also: list[Dimension] = []
    default: str | list[str] | None = None
    required: bool = False

    @pydantic.model_validator(mode="after")
    def _interval(self) -> "Selector":
        if (self.kind == "interval") != isinstance(self.default, list):
            raise ValueError("an interval has a default [from, to], others have not")
        return self


class Row(Definition):
    """Charts side by side, of one height in steps of the grid."""

    height: int = Limit(ge=1)
    charts: list[Annotated[Chart, BeforeValidator(_chart)]] = Limit(min_length=1)


class Tab(Definition):
    """A tab of the dashboard, from top to bottom: a line of text, its selectors, rows of charts."""

    id: str
    title: Title
    text: str
    selectors: list[Selector] = []
    rows: list[Row]

    @pydantic.model_validator(mode="after")
    def _useful(self) -> "Tab":
        charts = [chart for row in self.rows for chart in row.charts]
        _unique(chart.title for chart in charts)
        used = {chart.dataset.name for chart in charts}
        for selector in self.selectors:
            if used.isdisjoint(each.dataset for each in (selector.field, *selector.also)):
                raise ValueError(f"the selector {selector.title!r} filters no chart of this tab")
        return self


class Dashboard(Definition):
    """The dashboard; DataLens reloads no faster than every 30 s."""

    title: Title
    description: str
    autoupdate_s: int = Limit(ge=30)
    requests_at_once: int = Limit(ge=1)
    tabs: list[Tab]

    @pydantic.model_validator(mode="after")
    def _whole(self, info: ValidationInfo[Known]) -> "Dashboard":
        _unique(tab.id for tab in self.tabs)
        shown = {chart.name for tab in self.tabs for row in tab.rows for chart in row.charts}
        if hidden := sorted(set(info.context.charts) - shown):
            raise ValueError(f"no tab shows the charts {', '.join(hidden)}")
        return self


class Connection(Definition):
    """What of the connection is the same everywhere."""

    title: Title
    description: str
    cache_ttl_s: int
    raw_sql_level: Literal["off"]
    data_export: Literal["on", "off"]


@dataclass(frozen=True)
class Board:
    """All definitions."""

    connection: Connection
    datasets: dict[str, Dataset]
    charts: dict[str, Chart]
    dashboard: Dashboard


def _entries(body: dict[str, E]) -> dict[str, E]:
    _unique(each.title for each in body.values())
    return body


Datasets = Annotated[dict[str, Dataset], AfterValidator(_entries)]
Kinds = Annotated[Number | Graph | Bar | Table | Pivot, Limit(discriminator="kind")]
Charts = Annotated[dict[str, Kinds], AfterValidator(_entries)]


def load(folder: Path = BOARD) -> Board:
    """Return the definitions in a folder; raises DefinitionError with what is wrong and where."""
    return parse({path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.glob("*.yaml")})


def parse(files: Mapping[str, Any]) -> Board:
    """Return the definitions given as the YAML files hold them, by the files' names."""
    known = Known({}, {})

    def read(file: str, form: Any, body: Any) -> Any:
        try:
            return pydantic.TypeAdapter(form).validate_python(body, context=known)
        except pydantic.ValidationError as error:
            raise DefinitionError("\n".join(_told(file, each) for each in error.errors())) from None

    connection = read("connection", Connection, files["connection"])
    known.datasets.update(read("datasets", Datasets, _named(files["datasets"])))
    known.charts.update(read("charts", Charts, _named(files["charts"])))
    return Board(connection, *known, read("dashboard", Dashboard, files["dashboard"]))


def _named(entries: Mapping[str, Any], **more: str) -> dict[str, Any]:
    """Tell entries, or fields, the names by which they are called."""
    return {name: {"name": name, **more, **body} for name, body in entries.items()}


def _told(file: str, error: Mapping[str, Any]) -> str:
    place = ", ".join(filter(None, (f"{file}.yaml", ".".join(map(str, error["loc"])))))
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"

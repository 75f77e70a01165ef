"""The definitions as bodies of DataLens' entries.

A dataset's body follows `DatasetContentInternalSchema` of datalens-tech/datalens-backend
(lib/dl_api_lib/dl_api_lib/schemas/dataset_base.py); hosted and open-source DataLens take the same one.
Charts and the dashboard are made by the builders of the official SDK, which know the slots, settings and defaults of its API
version; their request is caught before it is sent. Equal definitions and ids give equal bodies: every guid comes from a name.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Self

import datalens_sdk as sdk
import httpx

from datalens.definitions import FIELD_IN_FORMULA, SCHEMA, Board, Chart, Dataset, Field, Selector, Tab

# Guids of sources and avatars: the same in every installation, so that a second import or run changes nothing.
NAMESPACE = uuid.UUID("6f0b7f0e-4f7c-5d0f-9f2a-1c2d3e4f5a6b")
GRID = sdk.GRID_COLUMNS
# Where nobody has asked the database: DataLens' own choice for its type
# (user_to_native_map of lib/dl_connector_postgresql/dl_connector_postgresql/core/postgresql_base/type_transformer.py).
NATIVE_TYPES = {
    "string": "text",
    "integer": "bigint",
    "float": "double precision",
    "date": "date",
    "genericdatetime": "timestamp",
    "boolean": "boolean",
}
_WORKBOOK = "offline"


class _Caught(Exception):  # noqa: N818
    """Carries a request's body out of the SDK before anything is sent."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__()
        self.body = body


def _catch(request: httpx.Request) -> httpx.Response:
    raise _Caught(json.loads(request.content))


def _body(builder: Any) -> dict[str, Any]:
    """Return what `builder.build()` would send."""
    try:
        builder.build()
    except _Caught as caught:
        return caught.body
    raise AssertionError("the SDK has sent nothing")


def source_id(dataset: Dataset) -> str:
    """Return the guid of a dataset's only source, which is its avatar's, too."""
    return str(uuid.uuid5(NAMESPACE, dataset.name))


def field_body(field: Field, dataset: Dataset) -> dict[str, Any]:
    """Return a field as a dataset's result_schema holds it."""
    by_guid = FIELD_IN_FORMULA.sub(lambda match: f"[{dataset.by_title(match[1]).guid}]", field.formula)
    return {
        "guid": field.guid,
        "title": field.title,
        "description": "",
        "hidden": False,
        "type": "MEASURE" if field.measure else "DIMENSION",
        "calc_mode": "formula" if field.formula else "direct",
        "source": "" if field.formula else field.name,
        "avatar_id": None if field.formula else source_id(dataset),
        "formula": field.formula,
        "guid_formula": by_guid,
        "cast": field.type,
        "data_type": field.type,
        "initial_data_type": field.type,
        "aggregation": field.aggregation,
        "has_auto_aggregation": bool(field.formula) and field.measure,
        "lock_aggregation": False,
        "aggregation_locked": False,
        "autoaggregated": bool(field.formula) and field.measure,
        "default_value": None,
        "value_constraint": None,
        "managed_by": "user",
        "virtual": False,
        "valid": True,
        "ui_settings": "",
    }


def dataset_body(
    dataset: Dataset, connection_id: str, raw_schema: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """Return a dataset's content. `raw_schema` is what DataLens has read of the view, where it has been asked."""
    guid = source_id(dataset)
    if raw_schema is None:
        raw_schema = [
            {
                "name": column.name,
                "title": column.name,
                "description": "",
                "nullable": True,
                "user_type": column.type,
                "native_type": {
                    "name": NATIVE_TYPES[column.type],
                    "nullable": True,
                    "native_type_class_name": "common_native_type",
                },
                "has_auto_aggregation": False,
                "lock_aggregation": False,
            }
            for column in dataset.columns
        ]
    formulas = [each for each in dataset.fields.values() if each.formula]
    return {
        "description": dataset.description,
        "sources": [
            {
                "id": guid,
                "title": dataset.view,
                "source_type": "PG_TABLE",
                "connection_id": connection_id,
                "parameters": {"schema_name": SCHEMA, "table_name": dataset.view},
                "raw_schema": [dict(column) for column in raw_schema],
                "index_info_set": None,
                "managed_by": "user",
                "valid": True,
            }
        ],
        "source_avatars": [
            {"id": guid, "source_id": guid, "title": dataset.view, "is_root": True, "managed_by": "user", "valid": True}
        ],
        "avatar_relations": [],
        "result_schema": [field_body(each, dataset) for each in dataset.fields.values()],
        "result_schema_aux": {
            "inter_dependencies": {
                "deps": [
                    {
                        "dep_field_id": each.guid,
                        "ref_field_ids": sorted(
                            {dataset.by_title(t).guid for t in FIELD_IN_FORMULA.findall(each.formula)}
                        ),
                    }
                    for each in formulas
                ]
            }
        },
        "rls2": {},
        "obligatory_filters": [],
        "component_errors": {"items": []},
        "preview_enabled": True,
        # Opening a dataset of guests must not read all of them.
        "load_preview_by_default": False,
        "template_enabled": False,
        "data_export_forbidden": False,
        "revision_id": None,
    }


class Renderer:
    """Makes the bodies of charts and of the dashboard; sends nothing. A context manager."""

    def __init__(self, *, enterprise: bool = False) -> None:
        transport = httpx.MockTransport(_catch)
        self._client: sdk.DataLensClientYC | sdk.DataLensClientEnterprise = (
            sdk.DataLensClientEnterprise(base_url="http://offline", transport=transport)
            if enterprise
            else sdk.DataLensClientYC(auth=None, transport=transport)
        )
        self._location = sdk.EntryLocation.workbook(_WORKBOOK)

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the SDK's client."""
        self._client.close()

    def chart(self, chart: Chart, dataset_id: str) -> dict[str, Any]:
        """Return {data, annotation} of a chart: `data` is the Wizard config of API version 3."""
        builder = self._drawn(chart, _sdk_dataset(chart.dataset, dataset_id)).description(chart.description)
        for name, operations in chart.filters.items():
            for operation, values in operations.items():
                builder.add_filter(chart.field(name).guid, operation=operation, values=values)
        for name, direction in chart.sort.items():
            builder.add_sort(chart.field(name).guid, direction=direction)
        body = _body(builder)
        return {"data": body["data"], "annotation": {"description": chart.description}}

    def dashboard(self, board: Board, dataset_ids: Mapping[str, str], chart_ids: Mapping[str, str]) -> dict[str, Any]:
        """Return {data, meta, annotation} of the dashboard over datasets and charts by their names."""
        builder = self._client.create.dashboard(name=board.title, location=self._location)
        for tab in board.tabs:
            builder.add_tab(_tab(tab, dataset_ids, chart_ids))
        builder.description(board.description).settings(
            autoupdate_interval=board.autoupdate_s, max_concurrent_requests=board.requests_at_once
        )
        entry = _body(builder)["entry"]
        return {
            "data": _whole_numbers(entry["data"]),
            "meta": entry["meta"],
            "annotation": {"description": board.description},
        }

    def _drawn(self, chart: Chart, dataset: sdk.Dataset) -> Any:
        """Return the builder of a chart with its slots filled."""
        # Each kind of chart is a class of its own with the setters that this kind has.
        make: Any = self._client.create.wizard_chart
        named = {"name": chart.title, "location": self._location}
        guids = {key: [each.guid for each in chart.fields(key)] for key in chart.shape if key != "limit"}
        measures = [
            each for key in ("field", "x", "y", "columns", "measures") for each in chart.fields(key) if each.measure
        ]
        match chart.kind:
            case "number":
                builder = make.indicator(**named).dataset(dataset).y(guids["field"])
                builder.font_size(size="l").measure_title_mode(mode="hide")
            case "table":
                builder = make.flat_table(**named).dataset(dataset).columns(guids["columns"])
                builder.pagination(enabled=True, limit=chart.shape.get("limit", 100))
                for guid in guids.get("bars", []):
                    builder.column_bars(guid, color="#4DA2F1")
            case "pivot":
                builder = make.pivot_table(**named).dataset(dataset)
                builder.rows(guids["rows"]).columns(guids["columns"]).measures(guids["measures"])
            case kind:
                builder = getattr(make, kind)(**named).dataset(dataset).x(guids["x"]).y(guids["y"])
                if guids.get("color"):
                    builder.color_by_dimension(guids["color"][0])
                elif len(measures) > 1:
                    builder.color_by_measure_name()
        for measure in measures:
            form, precision = ("percent", 1) if measure.percent else ("number", 2 if measure.type == "float" else 0)
            builder.measure_format(measure.guid, format=form, precision=precision, show_rank_delimiter=True)
        return builder


def _sdk_dataset(dataset: Dataset, dataset_id: str) -> sdk.Dataset:
    """Return a dataset as the SDK's builders want it: they look the fields up."""
    return sdk.Dataset(
        id=dataset_id,
        name=dataset.title,
        result_schema=tuple(field_body(each, dataset) for each in dataset.fields.values()),
    )


def _tab(tab: Tab, dataset_ids: Mapping[str, str], chart_ids: Mapping[str, str]) -> sdk.DashboardTab:
    """Lay a tab out from top to bottom: text, selectors, rows."""
    built = sdk.DashboardTab(tab.title, tab_id=tab.id)
    built.add_text(tab.text, item_id=f"{tab.id}_text", at=(0, 0, GRID, 2), background=None)
    top = 2
    if tab.selectors:
        group = f"{tab.id}_selectors"
        for selector in tab.selectors:
            built.add_selector(group=group, **_selector(tab, selector, dataset_ids))
            for other in selector.also:
                built.add_alias(selector.field.guid, other.guid)
        built.add_group_selector(group=group, item_id=group, at=(0, top, GRID, 2))
        top += 2
    for row in tab.rows:
        width = GRID // len(row.charts)
        for index, chart in enumerate(row.charts):
            built.add_chart(
                chart_ids[chart.name],
                title=chart.title,
                item_id=f"{tab.id}_{chart.name}",
                at=(index * width, top, width, row.height),
                hint=chart.description or None,
            )
        top += row.height
    return built


def _selector(tab: Tab, selector: Selector, dataset_ids: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of `add_selector`."""
    arguments: dict[str, Any] = {
        "item_id": f"{tab.id}_{selector.field.guid}",
        "title": selector.title,
        "dataset": _sdk_dataset(selector.dataset, dataset_ids[selector.dataset.name]),
        "field": selector.field.guid,
        "required": selector.required,
    }
    match selector.kind:
        case "interval":
            start, end = selector.default
            return arguments | {
                "element": "date",
                "is_range": True,
                "default_value": sdk.RelativeDateInterval(start, end),
            }
        case "text":
            return arguments | {"element": "input", "operation": "EQ", "default_value": selector.default}
        case kind:
            return arguments | {
                "element": "select",
                "multiselect": kind == "lists",
                "default_value": selector.default,
            }


def _whole_numbers(value: Any) -> Any:
    """Write 2.0 as 2, as JavaScript does: places on the grid are whole, and the hash of a file is computed over its text."""
    if isinstance(value, dict):
        return {key: _whole_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value

"""The definitions as bodies of DataLens' entries.

A dataset's body follows `DatasetContentInternalSchema` of datalens-tech/datalens-backend
(lib/dl_api_lib/dl_api_lib/schemas/dataset_base.py); hosted and open-source DataLens take the same one.
Charts and the dashboard are made by the builders of the official SDK, which know the slots, settings and defaults of its API
version; their request is caught before it is sent. Equal definitions and ids give equal bodies: every guid comes from a name.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import datalens_sdk as sdk
import httpx

from datalens.definitions import (
    FIELD_IN_FORMULA,
    SCHEMA,
    Bar,
    Board,
    Chart,
    Dataset,
    Field,
    Graph,
    Number,
    Pivot,
    Selector,
    Tab,
    Table,
)

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


class _Caught(Exception):  # noqa: N818
    """Carries a request's body out of the SDK before anything is sent."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__()
        self.body = body


def _catch(request: httpx.Request) -> httpx.Response:
    raise _Caught(json.loads(request.content))


_SDK = sdk.DataLensClientYC(auth=None, transport=httpx.MockTransport(_catch))
_LOCATION = sdk.EntryLocation.workbook("offline")


def _body(builder: Any) -> dict[str, Any]:
    """Return what `builder.build()` would send."""
    try:
        builder.build()
    except _Caught as caught:
        return caught.body
    raise AssertionError("the SDK has sent nothing")


def connection_body(board: Board, database: Mapping[str, Any]) -> dict[str, Any]:
    """Return a connection without its password. `database` holds host, port, db_name, username, ssl_enable."""
    ours = board.connection
    return {
        "description": ours.description,
        **database,
        "cache_ttl_sec": ours.cache_ttl_s,
        "raw_sql_level": ours.raw_sql_level,
        "data_export_forbidden": "off" if ours.data_export == "on" else "on",
    }


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


def chart_body(chart: Chart, dataset_id: str) -> dict[str, Any]:
    """Return {data, annotation} of a chart: `data` is the Wizard config of API version 3."""
    builder = _drawn(chart, _sdk_dataset(chart.dataset, dataset_id)).description(chart.description)
    for field, conditions in chart.filters.items():
        for operation, values in conditions.items():
            builder.add_filter(field.guid, operation=operation, values=values)
    for field, direction in chart.sort.items():
        builder.add_sort(field.guid, direction=direction)
    return {"data": _body(builder)["data"], "annotation": {"description": chart.description}}


def dashboard_body(board: Board, dataset_ids: Mapping[str, str], chart_ids: Mapping[str, str]) -> dict[str, Any]:
    """Return {data, meta, annotation} of the dashboard over datasets and charts by their names."""
    dashboard = board.dashboard
    builder = _SDK.create.dashboard(name=dashboard.title, location=_LOCATION).description(dashboard.description)
    for tab in dashboard.tabs:
        builder.add_tab(_tab(tab, board, dataset_ids, chart_ids))
    builder.settings(autoupdate_interval=dashboard.autoupdate_s, max_concurrent_requests=dashboard.requests_at_once)
    entry = _body(builder)["entry"]
    annotation = {"description": dashboard.description}
    return {"data": _whole_numbers(entry["data"]), "meta": entry["meta"], "annotation": annotation}


def _drawn(chart: Chart, dataset: sdk.Dataset) -> Any:
    """Return the builder of a chart with its slots filled."""

    def make(kind: str) -> Any:
        # Each kind of chart is a class of its own with the setters that this kind has.
        return getattr(_SDK.create.wizard_chart, kind)(name=chart.title, location=_LOCATION).dataset(dataset)

    match chart:
        case Number():
            measures = [chart.field]
            builder = make("indicator").y(_guids(measures)).font_size(size="l").measure_title_mode(mode="hide")
        case Table():
            measures = [each for each in chart.columns if each.measure]
            builder = make("flat_table").columns(_guids(chart.columns)).pagination(enabled=True, limit=chart.limit)
            for guid in _guids(chart.bars):
                builder.column_bars(guid, color="#4DA2F1")
        case Pivot():
            measures = chart.measures
            builder = make("pivot_table").rows(_guids(chart.rows)).columns(_guids(chart.columns))
            builder.measures(_guids(measures))
        case Graph() | Bar():
            measures, dimensions = (chart.x, [chart.y]) if isinstance(chart, Bar) else (chart.y, [chart.x])
            x, y = (measures, dimensions) if isinstance(chart, Bar) else (dimensions, measures)
            builder = make(chart.kind).x(_guids(x)).y(_guids(y))
            if chart.color:
                builder.color_by_dimension(chart.color.guid)
            elif len(measures) > 1:
                builder.color_by_measure_name()
        case _:
            raise AssertionError(f"no builder for {type(chart)}")
    for measure in measures:
        form, precision = ("percent", 1) if measure.percent else ("number", 2 if measure.type == "float" else 0)
        builder.measure_format(measure.guid, format=form, precision=precision, show_rank_delimiter=True)
    return builder


def _guids(fields: Sequence[Field]) -> list[str]:
    return [each.guid for each in fields]


def _sdk_dataset(dataset: Dataset, dataset_id: str) -> sdk.Dataset:
    """Return a dataset as the SDK's builders want it: they look the fields up."""
    return sdk.Dataset(
        id=dataset_id,
        name=dataset.title,
        result_schema=tuple(field_body(each, dataset) for each in dataset.fields.values()),
    )


def _tab(tab: Tab, board: Board, dataset_ids: Mapping[str, str], chart_ids: Mapping[str, str]) -> sdk.DashboardTab:
    """Lay a tab out from top to bottom: text, selectors, rows."""
    built = sdk.DashboardTab(tab.title, tab_id=tab.id)
    built.add_text(tab.text, item_id=f"{tab.id}_text", at=(0, 0, GRID, 2), background=None)
    top = 2
    if tab.selectors:
        group = f"{tab.id}_selectors"
        for selector in tab.selectors:
            dataset = board.datasets[selector.field.dataset]
            built.add_selector(
                group=group,
                item_id=f"{tab.id}_{selector.field.guid}",
                title=selector.title,
                dataset=_sdk_dataset(dataset, dataset_ids[dataset.name]),
                field=selector.field.guid,
                required=selector.required,
                **_element(selector),
            )
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


def _element(selector: Selector) -> dict[str, Any]:
    """Return what people see of a selector, as arguments of `add_selector`."""
    if isinstance(selector.default, list):
        start, end = selector.default
        return {"element": "date", "is_range": True, "default_value": sdk.RelativeDateInterval(start, end)}
    if selector.kind == "text":
        return {"element": "input", "operation": "EQ", "default_value": selector.default}
    return {"element": "select", "multiselect": selector.kind == "lists", "default_value": selector.default}


def _whole_numbers(value: Any) -> Any:
    """Write 2.0 as 2, as JavaScript does: places on the grid are whole, and the hash of a file is computed over its text."""
    if isinstance(value, dict):
        return {key: _whole_numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value

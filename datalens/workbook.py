"""The definitions as a file that open-source DataLens imports: export format v1.

Read from the sources of its services, at the versions of docker-compose.yaml of datalens-tech/datalens, release 2.9.0:
- the file: datalens-tech/datalens-meta-manager, src/controllers/workbook-import/start-workbook-import/utils.ts and
  src/types/workbook-export.ts. Ids are the file's own ("0", "1", ...): the import gives new ones and maps them
  (src/components/temporal/workflows/import-workbook);
- the hash: src/utils/export/get-export-data-verification-hash.ts, HMAC-SHA256 of JSON.stringify(export). Another key than the
  server's is written to its log and refuses nothing (src/services/import/start-workbook-import.ts);
- an entry: datalens-tech/datalens-ui, src/server/controllers/workbook-transfer.ts and src/server/components/workbook-transfer;
- a chart: src/shared/types/config/wizard/v15.ts, with the placeholders of src/ui/constants/visualizations and the entry types of
  src/server/configs/shared/datalens-chart-template.ts;
- the dashboard: src/shared/zod-schemas/dash.ts, src/server/components/sdk/dash.ts (validateData);
- connection and dataset: datalens-tech/datalens-backend, lib/dl_api_lib/dl_api_lib/app/control_api/resources, import of each.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any

from datalens.definitions import Board, Chart, Field
from datalens.entries import chart_body, connection_body, dashboard_body, dataset_body, field_body

VERSION = "v1"
CHART_VERSION = "15"
DASH_SCHEME_VERSION = 8
# What the server shows instead of a secret; the import asks to enter it.
HIDDEN_PASSWORD = "******"  # noqa: S105
DEFAULT_KEY = "export-data-verification-key"  # of their docker-compose.yaml
# Slots of API version 3 by the visualization -> placeholders of the stored config, in the order of the editor.
PLACEHOLDERS = {
    "line": {"x": "x", "y": "y", "y2": "y2"},
    "column": {"x": "x", "y": "y"},
    "bar": {"y": "y", "x": "x"},
    "flatTable": {"columns": "flat-table-columns"},
    "pivotTable": {"columns": "pivot-table-columns", "rows": "rows", "measures": "measures"},
    "metric": {"measures": "measures"},
}
ENTRY_TYPES = {"flatTable": "table_wizard_node", "pivotTable": "table_wizard_node", "metric": "metric_wizard_node"}
GRAPH_TYPE = "d3_wizard_node"  # Gravity Charts: what it draws with unless HC=1 turns Highcharts on


def export_file(board: Board, connection: Mapping[str, Any], key: str = DEFAULT_KEY) -> str:
    """Return the text of the file. `connection` holds host, port, db_name, username, ssl_enable."""
    export = {"version": VERSION, "entries": entries(board, connection)}
    return json.dumps({"export": export, "hash": verification_hash(export, key)}, ensure_ascii=False, indent=1) + "\n"


def verification_hash(export: Mapping[str, Any], key: str) -> str:
    """Return the hash as the server computes it: over the compact JSON that JSON.stringify gives."""
    text = json.dumps(export, ensure_ascii=False, separators=(",", ":"))
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def entries(board: Board, connection: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return scope -> id of the file -> entry, whose only key is its scope again."""
    ids = map(str, range(1 + len(board.datasets) + len(board.charts) + 1))
    connection_id = next(ids)
    dataset_ids = {name: next(ids) for name in board.datasets}
    chart_ids = {name: next(ids) for name in board.charts}
    return {
        "connection": {
            connection_id: {
                "connection": {"db_type": "postgres", "name": board.connection.title}
                | connection_body(board, connection)
                | {"password": HIDDEN_PASSWORD, "enforce_collate": "auto"}
            }
        },
        "dataset": {
            dataset_ids[name]: {"dataset": {"name": dataset.title} | dataset_body(dataset, connection_id)}
            for name, dataset in board.datasets.items()
        },
        "widget": {
            chart_ids[name]: {"widget": _chart(chart, chart_body(chart, dataset_ids[chart.dataset.name]))}
            for name, chart in board.charts.items()
        },
        "dash": {next(ids): {"dash": _dash(board, dashboard_body(board, dataset_ids, chart_ids))}},
    }


def _chart(chart: Chart, body: Mapping[str, Any]) -> dict[str, Any]:
    visualization = body["data"]["visualization"]
    kind = visualization["type"]
    (dataset_id,) = body["data"]["sources"]["datasetsIds"]
    known = {each.guid: each for each in chart.dataset.fields.values()}

    def items(slot: str) -> list[dict[str, Any]]:
        return [_item(item, known, chart) for item in visualization.get(slot, {}).get("items", [])]

    def placeholders() -> Iterator[dict[str, Any]]:
        for slot, name in PLACEHOLDERS[kind].items():
            settings = visualization[slot].get("settings")
            yield {"id": name, "items": items(slot)} | ({"settings": settings} if settings else {})

    settings = dict(visualization.get("chartSettings", {}))
    if kind == "metric" and "titleMode" in settings:
        settings["indicatorTitleMode"] = settings.pop("titleMode")
    shared = {
        "title": chart.title,
        "colors": items("colors"),
        "colorsConfig": {},
        "extraSettings": settings,
        "filters": [
            _item(each, known, chart) | {"unsaved": False} for each in body["data"]["sources"].get("filters", [])
        ],
        "geopointsConfig": {},
        "hierarchies": [],
        "labels": items("labels"),
        "links": [],
        "sort": items("sort"),
        "tooltips": [],
        "type": "datalens",
        "updates": [],
        "visualization": {"id": kind, "placeholders": list(placeholders())},
        "shapes": items("shapes"),
        "shapesConfig": {},
        "version": CHART_VERSION,
        "datasetsIds": [dataset_id],
        "datasetsPartialFields": [
            [
                {"guid": each.guid, "title": each.title, "calc_mode": "formula" if each.formula else "direct"}
                for each in known.values()
            ]
        ],
        "segments": items("segments"),
    }
    return {
        "name": chart.title,
        "type": ENTRY_TYPES.get(kind, GRAPH_TYPE),
        "annotation": body["annotation"],
        "data": {"shared": shared},
    }


def _item(item: Mapping[str, Any], known: Mapping[str, Field], chart: Chart) -> dict[str, Any]:
    """Return a field in a slot as it is stored: with all that the dataset says of it. `Measure Names` is no field."""
    if "guid" not in item:
        return dict(item)
    return {**field_body(known[item["guid"]], chart.dataset), **item}


def _dash(board: Board, body: Mapping[str, Any]) -> dict[str, Any]:
    data = {**body["data"], "schemeVersion": DASH_SCHEME_VERSION}
    for tab in data["tabs"]:
        for item in tab["items"]:
            for chart in item["data"].get("tabs", []):
                chart.setdefault("description", "")
    return {"name": board.dashboard.title, "data": data, "annotation": body["annotation"]}

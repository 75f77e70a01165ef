"""What open-source DataLens' import accepts, as a check that is stricter than its code where that would only warn.

Each rule names the file that it was read from, in the repositories datalens-tech/...
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

SCOPES = ("connection", "dataset", "widget", "dash")
# datalens-ui, src/shared/types/config/wizard/v15.ts: what a config and a field in a slot must hold.
CONFIG_KEYS = {
    "colors", "extraSettings", "filters", "hierarchies", "labels", "links", "sort", "tooltips", "type", "updates",
    "visualization", "shapes", "version", "datasetsIds", "datasetsPartialFields", "segments",
}  # fmt: skip
FIELD_KEYS = {"data_type", "type", "title", "guid", "datasetId", "calc_mode"}
SLOTS = ("colors", "labels", "shapes", "segments", "sort", "filters")
# datalens-ui, src/server/configs/shared/datalens-chart-template.ts (identifyChartType), Gravity Charts on.
TYPES = {
    "line": "d3_wizard_node", "column": "d3_wizard_node", "bar": "d3_wizard_node",
    "flatTable": "table_wizard_node", "pivotTable": "table_wizard_node", "metric": "metric_wizard_node",
}  # fmt: skip
# datalens-ui, src/ui/constants/visualizations/*.ts.
PLACEHOLDERS = {
    "line": ["x", "y", "y2"], "column": ["x", "y"], "bar": ["y", "x"], "flatTable": ["flat-table-columns"],
    "pivotTable": ["pivot-table-columns", "rows", "measures"], "metric": ["measures"],
}  # fmt: skip
# datalens-backend, lib/dl_api_lib/dl_api_lib/schemas/dataset_base.py; dl_constants UserDataType, CalcMode, AggregationFunction.
USER_TYPES = {"string", "integer", "float", "date", "genericdatetime", "boolean"}
AGGREGATIONS = {"none", "sum", "avg", "min", "max", "count", "countunique"}


def problems(file: Any) -> list[str]:
    """Return all that the import would refuse, warn of or leave without its reference."""
    # datalens-meta-manager, src/controllers/workbook-import/start-workbook-import/utils.ts.
    if not isinstance(file, dict) or not isinstance(file.get("hash"), str) or not isinstance(file.get("export"), dict):
        return ["the file is not {export, hash}"]
    export = file["export"]
    if export.get("version") != "v1":  # src/services/import/start-workbook-import.ts
        return [f"version {export.get('version')!r}"]
    entries = export.get("entries")
    if not isinstance(entries, dict):
        return ["entries is no object"]
    found = [f"unknown scope {scope}" for scope in entries if scope not in SCOPES]
    for scope in SCOPES:
        bodies = entries.get(scope, {})
        if not isinstance(bodies, dict) or not all(isinstance(body, dict) for body in bodies.values()):
            return [f"{scope}: not objects by their ids"]
        # datalens-ui, src/server/controllers/workbook-transfer.ts: the scope is found by the entry's key.
        found += [f"{scope} {key}: holds {sorted(body)}" for key, body in bodies.items() if set(body) != {scope}]
    if found:
        return found
    ids = [key for scope in SCOPES for key in entries[scope]]
    if len(ids) != len(set(ids)):
        found.append("an id occurs twice")
    return [*found, *_names(entries), *_connections(entries), *_datasets(entries), *_charts(entries), *_dashes(entries)]


def _names(entries: Mapping[str, Any]) -> Iterator[str]:
    for scope in SCOPES:
        names = [body[scope].get("name") for body in entries[scope].values()]
        if not all(names) or len(names) != len(set(names)):
            yield f"{scope}: a name is missing or occurs twice"


def _connections(entries: Mapping[str, Any]) -> Iterator[str]:
    """datalens-backend: resources/connections.py (import), dl_api_connector/api_schema/connection_sql.py."""
    for key, body in entries["connection"].items():
        connection = body["connection"]
        if connection.get("db_type") != "postgres":
            yield f"connection {key}: db_type"
        for name, kind in (("host", str), ("port", int), ("username", str), ("password", str)):
            if not isinstance(connection.get(name), kind):
                yield f"connection {key}: {name}"
        if connection.get("password") != "******":
            yield f"connection {key}: carries a password"


def _datasets(entries: Mapping[str, Any]) -> Iterator[str]:
    """datalens-backend: resources/dataset.py (replace_conn_ids), schemas/dataset_base.py, api_common/dataset_loader.py."""
    for key, body in entries["dataset"].items():
        dataset = body["dataset"]
        # SourceStrict and SourceAvatarStrict want `managed_by`; the loader wants no revision of a new dataset.
        if dataset["revision_id"] is not None or "rls" in dataset or "extract" in dataset:
            yield f"dataset {key}: revision_id, rls or extract"
        sources = {source["id"]: source for source in dataset["sources"]}
        for source in sources.values():
            if source["connection_id"] not in entries["connection"]:
                yield f"dataset {key}: connection {source['connection_id']}"
            if source["managed_by"] != "user" or source["source_type"] != "PG_TABLE":
                yield f"dataset {key}: managed_by or source_type"
        avatars = {avatar["id"] for avatar in dataset["source_avatars"] if avatar["managed_by"] == "user"}
        if {avatar["source_id"] for avatar in dataset["source_avatars"]} != set(sources):
            yield f"dataset {key}: avatars"
        if [avatar["is_root"] for avatar in dataset["source_avatars"]].count(True) != 1:
            yield f"dataset {key}: no single root"
        columns = {column["name"] for source in sources.values() for column in source["raw_schema"]}
        titles = {field["title"] for field in dataset["result_schema"]}
        for field in dataset["result_schema"]:
            yield from _dataset_field(key, field, columns, avatars, titles)


def _dataset_field(
    key: str, field: Mapping[str, Any], columns: set[str], avatars: set[str], titles: set[str]
) -> Iterator[str]:
    where = f"dataset {key}, {field['guid']}"
    if field["cast"] not in USER_TYPES or field["aggregation"] not in AGGREGATIONS:
        yield f"{where}: cast or aggregation"
    if field["calc_mode"] == "direct":
        if field["source"] not in columns or field["avatar_id"] not in avatars:
            yield f"{where}: source or avatar"
    elif field["calc_mode"] == "formula":
        named = {part.partition("]")[0] for part in field["formula"].split("[")[1:]}
        if not field["guid_formula"] or not named or not named <= titles:
            yield f"{where}: formula"
    else:
        yield f"{where}: calc_mode"


def _charts(entries: Mapping[str, Any]) -> Iterator[str]:
    """datalens-ui, src/server/components/workbook-transfer/charts.ts: `data`, `name`, `type`; only Wizard and QL."""
    for key, body in entries["widget"].items():
        chart = body["widget"]
        shared = chart["data"]["shared"]
        if not isinstance(shared, dict) or shared.get("type") != "datalens" or shared.get("version") != "15":
            yield f"chart {key}: no Wizard config of version 15"
        elif missing := sorted(CONFIG_KEYS - set(shared)):
            yield f"chart {key}: lacks {missing}"
        else:
            yield from (f"chart {key}: {found}" for found in _chart(chart["type"], shared, entries))


def _chart(entry_type: str, shared: Mapping[str, Any], entries: Mapping[str, Any]) -> Iterator[str]:
    kind, placeholders = shared["visualization"]["id"], shared["visualization"]["placeholders"]
    if entry_type != TYPES.get(kind):
        yield f"type {entry_type} for {kind}"
    if [each["id"] for each in placeholders] != PLACEHOLDERS.get(kind):
        yield "placeholders"
    fields = {
        dataset_id: {field["guid"]: field for field in entries["dataset"][dataset_id]["dataset"]["result_schema"]}
        for dataset_id in shared["datasetsIds"]
        if dataset_id in entries["dataset"]
    }
    if len(fields) != len(shared["datasetsIds"]) or not fields:
        yield f"datasets {shared['datasetsIds']}"
    shown = [item for placeholder in placeholders for item in placeholder["items"]]
    if not shown:
        yield "shows nothing"
    for item in shown + [item for slot in SLOTS for item in shared[slot] if item["type"] != "PSEUDO"]:
        known = fields.get(item.get("datasetId"), {}).get(item.get("guid"))
        if not set(item) >= FIELD_KEYS or known is None or item["title"] != known["title"]:
            yield f"field {item.get('guid')}"


def _dashes(entries: Mapping[str, Any]) -> Iterator[str]:
    """datalens-ui: src/shared/zod-schemas/dash.ts and validateData of src/server/components/sdk/dash.ts."""
    guids = {
        key: {field["guid"] for field in body["dataset"]["result_schema"] if field["type"] == "DIMENSION"}
        for key, body in entries["dataset"].items()
    }
    for key, body in entries["dash"].items():
        data = body["dash"]["data"]
        if data["schemeVersion"] != 8 or not data["salt"] or data["counter"] < 1 or not data["tabs"]:
            yield f"dash {key}: salt, counter, schemeVersion or tabs"
        if data["settings"]["autoupdateInterval"] < 30 or data["settings"]["maxConcurrentRequests"] < 1:
            yield f"dash {key}: autoupdateInterval or maxConcurrentRequests"
        seen: set[str] = set()
        for tab in data["tabs"]:
            if unknown := set(tab) - {"id", "title", "items", "layout", "connections", "aliases", "globalItems"}:
                yield f"tab {tab['id']}: unknown {sorted(unknown)}"
            for found in _tab(tab, entries, guids):
                yield f"tab {tab['id']}: {found}"
            for name in _ids(tab):
                if name in seen:
                    yield f"tab {tab['id']}: id {name} occurs twice"
                seen.add(name)


def _ids(tab: Mapping[str, Any]) -> Iterator[str]:
    yield tab["id"]
    for item in tab["items"]:
        yield item["id"]
        yield from (each["id"] for each in item["data"].get("tabs", []))


def _tab(tab: Mapping[str, Any], entries: Mapping[str, Any], guids: Mapping[str, set[str]]) -> Iterator[str]:
    yield from _layout(tab)
    known = set().union(*guids.values())
    for pair in tab["aliases"].get("default", []):
        if len(pair) != 2 or not set(pair) <= known:
            yield f"alias {pair}"
    for item in tab["items"]:
        if item["namespace"] != "default" or item["type"] not in ("text", "title", "widget", "group_control"):
            yield f"{item['id']}: namespace or type"
        for chart in item["data"].get("tabs", []):
            if (
                chart["chartId"] not in entries["widget"]
                or not chart["title"]
                or not isinstance(chart["description"], str)
            ):
                yield f"{item['id']}: chart {chart['chartId']}"
        for selector in item["data"].get("group", []):
            yield from _selector(selector, guids)


def _layout(tab: Mapping[str, Any]) -> Iterator[str]:
    placed = {place["i"]: place for place in tab["layout"]}
    if set(placed) != {item["id"] for item in tab["items"]} or len(placed) != len(tab["layout"]):
        yield "items and layout differ"
    taken: set[tuple[int, int]] = set()
    for place in placed.values():
        right, bottom = place["x"] + place["w"], place["y"] + place["h"]
        cells = {(x, y) for x in range(place["x"], right) for y in range(place["y"], bottom)}
        if cells & taken or right > 36:
            yield f"{place['i']} lies over another or outside"
        taken |= cells


def _selector(selector: Mapping[str, Any], guids: Mapping[str, set[str]]) -> Iterator[str]:
    source = selector["source"]
    if source["datasetFieldId"] not in guids.get(source["datasetId"], set()):
        yield f"{selector['id']}: field {source['datasetFieldId']} of dataset {source['datasetId']}"
    if (
        selector["sourceType"] != "dataset"
        or not selector["title"]
        or set(selector["defaults"]) != {source["datasetFieldId"]}
    ):
        yield f"{selector['id']}: sourceType, title or defaults"


def imported(entries: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Give new ids in the order of the import and put them where its code puts them; return the entries and what stayed unmapped.

    As datalens-meta-manager's import-workbook workflow does it, with `dependencies` of datalens-ui's
    src/shared/constants/workbook-transfer.ts.
    """
    mapping: dict[str, str] = {}
    missed: list[str] = []
    result: dict[str, Any] = {}
    for scope in SCOPES:
        for old, body in entries[scope].items():
            for owner, key in list(REFERENCES[scope](body[scope])):
                if owner[key] in mapping:
                    owner[key] = mapping[owner[key]]
                else:
                    missed.append(str(owner[key]))
            result[f"new-{old}"] = body[scope]
        mapping |= {old: f"new-{old}" for old in entries[scope]}
    return result, missed


def _of_dataset(dataset: Any) -> Iterator[tuple[Any, Any]]:
    """datalens-backend, resources/dataset.py: replace_conn_ids."""
    yield from ((source, "connection_id") for source in dataset["sources"])


def _of_chart(chart: Any) -> Iterator[tuple[Any, Any]]:
    """datalens-ui, workbook-transfer/charts.ts: traverseWizardFields."""
    shared = chart["data"]["shared"]
    yield from ((shared["datasetsIds"], index) for index in range(len(shared["datasetsIds"])))
    yield from _dataset_ids(shared)


def _dataset_ids(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        if key == "datasetId" and isinstance(inner, str):
            yield value, key
        elif isinstance(inner, dict | list):
            yield from _dataset_ids(inner)


def _of_dash(dash: Any) -> Iterator[tuple[Any, Any]]:
    """datalens-ui, src/server/components/sdk/dash.ts: processLinks."""
    for item in (item for tab in dash["data"]["tabs"] for item in tab["items"]):
        yield from ((chart, "chartId") for chart in item["data"].get("tabs", []))
        yield from ((selector["source"], "datasetId") for selector in item["data"].get("group", []))


REFERENCES: dict[str, Callable[[Any], Iterator[tuple[Any, Any]]]] = {
    "connection": lambda _: iter(()),
    "dataset": _of_dataset,
    "widget": _of_chart,
    "dash": _of_dash,
}

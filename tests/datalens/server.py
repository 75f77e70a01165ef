"""DataLens' API in memory, behind the real SDK: keeps entries, refuses what is told to it, and knows nothing of charts.

Made from what the SDK sends and demands back (its read models are strict). What the real one does with the definitions was seen
by running it (docs/datalens.md); this one is for the runs: what is written when, and what is said.
"""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import httpx

WORKBOOK, ORGANIZATION, TOKEN = "wb1", "org1", "iam-token"
SCOPES = {"Connection": "connection", "Dataset": "dataset", "WizardChart": "widget", "Dashboard": "dash"}
# What the real one adds by itself to any config: our comparison must not take it for a difference.
DEFAULTS = {"serverDefault": "on"}
SYSTEM = dict.fromkeys(("createdAt", "createdBy", "updatedAt", "updatedBy", "revId", "savedId", "tenantId"), "x")


class RefusedError(Exception):
    def __init__(self, status: int, message: str = "refused") -> None:
        super().__init__(message)
        self.status = status


class DataLens:
    """`views`: columns that the database behind the connection has; `instead`: other answers to operations."""

    def __init__(self, views: Mapping[str, Mapping[str, str]]) -> None:
        self.views = views
        self.entries: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.instead: dict[str, Callable[[dict[str, Any]], Any]] = {}

    def writes(self) -> list[str]:
        """Return the operations since the last look that change something, and forget all calls."""
        found = [operation for operation, _ in self.calls if operation.startswith(("create", "update"))]
        self.calls.clear()
        return found

    def refuse(self, operation: str, status: int, message: str = "refused") -> None:
        def answer(_: dict[str, Any]) -> None:
            raise RefusedError(status, message)

        self.instead[operation] = answer

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer in place of httpx.HTTPTransport.handle_request."""
        operation, body = request.url.path.removeprefix("/rpc/"), json.loads(request.content)
        self.calls.append((operation, body))
        try:
            hosted = (f"Bearer {TOKEN}", ORGANIZATION)
            known = (request.headers["Authorization"], request.headers.get("x-dl-org-id"))
            if known not in (hosted, (f"OAuth {TOKEN}", None)):
                raise RefusedError(401, "The token is invalid")
            answer = self.instead.get(operation, lambda body: self.answer(operation, body))(body)
            return httpx.Response(200, json=answer, request=request)
        except RefusedError as refused:
            told = {"code": "ERR", "message": str(refused)}
            return httpx.Response(refused.status, json=told, headers={"x-request-id": "request-1"}, request=request)

    def answer(self, operation: str, body: dict[str, Any]) -> Any:
        match operation:
            case "getWorkbook":
                if body["workbookId"] != WORKBOOK:
                    raise RefusedError(404, "The workbook doesn't exist")
                return {"workbookId": WORKBOOK, "title": "Workbook"}
            case "getWorkbookEntries":
                found = [each for each in self.entries.values() if each["scope"] in body["scope"]]
                rest = found[body["page"] * body["pageSize"] :]
                more = len(rest) > body["pageSize"]
                entries = [_summary(each) for each in rest[: body["pageSize"]]]
                return {"entries": entries, "nextPageToken": str(body["page"] + 1) if more else None}
            case "getEntries":
                return {"entries": [_summary(self.entries[each]) for each in body["ids"] if each in self.entries]}
            case "validateDataset":
                return {"dataset": self.validated(body["data"]["dataset"], body["data"]["updates"])}
        return self.entry(operation, body)

    def entry(self, operation: str, body: dict[str, Any]) -> Any:
        """Create, change or show an entry of the kind that the operation names."""
        for kind, scope in SCOPES.items():
            if operation == f"create{kind}":
                return self.shown(self.add(scope, body))
            if operation in (f"get{kind}", f"update{kind}"):
                if (entry := self.entries.get(_id(body))) is None:
                    raise RefusedError(404, "The entry doesn't exist")
                if operation.startswith("update"):
                    self.change(entry, body)
                return self.shown(entry)
        raise RefusedError(404, f"no operation {operation}")

    def add(self, scope: str, body: dict[str, Any]) -> dict[str, Any]:
        sent = body.get("entry", body)
        if any((each["scope"], each["name"]) == (scope, sent["name"]) for each in self.entries.values()):
            raise RefusedError(409, "The entry already exists")
        content = {key: value for key, value in sent.items() if key not in ("name", "workbook_id", "type")}
        if scope == "dataset":
            content["dataset"]["revision_id"] = None
        entry = {"id": f"id{len(self.entries)}", "scope": scope, "name": sent["name"], "content": content}
        self.entries[entry["id"]] = entry
        return entry

    def change(self, entry: dict[str, Any], body: dict[str, Any]) -> None:
        """Each save of a dataset needs the revision that was read, as in dl_api_lib's dataset_loader.py."""
        sent = body["data"] if entry["scope"] in ("connection", "dataset") else body.get("entry", body)
        if entry["scope"] == "dataset":
            if sent["dataset"].get("revision_id") != entry["content"]["dataset"]["revision_id"]:
                raise RefusedError(400, "Another revision has been saved")
            sent["dataset"]["revision_id"] = f"revision{len(self.calls)}"
        entry["content"].update(sent)

    def shown(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return an entry as it is read: a password goes in and never comes out."""
        content = deepcopy(entry["content"])
        content.pop("password", None)
        known = {"id": entry["id"], "name": entry["name"], "workbook_id": WORKBOOK}
        if entry["scope"] in ("connection", "dataset"):
            return known | content | ({"db_type": "postgres"} if entry["scope"] == "connection" else {})
        rest = {"publishedId": "x", "hidden": False, "public": False, "meta": None, "version": 1, "key": None}
        kind = {"entryId": entry["id"], "scope": entry["scope"], "type": "graph_wizard_node", "workbookId": WORKBOOK}
        own = {"schemeVersion": 8, "counter": 999} if entry["scope"] == "dash" else {}
        data = content["data"] | DEFAULTS | own
        return {"entry": SYSTEM | rest | kind | {"data": data, "annotation": content["annotation"]}}

    def validated(self, dataset: dict[str, Any], updates: list[dict[str, Any]]) -> dict[str, Any]:
        """Add a source and read its columns through the connection."""
        for source in (update["source"] for update in updates if update["action"] == "add_source"):
            parameters = source["parameters"]
            columns = self.views.get(f"{parameters['schema_name']}.{parameters['table_name']}")
            raw_schema = [
                {"name": name, "title": name, "user_type": kind, "nullable": True, "native_type": {"name": kind}}
                for name, kind in (columns or {}).items()
            ]
            dataset["sources"].append(source | {"valid": columns is not None, "raw_schema": raw_schema})
        return dataset


def _id(body: dict[str, Any]) -> str:
    keys = ("connectionId", "datasetId", "chartId", "dashboardId")
    return str(next((body[key] for key in keys if key in body), None) or body["entry"]["entryId"])


def _summary(entry: dict[str, Any]) -> dict[str, Any]:
    return {"entryId": entry["id"], "scope": entry["scope"], "type": "graph_wizard_node", "name": entry["name"]}

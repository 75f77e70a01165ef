"""A server on 127.0.0.1 that answers the SDK like the API of DataLens and keeps state; the SDK talks to it over real HTTP.

Made from what the SDK sends and demands back (its read models are strict), not from a live DataLens. `views` is what the database
behind the connection has; `refuse` makes an operation answer with an error, `forget` makes charts lose a
key of their config, `say` answers an operation with something else.
"""

import json
import threading
from collections.abc import Mapping
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

WORKBOOK = "wb1"
TOKEN = "iam-token"
ORGANIZATION = "org1"
WRITES = ("create", "update", "delete", "move", "rename")
# What the real one adds by itself to any config: our comparison must not take it for a difference.
DEFAULTS = {"serverDefault": "on"}


class RefusedError(Exception):
    def __init__(self, status: int, code: str = "ERR", message: str = "refused") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message}


class DataLens:
    """State of the server: entries by id, the calls it has got."""

    def __init__(self, views: Mapping[str, Mapping[str, str]]) -> None:
        self.views = views
        self.entries: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refuse: dict[str, RefusedError] = {}
        self.forget: set[str] = set()
        self.say: dict[str, Any] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                operation = self.path.removeprefix("/rpc/")
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = outer.answer(operation, body, self.headers)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("x-request-id", "request-1")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # --- what tests look at ------------------------------------------------------------------------------------------

    def writes(self) -> list[str]:
        """Return the operations since the last look that change something, and forget all calls."""
        found = [operation for operation, _ in self.calls if operation.startswith(WRITES)]
        self.calls.clear()
        return found

    def entry(self, scope: str, name: str) -> dict[str, Any]:
        (found,) = (each for each in self.entries.values() if (each["scope"], each["name"]) == (scope, name))
        return found

    # --- the API -----------------------------------------------------------------------------------------------------

    def answer(self, operation: str, body: dict[str, Any], headers: Mapping[str, str]) -> tuple[int, Any]:
        self.calls.append((operation, body))
        try:
            hosted = (headers["Authorization"], headers["x-dl-org-id"]) == (f"Bearer {TOKEN}", ORGANIZATION)
            if not hosted and headers["Authorization"] != f"OAuth {TOKEN}":
                raise RefusedError(401, "UNAUTHENTICATED", "The token is invalid")
            if operation in self.refuse:
                raise self.refuse[operation]
            return 200, self.say.get(operation) or getattr(self, f"_{operation}")(body)
        except RefusedError as refused:
            return refused.status, refused.body

    def _getWorkbook(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if body["workbookId"] != WORKBOOK:
            raise RefusedError(404, "ERR.US.WORKBOOK_NOT_EXISTS", "The workbook doesn't exist")
        return {"workbookId": WORKBOOK, "title": "Workbook"}

    def _getWorkbookEntries(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        found = [each for each in self.entries.values() if each["scope"] in body["scope"]]
        page = found[body["page"] * body["pageSize"] :][: body["pageSize"]]
        more = len(found) > (body["page"] + 1) * body["pageSize"]
        return {"entries": [_summary(each) for each in page], "nextPageToken": str(body["page"] + 1) if more else None}

    def _getEntries(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"entries": [_summary(self.entries[each]) for each in body["ids"] if each in self.entries]}

    def _add(self, scope: str, name: str, **content: Any) -> dict[str, Any]:
        if any((each["scope"], each["name"]) == (scope, name) for each in self.entries.values()):
            raise RefusedError(409, "ERR.US.DB.UNIQUE_VIOLATION", "The entry already exists")
        entry = {"id": f"id{len(self.entries)}", "scope": scope, "name": name, **deepcopy(content)}
        self.entries[entry["id"]] = entry
        return entry

    def _at(self, entry_id: str) -> dict[str, Any]:
        if entry_id not in self.entries:
            raise RefusedError(404, "NOT_FOUND", "The entry doesn't exist")
        return self.entries[entry_id]

    # Connections: the password goes in and never comes out.

    def _createConnection(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        fields = {key: value for key, value in body.items() if key not in ("name", "workbook_id", "type")}
        return {"id": self._add("connection", body["name"], fields=fields)["id"]}

    def _getConnection(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        entry = self._at(body["connectionId"])
        shown = {key: value for key, value in entry["fields"].items() if key != "password"}
        return {"id": entry["id"], "name": entry["name"], "db_type": "postgres", "workbook_id": WORKBOOK, **shown}

    def _updateConnection(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._at(body["connectionId"])["fields"].update(body["data"])
        return {}

    # Datasets: each save needs the revision that was read, as in dl_api_lib's dataset_loader.py.

    def _createDataset(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        entry = self._add("dataset", body["name"], dataset={**body["dataset"], "revision_id": None})
        return {"id": entry["id"]}

    def _getDataset(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        entry = self._at(body["datasetId"])
        return {"id": entry["id"], "name": entry["name"], "workbook_id": WORKBOOK, "dataset": entry["dataset"]}

    def _updateDataset(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        entry, sent = self._at(body["datasetId"]), body["data"]["dataset"]
        if sent.get("revision_id") != entry["dataset"]["revision_id"]:
            raise RefusedError(400, "ERR.DS_API.VALIDATION.REVISION_MISMATCH", "Another revision has been saved")
        entry["dataset"] = {**sent, "revision_id": f"revision{len(self.calls)}"}
        return {"id": entry["id"], "dataset": entry["dataset"]}

    def _validateDataset(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        dataset = deepcopy(body["data"]["dataset"])
        for update in body["data"]["updates"]:
            action = update["action"]
            if action == "add_source":
                dataset["sources"].append(update["source"])
            elif action == "refresh_source":
                self._refresh(next(each for each in dataset["sources"] if each["id"] == update["source"]["id"]))
            elif action == "update_source":
                next(each for each in dataset["sources"] if each["id"] == update["source"]["id"]).update(
                    update["source"]
                )
            elif action == "replace_connection":
                for source in dataset["sources"]:
                    source["connection_id"] = update["connection"]["new_id"]
            elif action == "update_description":
                dataset["description"] = update["description"]
            elif action.endswith("_field"):
                self._change_field(dataset["result_schema"], action, update["field"])
            elif action != "add_source_avatar":
                raise RefusedError(400, "ERR", f"unknown action {action}")
        return {"dataset": dataset}

    def _refresh(self, source: dict[str, Any]) -> None:
        parameters = source["parameters"]
        columns = self.views.get(f"{parameters['schema_name']}.{parameters['table_name']}")
        source["valid"] = columns is not None
        source["raw_schema"] = [
            {"name": name, "title": name, "user_type": kind, "nullable": True, "native_type": {"name": kind}}
            for name, kind in (columns or {}).items()
        ]

    @staticmethod
    def _change_field(schema: list[dict[str, Any]], action: str, field: dict[str, Any]) -> None:
        known = {each["guid"]: each for each in schema}
        if action == "add_field":
            schema.append({"description": "", "formula": "", "source": "", **field})
        elif action == "update_field":
            known[field["guid"]].update(field)
        elif action == "delete_field":
            schema.remove(known[field["guid"]])

    # Charts and dashboards.

    def _createWizardChart(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._chart(self._add("widget", body["name"], data=body["data"], annotation=body.get("annotation")))

    def _getWizardChart(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._chart(self._at(body["chartId"]))

    def _updateWizardChart(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        entry = self._at(body["chartId"])
        entry.update(data=body["data"], annotation=body.get("annotation"))
        return self._chart(entry)

    def _chart(self, entry: dict[str, Any]) -> dict[str, Any]:
        known = {"entryId": entry["id"], "scope": "widget", "type": "graph_wizard_node", "workbookId": WORKBOOK}
        unknown = dict.fromkeys(
            ("createdAt", "createdBy", "updatedAt", "updatedBy", "revId", "savedId", "tenantId"), "x"
        )
        rest = {"publishedId": "x", "hidden": False, "public": False, "meta": None, "version": 1, "key": None}
        visualization = {key: value for key, value in entry["data"]["visualization"].items() if key not in self.forget}
        data = entry["data"] | {"visualization": visualization} | DEFAULTS
        content = {"data": data, "annotation": entry["annotation"]}
        return {"entry": known | unknown | rest | content}

    def _createDashboard(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        sent = body["entry"]
        return self._dash(self._add("dash", sent["name"], data=sent["data"], annotation=sent.get("annotation")))

    def _getDashboard(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._dash(self._at(body["dashboardId"]))

    def _updateDashboard(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        entry = self._at(body["entry"]["entryId"])
        entry.update(data=body["entry"]["data"], annotation=body["entry"].get("annotation"))
        return self._dash(entry)

    @staticmethod
    def _dash(entry: dict[str, Any]) -> dict[str, Any]:
        data = entry["data"] | DEFAULTS | {"schemeVersion": 8, "counter": 999}
        known = {"entryId": entry["id"], "scope": "dash", "type": "", "workbookId": WORKBOOK, "meta": None}
        return {"entry": known | {"data": data, "annotation": entry["annotation"]}}


def _summary(entry: dict[str, Any]) -> dict[str, Any]:
    kind = "graph_wizard_node" if entry["scope"] == "widget" else ""
    return {"entryId": entry["id"], "scope": entry["scope"], "type": kind, "name": entry["name"]}

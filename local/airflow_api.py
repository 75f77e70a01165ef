"""The few calls of Airflow's REST API that the demo and the tests need; the `airflow` CLI takes seconds for each."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote, urlencode

REQUEST_TIMEOUT_S = 30
FINISHED = ("success", "failed")


class AirflowApiError(Exception):
    """Airflow refused a request, or did not answer; the text says which."""


class AirflowApi:
    """A logged-in client of one Airflow."""

    def __init__(self, address: str, user: str, password: str) -> None:
        """Log in by name and password, at `http://host:port`."""
        self.address = address
        self._token = ""
        self._token = self._call("POST", "/auth/token", {"username": user, "password": password})["access_token"]

    def wait_for_dags(self, dag_ids: tuple[str, ...], timeout_s: float = 120) -> None:
        """Return once the DAG processor has read these DAGs; raise `AirflowApiError` if it can't or doesn't."""
        deadline = time.monotonic() + timeout_s
        while True:
            known = {dag["dag_id"] for dag in self._call("GET", "/api/v2/dags?limit=100")["dags"]}
            missing = [dag_id for dag_id in dag_ids if dag_id not in known]
            if not missing:
                return
            for error in self._call("GET", "/api/v2/importErrors")["import_errors"]:
                raise AirflowApiError(f"{error['filename']} can't be imported:\n{error['stack_trace']}")
            if time.monotonic() > deadline:
                raise AirflowApiError(f"Airflow doesn't know {', '.join(missing)} after {timeout_s:.0f} s")
            time.sleep(1)

    def dag_ids(self) -> list[str]:
        """Return the DAGs that Airflow knows."""
        return sorted(dag["dag_id"] for dag in self._call("GET", "/api/v2/dags?limit=100")["dags"])

    def health(self) -> dict[str, dict[str, str]]:
        """Return how each part of Airflow is, as its home page shows it."""
        return self._call("GET", "/api/v2/monitor/health")

    def dag(self, dag_id: str) -> dict[str, Any]:
        """Return what Airflow knows of the DAG: is_paused, description, ..."""
        return self._call("GET", f"/api/v2/dags/{dag_id}")

    def unpause(self, dag_id: str) -> None:
        """Let the DAG run."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def pause(self, dag_id: str, timeout_s: float = 120) -> None:
        """Start no more runs of the DAG, as soon as none is on: Airflow leaves a run of a paused DAG where it is."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if not self.runs(dag_id, state="running"):
                self._call("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": True})
                if not self.runs(dag_id, state="running"):
                    return
                self.unpause(dag_id)
            time.sleep(0.2)
        raise AirflowApiError(f"{dag_id} is never between two runs within {timeout_s:.0f} s")

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run with these parameters; return its id."""
        body = {"logical_date": None, "conf": conf}
        run_id: str = self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"]
        return run_id

    def form(self, dag_id: str) -> dict[str, Any]:
        """Return what the form of the DAG holds when it opens, by parameter."""
        params = self._call("GET", f"/api/v2/dags/{dag_id}/details")["params"]
        return {name: param["value"] for name, param in params.items()}

    def runs(self, dag_id: str, **filters: str) -> list[dict[str, Any]]:
        """Return the last runs of the DAG, the newest first; `filters` as the API names them, such as state="running"."""
        query = urlencode({"order_by": "-id", "limit": 20, **filters})
        runs: list[dict[str, Any]] = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns?{query}")["dag_runs"]
        return runs

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return queued, running, success or failed."""
        state: str = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}")["state"]
        return state

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run: task_id, state, try_number, start_date, duration (seconds), ..."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances"
        tasks: list[dict[str, Any]] = self._call("GET", path)["task_instances"]
        return sorted(tasks, key=lambda task: (task["start_date"] is None, task["start_date"]))

    def add_connection(self, conn_id: str, conn_type: str, extra: dict[str, Any]) -> None:
        """Make a connection; Airflow looks it up each time that it is used."""
        body = {"connection_id": conn_id, "conn_type": conn_type, "extra": json.dumps(extra)}
        self._call("POST", "/api/v2/connections", body)

    def remove_connection(self, conn_id: str) -> None:
        """Make a connection unknown again."""
        self._call("DELETE", f"/api/v2/connections/{quote(conn_id)}")

    def variables(self) -> dict[str, str]:
        """Return all Variables by their keys."""
        variables = self._call("GET", "/api/v2/variables?limit=100")["variables"]
        return {variable["key"]: variable["value"] for variable in variables}

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as answer:
                result: dict[str, Any] = json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            detail = error.read().decode(errors="replace")[:500]
            raise AirflowApiError(f"Airflow refused {method} {path}: {error.code} {detail}") from error
        except OSError as error:
            raise AirflowApiError(f"Airflow at {self.address} does not answer: {error}") from error
        return result

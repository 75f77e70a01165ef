"""People with roles, before the app of a real API server under FAB: what each may start. Prints it as JSON.

A program of its own, because Airflow reads its settings once: `tests/deploy/test_airflow_roles.py` gives it a folder of its own.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[2]
PASSWORD = "as-long-as-it-has-to-be"


def settings(home: Path) -> dict[str, str]:
    """Return the settings of an Airflow in a folder of its own."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API_AUTH__JWT_SECRET": "of-this-test-alone-and-long-enough-for-it-0123456789",
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPO / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPO / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }


def main(people: dict[str, list[str]]) -> dict[str, Any]:
    """Make the roles and the people; let each log in and start every DAG. Nothing runs what is started there."""
    from airflow.api_fastapi.app import create_app
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
    from airflow.utils.db import initdb
    from fastapi.testclient import TestClient

    from deploy import airflow_roles

    initdb()
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(
        DagBag(str(REPO / "dags"), bundle_path=REPO / "dags", bundle_name="dags-folder"), "dags-folder", None
    )
    with get_application_builder() as builder:
        # What somebody gave a role of ours is taken again; what is said there stays.
        role = builder.sm.add_role(next(iter(airflow_roles.ROLES)))
        builder.sm.add_permission_to_role(role, builder.sm.create_permission("can_create", "DAG Runs"))
    airflow_roles.main()
    airflow_roles.main()
    with get_application_builder() as builder:
        for name, roles in people.items():
            found = [builder.sm.find_role(role) for role in roles]
            assert builder.sm.add_user(name, name, name, f"{name}@example.org", found, PASSWORD), name
    with TestClient(create_app()) as client:
        return {name: _tried(client, name) for name in people}


def _tried(client: Any, name: str) -> dict[str, Any]:
    answer = client.post("/auth/token", json={"username": name, "password": PASSWORD})
    mine = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    dags = [dag["dag_id"] for dag in client.get("/api/v2/dags?limit=100", headers=mine).json()["dags"]]
    body: dict[str, Any] = {"logical_date": None, "conf": {}}
    told = client.get("/guest-tags/api/me", headers=mine)
    own = {"Origin": "http://testserver"}
    return {
        "starts": {
            dag: client.post(f"/api/v2/dags/{dag}/dagRuns", json=body, headers=mine).status_code for dag in dags
        },
        "page": told.status_code,
        "buttons": told.json().get("may"),
        "guests": told.json().get("guests"),
        "asked for the guests of a tag": client.get("/guest-tags/api/guests?tag=x", headers=mine).status_code,
        "asked why": client.post("/guest-tags/api/why", json={"guest_id": "x"}, headers=mine | own).status_code,
    }


if __name__ == "__main__":
    os.environ |= settings(Path(sys.argv[1]))
    sys.path += [str(REPO), str(REPO / "plugins")]
    print(json.dumps(main(json.loads(sys.argv[2]))))

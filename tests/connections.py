"""Changes an Airflow connection for a test."""

import json
import os
from collections.abc import Mapping
from typing import Any

import pytest


def change_connection(
    monkeypatch: pytest.MonkeyPatch, conn_id: str, *, extra: Mapping[str, Any] | None = None, **fields: Any
) -> None:
    """Give a connection of the environment other fields, and its extra other entries."""
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    connection = json.loads(os.environ[name])
    connection["extra"] = {**connection.get("extra", {}), **(extra or {})}
    monkeypatch.setenv(name, json.dumps({**connection, **fields}))

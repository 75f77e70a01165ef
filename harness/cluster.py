"""A distributed warehouse on a Citus cluster that somebody has started: who loads find it by, and how it is made anew."""

import subprocess
import sys
from pathlib import Path

import psycopg

REPO = Path(__file__).resolve().parents[1]
ROLES = {"DWH_URL": "dwh_owner", "DWH_ETL_URL": "dwh_etl", "DWH_BI_URL": "dwh_bi", "DWH_PAGE_URL": "dwh_page"}
SCHEMAS = ("work", "cdm", "dds", "stg", "migration")


def environment(coordinator: str) -> dict[str, str]:
    """Return the variables by which the warehouse of a cluster is found; `coordinator`: its superuser's address, with a password.

    Nodes log in to each other as the role whose statement they carry out: every role has that password.
    """
    account, place = coordinator.split("@")
    scheme, _, password = account.partition("://postgres:")
    urls = {variable: f"{scheme}://{role}:{password}@{place}" for variable, role in ROLES.items()}
    passwords = {f"{role.upper()}_PASSWORD": password for role in ROLES.values()}
    connections = {"AIRFLOW_CONN_POSTGRES_DWH": "DWH_ETL_URL", "AIRFLOW_CONN_POSTGRES_DWH_BI": "DWH_PAGE_URL"}
    return {
        **urls,
        **passwords,
        **{name: urls[variable].replace("postgresql://", "postgres://") for name, variable in connections.items()},
        "DWH_ADMIN_URL": coordinator,
    }


def make_warehouse(env: dict[str, str]) -> None:
    """Make an empty distributed warehouse in the place of the one that is there; `env` as of `environment`, and the rest."""
    with psycopg.connect(env["DWH_ADMIN_URL"], autocommit=True) as admin:
        for schema in SCHEMAS:
            admin.execute(f"drop schema if exists {schema} cascade".encode())
        admin.execute("create extension if not exists citus_columnar")
    for module in (["deploy.bootstrap"], ["alembic", "upgrade", "head"], ["deploy.distribute"]):
        program = [sys.executable, "-m", *module]
        asked = {**env, "DWH_DISTRIBUTED": "true"}
        done = subprocess.run(program, cwd=REPO, env=asked, check=False, capture_output=True, text=True)
        assert not done.returncode, done.stderr

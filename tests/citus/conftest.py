"""A distributed warehouse in place of the stack's own: a Citus cluster that somebody has started, by its coordinator's address.

CITUS_COORDINATOR_URL names, for the superuser, a database of the cluster that nobody else needs: its warehouse is made anew.
"""

import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from deploy import distribute
from local.stack import Stack
from tests.citus.seen import SeenPipeline
from tests.conftest import REPO, own_stack

COORDINATOR = os.environ.get("CITUS_COORDINATOR_URL", "")
ROLES = {"DWH_URL": "dwh_owner", "DWH_ETL_URL": "dwh_etl", "DWH_BI_URL": "dwh_bi"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what lies here where no cluster is named."""
    for item in items:
        if not COORDINATOR and item.path.is_relative_to(REPO / "tests" / "citus"):
            item.add_marker(pytest.mark.skip(reason="CITUS_COORDINATOR_URL does not name a Citus cluster"))


def url_of(role: str) -> str:
    """Return the coordinator's address for a role. Nodes log in to each other as the role whose statement they carry out."""
    account, place = COORDINATOR.split("@")
    scheme, _, password = account.partition("://postgres:")
    return f"{scheme}://{role}:{password}@{place}"


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Redis and Kafka of the tests' own, and the cluster's warehouse: migrated and distributed."""
    for stack in own_stack():
        password = COORDINATOR.split("@")[0].rsplit(":", 1)[1]
        os.environ["CITUS_COPY_URL"] = os.environ["DWH_ADMIN_URL"].rsplit("/", 1)[0] + "/dwh"
        os.environ.update({variable: url_of(role) for variable, role in ROLES.items()})
        os.environ.update(
            DWH_ADMIN_URL=COORDINATOR,
            DWH_OWNER_PASSWORD=password,
            DWH_ETL_PASSWORD=password,
            DWH_BI_PASSWORD=password,
            AIRFLOW_CONN_POSTGRES_DWH=url_of("dwh_etl").replace("postgresql://", "postgres://"),
            AIRFLOW_CONN_POSTGRES_DWH_BI=url_of("dwh_bi").replace("postgresql://", "postgres://"),
        )
        with psycopg.connect(COORDINATOR, autocommit=True) as admin:
            for schema in ("work", "cdm", "dds", "stg", "migration"):
                admin.execute(f"drop schema if exists {schema} cascade")
        for module in (["deploy.bootstrap"], ["alembic", "upgrade", "head"]):
            subprocess.run([sys.executable, "-m", *module], cwd=REPO, check=True, capture_output=True)
        with psycopg.connect(os.environ["DWH_URL"]) as owner:
            distribute.distribute(owner)
        yield stack


@pytest.fixture
def pipeline(seen: SeenPipeline) -> SeenPipeline:
    """The distributed warehouse, empty, in the place of a plain one: for tests that both must pass."""
    seen.clear()
    return seen


@pytest.fixture(scope="module")
def seen(stack: Stack) -> Iterator[SeenPipeline]:
    """A distributed warehouse whose rows are looked at in a plain copy."""
    with SeenPipeline() as pipeline:
        yield pipeline

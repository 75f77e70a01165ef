"""A distributed warehouse in place of the stack's own: a Citus cluster that somebody has started, by its coordinator's address.

CITUS_COORDINATOR_URL names, for the superuser, a database of the cluster that nobody else needs: its warehouse is made anew.
"""

import os
from collections.abc import Iterator

import pytest

from harness.cluster import environment, make_warehouse
from local.stack import Stack
from tests.citus.seen import SeenPipeline
from tests.conftest import REPO, own_stack

COORDINATOR = os.environ.get("CITUS_COORDINATOR_URL", "")
TIMEOUT_S = 1800


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what lies here where no cluster is named; give the rest more time: each statement is one on several servers."""
    for item in items:
        if not item.path.is_relative_to(REPO / "tests" / "citus"):
            continue
        item.add_marker(pytest.mark.timeout(TIMEOUT_S), append=False)
        if not COORDINATOR:
            item.add_marker(pytest.mark.skip(reason="CITUS_COORDINATOR_URL does not name a Citus cluster"))


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Redis and Kafka of the tests' own, and the cluster's warehouse: migrated and distributed."""
    for stack in own_stack():
        os.environ["CITUS_COPY_URL"] = os.environ["DWH_ADMIN_URL"].rsplit("/", 1)[0] + "/dwh"
        os.environ.update(environment(COORDINATOR))
        make_warehouse(dict(os.environ))
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

"""One Airflow for all tests of this folder: its start takes half a minute."""

from collections.abc import Iterator

import pytest

from local.airflow_api import AirflowApi
from local.stack import Stack

DAGS = ("orders_micro_batch", "orders_backfill", "marts_rebuild", "dead_letters_replay", "tag_rules", "data_checks")


@pytest.fixture(scope="package")
def airflow(stack: Stack) -> Iterator[AirflowApi]:
    """Airflow beside the other servers of the test stack; its DAGs are paused until a test switches them on."""
    stack.start(["airflow"])
    api = AirflowApi(*stack.ui_login())
    api.wait_for_dags(DAGS)
    yield api
    stack.stop(["airflow"])

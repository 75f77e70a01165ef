"""Rules with a window or an exit threshold on a distributed warehouse: the worked examples of the contract, and rehearsals."""

from collections.abc import Iterator

import pytest

from harness.pipeline import Pipeline
from tests.citus.seen import SeenPipeline
from tests.warehouse.test_rehearsals import *  # noqa: F403 - all of them, here
from tests.warehouse.test_rule_examples import *  # noqa: F403


@pytest.fixture(scope="module")  # type: ignore[no-redef]
def module_pipeline(seen: SeenPipeline) -> Iterator[Pipeline]:
    """In the place of a plain one."""
    yield seen
    seen.clear()

"""Faults of a distributed warehouse: runs that are killed anywhere or work beside each other, and a worker that goes away."""

import os
import signal
from collections.abc import Iterator

import psutil
import psycopg
import pytest

from harness.runs import minute_run
from tests.citus.nodes import Node
from tests.citus.seen import SeenPipeline
from tests.crash.child import Children
from tests.crash.conftest import World, children, world  # noqa: F401 - fixtures
from tests.crash.test_concurrency import (  # noqa: F401 - the same tests, here
    crowd,
    test_a_minute_run_and_a_history_at_once_end_as_one_of_them_alone,
    test_a_rebuild_during_loads_loses_nothing,
    test_three_minute_runs_at_once_store_everything_once,
)
from tests.crash.test_kill_points import (  # noqa: F401
    test_a_history_killed_in_any_chunk_goes_on_where_it_stopped,
    test_a_minute_run_killed_at_any_step_and_run_again_is_as_if_nothing_had_happened,
)
from tests.messages import order
from tests.waiting import wait_for


def test_the_marts_wait_for_a_commit_that_a_worker_has_not_finished(pipeline: SeenPipeline) -> None:
    pipeline.stage([order(1)])
    pipeline.load_dds()
    worker = os.environ["CITUS_WORKER_URLS"].split()[0].replace("//postgres:", "//dwh_etl:")
    with psycopg.connect(worker, autocommit=True) as connection:
        connection.execute("begin")
        connection.execute("prepare transaction 'of a worker that died'")
        try:
            with pytest.raises(
                psycopg.errors.RaiseException, match=r"a commit is not finished on .*: Citus finishes it"
            ):
                pipeline.load_cdm()
        finally:
            connection.execute("rollback prepared 'of a worker that died'")
    pipeline.load_cdm()
    assert pipeline.user_product_counters()


# After all others: a session that was there before keeps its connection to the worker that is gone.
@pytest.fixture
def worker(world: World) -> Iterator[Node]:  # noqa: F811
    """A worker that the test may stop."""
    node = Node(os.environ["CITUS_WORKER_URLS"].split()[0])
    yield node
    if not (node.folder / "postmaster.pid").exists():
        node.start()


@pytest.mark.timeout(1800)
def test_a_worker_that_goes_away_in_the_middle_of_a_run_fails_it_and_the_next_one_goes_on(
    world: World,  # noqa: F811
    children: Children,  # noqa: F811
    worker: Node,
) -> None:
    steps = children.run(minute_run, world.topic)
    undisturbed = world.content()
    for number in range(1, len(steps), max(1, len(steps) // 8)):
        world.begin_again()
        run = children.start(minute_run, world.topic, stop_at=number)
        wait_for(lambda: psutil.Process(run.pid).status() == psutil.STATUS_STOPPED, "run that has stopped")  # noqa: B023
        worker.stop()
        os.kill(run.pid, signal.SIGCONT)
        run.join(120)
        assert run.exitcode, f"it ended well without a worker, from step {number}, {steps[number - 1]}"
        with pytest.raises(psycopg.OperationalError, match="connection"):
            minute_run(world.topic)
        worker.start()
        minute_run(world.topic)
        assert world.content() == undisturbed, f"after a worker went away at step {number}, {steps[number - 1]}"

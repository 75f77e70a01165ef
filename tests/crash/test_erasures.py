"""An erasure killed before and after each of its steps, and run again, leaves what an undisturbed one leaves."""

import logging
import os

import psycopg
import pytest

from harness.pipeline import PEPPER, SQL
from tests.crash.child import Children, kill_points
from tests.crash.conftest import World
from warehouse.erasures import work_off
from warehouse.session import Session


def erase_all() -> None:
    """Work the requests off, in a connection of this process."""
    with psycopg.connect(os.environ["DWH_ETL_URL"], autocommit=True) as connection:
        list(work_off(Session(connection, SQL, log=logging.getLogger("erase")), lambda: PEPPER))


def begin(world: World) -> None:
    world.begin_again()
    world.pipeline.owner.execute("select stg.request_erasure('guest')")


HIDDEN = ("id", "load_dt", "attempt_dt", "assigned_dt", "event_dt", "changed_dt", "as_of", "requested_dt", "done_dt")


@pytest.mark.timeout(300)
def test_an_erasure_killed_at_any_step_and_run_again_erases_the_same(world: World, children: Children) -> None:
    begin(world)
    steps = children.run(erase_all)
    undisturbed = world.pipeline.snapshot(HIDDEN)
    assert len(steps) > 12
    assert len(undisturbed["stg.erasures"]) == 1
    assert undisturbed["stg.erasure_requests"] == []
    for number, name in kill_points(steps):
        begin(world)
        assert children.run(erase_all, die_at=number) == steps[:number]
        erase_all()
        assert world.pipeline.snapshot(HIDDEN) == undisturbed, f"after a death at step {number}, {name}"

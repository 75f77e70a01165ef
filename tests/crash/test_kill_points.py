"""A run killed before and after each of its steps, and run again, leaves what an undisturbed run leaves."""

import pytest

from harness.runs import history_run, minute_run
from tests.crash.child import Children, kill_points
from tests.crash.conftest import World
from tests.messages import order


@pytest.mark.timeout(900)
def test_a_minute_run_killed_at_any_step_and_run_again_is_as_if_nothing_had_happened(
    world: World, children: Children
) -> None:
    steps = children.run(minute_run, world.topic)
    world.assert_right()
    undisturbed = world.content()
    assert len(steps) > 60
    for number, name in kill_points(steps):
        world.begin_again()
        assert children.run(minute_run, world.topic, die_at=number) == steps[:number]
        minute_run(world.topic)
        assert world.content() == undisturbed, f"after a death at step {number}, {name}"


def test_a_history_killed_in_any_chunk_goes_on_where_it_stopped(world: World, children: Children) -> None:
    many = [order(n, user=f"guest-{n % 7}", update_ts="2026-01-02 10:00:00") for n in range(10, 260)]
    topic = world.pipeline.topic(partitions=1)
    world.pipeline.produce(topic, many)
    steps = children.run(history_run, topic, "whole")
    undisturbed = world.content()
    commits = [number for number, name in enumerate(steps, start=1) if "commit of" in name]
    for number in commits[:12] + commits[-4:]:
        world.begin_again()
        run_id = f"killed-at-{number}"
        children.run(history_run, topic, run_id, die_at=number)
        history_run(topic, run_id)
        assert world.content() == undisturbed, f"after a death at step {number}, {steps[number - 1]}"

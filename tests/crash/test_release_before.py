"""The code of the release before on the tables of today: it runs on while a deployment has migrated and not replaced it yet."""

from harness.runs import load_layers, minute_run
from harness.upgrade import Release
from tests.crash.conftest import World

# Runs in the checkout of that commit: what the DAGs do, and the laws.
OLD_RUNS = """
import sys
from pathlib import Path
from harness.runs import history_run, minute_run, rebuild_run, run
from operators.check_laws import CheckLawsOperator

topic = sys.argv[1]
assert Path(sys.modules["operators.check_laws"].__file__).is_relative_to(Path.cwd()), "it is the old code that runs"
minute_run(topic)
history_run(topic, "old")
rebuild_run()
minute_run(topic)
print(run(CheckLawsOperator(task_id="laws")))
"""


def test_the_release_before_runs_on_the_tables_of_today(world: World, release: Release) -> None:
    said = release.run(OLD_RUNS, world.topic)
    assert "'broken': 0" in said
    world.assert_right()
    before = world.content()
    minute_run(world.topic)
    load_layers()
    assert world.content() == before, "what the release before has stored, today's finds as its own"

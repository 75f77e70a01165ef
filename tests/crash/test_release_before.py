"""The code of the release before on the tables of today: it runs on while a deployment has migrated and not replaced it yet."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.runs import load_layers, minute_run
from tests.crash.conftest import World

REPO = Path(__file__).resolve().parents[2]
# The commit of the last image that was released. A release sets it to its own once it is out.
RELEASE = "a8658c4"
# Runs in the checkout of that commit, by its own tests' drivers: what the DAGs do, and the laws.
OLD_RUNS = """
import sys
from pathlib import Path
from tests.crash.child import history_run, minute_run, rebuild_run
from tests.operators.drain_case import run
from operators.check_laws import CheckLawsOperator

topic = sys.argv[1]
assert Path(sys.modules["operators.check_laws"].__file__).is_relative_to(Path.cwd()), "it is the old code that runs"
minute_run(topic)
history_run(topic, "old")
rebuild_run()
minute_run(topic)
print(run(CheckLawsOperator(task_id="laws")))
"""


@pytest.fixture(scope="session")
def old_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the code of the release before."""
    folder = tmp_path_factory.mktemp("release")
    archive = subprocess.run(["git", "archive", RELEASE], cwd=REPO, capture_output=True, check=False)
    assert archive.returncode == 0, (
        f"the history up to {RELEASE} is needed (git fetch --unshallow): {archive.stderr.decode()}"
    )
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


def run_old(folder: Path, code: str, *arguments: str) -> str:
    env = os.environ | {"PYTHONPATH": f"{folder / 'plugins'}{os.pathsep}{folder}"}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_release_before_runs_on_the_tables_of_today(world: World, old_checkout: Path) -> None:
    said = run_old(old_checkout, OLD_RUNS, world.topic)
    assert "'broken': 0" in said
    world.assert_right()
    before = world.content()
    minute_run(world.topic)
    load_layers()
    assert world.content() == before, "what the release before has stored, today's finds as its own"

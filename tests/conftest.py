"""The stack that the tests own: real PostgreSQL, Redis-compatible server and Kafka, beside any other stack of this machine."""

import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from xdist.scheduler import LoadFileScheduling

REPO = Path(__file__).resolve().parents[1]
# Another folder lets two sessions run side by side; each worker of pytest-xdist has one of its own.
SESSION_HOME = REPO / os.environ.get("TEST_STACK_HOME", ".local-test")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
HOME = Path(f"{SESSION_HOME}-{WORKER}") if WORKER else SESSION_HOME

# Before anything imports Airflow: it reads its configuration once.
os.environ.update(
    AIRFLOW_HOME=str(HOME / "airflow"),
    AIRFLOW__CORE__DAGS_FOLDER=str(REPO / "dags"),
    AIRFLOW__CORE__PLUGINS_FOLDER=str(REPO / "plugins"),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False",
)
sys.path.append(str(REPO / "plugins"))

from harness.pipeline import Pipeline  # noqa: E402
from harness.upgrade import Release  # noqa: E402
from local.stack import Stack  # noqa: E402
from local.state import DEFAULT_PORTS  # noqa: E402
from tests.programs import PORTS_A_WORKER, worker_number  # noqa: E402
from tests.skips import pytest_make_collect_report, pytest_runtest_makereport  # noqa: E402, F401 - hooks
from tests.streams import Broom  # noqa: E402

# A server that a test of one worker has killed comes back to its port: the other workers look for theirs elsewhere.
DEFAULT_PORTS.update({name: port + PORTS_A_WORKER * worker_number() for name, port in DEFAULT_PORTS.items()})


# What takes longest goes first: last, one of them would be waited for alone. But for the dumps, which are to hold no Airflow that
# ran on the same servers before.
FIRST = (
    "deploy/test_backup",
    "e2e",
    "crash",
    "warehouse/test_streams",
    "operators/test_packed",
    "warehouse/test_versions",
)


def take_home() -> None:
    """Keep other sessions from `SESSION_HOME` until this process ends. Exits where another one has it."""
    lock = os.open(f"{SESSION_HOME}.lock", os.O_WRONLY | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"another test session uses {SESSION_HOME}: wait for it, or set TEST_STACK_HOME")


def pytest_configure(config: pytest.Config) -> None:
    """Take the folder before any worker starts, and for all of them."""
    if not hasattr(config, "workerinput"):
        try:
            take_home()
        except SystemExit as error:  # pytest would call it an error of its own
            pytest.exit(str(error), returncode=3)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; all others stay in the order of folders."""

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(REPO / "tests").as_posix()
        return next((place for place, name in enumerate(FIRST) if path.startswith(name)), len(FIRST))

    items.sort(key=rank)


class OneAirflow(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """Hands files to the workers of pytest-xdist, those of e2e as one: two cores bear no second Airflow."""

    def _split_scope(self, nodeid: str) -> str:
        folder = "tests/e2e/"
        return folder if nodeid.startswith(folder) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneAirflow:
    """Return who hands out the tests."""
    return OneAirflow(config, log)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """PostgreSQL, Redis and Kafka, empty at the start of the session and gone at its end; the environment points at them."""
    yield from own_stack()


def own_stack() -> Iterator[Stack]:
    """Start PostgreSQL, Redis and Kafka afresh in `HOME`, yield their stack, and stop them."""
    stack = Stack(HOME, report=lambda line: None)
    stack.reset()
    # It went with the rest, and Airflow makes it when it is imported only.
    Path(os.environ["AIRFLOW_HOME"]).mkdir(parents=True, exist_ok=True)
    stack.start(["postgres", "redis", "kafka"])
    os.environ.update(stack.env())
    with psycopg.connect(os.environ["DWH_ADMIN_URL"], autocommit=True) as connection:
        # Processes are killed here, not machines: what was written survives without fsync.
        connection.execute("alter system set fsync = off")
        connection.execute("select pg_reload_conf()")
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The code of the release before."""
    return Release(tmp_path_factory.mktemp("release"))


@pytest.fixture
def pipeline(stack: Stack) -> Iterator[Pipeline]:
    """An empty warehouse, an empty Redis and a driver that puts messages through the layers."""
    with Pipeline(os.environ) as pipeline:
        pipeline.clear()
        yield pipeline


@pytest.fixture(scope="module")
def broom(stack: Stack) -> Iterator[Broom]:
    """A warehouse that is emptied quickly."""
    with Pipeline() as pipeline:
        broom = Broom(pipeline)
        yield broom
        broom.close()
        pipeline.clear()

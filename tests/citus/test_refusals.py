"""What is refused where a warehouse is to be distributed: in a sentence that says what to do, and nothing is half done."""

import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from deploy import distribute
from deploy.link_workers import link_workers
from local.stack import Stack
from tests.citus.nodes import Node
from tests.citus.seen import SeenPipeline
from tests.conftest import REPO
from warehouse import distribution
from warehouse.distribution import DISTRIBUTED, LOCAL
from warehouse.sql_files import LayoutError

DISTRIBUTED_NOW = "select count(*) from citus_tables where citus_table_type = 'distributed'"
SPARE = "spare"


def nodes() -> list[str]:
    return [os.environ["CITUS_COORDINATOR_URL"], *os.environ["CITUS_WORKER_URLS"].split()]


@pytest.fixture
def spare(stack: Stack) -> Iterator[str]:
    """The name of a database that no node has, and that none has afterwards."""
    yield SPARE
    for node in nodes():
        with psycopg.connect(make_conninfo(node, dbname="postgres"), autocommit=True) as admin:
            admin.execute(f"drop database if exists {SPARE} with (force)")


def test_a_database_is_linked_once_and_a_second_time_changes_nothing(spare: str) -> None:
    admin = make_conninfo(nodes()[0], dbname="postgres")
    workers = []
    for node in nodes()[1:]:
        with psycopg.connect(node) as connection:
            workers.append((connection.info.host, str(connection.info.port)))
    for _ in range(2):
        link_workers(admin, workers, spare, "dwh_owner")
        with psycopg.connect(make_conninfo(admin, dbname=spare)) as connection:
            known = connection.execute("select node_name, node_port::text from citus_get_active_worker_nodes()")
            assert sorted(known.fetchall()) == sorted(workers)
    for node in nodes():
        with psycopg.connect(make_conninfo(node, dbname=spare)) as connection:
            owner = connection.execute("select pg_get_userbyid(datdba) from pg_database where datname = %s", [spare])
            assert owner.fetchone() == ("dwh_owner",)


def test_a_database_without_workers_is_told_so(spare: str) -> None:
    with psycopg.connect(make_conninfo(nodes()[0], dbname="postgres"), autocommit=True) as admin:
        admin.execute(f"create database {spare}")
    with psycopg.connect(make_conninfo(nodes()[0], dbname=spare)) as connection:
        with pytest.raises(distribute.CannotDistributeError, match="no extension citus"):
            distribute.distribute(connection)
        connection.rollback()
        connection.execute("create extension citus")
        connection.commit()
        with pytest.raises(distribute.CannotDistributeError, match="knows no worker: select citus_add_node"):
            distribute.distribute(connection)


def test_a_log_in_columns_is_refused_where_nobody_has_made_them(spare: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(nodes()[1]) as connection:
        worker = (connection.info.host, str(connection.info.port))
    link_workers(make_conninfo(nodes()[0], dbname="postgres"), [worker], spare, "dwh_owner")
    monkeypatch.setenv("DWH_COLUMNAR_LOG", "true")
    with psycopg.connect(make_conninfo(nodes()[0], dbname=spare)) as connection:
        connection.execute("drop extension citus_columnar")
        with pytest.raises(distribute.CannotDistributeError, match="create extension citus_columnar"):
            distribute.distribute(connection)


def test_a_worker_that_is_away_is_named_and_nothing_is_half_distributed(seen: SeenPipeline) -> None:
    with psycopg.connect(os.environ["DWH_URL"]) as owner:
        distribute.gather(owner)
        owner.commit()
    worker = Node(nodes()[1])
    worker.stop()
    try:
        program = [sys.executable, "-m", "deploy.distribute"]
        done = subprocess.run(
            program, cwd=REPO, capture_output=True, text=True, check=False, env=os.environ | {"DWH_DISTRIBUTED": "true"}
        )
    finally:
        worker.start()
    assert done.returncode
    with psycopg.connect(worker.url) as connection:
        place = f"{connection.info.host}:{connection.info.port}"
    assert done.stderr.startswith("not distributed, nothing was changed: ")
    assert f"can't be reached: {place}" in done.stderr
    with psycopg.connect(os.environ["DWH_URL"]) as owner:
        assert owner.execute(DISTRIBUTED_NOW).fetchone() == (0,)
        assert owner.execute("select to_regnamespace('work')::text").fetchone() == (None,)
        distribute.distribute(owner)
        assert owner.execute(DISTRIBUTED_NOW).fetchone() == (len(DISTRIBUTED) + len(distribution.WORK),)


def test_who_loads_by_another_list_is_told_so_and_writes_nothing(
    seen: SeenPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = {table: column for table, column in DISTRIBUTED.items() if table != "cdm.user_tags"}
    monkeypatch.setattr(distribution, "DISTRIBUTED", newer)
    with SeenPipeline() as pipeline, pytest.raises(LayoutError, match=r"run python -m deploy\.distribute"):
        pipeline.load_dds()


def test_an_older_list_is_refused_with_the_way_out(seen: SeenPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        distribute, "DISTRIBUTED", {table: column for table, column in DISTRIBUTED.items() if table != "cdm.user_tags"}
    )
    monkeypatch.setattr(distribute, "LOCAL", LOCAL | {"cdm.user_tags"})
    with psycopg.connect(os.environ["DWH_URL"]) as owner:
        with pytest.raises(distribute.CannotDistributeError, match=r"older list.*cdm\.user_tags.*--back"):
            distribute.distribute(owner)
        owner.rollback()
        assert owner.execute(DISTRIBUTED_NOW).fetchone() == (len(DISTRIBUTED) + len(distribution.WORK),)

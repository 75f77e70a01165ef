"""The watcher outside of Airflow, against a real PostgreSQL and an HTTP server that stands for Airflow and the heartbeat."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from deploy import REPO
from deploy.watch import main
from harness.pipeline import Pipeline
from tests.messages import order
from warehouse.states import read_states

HEALTHY = {
    "metadatabase": {"status": "healthy"},
    "scheduler": {"status": "healthy"},
    "dag_processor": {"status": "healthy"},
}


class Servers(HTTPServer):
    """Answers as Airflow's health check, and keeps what the heartbeat is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.health: dict[str, Any] = {**HEALTHY, "triggerer": {"status": None}}
        self.told: list[tuple[str, str]] = []
        self.takes = True


class Handler(BaseHTTPRequestHandler):
    server: Servers

    def do_GET(self) -> None:
        assert self.path == "/airflow/api/v2/monitor/health"
        self._answer(200, json.dumps(self.server.health).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.told.append((self.path, body))
        self._answer(200 if self.server.takes else 500, b"OK")

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def servers() -> Iterator[Servers]:
    with Servers() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def env(pipeline: Pipeline, servers: Servers) -> dict[str, str]:
    address = f"http://127.0.0.1:{servers.server_port}"
    known = conninfo_to_dict(pipeline.env["DWH_PAGE_URL"])
    connection: dict[str, Any] = {
        "conn_type": "postgres",
        "host": known["host"],
        "port": int(known["port"]),
        "login": known["user"],
    }
    connection |= {"password": known["password"], "schema": known["dbname"], "extra": {"application_name": "watch"}}
    return {
        "AIRFLOW_URL": f"{address}/airflow",
        "HEARTBEAT_URL": f"{address}/ping",
        "AIRFLOW_CONN_POSTGRES_DWH_BI": json.dumps(connection),
    }


def test_all_is_well_is_a_ping_without_words(servers: Servers, env: dict[str, str]) -> None:
    assert main(env) == 0
    assert servers.told == [("/ping", "")]


def test_a_connection_may_be_a_uri(pipeline: Pipeline, servers: Servers, env: dict[str, str]) -> None:
    assert main({**env, "AIRFLOW_CONN_POSTGRES_DWH_BI": pipeline.env["DWH_PAGE_URL"]}) == 0
    assert servers.told == [("/ping", "")]


def test_a_dead_scheduler_is_told(servers: Servers, env: dict[str, str]) -> None:
    servers.health["scheduler"] = {"status": "unhealthy"}
    assert main(env) == 0
    assert servers.told == [("/ping/fail", "Airflow says that its scheduler is not healthy: no run starts")]


def test_airflow_and_the_warehouse_away_are_both_told_and_no_password_is(servers: Servers, env: dict[str, str]) -> None:
    away = {"host": "127.0.0.1", "port": 1, "login": "dwh_page", "password": "hush", "schema": "dwh"}
    changed = {"AIRFLOW_URL": "http://127.0.0.1:1", "AIRFLOW_CONN_POSTGRES_DWH_BI": json.dumps(away)}
    assert main({**env, **changed}) == 0
    ((path, text),) = servers.told
    assert path == "/ping/fail"
    assert [line.split(":")[0] for line in text.splitlines()][:2] == [
        "Airflow does not answer",
        "Nothing is known now. The warehouse does not answer",
    ]
    assert "hush" not in text


def test_a_late_warehouse_too_many_dead_letters_and_messages_left_in_kafka_are_told(
    pipeline: Pipeline, servers: Servers, env: dict[str, str]
) -> None:
    pipeline.stage([order(1), b"broken", b"broken too"])
    pipeline.owner.execute("update stg.load_queue set load_dt = load_dt - interval '3 hours'")
    pipeline.owner.execute(
        """
        insert into stg.drain_progress (reader, topic, "partition", topic_id, next_offset, end_offset, load_dt)
        values ('orders', 't', 0, 'i', 10, 17, now()), ('orders', 't', 1, 'i', 10, 15, now())
        """
    )
    assert main({**env, "MAX_DEAD_LETTERS": "1", "MAX_KAFKA_LAG": "11"}) == 0
    ((path, text),) = servers.told
    late, refused, left = text.splitlines()
    assert path == "/ping/fail"
    # The page's own sentence.
    assert re.fullmatch(
        re.escape(read_states()[5]["en"][0]).replace(r"\{as_of\}", ".+ UTC").replace(r"\{age\}", "3 hr"), late
    )
    assert refused == "2 messages are refused and not solved (allowed: 1)"
    assert left == "12 messages wait in Kafka after a run (allowed: 11)"
    servers.told.clear()
    assert main({**env, "MAX_LAG_S": "14400", "MAX_DEAD_LETTERS": "2", "MAX_KAFKA_LAG": "12"}) == 0
    assert servers.told == [("/ping", "")]


def test_laws_that_nobody_asks_any_more_are_told(pipeline: Pipeline, servers: Servers, env: dict[str, str]) -> None:
    def asked(hours_ago: int) -> None:
        pipeline.owner.execute("delete from stg.law_checks")
        pipeline.owner.execute(
            "insert into stg.law_checks values ('one', 0, now() - make_interval(hours => %s)), ('gone', 0, '2026-01-01Z')",
            [hours_ago],
        )

    asked(5)
    assert main(env) == 0
    asked(1)
    assert main(env) == 0
    assert servers.told == [
        ("/ping/fail", "The laws of the data were last asked 5 hours ago: is data_checks off?"),
        ("/ping", ""),
    ]


def note(pipeline: Pipeline, kind: str, hours_ago: int, failure: str = "") -> None:
    pipeline.owner.execute(
        """
        insert into stg.backups (kind, stamp, seconds, is_good, detail, finished_dt)
        values (%s, 'x', 1, %s, %s, now() - make_interval(hours => %s))
        """,
        [kind, not failure, failure, hours_ago],
    )


def told(servers: Servers, env: dict[str, str], **limits: str) -> str:
    servers.told.clear()
    assert main({**env, **limits}) == 0
    ((_, text),) = servers.told
    return text


def test_an_old_backup_is_told_with_what_was_wrong_and_the_next_good_one_ends_it(
    pipeline: Pipeline, servers: Servers, env: dict[str, str]
) -> None:
    note(pipeline, "dump", 27)
    note(pipeline, "dump", 3, "no space left on device")
    late = "The last good backup is 27 hours old (allowed: 26). The newest try: no space left on device"
    assert told(servers, env) == late
    assert told(servers, env, MAX_DUMP_AGE_HOURS="30") == ""
    note(pipeline, "dump", 0)
    assert told(servers, env) == ""


def test_that_there_is_no_backup_at_all_is_told_where_one_is_to_be(
    pipeline: Pipeline, servers: Servers, env: dict[str, str]
) -> None:
    assert told(servers, env) == ""
    assert told(servers, env, MAX_DUMP_AGE_HOURS="26") == "There is no good backup yet"
    note(pipeline, "dump", 0, "no bucket")
    assert told(servers, env) == "There is no good backup yet. The newest try: no bucket"


def test_a_test_restore_that_failed_or_is_not_done_any_more_is_told(
    pipeline: Pipeline, servers: Servers, env: dict[str, str]
) -> None:
    note(pipeline, "restore", 200)
    assert told(servers, env) == "The last test restore of a backup was 8 days ago (a week is usual)"
    note(pipeline, "restore", 1, "broken: cdm.user_tags (3 rows)")
    assert told(servers, env) == "The newest backup failed its test restore: broken: cdm.user_tags (3 rows)"
    note(pipeline, "restore", 0)
    assert told(servers, env) == ""


def test_it_runs_as_it_stands_in_the_image(servers: Servers, env: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.watch"], env=env, cwd=REPO, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "all is well\n", "")
    assert servers.told == [("/ping", "")]


def test_a_heartbeat_that_is_not_taken_fails_the_watcher_and_its_address_is_not_said(
    servers: Servers, env: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    servers.takes = False
    assert main(env) == 1
    assert "does not take it" in capsys.readouterr().err
    assert main({**env, "HEARTBEAT_URL": "http://127.0.0.1:1/secret-id"}) == 1
    assert "secret-id" not in capsys.readouterr().err

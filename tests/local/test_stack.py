"""The local stack itself, on homes of its own: chosen ports, crashes, failures that explain themselves, nothing left behind."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from confluent_kafka import Consumer, Producer, TopicPartition

from local.__main__ import main
from local.processes import StartError
from local.services.kafka import ORDERS_PARTITIONS, ORDERS_TOPIC
from local.stack import NotStartedError, Stack
from local.state import DEFAULT_PORTS, EPHEMERAL_PORTS_BEGIN, State, is_free


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that nobody else uses, in a folder whose name needs quoting."""
    stack = Stack(home=tmp_path_factory.mktemp("it's a home"))
    yield stack
    stack.reset()


def pids_of(stack: Stack) -> dict[str, list[int]]:
    return {service.name: service.pids for service in stack.status() if service.pids}


def test_a_taken_port_is_left_alone_and_the_next_free_one_is_chosen(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_free(DEFAULT_PORTS["redis"]):
            other.bind(("127.0.0.1", DEFAULT_PORTS["redis"]))
            other.listen()
        chosen = State(tmp_path / "state.json").choose_port("redis")
    assert DEFAULT_PORTS["redis"] < chosen < EPHEMERAL_PORTS_BEGIN


def test_listeners_of_one_stack_never_share_a_port(tmp_path: Path) -> None:
    state = State(tmp_path / "state.json")
    state.put("ports", "kafka-controller", DEFAULT_PORTS["kafka"])
    assert state.choose_port("kafka") != DEFAULT_PORTS["kafka"]


def test_passwords_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    state = State(tmp_path / "state.json")
    password = state.secret("redis")
    assert state.path.stat().st_mode & 0o777 == 0o600
    assert State(state.path).secret("redis") == password


def test_env_survives_the_shell_and_reaches_the_server(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.start(["redis"])
    capsys.readouterr()
    assert main(["env", "--home", str(stack.home)]) == 0
    exports = capsys.readouterr().out
    seen = subprocess.run(
        ["bash", "-c", f"{exports}\nenv -0"], env={}, capture_output=True, text=True, check=True
    ).stdout
    in_shell = dict(line.split("=", 1) for line in seen.split("\0") if line)
    assert stack.env().items() <= in_shell.items()
    with redis.Redis.from_url(in_shell["REDIS_URL"]) as client:
        assert client.ping()


def test_env_of_a_stack_that_never_started_says_so_and_prints_nothing_to_eval(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["env", "--home", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "make up" in printed.err
    with pytest.raises(NotStartedError):
        Stack(home=tmp_path).env()


def test_a_failing_start_names_the_service_the_cause_and_the_log_and_leaves_nothing(stack: Stack) -> None:
    obstacle = stack.home / "redis" / "appendonlydir"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_text("a file where the server wants a folder")
    with pytest.raises(StartError) as failure:
        stack.start(["redis"])
    message = str(failure.value)
    log = stack.home / "log" / "redis.log"
    assert message.startswith("redis did not start")
    assert str(log) in message
    assert "appendonlydir" in message.split(str(log), 1)[1], "the end of the log shows the cause"
    assert pids_of(stack) == {}


def test_starting_twice_keeps_the_running_server(stack: Stack) -> None:
    stack.start(["redis"])
    before = pids_of(stack)
    stack.start(["redis"])
    assert pids_of(stack) == before


def test_a_pid_that_now_belongs_to_somebody_else_is_not_touched(stack: Stack) -> None:
    stack.start(["redis"])
    stack.stop(["redis"])
    state = State(stack.home / "state.json")
    state.put("pids", "redis", {"pid": os.getpid(), "created": psutil.Process(pid=1).create_time()})
    assert pids_of(stack) == {}
    stack.stop()
    assert state.get("pids", "redis") is None


def test_a_killed_server_comes_back_on_its_port_with_its_data(stack: Stack) -> None:
    stack.start(["postgres", "redis"])
    url = stack.env()["DWH_URL"]
    with psycopg.connect(url) as connection:
        connection.execute("create table public.kept as select 42 as answer")
    stack.kill("postgres", "redis")
    assert pids_of(stack) == {}
    stack.start(["postgres", "redis"])
    assert stack.env()["DWH_URL"] == url
    with psycopg.connect(url) as connection:
        assert connection.execute("select answer from public.kept").fetchone() == (42,)


def test_a_killed_broker_comes_back_on_its_port_with_its_messages(stack: Stack) -> None:
    stack.start(["kafka"])
    servers = stack.env()["KAFKA_BOOTSTRAP_SERVERS"]
    producer = Producer({"bootstrap.servers": servers, "log_level": 0})
    for partition in range(ORDERS_PARTITIONS):
        producer.produce(ORDERS_TOPIC, b"kept", partition=partition)
    assert producer.flush(30) == 0
    stack.kill("kafka")
    stack.start(["kafka"])
    assert stack.env()["KAFKA_BOOTSTRAP_SERVERS"] == servers
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "anybody"})
    try:
        ends = [
            consumer.get_watermark_offsets(TopicPartition(ORDERS_TOPIC, partition), timeout=30)
            for partition in range(ORDERS_PARTITIONS)
        ]
    finally:
        consumer.close()
    assert ends == [(0, 1)] * ORDERS_PARTITIONS


def test_down_leaves_no_process_and_frees_the_ports_although_clients_are_connected(stack: Stack) -> None:
    stack.start(["postgres", "redis"])
    families = {
        process
        for pids in pids_of(stack).values()
        for pid in pids
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
    }
    assert len(families) > 2, "PostgreSQL has workers"
    with psycopg.connect(stack.env()["DWH_URL"]):
        stack.stop()
    assert not [process for process in families if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    ports = State(stack.home / "state.json").section("ports")
    assert all(is_free(ports[name]) for name in ("postgres", "redis"))


def test_roles_have_the_rights_of_their_trade_only(stack: Stack) -> None:
    stack.start(["postgres"])
    env = stack.env()
    # The owner makes scratch databases: a restore is tried in one.
    for role, makes_databases in (
        ("DWH_URL", True),
        ("DWH_ETL_URL", False),
        ("DWH_BI_URL", False),
        ("DWH_PAGE_URL", False),
    ):
        with psycopg.connect(env[role]) as connection:
            assert connection.execute(
                "select rolsuper or rolcreaterole, rolcreatedb from pg_roles where rolname = current_user"
            ).fetchone() == (False, makes_databases)
    # Read-only is a default of the role, which it may change; what it has no right to stays so.
    with (
        psycopg.connect(env["DWH_BI_URL"], options="-c default_transaction_read_only=off") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("create table public.mine ()")

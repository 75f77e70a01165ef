"""TLS to the services, by the connections that `make_secrets` makes: who has a certificate of our CA is believed, nobody else."""

import asyncio
import gc
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from deploy import make_secrets
from deploy.make_secrets import SERVICES, kubernetes_secrets
from local.state import HOST
from operators.connections import OrdersConsumerHook, UnreachableError, open_postgres, open_redis
from tests.programs import free_port
from tests.tls import Authority, Door, door
from warehouse.drain import DrainError


class Services(NamedTuple):
    """The doors, behind which nobody listens; `elsewhere` is a PostgreSQL with the certificate of another machine."""

    postgres: Door
    kafka: Door
    valkey: Door
    elsewhere: Door
    ours: Path
    others: Path


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home = tmp_path_factory.mktemp("tls")
    ours, others = Authority(home / "ours"), Authority(home / "others")
    certificate = ours.server(HOST)
    nobody = free_port()
    with (
        door(nobody, certificate, asks_first=True) as postgres,
        door(nobody, certificate, asks_first=False) as kafka,
        door(nobody, certificate, asks_first=False) as valkey,
        door(nobody, ours.server("elsewhere.invalid"), asks_first=True) as elsewhere,
    ):
        yield Services(postgres, kafka, valkey, elsewhere, ours.file, others.file)


@pytest.fixture
def connect(services, monkeypatch):
    """Sets the connections as `make_secrets` makes them, by a CA."""

    def made(ca: Path, tls: tuple[str, ...] = SERVICES, **other: Door) -> None:
        known = dict.fromkeys(make_secrets.read_env(make_secrets.EXAMPLE.read_text()), "secret") | {
            "KAFKA_PASSWORD": "secret"
        }
        monkeypatch.setattr(make_secrets, "CA_FILE", str(ca))
        ports = {name: getattr(services, name) for name in SERVICES} | other
        postgres, kafka, valkey = (f"{HOST}:{ports[name].port}" for name in SERVICES)
        secrets = kubernetes_secrets(known, postgres=postgres, kafka=kafka, kafka_user="dwh", valkey=valkey, tls=tls)
        for name, value in (pair for secret in secrets.values() for pair in secret.items()):
            if name.startswith("AIRFLOW_CONN_"):
                monkeypatch.setenv(name, value)
        for way_in in (*ports.values(), services.elsewhere):
            way_in.came.clear()

    yield made
    # A client of Kafka comes back by itself for as long as it is there: not in the test after this one.
    gc.collect()


def ask_postgres() -> None:
    with open_postgres("postgres_dwh"):
        pass


def ask_redis() -> None:
    with open_redis("redis_reference"):
        pass


def ask_kafka() -> None:
    hook = OrdersConsumerHook("orders", "kafka_orders")
    hook.topic_id(hook.open_admin(), timeout_s=1)


ASK = {"postgres": ask_postgres, "valkey": ask_redis, "kafka": ask_kafka}


@pytest.mark.parametrize("name", ASK)
def test_by_the_right_ca_a_service_is_believed(services, connect, name):
    connect(services.ours)
    with pytest.raises((UnreachableError, DrainError)) as refused:  # what comes through the door finds nobody
        ASK[name]()
    assert getattr(services, name).came
    assert "certificate" not in str(refused.value).partition("Check its")[0].partition("; is")[0]


@pytest.mark.parametrize(
    ("name", "what_to_check"),
    [
        ("postgres", r"certificate verify failed.*Check its host.*sslrootcert"),
        ("valkey", r"certificate verify failed.*Check its host.*ssl_ca_certs"),
        ("kafka", r"certificate verify failed.*is ssl\.ca\.location \(or ssl\.ca\.pem\) the broker's CA"),
    ],
    ids=ASK,
)
def test_by_another_ca_none_is_believed_and_the_message_says_what_to_check(services, connect, name, what_to_check):
    connect(services.others)
    with pytest.raises((UnreachableError, DrainError), match=what_to_check):
        ASK[name]()
    assert not getattr(services, name).came


@pytest.mark.parametrize(
    ("name", "what_to_check"),
    [
        ("postgres", r"requires encryption.*Check its host.*sslmode"),
        ("valkey", r"Check its host.*with TLS its ssl and ssl_ca_certs"),
        ("kafka", r"is the broker up, and are address and security\.protocol right\?"),
    ],
    ids=ASK,
)
def test_plain_text_finds_no_way_in_and_the_message_says_what_to_check(
    services, connect, name, what_to_check, monkeypatch
):
    connect(services.ours, tls=())
    monkeypatch.setenv("PGSSLMODE", "disable")
    with pytest.raises((UnreachableError, DrainError), match=what_to_check):
        ASK[name]()
    assert not getattr(services, name).came


def test_without_the_file_of_the_ca_nothing_is_believed(services, connect, tmp_path):
    connect(tmp_path / "ca.crt")
    with pytest.raises(UnreachableError, match=r"(?s)root certificate file .* does not exist.*sslrootcert"):
        ask_postgres()
    assert not services.postgres.came


def test_a_certificate_of_our_ca_for_another_machine_is_not_believed(services, connect):
    connect(services.ours, postgres=services.elsewhere)
    with pytest.raises(UnreachableError, match=r"does not match host name.*whose certificate names that host"):
        ask_postgres()


def test_airflows_own_database_is_believed_by_what_the_environment_says(services, connect, monkeypatch):
    """By asyncpg: it takes no `sslmode` in an address, and Airflow makes one address do for both of its drivers."""

    async def ask(options: str = "") -> None:
        url = f"postgresql+asyncpg://airflow:secret@{HOST}:{services.postgres.port}/airflow{options}"
        async with create_async_engine(url, poolclass=NullPool).connect():
            pass

    connect(services.ours)
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(services.others))
    with pytest.raises(ssl.SSLCertVerificationError):
        asyncio.run(ask())
    assert not services.postgres.came
    monkeypatch.setenv("PGSSLROOTCERT", str(services.ours))
    with pytest.raises((DBAPIError, OSError)):
        asyncio.run(ask())
    assert services.postgres.came
    with pytest.raises(TypeError, match="sslmode"):
        asyncio.run(ask("?sslmode=verify-full"))

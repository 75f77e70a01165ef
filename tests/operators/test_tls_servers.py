"""TLS to real servers, by the connections that `make_secrets` makes: they answer. Whom a client believes: test_tls.py."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from deploy import make_secrets
from deploy.make_secrets import SERVICES, kubernetes_secrets
from local.services.kafka import ORDERS_TOPIC, Kafka
from local.stack import Stack
from local.state import HOST, State
from operators.connections import OrdersConsumerHook, open_postgres, open_redis
from tests.programs import free_port
from tests.tls import Authority, door
from warehouse.drain import DrainError

USER, PASSWORD = "dwh", "right"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


class SafeKafka(Kafka):
    """A broker whose listener for strangers speaks SASL_SSL with SCRAM; the other one is for who sets it up."""

    safe_port: int
    certificate: Path

    def _server_properties(self, data: Path) -> str:
        said = super()._server_properties(data)
        broker = f"{HOST}:{self.state.port('kafka')}"
        safe = f"SASL_SSL://{HOST}:{self.safe_port}"
        said = said.replace(f"listeners=PLAINTEXT://{broker}", f"listeners={safe},PLAINTEXT://{broker}")
        more = {
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{SCRAM} required;",
            "inter.broker.listener.name": "PLAINTEXT",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.certificate,
        }
        return said + "".join(f"{name}={value}\n" for name, value in more.items())


@pytest.fixture(scope="module")
def connections(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What the Secrets hold, of servers that answer by TLS."""
    home = tmp_path_factory.mktemp("servers")
    authority = Authority(home / "ours")
    certificate = authority.server(HOST)
    urls = {
        "DWH_OWNER": "DWH_URL",
        "DWH_ETL": "DWH_ETL_URL",
        "DWH_BI": "DWH_BI_URL",
        "DWH_PAGE": "DWH_PAGE_URL",
        "VALKEY": "REDIS_URL",
    }
    known = dict.fromkeys(make_secrets.read_env(make_secrets.EXAMPLE.read_text()), "x") | {"KAFKA_PASSWORD": PASSWORD}
    known |= {f"{name}_PASSWORD": str(urlsplit(os.environ[url]).password) for name, url in urls.items()}
    ports = [int(urlsplit(os.environ[name]).port or 0) for name in ("DWH_URL", "REDIS_URL")]
    kafka = SafeKafka(home, State(home / "state.json"))
    kafka.safe_port, kafka.certificate = free_port(), certificate
    try:
        kafka.start()
        admin = AdminClient({"bootstrap.servers": kafka.address()})
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        for done in admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(USER, scram, PASSWORD.encode())]
        ).values():
            done.result()
        with (
            pytest.MonkeyPatch.context() as patch,
            door(ports[0], certificate, asks_first=True) as postgres,
            door(ports[1], certificate, asks_first=False) as valkey,
        ):
            patch.setattr(make_secrets, "CA_FILE", str(authority.file))
            secrets = kubernetes_secrets(
                known,
                postgres=f"{HOST}:{postgres.port}",
                kafka=f"{HOST}:{kafka.safe_port}",
                kafka_user=USER,
                valkey=f"{HOST}:{valkey.port}",
                tls=SERVICES,
            )
            yield {name: value for secret in secrets.values() for name, value in secret.items()}
    finally:
        kafka.stop(kill=True)


def topic_id(timeout_s: float = 10) -> str:
    hook = OrdersConsumerHook(ORDERS_TOPIC, "kafka_orders")
    return hook.topic_id(hook.open_admin(), timeout_s=timeout_s)


def test_each_server_answers_by_tls(connections, monkeypatch):
    for name, value in connections.items():
        if name.startswith("AIRFLOW_CONN_"):
            monkeypatch.setenv(name, value)
    with open_postgres("postgres_dwh") as connection:
        assert connection.execute("select current_user").fetchone() == ("dwh_etl",)
    with open_redis("redis_reference") as client:
        assert client.ping()
    assert topic_id()


def test_kafka_refuses_another_password_and_says_what_to_check(connections, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_KAFKA_ORDERS", connections["AIRFLOW_CONN_KAFKA_ORDERS"].replace(PASSWORD, "wrong"))
    with pytest.raises(DrainError, match=r"are sasl\.username, sasl\.password and sasl\.mechanism right\?"):
        topic_id(2)

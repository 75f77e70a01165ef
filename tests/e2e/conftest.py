"""One Airflow for all tests of this folder: its start takes half a minute."""

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient

from local.airflow_api import AirflowApi
from local.services.base import REPO
from local.stack import Stack
from local.state import HOST
from source.seed import TOPIC
from tests.programs import free_port

DAGS = (
    *("orders_micro_batch", "orders_backfill", "marts_rebuild", "dead_letters_replay", "data_checks"),
    *("tag_rules", "tag_rule_rehearse", "audience_export", "audience_approve", "suppressions_load"),
    *("guest_erase", "retention"),
)


@pytest.fixture(scope="module")
def topic(stack: Stack) -> str:
    """Remove what the tests of other files have left in the topic that the DAGs read, and return its name."""
    admin = AdminClient({"bootstrap.servers": stack.env()["KAFKA_BOOTSTRAP_SERVERS"]})
    partitions = admin.list_topics(TOPIC, timeout=30).topics[TOPIC].partitions
    for removed in admin.delete_records(
        [TopicPartition(TOPIC, partition, OFFSET_END) for partition in partitions]
    ).values():
        removed.result(30)
    return TOPIC


@pytest.fixture(scope="package")
def told() -> Iterator[dict[str, str]]:
    """What Airflow tells by StatsD: the kind of each name, as it comes in."""
    kinds: dict[str, str] = {}

    def listen(line: socket.socket) -> None:
        while packet := line.recv(65_536):
            for metric in packet.decode().splitlines():
                name, _, value = metric.partition(":")
                kinds[name] = value.split("|")[1]

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind((HOST, free_port()))
        port = line.getsockname()[1]
        listener = threading.Thread(target=listen, args=(line,))
        listener.start()
        settings = {"STATSD_ON": "True", "STATSD_HOST": HOST, "STATSD_PORT": str(port), "STATSD_PREFIX": "airflow"}
        os.environ.update({f"AIRFLOW__METRICS__{name}": value for name, value in settings.items()})
        yield kinds
        line.sendto(b"", (HOST, port))
        listener.join()


@pytest.fixture(scope="package")
def audiences_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What this Airflow reads as config/audiences.yaml, for a test to write to: it runs a copy of the repository."""
    copy = tmp_path_factory.mktemp("code")
    for room in ("dags", "plugins", "config", "sql"):
        shutil.copytree(REPO / room, copy / room, ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("local.services.airflow.REPO", copy)
        # By what other tests have set there it would find our code before the copy.
        patch.delenv("PYTHONPATH", raising=False)
        yield copy / "config" / "audiences.yaml"


@pytest.fixture(scope="package")
def airflow(stack: Stack, told: dict[str, str], audiences_file: Path) -> Iterator[AirflowApi]:
    """Airflow beside the other servers of the test stack; its DAGs are paused until a test switches them on."""
    stack.start(["airflow"])
    # For Airflow alone: what the tests run in this process tells nothing.
    for name in [name for name in os.environ if name.startswith("AIRFLOW__METRICS__")]:
        del os.environ[name]
    api = AirflowApi(*stack.ui_login())
    api.wait_for_dags(DAGS)
    yield api
    stack.stop(["airflow"])

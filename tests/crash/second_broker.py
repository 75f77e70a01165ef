"""A second broker of the test stack's cluster: the only way to see a partition without a leader."""

import subprocess
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from local.services.base import inherited_env
from local.services.kafka import JVM_OPTIONS, _java
from local.state import HOST
from tests.programs import free_port

BROKER = 2


class SecondBroker:
    """Node 2, a broker only, configured after the first one; its data lies beside that one's."""

    def __init__(self, home: Path, admin: AdminClient) -> None:
        self.admin = admin
        first = dict(
            line.split("=", 1) for line in (home / "kafka/server.properties").read_text().splitlines() if "=" in line
        )
        port = free_port()
        self.config = home / "kafka-2/server.properties"
        self.config.parent.mkdir(exist_ok=True)
        settings = first | {
            "process.roles": "broker",
            "node.id": str(BROKER),
            "listeners": f"PLAINTEXT://{HOST}:{port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
            "log.dirs": str(self.config.parent / "data"),
        }
        self.config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        meta = dict(
            line.split("=", 1)
            for line in (home / "kafka/data/meta.properties").read_text().splitlines()
            if not line.startswith("#")
        )
        arguments = ["format", "--config", str(self.config), f"--cluster-id={meta['cluster.id']}", "--ignore-formatted"]
        subprocess.run(
            [*_java(), "kafka.tools.StorageTool", *arguments], check=True, capture_output=True, env=inherited_env()
        )

    def start(self) -> None:
        """Start it and wait until the cluster knows it."""
        with (self.config.parent / "log").open("ab") as log:
            command = [*_java(), *JVM_OPTIONS, "kafka.Kafka", str(self.config)]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=inherited_env())
        self._wait(lambda brokers: BROKER in brokers)

    def kill(self) -> None:
        """Kill it and wait until the cluster has noticed."""
        self.process.kill()
        self.process.wait()
        self._wait(lambda brokers: BROKER not in brokers)

    def _wait(self, fits: Callable[[Collection[int]], bool], timeout_s: float = 90) -> None:
        """Wait until what the cluster says of its brokers fits. On a busy machine it may be slow to say anything."""
        deadline = time.monotonic() + timeout_s
        while True:
            with suppress(KafkaException):
                if fits(self.admin.list_topics(timeout=10).brokers):
                    return
            assert time.monotonic() < deadline
            time.sleep(0.2)

"""Make topic, accounts and rights of the chart's own Kafka what they are said to be here. Again and again does no harm.

    python -m deploy.kafka_accounts        # beside the broker, in its pod: deploy/charts/guest-tags/templates/kafka.yaml

Two accounts log in by SCRAM-SHA-512: `dwh` reads the orders as one consumer group, `orders` writes them; nobody may do more, and
who has no account may do nothing. They are made through a listener that only the broker's pod reaches, whose clients may do all.

Reads KAFKA_LOCAL (that listener, HOST:PORT), KAFKA_TOPIC, KAFKA_PARTITIONS, KAFKA_PIPELINE_PASSWORD and KAFKA_SOURCE_PASSWORD.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)
from confluent_kafka.cimpl import NewTopic

from deploy.make_secrets import CONSUMER_GROUP, PIPELINE_ACCOUNT, SOURCE_ACCOUNT

LOG = logging.getLogger("deploy.kafka_accounts")
PASSWORDS = {PIPELINE_ACCOUNT: "KAFKA_PIPELINE_PASSWORD", SOURCE_ACCOUNT: "KAFKA_SOURCE_PASSWORD"}
# The least that Kafka takes for it; its default.
ITERATIONS = 4096
# A broker that comes back from a crash reads its log first.
PATIENCE_S = 300
ANSWER_S = 30
ANYWHERE = "*"


def rights(topic: str) -> list[AclBinding]:
    """Return what the accounts may do: (what, its name, who, how). To read or to write includes to describe."""
    topics = ResourceType.TOPIC
    return [
        _allowed(topics, topic, PIPELINE_ACCOUNT, AclOperation.READ),
        _allowed(ResourceType.GROUP, CONSUMER_GROUP, PIPELINE_ACCOUNT, AclOperation.READ),
        _allowed(topics, topic, SOURCE_ACCOUNT, AclOperation.WRITE),
        # Whether the topic keeps everything.
        _allowed(topics, topic, SOURCE_ACCOUNT, AclOperation.DESCRIBE_CONFIGS),
    ]


def _allowed(kind: ResourceType, name: str, account: str, operation: AclOperation) -> AclBinding:
    literal, allow = ResourcePatternType.LITERAL, AclPermissionType.ALLOW
    return AclBinding(kind, name, literal, f"User:{account}", ANYWHERE, operation, allow)


def apply(admin: AdminClient, env: Mapping[str, str]) -> list[str]:
    """Make topic, accounts and rights so; return what was done, a line each. Raises `KafkaException`."""
    topic = env["KAFKA_TOPIC"]
    done = make_topic(admin, topic, int(env["KAFKA_PARTITIONS"]))
    changes: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(
            account, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, ITERATIONS), env[password].encode()
        )
        for account, password in PASSWORDS.items()
    ]
    for account, changed in admin.alter_user_scram_credentials(changes).items():
        changed.result(ANSWER_S)
        done.append(f"{account} logs in by {PASSWORDS[account]}")
    wanted = set(rights(topic))
    there = {right for account in PASSWORDS for right in _rights_of(admin, account)}
    # First what is new: who reads goes on.
    for made in admin.create_acls(sorted(wanted - there)).values() if wanted - there else ():
        made.result(ANSWER_S)
    for taken in admin.delete_acls([_filter(right) for right in there - wanted]).values() if there - wanted else ():
        taken.result(ANSWER_S)
    done += [f"new: {_said(right)}" for right in sorted(wanted - there)]
    done += [f"taken away: {_said(right)}" for right in sorted(there - wanted)]
    return done


def make_topic(admin: AdminClient, topic: str, partitions: int) -> list[str]:
    """Create the topic unless it exists; it keeps everything, for a history begins at the beginning."""
    config = {"retention.ms": "-1"}
    made = admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=1, config=config)])
    try:
        made[topic].result(ANSWER_S)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
        return []
    return [f"new: topic {topic}, {partitions} partitions"]


def _rights_of(admin: AdminClient, account: str) -> list[AclBinding]:
    anything: Any = None
    kinds = (ResourceType.ANY, anything, ResourcePatternType.ANY)
    everything = AclBindingFilter(*kinds, f"User:{account}", anything, AclOperation.ANY, AclPermissionType.ANY)
    found: list[AclBinding] = admin.describe_acls(everything).result(ANSWER_S)
    return found


def _filter(right: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        right.restype,
        right.name,
        right.resource_pattern_type,
        right.principal,
        right.host,
        right.operation,
        right.permission_type,
    )


def _said(right: AclBinding) -> str:
    return f"{right.principal} {AclOperation(right.operation).name} {ResourceType(right.restype).name} {right.name}"


def when_it_answers(admin: AdminClient, patience_s: float) -> None:
    """Return once the broker answers. Raises `KafkaException` where it has not after `patience_s`."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            admin.list_topics(timeout=5)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
        else:
            return


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the topic, the accounts and the rights of the chart's own Kafka what they are said to be."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    argparse.ArgumentParser(prog="python -m deploy.kafka_accounts", description=main.__doc__).parse_args(arguments)
    missing = [
        name
        for name in ("KAFKA_LOCAL", "KAFKA_TOPIC", "KAFKA_PARTITIONS", *PASSWORDS.values())
        if not os.environ.get(name)
    ]
    if missing:
        LOG.error("%s not set: see the pod of Kafka in the chart, and its Secret", ", ".join(missing))
        return 2
    silent = logging.getLogger("deploy.kafka_accounts.client")
    silent.disabled = True  # that it is not there yet is what is waited for
    admin = AdminClient({"bootstrap.servers": os.environ["KAFKA_LOCAL"]}, logger=silent)
    try:
        when_it_answers(admin, PATIENCE_S)
        done = apply(admin, os.environ)
    except KafkaException as error:
        LOG.error("Kafka at %s: %s; is the broker of this pod up?", os.environ["KAFKA_LOCAL"], error.args[0].str())  # noqa: TRY400
        return 1
    LOG.info("%s", "\n".join(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())

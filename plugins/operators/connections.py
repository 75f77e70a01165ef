"""Opens the three Airflow connections of the pipeline by the providers' hooks; a failure says what to check."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import psycopg
import redis
from airflow.providers.apache.kafka.hooks.base import KafkaBaseHook
from airflow.providers.apache.kafka.hooks.consume import KafkaConsumerHook
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.redis.hooks.redis import RedisHook
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowNotFoundException
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from warehouse import sources
from warehouse.careful import CarefulConsumer
from warehouse.constants import CONSUMER_GROUP, ERASURES_CONN_ID, POSTGRES_LIMITS
from warehouse.drain import DEFAULT_SETTINGS, FORCED_SETTINGS, DrainError, explained
from warehouse.ledger import no_pepper
from warehouse.ledger_copy import LedgerCopy
from warehouse.sources import ORDERS_SETTINGS, BadSettingError, ReferenceSettings

Said = TypeVar("Said")
# An error that a client of Kafka tells again and again is logged as seldom as this.
SAY_AGAIN_S = 30.0


class UnreachableError(AirflowException):
    """A server of the pipeline can't be reached or refuses us; the text says which and what to check."""


@contextmanager
def open_postgres(conn_id: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection to the warehouse, within `POSTGRES_LIMITS`, and close it. Raises `UnreachableError`."""
    limited = PostgresHook.get_connection(conn_id)
    limited.extra = json.dumps(POSTGRES_LIMITS | limited.extra_dejson)
    try:
        connection = PostgresHook(postgres_conn_id=conn_id, connection=limited).get_conn()
    except psycopg.OperationalError as error:
        raise UnreachableError(
            f"PostgreSQL refuses the Airflow connection {conn_id}: {str(error).strip()}. "
            "Check its host, port, login, password and database, with TLS its sslmode and sslrootcert (the CA of the server, "
            "whose certificate names that host), and that the server is up"
        ) from error
    try:
        yield connection  # type: ignore[misc]  # of psycopg 3, for the hook an older one, too
    finally:
        connection.close()


def orders_zone(conn_id: str) -> ZoneInfo:
    """Return the zone of the times that messages write without one. Raises `AirflowFailException` where it is wrong."""
    return _said(conn_id, sources.orders_zone)


def reference_settings(conn_id: str) -> ReferenceSettings:
    """Return how Redis is read. Raises `AirflowFailException` where that is wrong."""
    return _said(conn_id, sources.reference_settings)


class ExportSettings(NamedTuple):
    """Where exports go: a folder or a bucket, what its file system must know, and a secret for each channel that has one."""

    url: str
    options: dict[str, Any]
    secrets: Mapping[str, str]

    def key_of(self, channel: str) -> str:
        """Return the key by which logins are hashed for a channel. Raises `AirflowFailException` where there is none."""
        if not self.secrets.get(channel):
            raise AirflowFailException(
                f"logins for {channel} need a key: the connection of the exports must hold secrets.{channel} in its extra"
            )
        return self.secrets[channel]


def export_settings(conn_id: str) -> ExportSettings:
    """Return where exports go. Login and password are the keys of an S3. Raises `AirflowFailException` where it is wrong."""
    connection = BaseHook.get_connection(conn_id)
    extra = connection.extra_dejson
    url, options, secrets = extra.get("url"), extra.get("options", {}), extra.get("secrets", {})
    if not isinstance(url, str) or not url or not isinstance(options, dict) or not isinstance(secrets, dict):
        raise AirflowFailException(
            f"the extra of the Airflow connection {conn_id} must hold url, such as /opt/exports or s3://bucket/exports, and may "
            "hold options (of fsspec) and secrets (a key for each channel)"
        )
    keys = {"key": connection.login, "secret": connection.password} if connection.login else {}
    return ExportSettings(url, {**keys, **options}, secrets)


def ledger_pepper() -> str:
    """Return the pepper by which `stg.erasures` knows the erased. Raises `PepperError` where there is none.

    Asked for only where somebody was erased, or is to be.
    """
    try:
        pepper = BaseHook.get_connection(ERASURES_CONN_ID).password
    except AirflowNotFoundException:
        pepper = None
    return pepper or no_pepper()


def ledger_copy() -> LedgerCopy | None:
    """Return where the ledger is copied to, None where nobody says. Raises `AirflowFailException` where that is wrong."""
    try:
        extra = BaseHook.get_connection(ERASURES_CONN_ID).extra_dejson
    except AirflowNotFoundException:
        return None
    url, options = extra.get("copy"), extra.get("options", {})
    if url is None:
        return None
    if not isinstance(url, str) or not url or not isinstance(options, dict):
        raise AirflowFailException(
            f"the extra of the Airflow connection {ERASURES_CONN_ID}: copy must be a folder or such as s3://bucket/ledger, and "
            "options those of fsspec"
        )
    return LedgerCopy(url, **options)


def _said(conn_id: str, read: Callable[[Mapping[str, Any]], Said]) -> Said:
    try:
        return read(BaseHook.get_connection(conn_id).extra_dejson)
    except BadSettingError as error:
        raise AirflowFailException(f"the extra of the Airflow connection {conn_id}: {error}") from error


@contextmanager
def open_redis(conn_id: str) -> Iterator[redis.Redis]:
    """Yield a client of Redis that has answered a ping, and close it. Raises `UnreachableError`."""
    client = RedisHook(redis_conn_id=conn_id).get_conn()  # type: ignore[no-untyped-call]
    try:
        try:
            client.ping()
        except redis.RedisError as error:
            raise UnreachableError(
                f"Redis refuses the Airflow connection {conn_id}: {error}. "
                "Check its host, port, login, password and db, with TLS its ssl and ssl_ca_certs (the CA of the server), and "
                "that the server is up"
            ) from error
        yield client
    finally:
        client.close()


def _without(config: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in names}


class TopicAdminHook(KafkaBaseHook):
    """The provider's hook for questions about topics: the same connection without what only a consumer knows.

    Why a broker was refused is told to `heard`, when the client is polled.
    """

    def __init__(self, kafka_config_id: str, heard: Callable[[KafkaError], None]) -> None:
        """Take the connection, and who is told of its errors."""
        super().__init__(kafka_config_id)  # type: ignore[no-untyped-call]
        self.heard = heard

    def _get_client(self, config: dict[str, Any]) -> AdminClient:
        own: dict[str, Any] = {"log_level": 3, "error_cb": self.heard}
        return AdminClient({**own, **_without(config, "group.id", *ORDERS_SETTINGS)})


class OrdersConsumerHook(KafkaConsumerHook):
    """The provider's hook with the settings that the drain depends on; all others come from the connection's extra."""

    def __init__(self, topic: str, kafka_config_id: str, *, careful: bool = False) -> None:
        """Read `topic` as the connection's `group.id` (default `dwh-orders`); `careful`: in a process that may die of it."""
        super().__init__([topic], kafka_config_id)
        self.topic = topic
        self.careful = careful
        self._refusals: list[KafkaError] = []
        self._said_at: dict[int, float] = {}

    @property
    def brokers(self) -> str:
        """The addresses that the connection names."""
        return str(self.get_connection(self.kafka_config_id).extra_dejson.get("bootstrap.servers"))

    def _get_client(self, config: dict[str, Any]) -> Consumer:
        settings = {
            "error_cb": self._say,
            **DEFAULT_SETTINGS,
            **_without(config, *ORDERS_SETTINGS),
            **FORCED_SETTINGS,
            "group.id": config.get("group.id") or CONSUMER_GROUP,
        }
        return CarefulConsumer(settings) if self.careful else Consumer(settings)

    def _say(self, error: KafkaError) -> None:
        """Log an error of the client; it tells the same one at each of its tries, several a second."""
        now = time.monotonic()
        if now - self._said_at.get(error.code(), -SAY_AGAIN_S) >= SAY_AGAIN_S:
            self._said_at[error.code()] = now
            self.log.warning("%s", explained(error, self.brokers))

    @contextmanager
    def open_consumer(self) -> Iterator[Consumer]:
        """Yield a consumer, made in this very process, and close it."""
        consumer = self.get_conn
        try:
            yield consumer
        finally:
            consumer.close()

    def open_careful(self) -> AbstractContextManager[Consumer]:
        """Return a context with a consumer that outlives any batch."""
        return OrdersConsumerHook(self.topic, self.kafka_config_id, careful=True).open_consumer()

    def open_admin(self) -> AdminClient:
        """Return a client for questions about topics."""
        hook = TopicAdminHook(self.kafka_config_id, self._hear)
        client: AdminClient = hook.get_conn
        return client

    def _hear(self, error: KafkaError) -> None:
        """Keep what an answer that never comes does not say: whom the client does not believe, or who does not believe it."""
        if error.code() in (KafkaError._SSL, KafkaError._AUTHENTICATION):  # noqa: SLF001 - librdkafka's own codes
            self._refusals.append(error)

    def topic_id(self, admin: AdminClient, timeout_s: float) -> str:
        """Return the uuid of the topic, which is new when a topic is created again. Raises `DrainError`."""
        try:
            answer = admin.describe_topics(TopicCollection([self.topic]), request_timeout=timeout_s)
            return str(answer[self.topic].result().topic_id)
        except KafkaException as error:
            admin.poll(0)
            cause = self._refusals[-1] if self._refusals else error.args[0]
            raise DrainError(f"the topic {self.topic} can't be described: {explained(cause, self.brokers)}") from error

"""Count again, from the raw messages and nothing else, and compare with the marts.

An independent witness: it shares no code with the warehouse and does everything in the most obvious way, in memory.
It knows the contract's rules for which message is an order and which version of an order is the newest. What it does
not know is history of the menus: it takes them as Redis holds them now.

    eval "$(make -s env)"; python -m witness.recount

Reads KAFKA_BOOTSTRAP_SERVERS, REDIS_URL, DWH_URL. Exit code 0: everything equal, 1: differences, which are printed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, DecimalException
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import redis
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

TOPIC = "order-service_orders"
# A CLOSED order is a tag within two minutes.
PROMISED_MS = 120_000
SQL = Path(__file__).with_name("sql")

UserProduct = tuple[str, str]
UserCategory = tuple[str, str]
UserTag = tuple[str, str]


class Version(NamedTuple):
    """One version of an order. The first three fields, compared in this order, say which of two is the newer."""

    update_ts: datetime
    sent_dttm: datetime
    hash: bytes
    order_id: int
    user_id: str
    restaurant_id: str
    status: str
    dishes: dict[str, str | None]


@dataclass
class Recount:
    """What the marts must hold."""

    user_product_counters: dict[UserProduct, tuple[str, int]] = field(default_factory=dict)
    """(user id, dish id) -> (dish name, orders)"""
    user_category_counters: dict[UserCategory, int] = field(default_factory=dict)
    """(user id, category) -> orders"""
    orders: Counter[str] = field(default_factory=Counter)
    """current status -> orders"""
    unread: int = 0
    """messages that are no order, or not readable as one"""

    def user_tags(self, rules: Iterable[tuple[str, str, int]]) -> dict[UserTag, tuple[str, int, int]]:
        """(user id, tag) -> (category, orders, threshold) under the rules (tag, category, threshold); > is strict."""
        return {
            (user_id, tag): (category, count, threshold)
            for tag, category, threshold in rules
            for (user_id, counted), count in self.user_category_counters.items()
            if counted == category and count > threshold
        }


def recount(messages: Iterable[bytes | None], restaurants: Mapping[str, bytes | str]) -> Recount:
    """Count the orders in `messages` (values of Kafka records, in any order, repeated or not).

    `restaurants`: the Redis documents of the restaurants, by key.
    """
    read = [read_version(value) for value in messages]
    result = count_orders([version for version in read if version is not None], restaurants)
    result.unread = read.count(None)
    return result


def count_orders(versions: Sequence[Version], restaurants: Mapping[str, bytes | str]) -> Recount:
    """Count the orders of which these are the versions."""
    result = Recount()
    newest: dict[int, Version] = {}
    line_names: dict[str, tuple[datetime, datetime, bytes, str]] = {}
    for version in versions:
        age = version[:3]
        known = newest.get(version.order_id)
        if known is None or age > known[:3]:
            newest[version.order_id] = version
        for dish, name in version.dishes.items():
            if name is not None and (dish not in line_names or age > line_names[dish][:3]):
                line_names[dish] = (*age, name)

    menu_names, categories = read_menus(restaurants)
    names = {dish: line_name[3] for dish, line_name in line_names.items()} | menu_names
    products: dict[UserProduct, set[int]] = defaultdict(set)
    by_category: dict[UserCategory, set[int]] = defaultdict(set)
    for order_id, version in newest.items():
        result.orders[version.status] += 1
        if version.status != "CLOSED":
            continue
        for dish in version.dishes:
            products[version.user_id, dish].add(order_id)
            if dish in categories:
                by_category[version.user_id, categories[dish]].add(order_id)
    result.user_product_counters = {pair: (names.get(pair[1], ""), len(ids)) for pair, ids in products.items()}
    result.user_category_counters = {pair: len(ids) for pair, ids in by_category.items()}
    return result


def read_version(value: bytes | None) -> Version | None:
    """Read one message; None where it is another type's, or not acceptable by the contract."""
    if value is None:
        return None
    try:
        message = json.loads(value.decode("utf-8"), parse_float=Decimal, parse_constant=_not_json)
        if message["object_type"] != "order":
            return None
        payload = message["payload"]
        _check_optional(payload)
        order_id = message["object_id"]
        if type(order_id) is not int or abs(order_id) >= 2**63:
            return None
        return Version(
            update_ts=_moment(payload["update_ts"]),
            sent_dttm=_moment(message["sent_dttm"]),
            hash=hashlib.sha256(value).digest()[:16],
            order_id=order_id,
            user_id=_id(payload["user"]["id"]),
            restaurant_id=_id(payload["restaurant"]["id"]),
            status=_text(payload["final_status"]),
            dishes=_dishes(payload["order_items"]),
        )
    # Whatever is wrong with it, it is not an order that counts.
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, DecimalException, RecursionError):
        return None


def _dishes(items: list[dict[str, Any]]) -> dict[str, str | None]:
    """Each dish of a basket, with the name in its first line that has one."""
    dishes: dict[str, str | None] = {}
    for item in items:
        dish = _id(item["id"])
        _check_number(item.get("price"))
        _check_number(item.get("quantity"))
        if dishes.get(dish) is None:
            dishes[dish] = None if item.get("name") is None else _text(item["name"])
    return dishes


def _check_optional(payload: dict[str, Any]) -> None:
    """A field that may be absent must be right where it is present: a wrong field is a wrong message."""
    for name in ("cost", "payment", "bonus_payment", "bonus_grant"):
        _check_number(payload.get(name))
    dates = [payload.get("date"), *(status.get("dttm") for status in payload.get("statuses") or [])]
    for date in dates:
        if date is not None:
            _moment(date)


def read_menus(restaurants: Mapping[str, bytes | str]) -> tuple[dict[str, str], dict[str, str]]:
    """Names and categories of the dishes; of several menus with a dish the newest counts, then the greater id."""
    menus = []
    for key, value in restaurants.items():
        text = value.decode("utf-8") if isinstance(value, bytes) else value
        document = json.loads(text, parse_float=Decimal)
        if document["_id"] == key and isinstance(document.get("menu"), list):
            menus.append((_moment(document["update_ts_utc"]), key.encode(), document["menu"]))
    names: dict[str, str] = {}
    categories: dict[str, str] = {}
    for _, _, menu in sorted(menus, key=lambda m: m[:2]):
        first_entries = {entry["_id"]: entry for entry in reversed(menu)}
        names.update({dish: e["name"] for dish, e in first_entries.items() if e.get("name") is not None})
        categories.update({dish: e["category"] for dish, e in first_entries.items() if e.get("category")})
    return names, categories


@lru_cache(maxsize=4096)  # the times of one message repeat
def _moment(text: str) -> datetime:
    if not re.match(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d", text):
        raise ValueError(text)
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _id(value: object) -> str:
    if value == "":
        raise ValueError("an empty id")
    return _text(value)


def _check_number(value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str) or not Decimal(value).is_finite():
        raise TypeError(value)


def _not_json(constant: str) -> None:
    raise ValueError(constant)


# --- from the running stack -----------------------------------------------------------------------------------------


class Record(NamedTuple):
    """One Kafka record and where it lies. Its time is in milliseconds since 1970."""

    partition: int
    offset: int
    timestamp_ms: int
    value: bytes | None


@dataclass
class Marts:
    """What the marts hold, keyed by the sources' ids and in the form of a `Recount`; and what they were made of."""

    user_product_counters: dict[UserProduct, object]
    user_category_counters: dict[UserCategory, object]
    user_tags: dict[UserTag, object]
    rules: list[tuple[str, str, int]]
    loaded: dict[int, int]
    """partition -> last offset stored in STG"""
    queued: int
    """what STG or DDS hold and the marts don't yet"""


@dataclass
class Comparison:
    """The recount, what differs from it in each mart, and how many messages were too new to be compared."""

    recount: Recount
    differences: dict[str, list[str]]
    rows: dict[str, int]
    on_their_way: int
    queued: int

    def equal(self) -> bool:
        """Tell whether every counter and tag is as recounted."""
        return not any(self.differences.values())


def kafka_records(bootstrap_servers: str, topic: str = TOPIC) -> Iterator[Record]:
    """Every record of the topic, from its beginning to the end it has now. Joins no consumer group, commits nothing."""
    settings = {
        "bootstrap.servers": bootstrap_servers,
        "group.id": "recount",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 100,
    }
    with closing(Consumer(settings)) as consumer:
        described = consumer.list_topics(topic, timeout=30).topics[topic]
        if described.error is not None:
            raise KafkaException(described.error)
        unfinished = set(described.partitions)
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in unfinished])
        while unfinished:
            for message in consumer.consume(10_000, timeout=1):
                error = message.error()
                if error is None:
                    partition, offset = message.partition(), message.offset()
                    assert partition is not None  # noqa: S101 -- a message without an error has a place
                    assert offset is not None  # noqa: S101
                    yield Record(partition, offset, message.timestamp()[1], message.value())
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    unfinished.discard(message.partition())
                else:
                    raise KafkaException(error)


def is_due(record: Record, loaded: Mapping[int, int], now_ms: float) -> bool:
    """Tell whether the marts must count this record: it lies before one that is loaded, or has had two minutes' time."""
    return record.offset <= loaded.get(record.partition, -1) or record.timestamp_ms < now_ms - PROMISED_MS


def restaurant_documents(redis_url: str, ids: Iterable[str]) -> dict[str, bytes]:
    """The Redis documents of these restaurants, those that there are."""
    keys = sorted(ids)
    with closing(redis.Redis.from_url(redis_url)) as client:
        values: list[bytes | None] = client.mget(keys) if keys else []  # type: ignore[assignment]
    return {key: value for key, value in zip(keys, values, strict=True) if value is not None}


def read_marts(dwh_url: str) -> Marts:
    """The marts, with what they were made of, in one snapshot: no run can commit between two of the selects."""
    with psycopg.connect(dwh_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ

        def rows(name: str, **parameters: object) -> list[tuple[Any, ...]]:
            return connection.execute((SQL / f"{name}.sql").read_bytes(), parameters or None).fetchall()

        return Marts(
            user_product_counters={(u, p): (name, n) for u, p, name, n in rows("product_counters")},
            user_category_counters={
                (u, category): n if category == mart_name else (mart_name, n)
                for u, category, mart_name, n in rows("category_counters")
            },
            user_tags={(u, tag): tuple(evidence) for u, tag, *evidence in rows("tags")},
            rules=[(tag, category, threshold) for tag, category, threshold in rows("rules")],
            loaded=dict(rows("loaded", topic=TOPIC)),
            queued=rows("queued")[0][0],
        )


def differences(name: str, expected: Mapping[Any, object], found: Mapping[Any, object]) -> list[str]:
    """Say each key in which the two differ, for a person."""
    differing = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    return [
        f"{name} {key}: recount {expected.get(key, 'has none')}, mart {found.get(key, 'has none')}"
        for key in sorted(differing, key=str)
    ]


def compare(bootstrap_servers: str, redis_url: str, dwh_url: str, wait_s: float = 60) -> Comparison:
    """Recount the topic and compare with the marts.

    Orders may be flowing: the marts are read at a moment when nothing is queued before them (waited for, at most
    `wait_s` seconds), and then the topic up to where they have come. What is beyond that and younger than two minutes
    is on its way; what is older should have been there, and counts.
    """
    deadline = time.monotonic() + wait_s
    marts = read_marts(dwh_url)
    while marts.queued and time.monotonic() < deadline:
        time.sleep(0.5)
        marts = read_marts(dwh_url)
    now_ms = time.time() * 1000
    due, new = [], 0
    for record in kafka_records(bootstrap_servers):
        if is_due(record, marts.loaded, now_ms):
            due.append(read_version(record.value))
        else:
            new += 1
    versions = [version for version in due if version is not None]
    counted = count_orders(versions, restaurant_documents(redis_url, {v.restaurant_id for v in versions}))
    counted.unread = due.count(None)
    sides: dict[str, tuple[Mapping[Any, object], Mapping[Any, object]]] = {
        "user_product_counters": (counted.user_product_counters, marts.user_product_counters),
        "user_category_counters": (counted.user_category_counters, marts.user_category_counters),
        "user_tags": (counted.user_tags(marts.rules), marts.user_tags),
    }
    return Comparison(
        recount=counted,
        differences={name: differences(name, expected, found) for name, (expected, found) in sides.items()},
        rows={name: len(expected) for name, (expected, _) in sides.items()},
        on_their_way=new,
        queued=marts.queued,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the marts with an independent recount of the raw messages."""
    parser = argparse.ArgumentParser(prog="python -m witness.recount", description=main.__doc__)
    parser.add_argument("--show", type=int, default=20, help="differences to print of each mart (default %(default)s)")
    parser.add_argument(
        "--wait", type=float, default=60, help="seconds to wait for a run that is under way (default %(default)s)"
    )
    args = parser.parse_args(argv)
    try:
        kafka, reference, dwh = (os.environ[name] for name in ("KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL", "DWH_URL"))
    except KeyError as error:
        parser.error(f'{error.args[0]} is not set; after `make up`: eval "$(make -s env)"')
    began = time.monotonic()
    compared = compare(kafka, reference, dwh, wait_s=args.wait)
    for lines in compared.differences.values():
        print(*lines[: args.show], sep="\n", end="\n" if lines else "")
    counted = compared.recount
    orders = ", ".join(f"{count} {status}" for status, count in counted.orders.most_common())
    print(f"{counted.orders.total()} orders ({orders}); {counted.unread} messages are no orders or not readable")
    if compared.on_their_way:
        print(f"{compared.on_their_way} messages of the last two minutes are on their way and not compared")
    if compared.queued:
        print(f"{compared.queued} entries are still queued between the layers: is a run under way, or did one fail?")
    for name, lines in compared.differences.items():
        print(f"cdm.{name}: {compared.rows[name]} rows recounted, {len(lines)} differ")
    print(f"recounted and compared in {time.monotonic() - began:.1f} s")
    return 0 if compared.equal() else 1


if __name__ == "__main__":
    sys.exit(main())

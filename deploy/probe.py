"""What `deploy.e2e` does inside the cluster, in a pod that sees what the pipeline sees. Each command prints one line of JSON.

Reads KAFKA_BOOTSTRAP_SERVERS and the passwords of its accounts, REDIS_URL, DWH_URL, AIRFLOW_API_URL, AIRFLOW_ADMIN_PASSWORD.

    python -m deploy.probe history --orders 50000
    python -m deploy.probe doors
    python -m deploy.probe watch --minutes 10
    python -m deploy.probe tasks --since 2026-11-25T02:00:00+00:00
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psycopg
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from psycopg.conninfo import make_conninfo

from deploy.make_secrets import PIPELINE_ACCOUNT
from local.airflow_api import FINISHED, AirflowApi, AirflowApiError
from source.generate import Dish, Generator, Restaurant, utc_text
from source.seed import TOPIC, kafka_settings, load_reference, produce

TAG = "e2e: ordered at all"
LOOK_EVERY_S = 0.5
PATIENCE_S = 420
DAGS = ("orders_micro_batch", "orders_backfill")

RULE = """
    insert into cdm.tag_rules (tag, category_name, threshold)
    select %s, %s, 0
    where not exists (select from cdm.tag_rules where tag = %s)
"""
TAGGED = """
    select h_user.user_id
    from dds.h_user
    inner join cdm.user_tags on user_tags.user_id = h_user.h_user_pk
    where h_user.user_id = any(%s) and user_tags.tag = %s
"""
EVENTS = """
    select count(*) filter (where event = 'assigned'), count(*) filter (where event = 'revoked')
    from cdm.tag_events
    inner join dds.h_user on h_user.h_user_pk = tag_events.user_id
    where h_user.user_id = any(%s) and tag_events.tag = %s
"""


def history(orders: int) -> dict[str, Any]:
    """Fill the sources, make the rule of the probes, run orders_backfill and switch orders_micro_batch on."""
    generator = Generator(orders=orders)
    load_reference(os.environ["REDIS_URL"], generator)
    sent = produce(os.environ["KAFKA_BOOTSTRAP_SERVERS"], generator.messages(), lambda _: None)
    with psycopg.connect(os.environ["DWH_URL"]) as connection:
        connection.execute(RULE, [TAG, probe_dish(generator)[1].category, TAG])
    api = airflow_api()
    api.wait_for_dags(DAGS)
    done = backfill()
    api.unpause("orders_micro_batch")
    return {"messages": sent, **done}


def backfill(chunk_messages: int = 10_000) -> dict[str, Any]:
    """Run orders_backfill from the beginning to its end; small chunks make its drain last."""
    api = airflow_api()
    api.unpause("orders_backfill")
    begin = time.monotonic()
    run_id = api.trigger("orders_backfill", {"from": "beginning", "chunk_messages": chunk_messages})
    state = ""
    while state not in FINISHED:
        time.sleep(1)
        with suppress(AirflowApiError):  # away while its database or itself is made anew: asked again
            state = api.run_state("orders_backfill", run_id)
    seconds = round(time.monotonic() - begin, 1)
    return {"state": state, "seconds": seconds, "tasks": durations(api, "orders_backfill", run_id)}


def watch(minutes: float, rate: float) -> dict[str, Any]:
    """Have new guests close an order, `rate` a minute, and note when each carries the tag; wait for the last ones."""
    restaurant, dish = probe_dish(Generator(orders=0))
    kafka = kafka_settings(os.environ["KAFKA_BOOTSTRAP_SERVERS"])
    producer = Producer({**kafka, "enable.idempotence": True, "log_level": 2})
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    began = time.time()
    next_order = began
    while True:
        now = time.time()
        sending = now < began + minutes * 60
        if sending and now >= next_order:
            guest, value = probe_order(restaurant, dish, now)
            producer.produce(TOPIC, value)
            sent[guest] = now
            next_order += 60 / rate
        producer.poll(0)
        waiting = [guest for guest in sent if guest not in seen]
        # A database that is away is looked at again; the clock runs.
        with (
            suppress(psycopg.OperationalError),
            psycopg.connect(os.environ["DWH_URL"], connect_timeout=3) as connection,
        ):
            tagged = [guest for (guest,) in connection.execute(TAGGED, [waiting, TAG])]
            seen.update(dict.fromkeys(tagged, time.time()))
        if not sending and (len(seen) == len(sent) or now > began + minutes * 60 + PATIENCE_S):
            break
        time.sleep(LOOK_EVERY_S)
    left = producer.flush(60)
    with psycopg.connect(os.environ["DWH_URL"]) as connection:
        assigned, revoked = connection.execute(EVENTS, [list(sent), TAG]).fetchone() or (0, 0)
    return {
        "orders": len(sent),
        "not_taken_by_kafka": left,
        "lost": len(sent) - len(seen),
        "double": assigned - len(seen) + revoked,
        "latencies": sorted(round(seen[guest] - sent[guest], 1) for guest in seen),
    }


def probe_dish(generator: Generator) -> tuple[Restaurant, Dish]:
    """Return a dish that is on a menu; its category is what the rule counts."""
    restaurant = generator.restaurants[0]
    return restaurant, next(dish for dish in restaurant.dishes if dish.on_menu)


def probe_order(restaurant: Restaurant, dish: Dish, now: float) -> tuple[str, bytes]:
    """Return a guest that nobody knows yet, and the message of an order of theirs that has just been closed."""
    order_id = int(now * 1000)
    guest = f"e2e-{order_id}"
    moment = utc_text(int(now))
    payload = {
        "restaurant": {"id": restaurant.id},
        "user": {"id": guest},
        "date": moment,
        "update_ts": moment,
        "order_items": [{"id": dish.id, "name": dish.name, "price": dish.price, "quantity": 1}],
        "cost": dish.price,
        "payment": dish.price,
        "statuses": [{"status": "CLOSED", "dttm": moment}, {"status": "OPEN", "dttm": moment}],
        "final_status": "CLOSED",
    }
    message = {"object_id": order_id, "object_type": "order", "sent_dttm": moment, "payload": payload}
    return guest, json.dumps(message).encode()


def tasks(since: datetime) -> dict[str, Any]:
    """Return the runs of orders_micro_batch that began and ended since then, with the times of their tasks."""
    api = airflow_api()
    runs = [
        run
        for run in api.runs("orders_micro_batch", run_after_gte=since.isoformat(), limit="100")
        if run["state"] in FINISHED
    ]
    return {
        "runs": [
            {
                "state": run["state"],
                "seconds": run["duration"],
                "tasks": durations(api, run["dag_id"], run["dag_run_id"]),
            }
            for run in runs
        ]
    }


def durations(api: AirflowApi, dag_id: str, run_id: str) -> list[dict[str, Any]]:
    """Return for each task: how long it was queued (its pod was made and started), how long it ran, at which attempt."""
    return [
        {
            "task": task["task_id"],
            "queued": seconds_between(task["queued_when"], task["start_date"]),
            "running": task["duration"],
            "attempt": task["try_number"],
        }
        for task in api.tasks(dag_id, run_id)
    ]


def seconds_between(begin: str | None, end: str | None) -> float | None:
    """Return the seconds between two of Airflow's times."""
    if begin is None or end is None:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def airflow_api() -> AirflowApi:
    """Log in, as soon as the API server lets us."""
    deadline = time.monotonic() + 180
    while True:
        try:
            return AirflowApi(os.environ["AIRFLOW_API_URL"], "admin", os.environ["AIRFLOW_ADMIN_PASSWORD"])
        except AirflowApiError:
            if time.monotonic() > deadline:
                raise
            time.sleep(2)


def open_doors() -> list[str]:
    """Knock where nobody may come in; return what was let through."""
    servers = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    source = kafka_settings(servers)
    pipeline = {**source, "sasl.username": PIPELINE_ACCOUNT, "sasl.password": os.environ["KAFKA_PIPELINE_PASSWORD"]}
    doors: dict[str, Callable[[], bool]] = {
        "PostgreSQL takes a password in plain text": lambda: _connects(sslmode="disable"),
        "PostgreSQL is believed by another CA": lambda: _connects(sslrootcert="system"),
        "Kafka takes who has no account": lambda: _is_told({"bootstrap.servers": servers}),
        "Kafka takes another password": lambda: _is_told({**source, "sasl.password": "guessed"}),
        "who writes the orders reads them": lambda: _reads(source),
        "the pipeline writes orders": lambda: _writes(pipeline),
    }
    return [door for door, is_open in doors.items() if is_open()]


def _connects(**other: str) -> bool:
    try:
        psycopg.connect(make_conninfo(os.environ["DWH_URL"], **other)).close()
    except psycopg.OperationalError:
        return False
    return True


def _is_told(settings: Mapping[str, str]) -> bool:
    try:
        AdminClient({**settings, "log_level": 0}).list_topics(timeout=10)
    except KafkaException:
        return False
    return True


def _reads(settings: Mapping[str, str]) -> bool:
    consumer = Consumer({**settings, "group.id": "probe", "enable.partition.eof": True, "log_level": 0})
    consumer.assign([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
    answer = consumer.poll(20)
    if answer is None:
        return False
    error = answer.error()
    return error is None or error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001


def _writes(settings: Mapping[str, str]) -> bool:
    answers: list[KafkaError | None] = []
    producer = Producer({**settings, "message.timeout.ms": 10_000, "log_level": 0})
    producer.produce(TOPIC, b"", on_delivery=lambda error, _: answers.append(error))
    producer.flush(20)
    return bool(answers) and answers[0] is None  # an error of Kafka is compared with numbers only


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and print its result."""
    parser = argparse.ArgumentParser(prog="python -m deploy.probe", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("history").add_argument("--orders", type=int, default=50_000)
    commands.add_parser("doors")
    commands.add_parser("backfill").add_argument("--chunk-messages", type=int, default=10_000)
    watcher = commands.add_parser("watch")
    watcher.add_argument("--minutes", type=float, default=10)
    watcher.add_argument("--rate", type=float, default=5, help="orders a minute (default %(default)s)")
    commands.add_parser("tasks").add_argument(
        "--since", type=datetime.fromisoformat, default=datetime.min.replace(tzinfo=UTC)
    )
    options = parser.parse_args(arguments)
    if options.command == "history":
        result: object = history(options.orders)
    elif options.command == "doors":
        result = open_doors()
    elif options.command == "backfill":
        result = backfill(options.chunk_messages)
    elif options.command == "watch":
        result = watch(options.minutes, options.rate)
    else:
        result = tasks(options.since)
    json.dump(result, sys.stdout)
    print()


if __name__ == "__main__":
    main()

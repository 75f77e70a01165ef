"""A guest who is forgotten under a real Airflow: in its metadata, its logs and the files of exports nothing of them is found."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from harness.pipeline import Pipeline
from local.airflow_api import FINISHED, AirflowApi
from local.stack import Stack
from tests.messages import changed, order, restaurant, user
from tests.waiting import wait_for

REPO = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
A, B = "64f1c0de00000000000e2e01", "64f1c0de00000000000e2e02"
NAME, LOGIN, PHONE = "Мария Иванова-Эрастова", "maria-e2e@app", "+7 (999) 123-45-67"
OF_A = "3ea3b0328a0f8f8056414a434a80f7625bfe7f5317c055fac455076b255e6716"
# 390ce476...: the phone of B, who stays.
OF_B = "390ce476c222050eda8a5718a2eb6086b067a1858a157549f376ef2413820c52"
AUDIENCES = """
audiences:
  - {audience: fans, channel: yandex, include_tags: [fan], identifier: phone_sha256, format: yandex, requires_consent: false,
     salt: erasure-2026, control_percent: 0, max_change_percent: 100}
"""
# What the servers keep of their own is the warehouse, which is searched as such, the topic and Redis, which are the source's.
NOT_OURS = {"postgres", "kafka", "redis"}


@pytest.fixture
def files(audiences_file: Path) -> Iterator[Path]:
    """An Airflow that hands the tag's guests over by their phones."""
    known = audiences_file.read_text(encoding="utf-8")
    audiences_file.write_text(AUDIENCES, encoding="utf-8")
    yield audiences_file
    audiences_file.write_text(known, encoding="utf-8")


def run_of(airflow: AirflowApi, dag_id: str, conf: dict[str, object] | None = None) -> None:
    airflow.unpause(dag_id)
    run = airflow.trigger(dag_id, conf or {})
    wait_for(lambda: airflow.run_state(dag_id, run) in FINISHED, f"the run of {dag_id}", within_s=300)
    assert airflow.run_state(dag_id, run) == "success"


def test_55_of_an_erased_guest_airflow_remembers_nothing_nor_do_its_logs_and_files(
    airflow: AirflowApi, pipeline: Pipeline, topic: str, stack: Stack, files: Path
) -> None:
    airflow.pause("orders_micro_batch")
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Пицца', 1)")
    menu = restaurant(menu={"margherita": "Пицца"})
    guests = {A: user(A, name=NAME, login=LOGIN, phone=PHONE), B: user(B, phone="8 999 765 43 21")}
    pipeline.redis.mset({"diner": menu, **guests})
    bad = changed(
        order(900, user=A, dishes=("margherita",)),
        payload__cost=True,
        payload__user={"id": A, "name": NAME, "login": LOGIN},
    )
    orders = [order(number, user=guest, dishes=("margherita",)) for number, guest in enumerate([A, A, B, B], start=901)]
    pipeline.produce(topic, [*orders, bad])
    run_of(airflow, "orders_backfill", {"from": "beginning"})
    assert pipeline.user_tags().keys() >= {(A, "fan"), (B, "fan")}
    run_of(airflow, "audience_export")
    exported = stack.home / "exports" / "fans"
    assert OF_A in (exported / "000001" / "add.csv").read_text(encoding="utf-8")

    paths = os.environ | {"PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "plugins")])}
    done = subprocess.run(
        [sys.executable, "-m", "deploy.erase", "request"],
        input=f"{A}\n",
        env=paths,
        capture_output=True,
        text=True,
        check=True,
    )
    assert A not in done.stdout + done.stderr
    run_of(airflow, "guest_erase")
    run_of(airflow, "audience_export")
    assert (exported / "000002" / "remove.csv").read_text(encoding="utf-8").split() == ["phone", OF_A]

    key = pipeline.value("select dds.hash_key(%s)::text", [A])
    words = [A, NAME, LOGIN, PHONE, "79991234567", key]
    assert found_in_tables(pipeline.env["DWH_URL"], ["stg", "dds", "cdm"], [*words, OF_A]) == {}
    assert found_in_tables(pipeline.env["DWH_URL"], ["stg", "dds", "cdm"], [B])
    metadata = stack.env()["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    assert found_in_tables(metadata, ["public"], [*words, OF_A]) == {}
    assert found_in_tables(metadata, ["public"], ["audience_export"])
    # A file that has gone out, and the one that takes it back, name the phone's hash until their term (docs/personal-data.md).
    assert found_in_files(stack.home, words) == []
    assert found_in_files(stack.home, [OF_A]) == [exported / "000001" / "add.csv", exported / "000002" / "remove.csv"]
    assert found_in_files(stack.home, ["audience_export"]), "logs are among them"
    for dag_id in ("orders_backfill", "audience_export", "guest_erase"):
        airflow.pause(dag_id)


def found_in_tables(url: str, schemas: list[str], words: list[str]) -> dict[str, int]:
    """Return the tables that hold one of the words, as text, in JSON or in bytes, and in how many rows."""
    forms = {form for word in words for form in (word, json.dumps(word)[1:-1], word.encode().hex())}
    found = {}
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute(
            "select schemaname, tablename from pg_tables where schemaname = any(%s)", [schemas]
        ).fetchall()
        for table in tables:
            query = sql.SQL("select to_jsonb(held)::text from {} as held").format(sql.Identifier(*table))
            count = sum(any(form in row for form in forms) for (row,) in connection.execute(query))
            if count:
                found[".".join(table)] = count
    return found


def found_in_files(home: Path, words: list[str]) -> list[Path]:
    """Return the files of a stack, those of its servers' own data aside, that hold one of the words."""
    forms = [form.encode() for word in words for form in (word, json.dumps(word)[1:-1])]
    files = (path for room in sorted(home.iterdir()) if room.name not in NOT_OURS for path in [room, *room.rglob("*")])
    return sorted(path for path in files if path.is_file() and any(form in path.read_bytes() for form in forms))

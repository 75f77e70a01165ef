"""Guests who are erased, by the numbers of the worked examples: nothing of them is found, now or after everything came again."""

import hashlib
import json
import logging
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from harness.pipeline import PEPPER, TIMES_AND_POSITIONS, Pipeline
from harness.runs import backfill, load_layers, minute_run, rebuild_run, run
from operators.erase_guests import EraseGuestsOperator
from operators.refresh_reference import RefreshReferenceOperator
from operators.replay_dead_letters import ReplayDeadLettersOperator
from tests.messages import changed, order, restaurant, user
from tests.streams import broken_laws
from warehouse.audiences import DEFAULTS, apply_audiences
from warehouse.export import Asked, Audience, export_audience
from warehouse.export_files import ExportFiles
from warehouse.layers import AUDIENCES_NOW, ERASURES_VACUUMED, ORDERS
from warehouse.ledger import PepperError, subject_of
from warehouse.requests import APPLY_LEDGER, STG_DDS_AND_CDM, WORK_OFF
from warehouse.staging import Record, RecordStore
from warehouse.suppressions import load_consents, load_suppressions
from witness.model import Model

REPO = Path(__file__).resolve().parents[2]
A, B, C = "64f1c0de0000000000000001", "64f1c0de0000000000000002", "64f1c0de0000000000000003"
OF_A = "3ea3b0328a0f8f8056414a434a80f7625bfe7f5317c055fac455076b255e6716"
LEDGER_OF_A = "7c7f1819da9a4dd87f1aa426bc1e26f2d0687d04cf021cae13c39f6bd6688680"
NAME, LOGIN, PHONE, EMAIL = 'Мария "М" Иванова', "maria@app", "+7 (999) 123-45-67", "maria@mail.example"
# What differs from one load of the same to another (a rule is in force from its first run on), and the ledger's own times.
HIDDEN = (
    *(*TIMES_AND_POSITIONS, "id", "partition", "offset", "event_dt", "assigned_dt", "changed_dt", "compensates"),
    *(
        "effective_dt",
        "requested_dt",
        "done_dt",
        "counts",
        "reason",
        "attempts",
        "solved_dt",
        "topic",
        "load_src",
        "since_dt",
    ),
)
MENU = {"margherita": "Пицца", "tea": "Напитки"}


def pizza(number: int, guest: str, day: str, status: str = "CLOSED", **payload: Any) -> bytes:
    return order(number, status, user=guest, dishes=("margherita",), update_ts=f"2026-03-{day} 12:00:00", **payload)


# A's orders; one that goes from B to A and back, one from A to C; an open one; B's own; and what is refused.
MESSAGES = [
    *(pizza(101, A, "01"), pizza(102, A, "05"), pizza(103, A, "10")),
    *(pizza(104, B, "02"), pizza(104, A, "03"), pizza(104, B, "04")),
    *(pizza(105, A, "02"), pizza(105, C, "03"), pizza(105, B, "04")),
    changed(pizza(106, A, "06", "OPEN"), payload__user={"id": A, "name": NAME, "login": LOGIN}),
    *(pizza(201, B, "02"), pizza(202, B, "03"), pizza(301, C, "04")),
    changed(pizza(107, A, "07"), payload__cost=True),
    f'{{"object_type": "order", "payload": {{"user": {{"id": "\\u0036{A[1:]}"}}, broken'.encode(),
    changed(pizza(203, B, "07"), payload__cost=True),
]
DOCUMENTS = {
    "diner": restaurant(menu=MENU),
    A: user(A, name=NAME, login=LOGIN, phone=PHONE, email=EMAIL),
    B: user(B, name="Bob", login="bob@app", phone="8 999 765 43 21"),
    C: user(C, name="Zoe", login="zoe@app"),
}
OF_THE_GUEST = (A, LOGIN, NAME, "Иванова", PHONE, "79991234567", EMAIL)


def erase(action: str = WORK_OFF) -> dict[str, int]:
    """Do what the DAG does."""
    dag_run = SimpleNamespace(conf={"action": action})
    dag = SimpleNamespace(dag_id="guest_erase")
    return run(EraseGuestsOperator(task_id="erase"), dag=dag, dag_run=dag_run, params={"action": action})


def request(pipeline: Pipeline, guest: str) -> None:
    pipeline.etl.execute("select stg.request_erasure(%s)", [guest])
    pipeline.etl.commit()


@pytest.fixture(autouse=True)
def pepper(monkeypatch: pytest.MonkeyPatch, pipeline: Pipeline) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ERASURE_LEDGER", json.dumps({"conn_type": "generic", "password": PEPPER}))
    for name, value in pipeline.env.items():
        if name.startswith("AIRFLOW_CONN_"):
            monkeypatch.setenv(name, value)


@pytest.fixture
def topic(pipeline: Pipeline) -> str:
    """A topic with all messages, and a warehouse that has loaded them, and knows the guests."""
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, MESSAGES)
    begin(pipeline)
    minute_run(topic)
    return topic


def begin(pipeline: Pipeline) -> None:
    pipeline.clear()
    pipeline.redis.mset(DOCUMENTS)
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold, window_days)"
        " values ('pizza_lover', 'Пицца', 1, null), ('lately', 'Пицца', 1, 3660)"
    )


def traces(pipeline: Pipeline, *more: str) -> dict[str, int]:
    """Return the tables with a row that tells of A in any column: by id, login, name, contacts, key or hash, bytes included."""
    key = pipeline.value("select dds.hash_key(%s)::text", [A])
    words = [word for text in (*OF_THE_GUEST, key, OF_A, *more) for word in (text, json.dumps(text)[1:-1])]
    words += [word.encode().hex() for word in words]
    tables = pipeline.rows(
        "select schemaname || '.' || tablename from pg_tables where schemaname in ('stg', 'dds', 'cdm', 'migration')"
    )
    assert len(tables) > 50
    found = {}
    for (table,) in tables:
        rows = [str(row) for (row,) in pipeline.rows(f"select to_jsonb(t)::text from {table} as t")]
        found[table] = sum(any(word in row for word in words) for row in rows)
    return {table: count for table, count in found.items() if count}


def test_of_an_erased_guest_nothing_is_found_and_the_ledger_knows_no_name(
    pipeline: Pipeline, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    before = pipeline.snapshot(HIDDEN)
    hours = pipeline.rows("select * from cdm.v_orders_hourly order by 1, 2, 4")
    assert {"stg.dead_letters", "stg.reference_log", "dds.s_user_contacts", "cdm.tag_events"} < traces(pipeline).keys()
    request(pipeline, A)
    counts = erase()
    assert traces(pipeline) == {}
    assert counts["guests"] == 1
    assert counts["stg.order_event_log"] == 6
    assert counts["stg.dead_letters.blanked"] == 2
    assert not [text for text in OF_THE_GUEST if text in caplog.text]
    ((subject, act),) = pipeline.rows("select encode(subject_hmac, 'hex'), counts from stg.erasures")
    assert subject == LEDGER_OF_A
    assert {"guests": 1, **act} == counts
    assert pipeline.rows("select * from stg.erasure_requests") == []
    # Of the others nothing has changed, and the turnover is what it was.
    after = pipeline.snapshot(HIDDEN)
    keys = [pipeline.value("select dds.hash_key(%s)::text", [guest]) for guest in (B, C)]
    for table in ("user_product_counters", "user_category_counters", "user_tags", "tag_events", "guest_due"):
        kept = [row for row in before[f"cdm.{table}"] if any(key in row for key in keys)]
        assert after[f"cdm.{table}"] == kept, table
    assert pipeline.rows("select * from cdm.v_orders_hourly order by 1, 2, 4") == hours
    raws = pipeline.rows("select raw from stg.dead_letters where raw is not null")
    assert [bytes(raw) for (raw,) in raws] == [MESSAGES[-1]], "the letter of another guest is whole"
    assert broken_laws(pipeline.etl) == {}


def test_the_vault_and_the_marts_of_what_is_left_are_those_of_the_model(pipeline: Pipeline, topic: str) -> None:
    request(pipeline, A)
    request(pipeline, C)
    assert erase()["guests"] == 2
    model = Model(as_of=datetime.now(UTC))
    model.add_rule("pizza_lover", "Пицца", 1)
    model.add_rule("lately", "Пицца", 1, 3660)
    model.messages(MESSAGES)
    model.refresh(DOCUMENTS)
    model.erase(A)
    model.erase(C)
    assert pipeline.marts() == model.marts()
    owners = pipeline.rows(
        "select o.order_id, u.user_id from dds.current_order_user as e join dds.h_order as o using (h_order_pk)"
        " join dds.h_user as u on e.h_user_pk = u.h_user_pk"
    )
    assert dict(owners) == {number: told["user_id"] for number, told in model.satellites()["es_order_user"].items()}
    assert pipeline.value("select count(*) from dds.es_order_user where h_order_pk = dds.hash_key('105')") == 2, (
        "one erased guest after another is no change"
    )


def test_whatever_comes_again_brings_nothing_of_an_erased_guest_back(pipeline: Pipeline, topic: str) -> None:
    request(pipeline, A)
    erase()
    erased = pipeline.snapshot(HIDDEN)
    pipeline.owner.execute("truncate stg.drain_progress, stg.drain_ends")
    minute_run(topic)
    backfill(topic)
    load_layers()
    dag = SimpleNamespace(dag_id="dead_letters_replay")
    dag_run = SimpleNamespace(run_id="run", conf={}, start_date=datetime.now(UTC))
    run(ReplayDeadLettersOperator(task_id="letters", everything=True), dag=dag, dag_run=dag_run, params={})
    rebuild_run(STG_DDS_AND_CDM)
    assert traces(pipeline) == {}
    positions = {"stg.drain_progress", "stg.drain_ends"}
    again = pipeline.snapshot((*HIDDEN, "tried_by"))
    assert {table: rows for table, rows in again.items() if table not in positions} == {
        table: rows for table, rows in erased.items() if table not in positions
    }
    assert broken_laws(pipeline.etl) == {}


def test_erase_then_replay_is_replay_then_erase(pipeline: Pipeline, topic: str) -> None:
    request(pipeline, A)
    request(pipeline, C)
    erase()
    erased = pipeline.snapshot(HIDDEN)
    begin(pipeline)
    for guest in (A, C):
        pipeline.owner.execute(
            "insert into stg.erasures (subject_hmac, requested_dt, done_dt, reason, counts)"
            " values (%s, now(), now(), 'request', '{}')",
            [subject_of(PEPPER, guest)],
        )
    minute_run(topic)
    assert traces(pipeline) == {}
    assert pipeline.snapshot(HIDDEN) == erased
    assert broken_laws(pipeline.etl) == {}


def test_after_a_restore_the_ledger_is_applied_again_and_twice_finds_nothing(pipeline: Pipeline, topic: str) -> None:
    request(pipeline, A)
    erase()
    erased = pipeline.snapshot(HIDDEN)
    ledger = pipeline.value("select jsonb_agg(e)::text from stg.erasures as e")
    begin(pipeline)
    minute_run(topic)  # as the backup has it: from before the erasure
    assert traces(pipeline)
    pipeline.owner.execute(
        "insert into stg.erasures overriding system value"
        " select * from jsonb_populate_recordset(null::stg.erasures, %s)",
        [ledger],
    )
    assert erase(APPLY_LEDGER)["guests"] == 1
    assert traces(pipeline) == {}
    assert pipeline.snapshot(HIDDEN) == erased
    assert erase(APPLY_LEDGER) == {"guests": 0}
    request(pipeline, A)
    assert erase() == {"guests": 1}, "nothing was left of them"
    assert pipeline.snapshot(HIDDEN) == erased
    assert pipeline.value("select counts <> '{}' from stg.erasures"), "the act stays"


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder beside the dumps that the ledger is copied to."""
    folder = tmp_path / "ledger"
    said = {"conn_type": "generic", "password": PEPPER, "extra": {"copy": str(folder)}}
    monkeypatch.setenv("AIRFLOW_CONN_ERASURE_LEDGER", json.dumps(said))
    return folder


def test_a_restored_warehouse_that_lacks_the_ledger_learns_it_from_its_copy(
    pipeline: Pipeline, topic: str, copies: Path
) -> None:
    request(pipeline, A)
    assert erase()["copied"] == 1
    erased = pipeline.snapshot(HIDDEN)
    (file,) = copies.iterdir()
    assert file.name.startswith(LEDGER_OF_A)
    assert not [text for text in OF_THE_GUEST if text in file.read_text(encoding="utf-8")]
    begin(pipeline)
    minute_run(topic)  # as the backup has it: from before the erasure, its ledger empty
    assert pipeline.rows("select * from stg.erasures") == []
    assert traces(pipeline)
    counts = erase(APPLY_LEDGER)
    assert (counts["restored"], counts["guests"]) == (1, 1)
    assert traces(pipeline) == {}
    assert pipeline.snapshot(HIDDEN) == erased
    assert erase(APPLY_LEDGER) == {"guests": 0, "restored": 0, "copied": 0}
    assert file in copies.iterdir(), "files are only added"


def test_what_a_run_has_not_copied_the_next_one_copies_and_the_newest_state_comes_back(
    pipeline: Pipeline, topic: str, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request(pipeline, A)
    with monkeypatch.context() as killed:
        killed.setattr("operators.erase_guests.copy_ledger", lambda *_: 0)
        erase()
    assert not copies.exists()
    assert erase() == {"guests": 0, "copied": 1}
    pipeline.owner.execute("update stg.erasures set reopened_dt = '2026-03-20 00:00:00Z'")
    assert erase() == {"guests": 0, "copied": 1}
    assert len(list(copies.iterdir())) == 2
    ledger = "select subject_hmac, requested_dt, done_dt, reopened_dt, reason, counts from stg.erasures"
    before = pipeline.rows(ledger)
    pipeline.owner.execute("update stg.erasures set reopened_dt = null")
    assert erase(APPLY_LEDGER)["restored"] == 1
    assert pipeline.rows(ledger) == before
    pipeline.owner.execute("delete from stg.erasures")
    assert erase(APPLY_LEDGER)["restored"] == 1
    assert pipeline.rows(ledger) == before


def test_the_tables_of_an_erasure_are_vacuumed_at_once(pipeline: Pipeline, topic: str) -> None:
    if pipeline.owner.info.server_version < 170_000:
        pytest.skip("only the owner may vacuum there; autovacuum does it")
    vacuumed = "select schemaname || '.' || relname from pg_stat_user_tables where last_vacuum >= %s"
    began = pipeline.value("select clock_timestamp()")
    assert erase() == {"guests": 0}
    assert pipeline.rows(vacuumed, [began]) == [], "nobody was erased"
    request(pipeline, A)
    erase()
    tables = set(re.findall(r"\b(?:stg|dds|cdm)\.\w+", (REPO / "sql" / ERASURES_VACUUMED).read_text(encoding="utf-8")))
    assert len(tables) > 20
    assert {table for (table,) in pipeline.rows(vacuumed, [began])} == tables


def test_who_is_at_a_channel_is_removed_by_the_next_export_and_then_gone(
    pipeline: Pipeline, topic: str, tmp_path: Path
) -> None:
    files, now = ExportFiles(str(tmp_path)), datetime.now(UTC)
    fans = {"audience": "fans", "channel": "yandex", "include_tags": ["pizza_lover"], "identifier": "phone_sha256"}
    more = {"format": "yandex", "requires_consent": False, "salt": "s"}
    with pipeline.session.transaction():
        apply_audiences(pipeline.session, [{**DEFAULTS, **fans, **more}])
        load_consents(
            pipeline.session, f"guest_id,channel,granted,withdrawn,source\n{A},yandex,2026-01-01T00:00:00Z,,form\n"
        )
        said = "kind,value,channel,reason,since,until\n"
        of_a = f"guest,{A},mail,left,2026-01-01T00:00:00Z,\nphone,{PHONE},mail,left,2026-01-01T00:00:00Z,\n"
        of_b = "phone,8 999 765 43 21,mail,left,2026-01-01T00:00:00Z,\n"
        load_suppressions(pipeline.session, said + of_a + of_b, "test", now)
    ((name, *rest),) = pipeline.session.ask(AUDIENCES_NOW, {"audience": None})
    audience = Audience(name, *rest)
    assert export_audience(pipeline.session, files, audience, Asked(), now).export.adds == 2
    request(pipeline, A)
    erase()
    key = pipeline.value("select dds.hash_key(%s)::text", [A])
    assert traces(pipeline).keys() == {"cdm.audience_members", "cdm.audience_export_rows"}
    assert not [row for table in pipeline.snapshot().values() for row in table if key in row or A in row]
    assert pipeline.value("select count(*) from cdm.suppressions") == 3, "the phone of another guest stays suppressed"
    assert broken_laws(pipeline.etl) == {}
    outcome = export_audience(pipeline.session, files, audience, Asked(), now).export
    assert (outcome.adds, outcome.removes, outcome.members_after) == (0, 1, 1)
    assert (tmp_path / "fans/000002/remove.csv").read_text(encoding="utf-8").splitlines() == ["phone", OF_A]
    assert traces(pipeline) == {}
    assert broken_laws(pipeline.etl) == {}
    assert export_audience(pipeline.session, files, audience, Asked(), now).export.status == "nothing"


def test_of_what_suppresses_them_nothing_stays_that_only_a_waiting_document_tells(
    pipeline: Pipeline, topic: str
) -> None:
    their_new, taken_over = "+7 999 000-00-01", "+7 999 000-00-02"
    pipeline.redis.set(A, user(A, phone=their_new, email="new@mail.example", update_ts="2026-03-21 00:00:00"))
    pipeline.redis.set(C, user(C, phone=taken_over, update_ts="2026-03-21 00:00:00"))
    pipeline.stage([pizza(110, A, "21"), pizza(302, C, "21")])
    run(RefreshReferenceOperator(task_id="reference"))
    # A second one of A's, with the phone that C has now.
    pipeline.redis.set(A, user(A, phone=taken_over, update_ts="2026-03-22 00:00:00"))
    pipeline.stage([pizza(111, A, "22")])
    run(RefreshReferenceOperator(task_id="reference"))
    assert pipeline.value("select count(*) from stg.load_queue where source = 'reference_log'") == 3
    said = [f"phone,{their_new}", "email,new@mail.example", f"phone,{taken_over}", f"phone,{PHONE}"]
    lines = "\n".join(f"{who},mail,left,2026-01-01T00:00:00Z," for who in said)
    with pipeline.session.transaction():
        load_suppressions(
            pipeline.session, f"kind,value,channel,reason,since,until\n{lines}\n", "test", datetime.now(UTC)
        )
    request(pipeline, A)
    erase()
    digits = b"79990000002"
    forms = {hashlib.sha256(digits), hashlib.sha256(b"+" + digits), hashlib.md5(digits, usedforsecurity=False)}
    assert {value for (value,) in pipeline.rows("select value from cdm.suppressions")} == {
        form.hexdigest() for form in forms
    }, "those of the phone that is another guest's, too"
    load_layers()
    assert broken_laws(pipeline.etl) == {}


def test_orders_that_begin_after_somebody_has_come_back_are_theirs(pipeline: Pipeline, topic: str) -> None:
    request(pipeline, A)
    erase()
    pipeline.owner.execute("update stg.erasures set reopened_dt = '2026-03-20 00:00:00Z'")
    pipeline.stage([pizza(108, A, "19"), pizza(109, A, "20"), pizza(110, A, "21")])
    load_layers()
    owners = dict(
        pipeline.rows(
            "select o.order_id, u.user_id from dds.current_order_user as e join dds.h_order as o using (h_order_pk)"
            " join dds.h_user as u on e.h_user_pk = u.h_user_pk where o.order_id > 102 and o.order_id < 111"
        )
    )
    assert [owners[number] for number in (103, 108, 109, 110)] == ["erased", "erased", A, A]
    assert pipeline.user_category_counters()[A, "Пицца"] == 2
    assert pipeline.value("select count(*) from dds.s_user_names where h_user_pk = dds.hash_key(%s)", [A]) == 1
    request(pipeline, A)
    erase()
    assert traces(pipeline) == {}


def test_a_chunk_that_was_judged_before_an_erasure_is_judged_again(pipeline: Pipeline, topic: str) -> None:
    store = RecordStore(pipeline.session, ORDERS, UTC, lambda: PEPPER)
    records = [Record(pizza(111, A, "11"), None, "late", 0, 0), Record(pizza(204, B, "11"), None, "late", 0, 1)]
    judged = store.judge(records)
    request(pipeline, A)
    erase()
    counts = store.store(records, judged=judged)
    assert counts["erased"] == 1
    assert traces(pipeline) == {}
    assert pipeline.value("select count(*) from stg.order_events where object_id in (111, 204)") == 2


def test_without_the_pepper_nothing_is_read_once_somebody_was_erased(
    pipeline: Pipeline, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request(pipeline, A)
    monkeypatch.delenv("AIRFLOW_CONN_ERASURE_LEDGER")
    with pytest.raises(PepperError, match="erasure_ledger"):
        erase()
    monkeypatch.setenv("AIRFLOW_CONN_ERASURE_LEDGER", json.dumps({"conn_type": "generic", "password": PEPPER}))
    erase()
    monkeypatch.delenv("AIRFLOW_CONN_ERASURE_LEDGER")
    before = pipeline.snapshot()
    pipeline.produce(topic, [pizza(112, A, "12")])
    with pytest.raises((PepperError, AirflowException), match="erasure_ledger"):
        minute_run(topic)
    assert pipeline.snapshot()["stg.order_event_log"] == before["stg.order_event_log"]


def test_a_request_comes_by_standard_input_alone(pipeline: Pipeline) -> None:
    def ask(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "deploy.erase", *arguments]
        return subprocess.run(
            command, input=given, env=dict(pipeline.env), cwd=REPO, capture_output=True, text=True, check=False
        )

    told = ask("request", given=f"{A}\n{B}\n{A}\n")
    assert told.returncode == 0, told.stderr
    assert A not in told.stdout + told.stderr
    assert pipeline.rows("select guest_id from stg.erasure_requests order by id") == [(A,), (B,)]
    assert "no id as an argument" in ask("request", A).stderr
    assert "no id on standard input" in ask("request").stderr

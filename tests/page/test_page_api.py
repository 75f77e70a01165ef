"""The addresses of the page: who may ask, what is refused, what is said when the warehouse can't answer."""

import asyncio
import hashlib
import json
import os
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
import psycopg
import pytest
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import get_user
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import ASGITransport, AsyncClient, Response

from guest_tags import page, reader
from harness.pipeline import Pipeline
from local.stack import Stack
from tests.messages import order, restaurant

SQL = Path(reader.SQL_FOLDER, "page")
FILES = sorted(path.stem for path in SQL.glob("*.sql"))
CONNECTION = f"AIRFLOW_CONN_{reader.CONN_ID.upper()}"
ROUTES = [route for route in page.app.routes if "{" not in str(getattr(route, "path", "{}"))]
ADDRESSES = sorted(route.path for route in ROUTES if "GET" in route.methods)  # type: ignore[attr-defined]
NUMBERS = [
    address
    for address in ADDRESSES
    if address.startswith("/api/") and address not in ("/api/me", "/api/guests", "/api/rehearsal", "/api/versions")
]


@pytest.fixture
def stranger() -> TestClient:
    """A client without a session, under Airflow's own check."""
    return TestClient(page.app, raise_server_exceptions=False)


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A client whom Airflow knows as somebody who may start runs."""
    create_auth_manager()
    ann = SimpleAuthManagerUser(username="ann", role="user")
    monkeypatch.setitem(page.app.dependency_overrides, get_user, lambda: ann)
    yield TestClient(page.app, raise_server_exceptions=False)
    reader._engine().dispose()
    reader._engine.cache_clear()


@pytest.fixture
def client(login: TestClient, pipeline: Pipeline) -> TestClient:
    """The same, over an empty warehouse."""
    reader._engine.cache_clear()
    return login


def changed_connection(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    monkeypatch.setenv(CONNECTION, json.dumps(json.loads(os.environ[CONNECTION]) | changes))
    reader._engine.cache_clear()


# --- who may ask ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [*ADDRESSES, "/static/page.js", "/api/guests?tag=x", "/api/orders?days=0"])
def test_without_a_session_nothing_is_shown(stranger: TestClient, address: str) -> None:
    answer = stranger.get(address)
    assert answer.status_code == 401
    assert answer.json() == {"detail": "Not authenticated"}


def test_a_forged_token_is_refused(stranger: TestClient) -> None:
    create_auth_manager().init()
    assert stranger.get("/api/rules", headers={"Authorization": "Bearer forged"}).status_code == 403
    stranger.cookies.set("_token", "forged")
    assert stranger.get("/api/rules").status_code == 403


def test_a_user_who_may_not_see_plugins_may_not_see_the_page(
    login: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = SimpleAuthManagerUser(username="bob", role=None)
    monkeypatch.setitem(page.app.dependency_overrides, get_user, lambda: nobody)
    for address in ADDRESSES:
        assert login.get(address).status_code == 403, address


def test_no_address_is_open_beside_airflows_check(stranger: TestClient) -> None:
    assert {"/", "/api/rules", "/api/me"} <= set(ADDRESSES)
    assert [route.path for route in ROUTES if "GET" not in route.methods] == ["/api/why"]  # type: ignore[attr-defined]
    assert stranger.post("/api/why", json={"guest_id": "x"}, headers=FROM_THE_PAGE).status_code == 401
    for address in ("/docs", "/redoc", "/openapi.json"):
        assert stranger.get(address).status_code == 404
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert stranger.request(method, "/api/rules").status_code == 405


# --- the page itself --------------------------------------------------------------------------------------------------


def test_the_page_and_its_files_come_with_a_policy_that_allows_nothing_foreign(login: TestClient) -> None:
    for address, kind in (
        ("/", "text/html"),
        ("/static/page.js", "javascript"),
        ("/static/vendor/chart.umd.min.js", "javascript"),
    ):
        answer = login.get(address)
        assert answer.status_code == 200
        assert kind in answer.headers["content-type"]
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-cache"
    answer = login.post("/api/why", json={"guest_id": "x"}, headers=FROM_THE_PAGE)
    assert answer.headers["cache-control"] == "no-store", "what is said of a guest stays nowhere"


@pytest.mark.parametrize(
    "name", ["../page.py", "..%2Fpage.py", "%2e%2e/reader.py", "index.html", "vendor", "nothing.js"]
)
def test_only_the_files_of_the_page_are_served(login: TestClient, name: str) -> None:
    assert login.get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("admin", True)])
def test_buttons_are_grey_for_those_whom_airflow_would_refuse(
    login: TestClient, monkeypatch: pytest.MonkeyPatch, role: str, may: bool
) -> None:
    ann = SimpleAuthManagerUser(username="ann", role=role)
    monkeypatch.setitem(page.app.dependency_overrides, get_user, lambda: ann)
    assert login.get("/api/me").json() == {"user": "ann", "may": dict.fromkeys(page.DAGS, may), "guests": may}


def test_who_may_see_sums_sees_no_single_guest(
    client: TestClient, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = SimpleAuthManagerUser(username="ann", role="viewer")
    monkeypatch.setitem(page.app.dependency_overrides, get_user, lambda: viewer)
    assert client.get("/api/rules").status_code == 200
    for answer in (
        client.get("/api/guests?tag=fan"),
        client.post("/api/why", json={"guest_id": "guest"}, headers=FROM_THE_PAGE),
    ):
        assert answer.status_code == 403
        assert "'Guest data'" in answer.json()["detail"]
    assert pipeline.rows("select * from stg.guest_looks") == []


def test_each_look_at_a_guest_is_written_down_and_names_nobody(client: TestClient, pipeline: Pipeline) -> None:
    why(client, "guest")
    why(client, "guest", "fan")
    why(client, "other")
    assert pipeline.rows("select looked_by, tag from stg.looks_at(%s)", ["guest"]) == [("ann", None), ("ann", "fan")]
    assert pipeline.rows("select looked_by, tag from stg.looks_at(%s)", ["nobody"]) == []
    ((written,),) = pipeline.rows("select string_agg(to_jsonb(looks)::text, '') from stg.guest_looks as looks")
    assert "guest" not in written
    assert hashlib.sha256(b"guest").hexdigest() not in written, "an id that is guessed can't be looked up"


def test_who_cannot_be_written_down_is_told_nothing(client: TestClient, pipeline: Pipeline) -> None:
    pipeline.owner.execute("revoke execute on function stg.note_look(text, text, text) from dwh_page")
    try:
        answer = client.post("/api/why", json={"guest_id": "guest"}, headers=FROM_THE_PAGE)
    finally:
        pipeline.owner.execute("grant execute on function stg.note_look(text, text, text) to dwh_page")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_migrated")


def test_what_is_written_down_only_the_owner_reads_and_the_page_only_adds_to(
    client: TestClient, pipeline: Pipeline
) -> None:
    why(client, "guest")
    for url in ("DWH_PAGE_URL", "DWH_BI_URL", "DWH_ETL_URL"):
        for statement in (
            "select * from stg.guest_looks",
            "select * from stg.guest_look_key",
            "select * from stg.looks_at('guest')",
            "delete from stg.guest_looks",
            "update stg.guest_looks set looked_by = 'bob'",
            "insert into stg.guest_looks (looked_by, subject_hash) values ('bob', '')",
        ):
            with psycopg.connect(pipeline.env[url]) as reader:
                reader.read_only = False
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    reader.execute(statement)


# --- what is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/api/audience?days=0", "days: "),
        ("/api/audience?days=367", "days: "),
        ("/api/audience?days=x", "days: "),
        ("/api/orders?days=1e3", "days: "),
        ("/api/orders?days=93", "days: "),
        ("/api/dishes?limit=101", "limit: "),
        ("/api/guests", "tag: "),
        ("/api/guests?tag=a&limit=-1", "limit: "),
        ("/api/rehearsal", "id: "),
        ("/api/rehearsal?id=0", "id: "),
        ("/api/versions", "tag: "),
        ("/api/versions?tag=%00", "tag: "),
    ],
)
def test_a_wrong_parameter_is_named(login: TestClient, address: str, said: str) -> None:
    answer = login.get(address)
    assert answer.status_code == 422
    assert answer.json()["code"] == "bad_request"
    assert answer.json()["detail"].startswith(said)


FROM_THE_PAGE = {"Origin": "http://testserver"}


def why(client: TestClient, guest_id: str, tag: str | None = None) -> dict[str, Any]:
    answer = client.post("/api/why", json={"guest_id": guest_id, "tag": tag}, headers=FROM_THE_PAGE)
    assert answer.status_code == 200
    return dict(answer.json())


@pytest.mark.parametrize("body", [{}, {"guest_id": ""}, {"guest_id": "\x00"}, {"guest_id": "x" * 201}, {"guest_id": 5}])
def test_a_guest_is_asked_for_by_an_id(login: TestClient, body: dict[str, Any]) -> None:
    answer = login.post("/api/why", json=body, headers=FROM_THE_PAGE)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_request")
    assert answer.json()["detail"].startswith("guest_id: ")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://elsewhere.test"},
        {"Origin": "null"},
        {"Origin": "http://testserver.elsewhere.test"},
        FROM_THE_PAGE | {"Content-Type": "text/plain"},
        FROM_THE_PAGE | {"Content-Type": "application/x-www-form-urlencoded"},
    ],
)
def test_a_guest_is_asked_for_by_the_page_itself_and_by_no_form_of_another_site(
    login: TestClient, headers: dict[str, str]
) -> None:
    body = json.dumps({"guest_id": "x"})
    answer = login.post("/api/why", content=body, headers={"Content-Type": "application/json", **headers})
    assert answer.status_code == 403


def test_a_value_is_bound_and_never_read_as_sql(client: TestClient) -> None:
    hostile = "x' or 1=1; drop table cdm.user_tags; --"
    assert why(client, hostile, hostile) == {"progress": [], "orders": [], "events": []}
    assert client.get("/api/versions", params={"tag": hostile}).json() == {"rows": []}
    assert client.get("/api/guests", params={"tag": hostile}).json() == {"rows": []}


def test_an_empty_warehouse_is_answered(client: TestClient) -> None:
    for address in NUMBERS:
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert isinstance(answer.json()["rows"], list)
    (now,) = client.get("/api/freshness").json()["rows"]
    assert now["last_order_dt"] is None
    assert (now["as_of"], now["age_s"], now["kafka_lag"]) == (None, None, None), (
        "nothing is known, which is not: no delay"
    )


def test_everything_is_judged_up_to_the_clock_of_the_tags_which_a_drain_alone_does_not_move(
    client: TestClient, pipeline: Pipeline
) -> None:
    def age() -> float | None:
        (now,) = client.get("/api/freshness").json()["rows"]
        assert (now["as_of"] is None) is (now["age_s"] is None)
        return now["age_s"] and now["age_s"] // 500 * 500

    def drained(seconds_ago: int) -> None:
        pipeline.owner.execute(
            "insert into stg.drain_ends (topic, as_of, checked_dt) values ('orders', now() - %s * interval '1 s', now())"
            " on conflict (topic) do update set as_of = excluded.as_of",
            [seconds_ago],
        )

    pipeline.load_cdm()
    assert age() is None, "no drain has come to an end"
    pipeline.owner.execute("delete from cdm.tag_clock")
    drained(5_000)
    assert age() is None, "nothing is judged yet"
    pipeline.load()
    assert age() == 5_000
    drained(1_000)
    assert age() == 5_000
    pipeline.stage([order(1)])
    pipeline.load_cdm()
    assert age() == 5_000, "an order that was sent waits for the vault"
    pipeline.load()
    assert age() == 1_000


def test_what_a_guest_has_and_lacks_is_told_with_its_reason(client: TestClient, pipeline: Pipeline) -> None:
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 1), ('maniac', 'Pizza', 3)"
    )
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    pipeline.stage([order(1), order(2), order(3, "OPEN")])
    pipeline.load()
    answer = why(client, "guest")
    assert [
        (row["tag"], row["carries_tag"], row["order_cnt"], row["orders_missing"]) for row in answer["progress"]
    ] == [
        ("fan", True, 2, 0),
        ("maniac", False, 2, 2),
    ]
    assert [(row["tag"], row["event"], row["order_cnt"], row["threshold"]) for row in answer["events"]] == [
        ("fan", "assigned", 2, 1)
    ]
    assert [row["guest_id"] for row in client.get("/api/guests?tag=fan").json()["rows"]] == ["guest"]
    assert [row["guest_id"] for row in client.get("/api/guests?tag=maniac").json()["rows"]] == []
    assert [row["tag"] for row in why(client, "guest", "maniac")["progress"]] == ["maniac"]
    assert why(client, "guest", "maniac")["events"] == []
    assert why(client, "nobody") == {"progress": [], "orders": [], "events": []}
    rules = {row["tag"]: row for row in client.get("/api/rules").json()["rows"]}
    assert (rules["fan"]["guests"], rules["fan"]["one_short"], rules["fan"]["gained"]) == (1, 0, 1)
    assert (rules["maniac"]["guests"], rules["maniac"]["one_short"]) == (0, 0)


def test_a_tag_has_a_rule_and_a_draft_and_keeps_its_number_until_a_change_is_in_force(
    client: TestClient, pipeline: Pipeline
) -> None:
    def rules() -> list[tuple[Any, ...]]:
        rows = client.get("/api/rules").json()["rows"]
        return [(row["tag"], row["status"], row["threshold"], row["guests"], row["waiting"]) for row in rows]

    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    pipeline.stage([order(1)])
    assert rules() == [("fan", "active", 0, 0, True)]
    pipeline.load()
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold, status)"
        " values ('fan', 'Pizza', 9, 'draft'), ('new', 'Pizza', 1, 'draft')"
    )
    assert rules()[:2] == [("fan", "active", 0, 1, False), ("fan", "draft", 9, 1, False)]
    assert rules()[2:] == [("new", "draft", 1, 0, False)]
    draft = client.get("/api/rules").json()["rows"][1]
    assert (draft["version"], draft["newest_version"], draft["newest_by"]) == (2, 2, "dwh_owner")
    pipeline.owner.execute("delete from cdm.tag_rules where status <> 'active'")
    pipeline.owner.execute("update cdm.tag_rules set status = 'retired'")
    assert rules() == [("fan", "retired", 0, 1, True)], "nobody has lost it yet"
    pipeline.load_cdm()
    assert rules() == [("fan", "retired", 0, 0, False)]
    versions = client.get("/api/versions?tag=fan").json()["rows"]
    assert [(row["version"], row["status"], row["threshold"]) for row in versions] == [
        (3, "retired", 0),
        (2, "draft", 9),
        (1, "active", 0),
    ]


def test_a_rehearsal_is_told_and_stays_with_the_draft_and_the_version_that_it_was_of(
    client: TestClient, pipeline: Pipeline
) -> None:
    nothing: dict[str, Any] = {"rehearsal": None, "weeks": [], "overlaps": [], "near": []}
    assert client.get("/api/rehearsal?id=1").json() == nothing
    pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold, status) values ('fan', 'Pizza', 2, 'draft')"
    )
    for threshold in (2, 3):
        pipeline.owner.execute(
            "insert into cdm.rehearsals (tag, category_name, threshold, from_dt, as_of, zone, guests, would_enter, would_leave,"
            " kept_by_hysteresis, flapping_guests, most_entries, dated_ahead, made_by, made_dt)"
            " values ('fan', 'Pizza', %s, now() - interval '1 year', now(), 'UTC', 5, 4, 1, 0, 0, 1, 0, 'ann', now())",
            [threshold],
        )
    (draft,) = client.get("/api/rules").json()["rows"]
    assert (draft["rehearsed_enter"], draft["rehearsed_leave"], draft["rehearsed_guests"]) == (4, 1, 5)
    told = client.get("/api/rehearsal", params={"id": draft["rehearsal_id"]}).json()
    assert (told["rehearsal"]["threshold"], told["rehearsal"]["would_enter"]) == (2, 4)
    pipeline.owner.execute("update cdm.tag_rules set status = 'active'")
    newest = client.get("/api/versions?tag=fan").json()["rows"][0]
    assert (newest["foreseen_enter"], newest["foreseen_leave"], newest["gained"]) == (4, 1, None), "it waits"
    pipeline.load_cdm()
    newest = client.get("/api/versions?tag=fan").json()["rows"][0]
    assert (newest["gained"], newest["lost"]) == (0, 0)


def test_what_came_of_a_version_is_told_by_the_version_whatever_the_clocks_say(
    client: TestClient, pipeline: Pipeline
) -> None:
    def came() -> list[tuple[int | None, int | None]]:
        rows = client.get("/api/versions?tag=fan").json()["rows"]
        return [(row["gained"], row["lost"]) for row in reversed(rows)]

    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    pipeline.stage([order(1), order(2, user="other")])
    pipeline.load()
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
    pipeline.load_cdm()
    # The run had read its clock, and waited for its turn, when the rule was made.
    pipeline.owner.execute("update cdm.tag_events set event_dt = event_dt - interval '1 hour'")
    assert came() == [(2, 0)]
    for status in ("retired", "active", "retired"):
        pipeline.owner.execute("update cdm.tag_rules set status = %s", [status])
    assert came() == [(2, 0), (0, 0), (0, 0), (None, None)], "it waits, and nothing came of those before it"
    pipeline.load_cdm()
    assert came() == [(2, 0), (0, 0), (0, 0), (0, 2)]
    pipeline.owner.execute("update cdm.tag_rules set status = 'active'")
    pipeline.load_cdm()
    pipeline.owner.execute("update cdm.tag_rules set status = 'retired'")
    pipeline.load_cdm()
    pipeline.owner.execute("update cdm.tag_events set event_dt = '2026-01-01' where rule_version = 5")
    assert came()[4:] == [(2, 0), (0, 2)]


def test_an_audience_is_told_with_its_last_export_and_the_one_that_is_held(
    client: TestClient, pipeline: Pipeline
) -> None:
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
    pipeline.owner.execute(
        """
        insert into cdm.audiences
        values
        ('new', 'mail', '{fan}', '{old}', 'guest_id', 'own', 12.5, 's', true, 0, 30, 'active'),
        ('pizza', 'yandex', '{fan}', '{}', 'phone_sha256', 'yandex', 0, 's', false, 0, 30, 'active');
        insert into cdm.audience_exports
        values
        ('pizza', 1, 'diff', 'published', '2026-01-01', '2026-01-01', 9, 0, 9, '{}', 'a', 'ann', '2026-01-01', null),
        ('pizza', 2, 'diff', 'published', '2026-01-01', '2026-01-01', 3, 2, 10, '{"shared": 1}', 'b', 'ann', '2026-01-01', null),
        ('pizza', 3, 'diff', 'held', '2026-01-02', '2026-01-02', 0, 8, 2, '{"shared": 4}', 'c', 'ann', null, null)
        """
    )
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"}))])
    pipeline.stage([order(1), order(2, user="other")])
    pipeline.load()
    new, pizza = client.get("/api/exports").json()["rows"]
    assert (new["audience"], new["seq"], new["next_status"], new["members"], new["reasons"]) == (
        "new",
        None,
        None,
        0,
        None,
    )
    assert (new["control_percent"], new["exclude_tags"], new["requires_consent"]) == (12.5, ["old"], True)
    assert (pizza["seq"], pizza["adds"], pizza["removes"], pizza["members"]) == (2, 3, 2, 10)
    assert (pizza["next_status"], pizza["next_seq"], pizza["next_removes"], pizza["next_hash"]) == ("held", 3, 8, "c")
    assert pizza["skipped"] == {"shared": 4}
    (why,) = pizza["reasons"]
    assert (why["tag"], why["event"], why["rule_version"], why["guests"]) == ("fan", "assigned", 1, 2)
    assert "identifiers" not in str(pizza)
    (now,) = client.get("/api/freshness").json()["rows"]
    assert now["exports_held"] == 1


def test_an_order_from_the_future_hides_no_other(client: TestClient, pipeline: Pipeline) -> None:
    pipeline.stage([order(1, update_ts="2026-01-10 10:20:00"), order(2, update_ts="2199-01-01 00:00:00")])
    rows = client.get("/api/orders?days=1").json()["rows"]
    assert [(row["begin_dt"], row["status"], row["orders"]) for row in rows] == [("2026-01-10T10:00:00Z", "CLOSED", 1)]
    rows = client.get("/api/orders?days=30").json()["rows"]
    assert [row["begin_dt"] for row in rows] == ["2026-01-10T00:00:00Z"]


# --- when the warehouse can't answer ----------------------------------------------------------------------------------


def refused(client: TestClient, code: str) -> None:
    """Every block says the same word, and no more than a stranger may know."""
    for address in NUMBERS:
        answer = client.get(address)
        assert answer.status_code == 503, address
        assert answer.json()["code"] == code
        secrets = json.loads(os.environ.get(CONNECTION, "{}"))
        for secret in ("host", "port", "password"):
            assert str(secrets.get(secret, "Traceback")) not in answer.text


def test_a_server_that_is_down_is_said_in_time(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    changed_connection(monkeypatch, port=1)
    refused(client, "unreachable")


def test_a_wrong_password_is_said(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    changed_connection(monkeypatch, password="wrong-password")
    refused(client, "unreachable")


def test_a_missing_connection_is_said(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CONNECTION)
    reader._engine.cache_clear()
    refused(client, "not_connected")


def test_missing_views_are_said(client: TestClient, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(pipeline.env["DWH_ADMIN_URL"], autocommit=True) as admin:
        admin.execute("create database not_migrated template template0")
        try:
            changed_connection(monkeypatch, schema="not_migrated")
            refused(client, "not_migrated")
        finally:
            reader._engine.cache_clear()
            admin.execute("drop database not_migrated with (force)")


def test_a_slow_answer_is_cut_off(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "SESSION", "-c statement_timeout=50")
    monkeypatch.setattr(reader, "_text", lambda name: "select pg_sleep(30)")
    refused(client, "too_slow")


def test_more_questions_than_may_wait_are_refused_at_once(client: TestClient) -> None:
    with ExitStack() as taken:
        while reader._places.acquire(blocking=False):
            taken.callback(reader._places.release)
        assert client.get("/api/rules").json()["code"] == "busy"
    assert client.get("/api/rules").status_code == 200


def test_a_question_that_gets_no_thread_in_time_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    held = [reader._threads.submit(go_on.wait) for _ in range(reader.POOL_SIZE)]
    with monkeypatch.context() as short:
        short.setattr(reader, "DEADLINE_S", 0.1)
        assert client.get("/api/rules").json()["code"] == "busy"
    go_on.set()
    wait(held)
    assert client.get("/api/rules").status_code == 200


def test_a_warehouse_that_hangs_costs_airflow_no_thread(
    client: TestClient, pipeline: Pipeline, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 requests wait for a frozen PostgreSQL; another address of the same server is answered meanwhile."""
    monkeypatch.setattr(reader, "DEADLINE_S", 2.0)
    server = FastAPI()
    server.mount("/guest-tags", page.app)

    @server.get("/version")
    def version() -> str:
        return "3.3"

    async def ask(browser: AsyncClient, requests: int) -> list[asyncio.Task[Response]]:
        return [asyncio.create_task(browser.get("/guest-tags/api/rules")) for _ in range(requests)]

    async def talk() -> None:
        shared = anyio.to_thread.current_default_thread_limiter()
        async with AsyncClient(transport=ASGITransport(server), base_url="http://airflow") as browser:
            for answer in await asyncio.gather(*await ask(browser, reader.POOL_SIZE)):
                assert answer.status_code == 200
            with frozen_postgres(stack, pipeline):
                waiting = await ask(browser, 200)
                while sum(request.done() for request in waiting) < 200 - reader.POOL_SIZE - reader.MAX_WAITING:
                    await asyncio.sleep(0.05)
                assert not all(request.done() for request in waiting)
                assert shared.borrowed_tokens == 0
                assert (await browser.get("/version")).json() == "3.3"
                answers = await asyncio.gather(*waiting)
                assert {answer.status_code for answer in answers} == {503}
                assert {answer.json()["code"] for answer in answers} == {"busy", "unreachable"}
                assert len(reader._hanging) == reader.POOL_SIZE
                monkeypatch.setattr(reader, "DEADLINE_S", 3_600)
                (again,) = await asyncio.gather(*await ask(browser, 1))
                assert again.json()["code"] == "unreachable", "it is not waited for"
            while (await browser.get("/guest-tags/api/rules")).status_code != 200:
                await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(talk(), 120))


@contextmanager
def frozen_postgres(stack: Stack, pipeline: Pipeline) -> Iterator[None]:
    """Stop the server and the backends of the page."""
    (pids,) = [status.pids for status in stack.status() if status.name == "postgres"]
    backends = pipeline.rows("select pid from pg_stat_activity where usename = 'dwh_page'")
    stopped = [*pids, *(pid for (pid,) in backends)]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def test_a_server_that_came_back_is_read_again(client: TestClient, stack: Stack) -> None:
    assert client.get("/api/rules").status_code == 200
    # The pool holds a connection that is dead now.
    stack.kill("postgres")
    try:
        assert client.get("/api/rules").json()["code"] == "unreachable"
    finally:
        stack.start(["postgres"])
    assert client.get("/api/rules").status_code == 200


def test_the_connection_can_only_read(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_text", lambda name: "create temporary table scribble (id int)")
    assert client.get("/api/rules").status_code == 500


# --- the SQL files ----------------------------------------------------------------------------------------------------


def test_every_file_is_asked_for_and_every_file_that_is_asked_for_is_there() -> None:
    source = Path(page.__file__).read_text(encoding="utf-8")
    assert sorted(set(re.findall(r'reader\.read\("(\w+)"', source))) == FILES
    assert len(FILES) > 10


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_what_a_row_is_and_reads_the_views_that_it_names(name: str) -> None:
    text = (SQL / f"{name}.sql").read_text(encoding="utf-8")
    header, body = text[: text.index("-- Params")], text[text.index("-- Params") :]
    assert header.startswith("-- One row = ")
    (named,) = re.findall(r"^-- From: (.+)$", header, re.MULTILINE)
    assert set(named.split(", ")) == set(re.findall(r"\b(?:stg|dds|cdm)\.\w+", body))
    assert all(view.startswith("cdm.v_") for view in named.split(", "))
    (params,) = re.findall(r"^-- Params: (.+)$", body, re.MULTILINE)
    taken = set(re.findall(r"%\((\w+)\)s", body))
    assert set(re.findall(r"\w+", re.sub(r"\([^)]*\)", "", params))) - {"none"} == taken

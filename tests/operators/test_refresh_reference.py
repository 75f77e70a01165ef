"""Reference data from a real Redis: whom it asks for, what it does with the answers."""

import hashlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE

import pytest
import redis

from harness.pipeline import Pipeline
from harness.runs import run
from operators.connections import UnreachableError
from operators.refresh_reference import RefreshReferenceOperator
from tests.connections import change_connection
from tests.messages import order, restaurant, user
from tests.streams import broken_laws
from warehouse.fields import MAX_VALUE_BYTES

REPO = Path(__file__).resolve().parents[2]


def refresh(**arguments: object) -> dict[str, int]:
    return run(RefreshReferenceOperator(task_id="reference", **arguments))


def known(pipeline: Pipeline) -> set[tuple[str, str]]:
    return set(pipeline.rows("select object_type, object_id from stg.reference_log"))


def test_the_guests_and_restaurants_of_the_batch_are_read(pipeline: Pipeline) -> None:
    pipeline.redis.mset({"guest": user(), "diner": restaurant(menu={}), "stranger": user("stranger")})
    pipeline.stage([order(1)])
    assert refresh()["documents"] == 2
    assert known(pipeline) == {("user", "guest"), ("restaurant", "diner")}


def test_who_is_missing_is_asked_for_again(pipeline: Pipeline) -> None:
    pipeline.stage([order(1)])
    refresh()
    pipeline.load()
    pipeline.redis.mset({"guest": user(), "diner": restaurant(menu={})})
    assert refresh()["documents"] == 2


def test_a_changed_menu_counts_before_the_restaurants_next_order(pipeline: Pipeline) -> None:
    pipeline.redis.mset({"guest": user(), "diner": restaurant(menu={"pizza": "Pizza"})})
    pipeline.stage([order(1)])
    refresh()
    pipeline.load()
    pipeline.redis.set("diner", restaurant(menu={"pizza": "Bakery"}, update_ts="2026-01-02 00:00:00"))
    assert refresh()["documents"] == 1
    pipeline.load()
    assert pipeline.user_category_counters() == {("guest", "Bakery"): 1}


def test_quiet_restaurants_can_be_read_less_often(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.redis.mset({"guest": user(), "diner": restaurant(menu={})})
    pipeline.stage([order(1)])
    refresh()
    pipeline.load()
    with monkeypatch.context() as patch:
        change_connection(patch, "redis_reference", extra={"restaurants_every_runs": 3})
        wanted = [refresh()["wanted"] for _ in range(9)]
    assert sorted(wanted[:3]) == [0, 0, 1], "in one of three runs, whenever they are"
    assert wanted == wanted[:3] * 3
    assert refresh()["wanted"] == 1


def test_a_document_that_is_known_adds_nothing(pipeline: Pipeline) -> None:
    pipeline.redis.mset({"guest": user(), "diner": restaurant(menu={})})
    pipeline.stage([order(1)])
    refresh()
    before = pipeline.snapshot()
    assert refresh()["documents"] == 0
    assert pipeline.snapshot() == before


def test_a_key_prefix_is_a_setting_of_the_connection(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    change_connection(monkeypatch, "redis_reference", extra={"key_prefix": "ref:"})
    pipeline.redis.mset({"ref:guest": user(), "guest": b"not ours"})
    pipeline.stage([order(1)])
    assert refresh()["documents"] == 1
    assert known(pipeline) == {("user", "guest")}


def test_where_guests_are_not_loaded_nobody_has_a_name_and_all_else_is_as_it_was(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
    change_connection(monkeypatch, "redis_reference", extra={"guests": False})
    pipeline.redis.mset(
        {"guest": user(name="Secret"), "diner": restaurant(menu={"pizza": "Pizza"}), "bad": b'{"_id": "bad"}'}
    )
    pipeline.stage([order(1), order(2, user="bad")])
    assert (refresh(max_missing=1)["wanted"], known(pipeline)) == (1, {("restaurant", "diner")})
    assert pipeline.dead_letters() == []
    pipeline.stage([order(3, restaurant="cafe")])
    pipeline.load()
    assert refresh(max_missing=1)["wanted"] == 2, "no guest takes the place of a restaurant that is missing"
    assert pipeline.user_tags()
    assert not [table for table, rows in pipeline.snapshot().items() if "Secret" in str(rows)]
    assert broken_laws(pipeline.etl) == {}


def test_a_bad_document_is_a_dead_letter_and_costs_no_neighbour(pipeline: Pipeline) -> None:
    pipeline.redis.mset({"guest": b"{broken", "diner": restaurant(menu={})})
    pipeline.stage([order(1)])
    assert refresh()["refused"] == 1
    assert known(pipeline) == {("restaurant", "diner")}
    assert pipeline.rows("select topic, message_key, reason from stg.dead_letters") == [
        ("redis", b"guest", "broken_json")
    ]
    before = pipeline.snapshot()
    refresh()
    assert pipeline.snapshot() == before


UNREADABLE = {
    "no UTF-8": (b"\xffsecret", "invalid_utf8", False),
    "nothing": (b"", "broken_json", False),
    "no JSON": (b"secret", "broken_json", False),
    "no object": (b'["secret"]', "not_an_object", False),
    "another document": (user("secret"), "wrong_document", False),
    "no id": (b'{"token": "secret"}', "missing_field", False),
    "an id of another type": (b'{"_id": {"guest": "secret"}}', "wrong_type", False),
    "a restaurant": (restaurant("guest", menu={}), "wrong_document", True),
    "a field of another type": (user(name=7), "wrong_type", True),
}


@pytest.mark.parametrize(("value", "reason", "is_its_own"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_document_that_can_not_be_read_is_a_dead_letter_and_is_kept_where_it_says_that_it_was_asked_for(
    pipeline: Pipeline, value: bytes, reason: str, *, is_its_own: bool
) -> None:
    pipeline.redis.mset({"guest": value, "diner": restaurant(menu={})})
    pipeline.stage([order(1)])
    assert refresh()["found"] == 2
    assert pipeline.dead_letters() == [(reason, value if is_its_own else None)]
    detail = str(pipeline.value("select detail from stg.dead_letters"))
    told = f"{len(value)} bytes, SHA-256 {hashlib.sha256(value).hexdigest()}"
    assert ("secret" in detail, told in detail) == (False, not is_its_own)
    assert known(pipeline) == {("restaurant", "diner")}
    assert refresh()["documents"] == 0, "it is known"


def test_an_error_of_redis_does_not_quote_the_key(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.redis.hset("a-guests-id", "name", "Guest")
    pipeline.stage([order(1, user="a-guests-id")])
    pipeline.redis.acl_setuser("reader", enabled=True, passwords=["+pass"], keys=["*"], commands=["+@all", "-type"])
    try:
        change_connection(monkeypatch, "redis_reference", login="reader", password="pass")
        with pytest.raises(UnreachableError, match="no permissions to run the 'type' command") as raised:
            refresh()
    finally:
        pipeline.redis.acl_deluser("reader")
    assert "a-guests-id" not in "".join(traceback.format_exception(raised.value))


OTHER_TYPES: dict[str, Callable[[redis.Redis], object]] = {
    "list": lambda client: client.rpush("guest", user()),
    "set": lambda client: client.sadd("guest", user()),
    "zset": lambda client: client.zadd("guest", {user(): 1}),
    "hash": lambda client: client.hset("guest", "name", "Guest"),
    "stream": lambda client: client.xadd("guest", {"name": "Guest"}),
}


@pytest.mark.parametrize("kind", OTHER_TYPES)
def test_a_value_of_another_type_is_a_dead_letter_and_not_missing(pipeline: Pipeline, kind: str) -> None:
    OTHER_TYPES[kind](pipeline.redis)
    pipeline.redis.set("diner", restaurant(menu={}))
    pipeline.stage([order(1)])
    counts = refresh()
    assert (counts["wanted"], counts["found"], counts["refused:not_a_string"]) == (2, 2, 1)
    found = pipeline.rows("select reason, raw, topic, message_key, detail from stg.dead_letters")
    assert found == [("not_a_string", None, "redis", b"guest", f"the key 'guest' holds a {kind}, not a string of JSON")]
    assert known(pipeline) == {("restaurant", "diner")}


def test_a_document_of_64_mb_is_a_dead_letter_and_is_not_read(pipeline: Pipeline) -> None:
    pipeline.redis.setrange("diner", 64_000_000 - 1, b"}")
    pipeline.redis.set("guest", user())
    pipeline.stage([order(1)])
    sent = pipeline.redis.info("stats")["total_net_output_bytes"]
    assert refresh()["refused:oversized"] == 1
    assert pipeline.redis.info("stats")["total_net_output_bytes"] - sent < 100_000
    assert pipeline.dead_letters() == [("oversized", None)]
    assert known(pipeline) == {("user", "guest")}


def open_letters(pipeline: Pipeline) -> list[tuple[str, bool]]:
    return pipeline.rows("select reason, solved_dt is null from stg.dead_letters order by id")


@pytest.mark.parametrize("was_known", [False, True])
def test_a_key_has_one_letter_while_it_can_not_be_read_and_that_is_solved_when_it_is(
    pipeline: Pipeline, was_known: bool
) -> None:
    menu = restaurant(menu={"pizza": "Pizza"})
    pipeline.stage([order(1)])
    if was_known:
        pipeline.redis.set("diner", menu)
        refresh()
        pipeline.redis.delete("diner")
    pipeline.redis.rpush("diner", "no string")
    for _ in range(2):
        refresh()
    pipeline.redis.delete("diner")
    pipeline.redis.setrange("diner", 2_000_000, b"}")
    refresh()
    assert open_letters(pipeline) == [("not_a_string", True)]

    pipeline.redis.set("diner", menu)
    refresh()
    before = pipeline.snapshot(hide=())
    refresh()
    assert pipeline.snapshot(hide=()) == before
    assert open_letters(pipeline) == [("not_a_string", False)]
    assert known(pipeline) == {("restaurant", "diner")}

    pipeline.redis.setrange("diner", 2_000_000, b"}")
    refresh()
    assert open_letters(pipeline) == [("oversized", True)]


def test_portions_of_any_size_store_the_same(pipeline: Pipeline) -> None:
    menus = {f"r{n}": restaurant(f"r{n}", menu={f"dish-{n}-{m}": "Soup" for m in range(n)}) for n in range(30)}
    pipeline.redis.mset({**menus, "guest": user()})
    pipeline.redis.rpush("a list", 1)
    pipeline.stage([order(n, restaurant=name) for n, name in enumerate([*menus, "a list", "missing"])])
    counts = refresh(portion_bytes=2_000, keys_a_request=7)
    assert pipeline.value("select count(distinct load_dt) from stg.reference_log") > 5
    assert (counts["wanted"], counts["found"], counts["documents"], counts["refused"]) == (33, 32, 32, 1)
    before = pipeline.snapshot()
    assert refresh()["documents"] == 0
    assert pipeline.snapshot() == before
    assert known(pipeline) == {("user", "guest"), *(("restaurant", name) for name in menus)}


PEAK = """
import json
from bench.world import peak_memory_mib
from operators.refresh_reference import RefreshReferenceOperator
from harness.runs import run
before_mib = peak_memory_mib()
counts = run(RefreshReferenceOperator(task_id="reference"))
print(json.dumps({"before_mib": before_mib, "peak_mib": peak_memory_mib(), **counts}))
"""


def test_however_much_there_is_the_task_stays_under_300_mib(pipeline: Pipeline) -> None:
    """30 menus of just under 1 MiB and a document of 64 MB; docs/reliability.md has the figure of 400 MiB."""
    dishes = {f"dish-{n}=Блюдо номер {n}": "Категория" for n in range(5_600)}
    for n in range(30):
        pipeline.redis.set(f"r{n}", restaurant(f"r{n}", menu=dishes))
    assert 1_000_000 < pipeline.redis.strlen("r0") <= MAX_VALUE_BYTES
    pipeline.redis.setrange("r30", 64_000_000 - 1, b"}")
    pipeline.stage([order(n, restaurant=f"r{n}") for n in range(31)])
    env = os.environ | {"PYTHONPATH": os.pathsep.join([".", "plugins"])}
    child = subprocess.run(
        [sys.executable, "-c", PEAK], cwd=REPO, env=env, stdout=PIPE, text=True, timeout=300, check=True
    )
    counts = json.loads(child.stdout.splitlines()[-1])
    assert (counts["documents"], counts["refused:oversized"]) == (31, 1)
    assert pipeline.value("select count(*) from stg.reference_log") == 30
    assert counts["peak_mib"] < 300
    assert counts["peak_mib"] - counts["before_mib"] < 80, "it would be more with 400 MiB"


def test_a_document_of_the_wrong_kind_under_one_id_does_not_bar_the_right_one(pipeline: Pipeline) -> None:
    pipeline.redis.mset({"guest": user()})
    pipeline.stage([order(1, restaurant="guest")])
    assert refresh()["refused"] == 1
    assert known(pipeline) == {("user", "guest")}


def test_redis_being_down_is_an_error_and_not_missing_data(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.stage([order(1)])
    change_connection(monkeypatch, "redis_reference", port=9)
    with pytest.raises(UnreachableError, match=r"redis_reference.*Check its host"):
        refresh()

"""Documents of Redis: what is read, what is refused."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.pipeline import Pipeline
from tests.messages import restaurant, user
from tests.warehouse.bad_messages import MEBIBYTE, nested
from warehouse.reference import ReferenceVersion, parse_reference
from warehouse.rejection import RejectedError
from witness.model import Model

STORED = "accepted"


def guest(**changes: Any) -> bytes:
    document = {**json.loads(user("key")), **changes}
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


def diner(**changes: Any) -> bytes:
    document = {**json.loads(restaurant("key", menu={"pizza": "Pizza"})), **changes}
    return json.dumps({name: value for name, value in document.items() if value is not ...}).encode()


CASES = [
    ("user", b"", "broken_json"),
    ("user", b"{", "broken_json"),
    ("user", b"\xff", "invalid_utf8"),
    ("user", b"[]", "not_an_object"),
    ("restaurant", b'"key"', "not_an_object"),
    ("user", b"{}", "missing_field"),
    ("user", guest(_id=...), "missing_field"),
    ("user", guest(_id=7), "wrong_type"),
    ("user", guest(_id="other"), "wrong_document"),
    ("user", guest(_id="Key"), "wrong_document"),
    ("user", diner(), "wrong_document"),
    ("restaurant", guest(), "wrong_document"),
    ("user", guest(menu=None), "wrong_document"),
    ("restaurant", diner(menu=None), "missing_field"),
    ("restaurant", diner(menu={}), "wrong_type"),
    ("restaurant", diner(menu=["pizza"]), "wrong_type"),
    ("restaurant", diner(menu=[{"name": "Pizza"}]), "missing_field"),
    ("restaurant", diner(menu=[{"_id": ""}]), "missing_field"),
    ("restaurant", diner(menu=[{"_id": "x" * 201}]), "too_long"),
    ("restaurant", diner(menu=[{"_id": "p", "category": "x" * 201}]), "too_long"),
    ("restaurant", diner(menu=[{"_id": "p", "category": 1}]), "wrong_type"),
    ("restaurant", diner(menu=[{"_id": "p", "name": []}]), "wrong_type"),
    ("restaurant", diner(menu=[{"_id": "p", "price": "dear"}]), "bad_number"),
    ("user", guest(update_ts_utc=...), "missing_field"),
    ("user", guest(update_ts_utc="yesterday"), "bad_time"),
    ("user", guest(update_ts_utc=1), "wrong_type"),
    ("user", guest(name=1), "wrong_type"),
    ("user", guest(login={}), "wrong_type"),
    ("user", guest(phone=79991234567), "wrong_type"),
    ("user", guest(email=[]), "wrong_type"),
    ("user", guest(name="a\x00b"), "bad_text"),
    ("user", guest(name="\ud800"), "bad_text"),
    ("user", guest(name=float("nan")), "bad_number"),
    ("user", guest(note=nested(100)), "too_deep"),
    ("user", guest(note="x" * MEBIBYTE), "oversized"),
    ("user", guest(), STORED),
    ("user", guest(phone="+7 (999) 123-45-67", email=" Ann@Example.com "), STORED),
    ("user", guest(phone="", email=None), STORED),
    ("user", guest(name=..., login=None, note=nested(90)), STORED),
    ("user", guest(name="O'Hara \\N\t\n%s {{ }} 🍕"), STORED),
    ("restaurant", diner(), STORED),
    ("restaurant", diner(menu=[], login=7, phone=7), STORED),
    ("restaurant", diner(menu=[{"_id": "p"}, {"_id": "q", "category": ""}]), STORED),
]


@pytest.mark.parametrize(("kind", "value", "verdict"), CASES)
def test_each_kind_of_document_has_one_rule_and_an_independent_reading_agrees(
    kind: str, value: bytes, verdict: str
) -> None:
    if verdict == STORED:
        assert parse_reference(kind, "key", value).object_id == "key"
    else:
        with pytest.raises(RejectedError) as refusal:
            parse_reference(kind, "key", value)
        assert refusal.value.reason == verdict
    assert Model().document(kind, "key", value) == verdict


def test_bad_documents_cost_no_other_and_loads_go_on(pipeline: Pipeline) -> None:
    counts = pipeline.refer([(kind, "key", value) for kind, value, _ in CASES])
    refused = [(verdict, value) for _, value, verdict in CASES if verdict != STORED]
    assert counts["refused"] == len(refused)
    letters = pipeline.dead_letters()
    assert sorted(reason for reason, _ in letters) == sorted(verdict for verdict, _ in refused)
    kept = {(reason, value) for reason, value in letters if value is not None}
    assert kept <= {(verdict, value) for verdict, value in refused if b'"_id": "key"' in value}
    assert len(kept) > 5, "a document that says that it is the one asked for is there, to be read by a person"
    stored = {value for (value,) in pipeline.rows("select value::text from stg.reference_log")}
    assert stored == {value.decode() for _, value, verdict in CASES if verdict == STORED}
    assert set(pipeline.rows("select topic, message_key, partition from stg.dead_letters")) == {("redis", b"key", None)}
    pipeline.load()
    before = pipeline.snapshot()
    pipeline.refer([(kind, "key", value) for kind, value, _ in CASES])
    assert pipeline.snapshot() == before


def test_a_restaurant_is_read_field_by_field_and_the_first_entry_of_a_dish_counts() -> None:
    value = diner(
        menu=[
            {"_id": "pizza", "name": "Pizza", "category": "Italian"},
            {"_id": "tea", "category": ""},
            {"_id": "pizza", "name": "Other", "category": "Other"},
        ]
    )
    assert parse_reference("restaurant", "key", value) == ReferenceVersion(
        "restaurant",
        "key",
        datetime(2026, 1, 1, 12, tzinfo=UTC),
        "Diner",
        menu_ids=("pizza", "tea"),
        menu_names=("Pizza", None),
        menu_categories=("Italian", None),
    )


def test_a_guest_is_read_field_by_field() -> None:
    version = parse_reference("user", "key", guest(name="Ёж", login="hedgehog", phone="8 999", email="Ёж@wood"))
    assert (version.name, version.login, version.menu_ids) == ("Ёж", "hedgehog", ())
    assert (version.phone, version.email) == ("8 999", "Ёж@wood")

"""Audiences by the numbers of the worked examples: what leaves in which file, what does not, and what is held."""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from harness.pipeline import Pipeline
from local.stack import Stack
from tests.messages import order, restaurant, user
from tests.streams import broken_laws
from warehouse.audiences import DEFAULTS, apply_audiences
from warehouse.export import (
    SKIPPED,
    Asked,
    Audience,
    ExportError,
    Outcome,
    delete_files,
    export_audience,
    old_exports,
    take_turn,
)
from warehouse.export_files import ExportFiles
from warehouse.layers import AUDIENCES_NOW
from warehouse.requests import DRY_RUN, FULL, BadRequestError

A, B = "64f1c0de0000000000000001", "64f1c0de0000000000000002"
PHONES = {A: "+7 (999) 123-45-67", B: "8 999 765 43 21"}
OF_A = "3ea3b0328a0f8f8056414a434a80f7625bfe7f5317c055fac455076b255e6716"
OF_B = "390ce476c222050eda8a5718a2eb6086b067a1858a157549f376ef2413820c52"
OF_A_NEW = "e0ddcaa553aa7832152ee9dda549102b47a9d7084dfd1a4130ed3f1c0f27be4a"
OF_NOTHING = hashlib.sha256(b"").hexdigest()
PIZZA = {
    "audience": "pizza",
    "channel": "yandex",
    "include_tags": ["pizza_lover"],
    "identifier": "phone_sha256",
    "format": "yandex",
    "requires_consent": False,
    "salt": "pizza-2026",
}


class DiedError(Exception):
    """Nobody catches it: the process is gone."""


def at(moment: str) -> datetime:
    return datetime.fromisoformat(f"2026-{moment}").replace(tzinfo=UTC)


@dataclass
class World:
    """Guests with a tag, an audience, and a folder."""

    pipeline: Pipeline
    files: ExportFiles

    def guests(self, contacts: Mapping[str, Any], field: str = "phone", on: str = "03-01 12:00:00") -> None:
        """Let each have ordered a pizza, and their documents say how they can be reached; ... says nothing."""
        orders = [order(number, user=guest, dishes=("margherita",)) for number, guest in enumerate(contacts, start=1)]
        self.pipeline.stage(orders)
        self.documents(contacts, field, on)

    def documents(self, contacts: Mapping[str, Any], field: str = "phone", on: str = "03-01 12:00:00") -> None:
        self.pipeline.refer(
            [
                ("user", guest, user(guest, login=guest[-4:], update_ts=f"2026-{on}", **{field: value}))
                for guest, value in contacts.items()
            ]
        )
        self.pipeline.load(at("03-10 12:00:00"))

    def audience(self, **changes: Any) -> None:
        with self.pipeline.session.transaction():
            apply_audiences(self.pipeline.session, [{**DEFAULTS, **PIZZA, **changes}])

    def suppress(self, value: str, kind: str = "guest", since: str = "03-01 00:00:00", channel: str = "*") -> None:
        self.pipeline.owner.execute(
            "insert into cdm.suppressions (kind, value, channel, reason, since, made_by, made_dt)"
            " values (%s, %s, %s, 'unsubscribed', %s, 'test', %s)",
            [kind, value, channel, at(since), at(since)],
        )

    def export(self, now: str = "03-10 12:00:00", *, key: str | None = None, **asked: Any) -> Outcome:
        """Export the audience; what it leaves obeys the laws."""
        ((name, *rest),) = self.pipeline.session.ask(AUDIENCES_NOW, {"audience": None})
        audience = Audience(name, *rest)
        outcome = export_audience(self.pipeline.session, self.files, audience, Asked(**asked), at(now), key)
        assert broken_laws(self.pipeline.etl) == {}
        return outcome

    def sent(self, seq: int = 1) -> dict[str, list[str]]:
        """Return the lines of the files of an export; none without a manifest that says what they hash to."""
        folder = Path(self.files.path("pizza", seq))
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        for name, told in manifest["files"].items():
            assert told == f"sha256:{hashlib.sha256((folder / name).read_bytes()).hexdigest()}"
        assert sorted(path.name for path in folder.iterdir()) == ["add.csv", "manifest.json", "remove.csv"]
        return {name: (folder / f"{name}.csv").read_text(encoding="utf-8").splitlines() for name in ("add", "remove")}

    def manifest(self, seq: int = 1) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(
            Path(self.files.path("pizza", seq, "manifest.json")).read_text(encoding="utf-8")
        )
        return told

    def folders(self) -> list[str]:
        return sorted(path.name for path in Path(self.files.root, "pizza").glob("*"))

    def bytes(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in Path(self.files.root).glob("**/*") if path.is_file()}

    def groups(self) -> dict[str, str]:
        return dict(self.pipeline.rows("select guest_id, grp from cdm.v_audience_groups"))


@pytest.fixture(scope="module")
def module_pipeline(stack: Stack) -> Iterator[Pipeline]:
    with Pipeline() as pipeline:
        yield pipeline
        pipeline.clear()


@pytest.fixture
def world(module_pipeline: Pipeline, tmp_path: Path) -> World:
    module_pipeline.clear()
    module_pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold) values ('pizza_lover', 'Пицца', 0)"
    )
    module_pipeline.refer([("restaurant", "diner", restaurant(menu={"margherita": "Пицца"}))])
    return World(module_pipeline, ExportFiles(str(tmp_path)))


@pytest.mark.parametrize(
    ("settings", "header", "of_a"),
    [
        ({"format": "yandex"}, ["phone"], OF_A),
        ({"format": "google"}, ["Phone"], "aaa3a8d51bbd45911d65744e547c0b7094464669438951c04b8a86c56e1ce8db"),
        ({"format": "mytarget", "identifier": "phone_md5"}, [], "c523d04542feb526ea83dc33a4dc6aea"),
    ],
)
def test_42_the_first_export_holds_all_in_the_form_of_the_channel(
    world: World, settings: dict[str, str], header: list[str], of_a: str
) -> None:
    world.guests(PHONES)
    world.audience(**settings)
    outcome = world.export()
    assert (outcome.export.seq, outcome.export.adds, outcome.export.status) == (1, 2, "published")
    lines = world.sent()["add"]
    assert lines[: len(header)] == header
    assert of_a in lines
    assert lines[len(header) :] == sorted(lines[len(header) :])
    if settings["format"] == "yandex":
        assert lines == ["phone", OF_B, OF_A]
    assert world.sent()["remove"] == header
    told = world.manifest()
    assert {
        name: told[name] for name in ("seq", "previous_seq", "mode", "as_of", "adds", "removes", "members_after")
    } == {
        "seq": 1,
        "previous_seq": None,
        "mode": "diff",
        "as_of": "2026-03-10T12:00:00Z",
        "adds": 2,
        "removes": 0,
        "members_after": 2,
    }
    assert told["skipped"] == dict.fromkeys(SKIPPED, 0)


def test_43_a_run_that_finds_nothing_new_makes_no_export(world: World) -> None:
    world.guests(PHONES)
    world.audience()
    world.export()
    before = world.bytes()
    assert world.export("03-10 13:00:00").export.status == "nothing"
    assert world.bytes() == before
    assert world.pipeline.value("select count(*) from cdm.audience_exports") == 1


def test_44_killed_before_the_manifest_it_is_planned_anew_and_after_it_no_byte_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.guests(PHONES)
    world.audience()
    with monkeypatch.context() as broken:
        broken.setattr(ExportFiles, "publish", lambda *_: (_ for _ in ()).throw(DiedError))
        with pytest.raises(DiedError):
            world.export()
    assert Path(world.files.path("pizza", 1, "add.csv")).read_text(encoding="utf-8").count(OF_B) == 1
    world.suppress(B, since="03-10 12:30:00")
    assert world.export("03-10 13:00:00").export.seq == 1
    assert world.sent()["add"] == ["phone", OF_A]

    world.documents({A: "+7 999 000-00-00"}, on="03-10 13:30:00")
    publish = ExportFiles.publish

    def dies_after(self: ExportFiles, *arguments: Any) -> None:
        publish(self, *arguments)
        raise DiedError

    with monkeypatch.context() as broken:
        broken.setattr(ExportFiles, "publish", dies_after)
        with pytest.raises(DiedError):
            world.export("03-10 14:00:00")
    before = world.bytes()
    assert world.export("03-10 15:00:00").export.status == "nothing"
    assert world.bytes() == before
    assert world.folders() == ["000001", "000002"]
    assert world.pipeline.rows("select seq, status from cdm.audience_exports order by seq") == [
        (1, "published"),
        (2, "published"),
    ]


def test_46_a_changed_phone_is_removed_and_added_in_one_export(world: World) -> None:
    world.guests(PHONES)
    world.audience()
    world.export()
    world.documents({A: "+7 999 000-00-00"}, on="03-11 12:00:00")
    outcome = world.export("03-11 13:00:00")
    assert (outcome.export.seq, world.sent(2)) == (2, {"remove": ["phone", OF_A], "add": ["phone", OF_A_NEW]})
    assert world.manifest(2)["previous_seq"] == 1


def test_48_what_is_empty_invalid_or_hashed_already_is_counted_and_never_sent(world: World) -> None:
    written = {"1": "", "2": "  \t", "3": None, "4": "ab" * 32, "5": "nobody", "6": "a@b@c", "7": " Ann@Example.COM "}
    world.guests(written, field="email")
    world.audience(identifier="email_sha256")
    outcome = world.export()
    assert {name: count for name, count in outcome.export.skipped.items() if count} == {
        "no_identifier": 3,
        "already_hashed": 1,
        "invalid": 2,
    }
    assert world.sent()["add"] == ["email", hashlib.sha256(b"ann@example.com").hexdigest()]
    assert not any(OF_NOTHING.encode() in content for content in world.bytes().values())


@pytest.mark.parametrize(
    ("salt", "percent", "control"),
    [
        ("pizza-2026", 40, set()),
        ("pizza-2026", 41, {A}),
        ("pizza-2026", 50, {A}),
        ("pizza-2026", 60, {A, B}),
        ("pizza", 50, {B}),
    ],
)
def test_49_salt_and_percent_alone_decide_who_is_in_control(
    world: World, salt: str, percent: int, control: set[str]
) -> None:
    world.guests(PHONES)
    world.audience(salt=salt, control_percent=percent)
    outcome = world.export()
    assert outcome.export.skipped["control"] == len(control)
    assert {guest for guest, group in world.groups().items() if group == "control"} == control
    assert world.groups().keys() == {A, B}
    if outcome.export.status == "published":
        assert len(world.sent()["add"]) == 3 - len(control)
    assert world.pipeline.rows("select cdm.draw('pizza-2026', %s), cdm.draw('pizza-2026', %s)", [A, B]) == [
        (4066, 5695)
    ]
    assert world.pipeline.rows("select cdm.draw('pizza', %s), cdm.draw('pizza', %s)", [A, B]) == [(7123, 1376)]


@pytest.mark.parametrize("change", [{"salt": "pizza"}, {"control_percent": 5}, {"channel": "google"}])
def test_49_salt_percent_and_channel_stay_as_they_are_from_the_first_export_on(
    world: World, change: dict[str, Any]
) -> None:
    world.guests(PHONES)
    world.audience()
    world.audience(**change)
    world.audience()
    world.export()
    with pytest.raises(psycopg.errors.CheckViolation, match="make another audience"):
        world.audience(**change)
    world.audience(min_rows=7)


def test_51_neither_tags_nor_orders_move_anybody_between_the_groups(world: World) -> None:
    world.guests(PHONES)
    world.audience(control_percent=50)
    world.export()
    assert world.groups() == {A: "control", B: "treatment"}
    world.pipeline.owner.execute(
        "insert into cdm.tag_rules (tag, category_name, threshold) values ('fan_of_pizza', 'Пицца', 0)"
    )
    world.pipeline.stage([order(7, user=B, dishes=("margherita",)), order(8, user=A, dishes=("margherita",))])
    world.pipeline.load(at("03-11 12:00:00"))
    world.audience(control_percent=50, include_tags=["fan_of_pizza"])
    world.export("03-11 13:00:00")
    assert world.groups() == {A: "control", B: "treatment"}


def test_52_a_consent_that_is_withdrawn_takes_the_guest_out_until_it_is_given_again(world: World) -> None:
    world.guests(PHONES)
    world.audience(requires_consent=True)
    given = "insert into cdm.consents (guest_id, channel, granted_dt, source) values (%s, 'yandex', %s, 'form')"
    world.pipeline.owner.execute(given, [A, at("03-01 12:00:00")])
    world.export("03-08 12:00:00")
    assert world.sent()["add"] == ["phone", OF_A]
    world.pipeline.owner.execute("update cdm.consents set withdrawn_dt = %s", [at("03-09 12:00:00")])
    outcome = world.export()
    assert world.sent(2) == {"remove": ["phone", OF_A], "add": ["phone"]}
    assert outcome.export.skipped["no_consent"] == 2
    world.pipeline.owner.execute(given, [A, at("03-11 12:00:00")])
    assert world.export("03-11 11:00:00").export.status == "nothing"
    world.export("03-11 13:00:00")
    assert world.sent(3) == {"remove": ["phone"], "add": ["phone", OF_A]}


def test_54_who_was_never_added_by_us_is_not_removed_by_us(world: World) -> None:
    world.guests(PHONES)
    world.audience()
    world.suppress(B)
    world.export()
    world.pipeline.owner.execute("update cdm.tag_rules set threshold = 9")
    world.pipeline.load(at("03-11 12:00:00"))
    world.export("03-11 13:00:00")
    assert world.sent(2) == {"remove": ["phone", OF_A], "add": ["phone"]}
    world.export("03-11 14:00:00", mode=FULL)
    assert world.sent(3) == {"remove": ["phone", OF_A], "add": ["phone"]}


def test_an_identifier_goes_once_whoever_shares_it_and_not_at_all_if_one_of_them_must_not(world: World) -> None:
    world.guests({"ann": "89990000001", "bob": "+7 999 000 00 01", "zoe": "9990000002", "max": "7 999 000 00 02"})
    world.audience()
    world.suppress("max")
    outcome = world.export()
    shared = hashlib.sha256(b"79990000001").hexdigest()
    assert world.sent()["add"] == ["phone", shared]
    assert {name: count for name, count in outcome.export.skipped.items() if count} == {"suppressed": 1, "shared": 1}
    assert world.groups() == {"ann": "treatment", "bob": "treatment"}
    world.suppress(shared, kind="identifier", channel="yandex", since="03-11 00:00:00")
    world.export("03-11 12:00:00")
    assert world.sent(2) == {"remove": ["phone", shared], "add": ["phone"]}
    assert world.groups() == {}


def test_a_swing_is_held_until_what_was_seen_is_approved_and_the_suppressed_leave_all_the_same(world: World) -> None:
    guests = {f"guest-{number}": f"7999{number:07d}" for number in range(110)}
    world.guests(guests)
    world.audience()
    assert world.export().export.adds == 110
    world.suppress("guest-7", since="03-10 12:30:00")
    world.pipeline.owner.execute("update cdm.tag_rules set threshold = 9")
    world.pipeline.load(at("03-10 12:40:00"))
    outcome = world.export("03-10 13:00:00")
    assert (outcome.export.seq, outcome.export.status, outcome.export.removes) == (2, "published", 1)
    held = outcome.held_back
    assert held is not None
    assert (held.seq, held.status, held.removes, held.members_after) == (3, "held", 109, 0)
    assert len(world.sent(2)["remove"]) == 2
    again = world.export("03-10 14:00:00")
    assert (again.export.status, again.held_back and again.held_back.plan_hash) == ("nothing", held.plan_hash)
    seen = {"seq": held.seq, "plan_hash": held.plan_hash}
    world.suppress("guest-8", since="03-10 14:30:00")
    world.pipeline.stage([order(1000 + n, user="guest-9", dishes=("margherita",)) for n in range(20)])
    world.pipeline.load(at("03-10 14:40:00"))
    with pytest.raises(BadRequestError, match="the plan has changed: it is export 3 now, -108"):
        world.export("03-10 15:00:00", **seen)
    query = "select seq, plan_hash, removes from cdm.v_exports where audience = 'pizza' and status = 'held'"
    ((seq, plan_hash, removes),) = world.pipeline.rows(query)
    assert (seq, removes) == (3, 108), "what would go now is held, to be seen"
    assert plan_hash != held.plan_hash
    assert broken_laws(world.pipeline.etl) == {}
    now = world.export("03-10 16:00:00")
    assert (now.export.seq, now.export.removes) == (3, 1)
    assert now.held_back is not None
    done = world.export("03-10 17:00:00", seq=now.held_back.seq, plan_hash=now.held_back.plan_hash)
    assert (done.export.seq, done.export.status, done.export.removes, done.export.members_after) == (
        4,
        "published",
        107,
        1,
    )


def test_too_few_new_ones_wait_and_removals_do_not(world: World) -> None:
    world.guests(PHONES)
    world.audience()
    world.export()
    world.audience(min_rows=2)
    world.documents({A: "+7 999 000-00-00"}, on="03-11 12:00:00")
    outcome = world.export("03-11 13:00:00")
    assert world.sent(2) == {"remove": ["phone", OF_A], "add": ["phone"]}
    assert outcome.held_back is not None
    assert (outcome.held_back.status, outcome.held_back.adds) == ("waiting", 1)
    world.audience(min_rows=0)
    world.export("03-11 14:00:00")
    assert world.sent(3)["add"] == ["phone", OF_A_NEW]


def test_a_full_export_holds_everybody_and_removes_whoever_else_was_ever_added(world: World) -> None:
    world.guests(PHONES)
    world.audience()
    world.export()
    world.suppress(B, since="03-10 12:30:00")
    world.export("03-10 13:00:00")
    world.export("03-10 14:00:00", mode=FULL)
    assert world.sent(3) == {"remove": ["phone", OF_B], "add": ["phone", OF_A]}
    assert world.manifest(3)["mode"] == "full"


def test_a_dry_run_says_what_would_go_and_changes_nothing(world: World) -> None:
    world.guests(PHONES)
    world.audience()
    before = world.pipeline.snapshot(hide=())
    outcome = world.export(mode=DRY_RUN)
    assert (outcome.export.adds, world.bytes(), world.pipeline.snapshot(hide=())) == (2, {}, before)


def test_an_audience_that_the_file_no_longer_names_takes_everybody_out(world: World) -> None:
    world.guests(PHONES)
    world.audience()
    world.export()
    with world.pipeline.session.transaction():
        apply_audiences(world.pipeline.session, [])
    world.export("03-11 12:00:00")
    assert world.sent(2)["remove"] == ["phone", OF_B, OF_A]
    assert world.pipeline.session.ask(AUDIENCES_NOW, {"audience": None}) == []


def test_logins_are_hashed_by_the_key_of_the_channel_and_ids_can_compute_nothing(world: World) -> None:
    world.guests({"=HYPERLINK(1)": "1", "ann,bob": "2"})
    world.audience(identifier="guest_id", format="own")
    world.export()
    assert world.sent()["add"] == ["guest_id", "'=HYPERLINK(1)", '"ann,bob"']
    world.audience(identifier="login_hmac", format="own")
    for key, now in (("secret", "03-10 13:00:00"), ("s" * 99, "03-10 14:00:00")):
        outcome = world.export(now, key=key, mode=FULL)
        logins = sorted(hmac.new(key.encode(), login, "sha256").hexdigest() for login in (b"K(1)", b",bob"))
        assert world.sent(outcome.export.seq)["add"] == ["login_hmac", *logins]


def test_files_are_deleted_after_their_term_and_what_was_exported_stays(world: World) -> None:
    world.guests(PHONES)
    world.audience()
    world.export()
    session = world.pipeline.session
    assert old_exports(session, at("03-10 11:00:00")) == []
    old = old_exports(session, at("03-10 13:00:00"))
    assert len(old) == 1
    delete_files(session, world.files, old, at("04-09 13:00:00"))
    assert (world.bytes(), old_exports(session, at("05-01 13:00:00"))) == ({}, [])
    assert world.export("04-10 12:00:00").export.status == "nothing"


def test_a_folder_that_knows_more_than_the_warehouse_is_not_written_over(world: World) -> None:
    world.guests(PHONES)
    world.audience()
    world.export()
    before = world.bytes()
    world.pipeline.owner.execute("truncate cdm.audience_exports, cdm.audience_export_rows, cdm.audience_members")
    world.suppress(B)
    with pytest.raises(ExportError, match="restored from a backup"):
        world.export("03-11 12:00:00")
    assert world.bytes() == before


def test_one_exporter_of_a_channel_at_a_time(world: World) -> None:
    with Pipeline(world.pipeline.env) as other:
        with world.pipeline.session.transaction(), other.session.transaction():
            assert take_turn(world.pipeline.session, "yandex")
            assert not take_turn(other.session, "yandex")
            assert take_turn(other.session, "google")
        with other.session.transaction():
            assert take_turn(other.session, "yandex")

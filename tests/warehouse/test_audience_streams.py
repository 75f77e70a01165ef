"""Random lives of an audience: whatever changes between exports, and wherever one dies, the channel holds what the model says."""

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.pipeline import Pipeline
from local.stack import Stack
from tests.streams import STREAMS_PROFILE
from warehouse.audiences import DEFAULTS, apply_audiences
from warehouse.export import Asked, export_audience
from warehouse.export import Audience as Asks
from warehouse.export_files import ExportFiles
from warehouse.requests import DIFF, FULL
from witness.audiences import Audience, Channel, Person, phone_sha256

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
ASKS = Asks("fans", "mail", "phone_sha256", "mytarget", 0, 100)
GUESTS = ("ann", "bob", "zoe", "max", "eve")
TAGS = ("fan", "old")
# Few, so that guests share them.
PHONES = ("8 999 000-00-01", "+79990000001", "9990000002", "79990000002", "12", "", "ab" * 32, None)


class DiedError(Exception):
    """The process is gone."""


class Change(NamedTuple):
    """Of a guest: tags and phone; or they are suppressed (as a guest, or by their identifier), or consent, or take that back."""

    what: str
    guest: str
    tags: frozenset[str] = frozenset()
    phone: str | None = None


class Export(NamedTuple):
    """An export, killed before or after its manifest, or not."""

    mode: str
    dies: str | None


STEPS = st.one_of(
    st.builds(
        Change,
        what=st.sampled_from(["is", "is", "is", "suppressed", "hidden", "free", "consents", "withdraws"]),
        guest=st.sampled_from(GUESTS),
        tags=st.sampled_from([frozenset({"fan"}), frozenset({"fan"}), frozenset(TAGS), frozenset()]),
        phone=st.sampled_from(PHONES),
    ),
    st.builds(Export, mode=st.sampled_from([DIFF, DIFF, FULL]), dies=st.sampled_from([None, None, "before", "after"])),
)


class World:
    """The same life, told to a warehouse and to the model."""

    def __init__(self, pipeline: Pipeline, root: Path, percent: int, *, consent: bool) -> None:
        pipeline.clear()
        self.pipeline, self.files, self.step = pipeline, ExportFiles(str(root)), 0
        self.model = Audience(frozenset({"fan"}), frozenset({"old"}), "salt", percent, consent)
        written: dict[str, Any] = {
            "audience": "fans",
            "channel": "mail",
            "include_tags": ["fan"],
            "exclude_tags": ["old"],
        }
        written |= {"identifier": ASKS.identifier, "format": ASKS.format, "salt": "salt", "control_percent": percent}
        with pipeline.session.transaction():
            apply_audiences(pipeline.session, [{**DEFAULTS, **written, "requires_consent": consent}])
        for guest in GUESTS:
            self.model.people[guest] = Person()
            hub = "insert into dds.h_user values (dds.hash_key(%s), %s, now(), 'test')"
            pipeline.owner.execute(hub, [guest, guest])

    @property
    def now(self) -> datetime:
        """Each step is a minute later."""
        return BEGIN + timedelta(minutes=self.step)

    def change(self, change: Change) -> None:
        guest, run = change.guest, self.pipeline.owner.execute
        if change.what == "is":
            self.model.people[guest] = Person(change.tags, change.phone)
            run("delete from cdm.user_tags where user_id = dds.hash_key(%s)", [guest])
            for tag in change.tags:
                carried = "insert into cdm.user_tags values (dds.hash_key(%s), %s, 'Pizza', 1, 0, 1, now())"
                run(carried, [guest, tag])
            run(
                "insert into dds.s_user_contacts"
                " values (gen_random_uuid(), dds.hash_key(%s), %s, null, %s, gen_random_uuid(), now(), 'test')",
                [guest, change.phone, self.now],
            )
        elif change.what in ("suppressed", "hidden"):
            known = guest if change.what == "suppressed" else phone_sha256(self.model.people[guest].phone)
            if known is None or known in self.model.suppressed:
                return
            self.model.suppressed.add(known)
            run(
                "insert into cdm.suppressions (kind, value, channel, reason, since, made_by, made_dt)"
                " values (%s, %s, '*', 'left', %s, 'test', %s)",
                ["guest" if known == guest else "identifier", known, self.now, self.now],
            )
        elif change.what == "free":
            self.model.suppressed.discard(guest)
            run("update cdm.suppressions set until = %s where value = %s and until is null", [self.now, guest])
        elif change.what == "consents" and guest not in self.model.consented:
            self.model.consented.add(guest)
            run("insert into cdm.consents values (%s, 'mail', %s, null, 'form')", [guest, self.now])
        elif change.what == "withdraws":
            self.model.consented.discard(guest)
            run(
                "update cdm.consents set withdrawn_dt = %s where guest_id = %s and withdrawn_dt is null",
                [self.now, guest],
            )

    def export(self, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
        publish = ExportFiles.publish

        def dies(*arguments: Any) -> None:
            if export.dies == "after":
                publish(*arguments)
            raise DiedError

        with monkeypatch.context() as broken:
            if export.dies:
                broken.setattr(ExportFiles, "publish", dies)
            try:
                export_audience(self.pipeline.session, self.files, ASKS, Asked(export.mode), self.now)
            except DiedError:
                return
        assert self.channel().held == self.model.wanted()
        control = self.pipeline.rows("select guest_id from cdm.v_audience_groups where grp = 'control'")
        assert {guest for (guest,) in control} == self.model.control()

    def channel(self) -> Channel:
        """Return what the channel holds that has applied all files in their order."""
        channel = Channel()
        for folder in sorted(Path(self.files.root, "fans").glob("*/manifest.json")):
            remove, add = ((folder.parent / f"{op}.csv").read_text().split() for op in ("remove", "add"))
            channel.apply(remove, add)
        return channel


@pytest.fixture(scope="module")
def warehouse(stack: Stack) -> Iterator[Pipeline]:
    with Pipeline() as pipeline:
        yield pipeline
        pipeline.clear()


@settings(STREAMS_PROFILE)
@given(steps=st.lists(STEPS, min_size=6, max_size=20), percent=st.sampled_from([0, 50]), consent=st.booleans())
def test_a_channel_holds_what_the_model_says_after_any_life(
    warehouse: Pipeline, monkeypatch: pytest.MonkeyPatch, steps: list[Change | Export], percent: int, *, consent: bool
) -> None:
    with tempfile.TemporaryDirectory() as root:
        world = World(warehouse, Path(root), percent, consent=consent)
        for step in [*steps, Export(DIFF, None)]:
            world.step += 1
            if isinstance(step, Change):
                world.change(step)
            else:
                world.export(step, monkeypatch)

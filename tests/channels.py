"""What leaves the warehouse of a random stream, and what the model says must be at each channel then."""

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness.pipeline import PEPPER, Pipeline
from warehouse.audiences import DEFAULTS, apply_audiences
from warehouse.export import Asked, export_audience
from warehouse.export import Audience as Exported
from warehouse.export_files import ExportFiles
from warehouse.ledger import read_ledger
from warehouse.suppressions import load_consents, load_suppressions
from witness.audiences import Audience, Channel, Person, phone_sha256
from witness.model import Model

# What a file may say of a guest: they are suppressed, one of their phones is (hidden), they consent, or take that back.
TELLS = ("suppressed", "hidden", "consents", "consents", "withdraws")
GUESTS = ("ann", "bob")
# Two audiences of all who carry `fan`; of the draw of `some` ann (3598) is in control, and bob (7602) is not.
AUDIENCES: dict[str, dict[str, Any]] = {
    "fans": {"exclude_tags": [], "control_percent": 0, "salt": "s", "requires_consent": False},
    "some": {"exclude_tags": ["lover"], "control_percent": 50, "salt": "t", "requires_consent": True},
}
KIND, FORMAT = "phone_sha256", "mytarget"


@dataclass
class Channels:
    """What leaves the warehouse of a stream: exports into a folder, and beside them who must not go, as the model sees it."""

    pipeline: Pipeline
    model: Model
    suppressed: set[str] = field(default_factory=set)
    consents: dict[str, datetime] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    folder: tempfile.TemporaryDirectory[str] | None = None
    now: datetime = datetime(2026, 3, 1, tzinfo=UTC)

    def tell(self, user: str, what: str) -> None:
        """Load a file with one line. Of somebody who was erased nothing is stored."""
        self.now += timedelta(minutes=1)
        phone = max(self.model.phones(user), default=None)
        if (what in ("consents", "withdraws") and (what == "withdraws") != (user in self.consents)) or (
            what == "hidden" and phone is None
        ):
            return
        session, moment = self.pipeline.session, self.now.isoformat()
        ledger = read_ledger(session, lambda: PEPPER)
        with session.transaction():
            if what in ("suppressed", "hidden"):
                named = f"guest,{user}" if what == "suppressed" else f"phone,{phone}"
                text = f"kind,value,channel,reason,since,until\n{named},*,left,{moment},\n"
                _, wrong = load_suppressions(session, text, "test", self.now, ledger)
            else:
                span = f"{moment}," if what == "consents" else f"{self.consents[user].isoformat()},{moment}"
                text = f"guest_id,channel,granted,withdrawn,source\n{user},mail,{span},form\n"
                _, wrong = load_consents(session, text, ledger)
        assert wrong == []
        if what == "hidden":
            self.suppressed.add(str(phone_sha256(phone)))
        elif what == "withdraws":
            del self.consents[user]
        elif not self.model.is_erased(user):
            if what == "suppressed":
                self.suppressed.add(user)
            else:
                self.consents[user] = self.now

    def forget(self, user: str) -> None:
        """Let the model forget what stands here of a guest who is erased: a suppressed phone stays if another guest has it."""
        phones, others = (
            {phone_sha256(phone) for guest in guests for phone in self.model.phones(guest)}
            for guests in ({user}, set(GUESTS) - {user})
        )
        self.suppressed -= {user, *(str(phone) for phone in phones - others)}
        self.consents.pop(user, None)
        self.forgotten |= {str(phone) for phone in phones}

    def export(self, name: str, mode: str) -> int:
        """Hand an audience over; compare what the channel holds, and who is in control, with the model. Return the removals."""
        self.now += timedelta(minutes=1)
        if self.folder is None:
            self.folder = tempfile.TemporaryDirectory()
            self._write_audiences()
        files = ExportFiles(self.folder.name)
        exported = Exported(name, "mail", KIND, FORMAT, 0, 100)
        outcome = export_audience(self.pipeline.session, files, exported, Asked(mode), self.now)
        channel = Channel()
        for manifest in sorted(Path(files.root, name).glob("*/manifest.json")):
            remove, add = ((manifest.parent / f"{op}.csv").read_text().split() for op in ("remove", "add"))
            channel.apply(remove, add)
        expected = self._expected(name)
        assert channel.held == expected.wanted()
        control = self.pipeline.rows(
            "select guest_id from cdm.v_audience_groups where grp = 'control' and audience = %s", [name]
        )
        assert {guest for (guest,) in control} == expected.control()
        self._look_for_traces(name)
        return outcome.export.removes

    def _write_audiences(self) -> None:
        common = {"channel": "mail", "include_tags": ["fan"], "identifier": KIND, "format": FORMAT}
        with self.pipeline.session.transaction():
            apply_audiences(
                self.pipeline.session,
                [{**DEFAULTS, "audience": name, **common, **own} for name, own in AUDIENCES.items()],
            )

    def _expected(self, name: str) -> Audience:
        own, contacts = AUDIENCES[name], self.model.satellites()["s_user_contacts"]
        people = {
            guest: Person(
                frozenset(tag for carrier, tag in self.model.user_tags() if carrier == guest),
                contacts.get(guest, {}).get("phone"),
            )
            for guest in GUESTS
        }
        return Audience(
            include=frozenset({"fan"}),
            exclude=frozenset(own["exclude_tags"]),
            salt=own["salt"],
            control_percent=own["control_percent"],
            requires_consent=own["requires_consent"],
            people=people,
            suppressed=self.suppressed,
            consented=set(self.consents),
        )

    def _look_for_traces(self, name: str) -> None:
        """After an export nothing tells any more of phones that nobody has but guests who were erased."""
        known = {phone_sha256(phone) for guest in GUESTS for phone in self.model.phones(guest)}
        gone = list(self.forgotten - known)
        found = self.pipeline.rows(
            "select identifier from cdm.audience_export_rows where audience = %(name)s and identifier = any(%(gone)s)"
            " union select held from cdm.audience_members, unnest(identifiers) as held"
            " where audience = %(name)s and held = any(%(gone)s)",
            {"name": name, "gone": gone},
        )
        assert found == []
        suppressed = self.pipeline.rows("select value from cdm.suppressions where value = any(%s)", [gone])
        assert {value for (value,) in suppressed} <= self.suppressed

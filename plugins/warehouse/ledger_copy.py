"""The ledger outside the database: a folder or bucket, best where the dumps are, with a file for each act. Files are only added.

    <url>/<subject>-<done>.json                    who was erased, as HMAC of the id; when; the act
    <url>/<subject>-<done>-back-<reopened>.json    the same once they have come back

A dump is older than what was erased since: `restore` tells a warehouse that was restored from it of those, too.
"""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from warehouse.export_files import open_folder
from warehouse.layers import ERASURES_ACTS, ERASURES_RESTORED
from warehouse.session import Session

LEDGER_COPY_FILES = (ERASURES_ACTS, ERASURES_RESTORED)
STAMP = "%Y%m%dT%H%M%S.%fZ"


class Act(NamedTuple):
    """A row of `stg.erasures`; `subject_hmac` in hexadecimal."""

    subject_hmac: str
    requested_dt: datetime
    done_dt: datetime
    reopened_dt: datetime | None
    reason: str
    counts: dict[str, int]

    @property
    def name(self) -> str:
        """Its file: another state of the row is another file."""
        back = f"-back-{_stamp(self.reopened_dt)}" if self.reopened_dt else ""
        return f"{self.subject_hmac}-{_stamp(self.done_dt)}{back}.json"


class LedgerCopy:
    """Where copies go. `url`: a path, or such as `s3://bucket/ledger`; `options`: of its fsspec file system."""

    def __init__(self, url: str, **options: Any) -> None:
        self.fs, self.root = open_folder(url, **options)
        self._names: set[str] | None = None

    @property
    def names(self) -> set[str]:
        """The files that are there; asked for once."""
        if self._names is None:
            self.fs.invalidate_cache()
            self._names = {path.rsplit("/", 1)[1] for path in self.fs.glob(f"{self.root}/*.json")}
        return self._names

    def add(self, act: Act) -> bool:
        """Copy an act; return whether it is new here."""
        if act.name in self.names:
            return False
        self.fs.makedirs(self.root, exist_ok=True)
        text = json.dumps(act._asdict(), default=lambda moment: moment.isoformat())
        self.fs.pipe_file(f"{self.root}/{act.name}", text.encode())
        self.names.add(act.name)
        return True

    def read(self) -> list[dict[str, Any]]:
        """Return all acts, in the form of `_asdict`, times as text."""
        return [json.loads(self.fs.cat_file(f"{self.root}/{name}")) for name in sorted(self.names)]


def copy_ledger(session: Session, copy: LedgerCopy, done_since: datetime | None = None) -> int:
    """Copy what the ledger holds and its copy lacks; return how many acts. `done_since`: only what was done then or later."""
    return sum(copy.add(Act(*row)) for row in session.ask(ERASURES_ACTS, {"done_since": done_since}))


def restore_ledger(session: Session, copy: LedgerCopy) -> int:
    """Put back what the copy holds and the ledger lacks, or knows as it was before; return how many rows."""
    with session.transaction():
        ((restored,),) = session.look(ERASURES_RESTORED, {"acts": json.dumps(copy.read())})
    return int(restored)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(STAMP)

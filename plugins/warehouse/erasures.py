"""The erasure of a guest: everything that the warehouse holds of them, in one transaction (docs/personal-data.md)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from warehouse.layers import (
    CDM_LOCK,
    DDS_LOCK,
    ERASURE_GUESTS,
    ERASURE_LETTERS,
    ERASURE_MESSAGES,
    ERASURE_NAMES,
    ERASURE_REQUESTS,
    ERASURES,
    ERASURES_DONE,
    ERASURES_VACUUMED,
    STG_LOCK,
)
from warehouse.ledger import ERASED_ID, Pepper, names_any, scrubbed, subject_of
from warehouse.session import Session

ERASURE_FILES = (
    *(STG_LOCK, DDS_LOCK, CDM_LOCK, ERASURES, ERASURE_REQUESTS, ERASURE_GUESTS),
    *(ERASURE_MESSAGES, ERASURE_NAMES, ERASURE_LETTERS, ERASURES_DONE, ERASURES_VACUUMED),
)
REQUEST, RESTORE = "request", "restore"


class DistributedError(Exception):
    """The tables lie on several machines, where no transaction of one function reaches them all."""


def work_off(session: Session, pepper: Pepper) -> Iterator[dict[str, int]]:
    """Erase whoever a request names, one transaction each; yield the rows of each act, by table."""
    for guest_id, requested_dt in session.ask(ERASURE_REQUESTS):
        yield erase(session, guest_id, subject_of(pepper(), guest_id), REQUEST, requested_dt)


def apply_ledger(session: Session, pepper: Pepper) -> Iterator[dict[str, int]]:
    """After a restore: erase again whom the ledger names and the warehouse knows; yield the rows of each act, by table."""
    erased = {bytes(subject): requested_dt for subject, _, requested_dt in session.ask(ERASURES)}
    if not erased:
        return
    secret = pepper()
    for (guest_id,) in session.ask(ERASURE_GUESTS):
        subject = subject_of(secret, guest_id)
        if subject in erased and guest_id != ERASED_ID:
            yield erase(session, guest_id, subject, RESTORE, erased[subject])


def vacuum(session: Session) -> None:
    """Remove what erased rows have left in the files of the tables they were in, as far as no open transaction may see them."""
    session.run_alone(ERASURES_VACUUMED)


def erase(session: Session, guest_id: str, subject: bytes, reason: str, requested_dt: datetime) -> dict[str, int]:
    """Erase a guest; return the rows scrubbed or deleted, by table, none where nothing was left. Raises DistributedError."""
    if session.is_distributed:
        raise DistributedError(
            "nobody can be erased from a distributed warehouse: gather it first (python -m deploy.distribute --back), erase, and "
            "distribute it again (docs/scale.md)"
        )
    guest = {"guest_id": guest_id}
    with session.transaction():
        session.run([STG_LOCK, DDS_LOCK, CDM_LOCK])
        messages = session.look(ERASURE_MESSAGES, guest)
        names = {
            guest_id,
            *(name for row in session.look(ERASURE_NAMES, guest) for name in row if name and name.strip()),
        }
        letters = [
            letter
            for letter, raw, key, detail in session.look(ERASURE_LETTERS)
            if names_any(b"\n".join((raw or b"", key or b"", detail.encode())), names)
        ]
        act: dict[str, Any] = {
            **guest,
            "subject_hmac": subject,
            "reason": reason,
            "requested_dt": requested_dt,
            "done_dt": datetime.now(UTC),
            "value_hashes": [value_hash for value_hash, _ in messages],
            "scrubbed": [scrubbed(value.encode()).decode() for _, value in messages],
            "letters": letters,
        }
        ((counts,),) = session.look(ERASURES_DONE, act)
    return dict(counts)

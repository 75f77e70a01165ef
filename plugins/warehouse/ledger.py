"""Who was erased: the ledger `stg.erasures` in memory, and what a message of an erased guest becomes.

The ledger knows nobody by name: it holds HMACs of ids. Whoever reads an id, of an order or of a key of Redis, asks whether it is
one of these; while nobody was erased, no pepper is needed and nothing is asked.
"""

import hmac
import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from warehouse.fields import parse_object
from warehouse.layers import ERASURES, ERASURES_MARK
from warehouse.session import Session

# As stg.erased_id() says in SQL.
ERASED_ID = "erased"
_USER = msgspec.Raw(json.dumps({"id": ERASED_ID}).encode())
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ESCAPE = re.compile(r'(?:\\u[0-9a-fA-F]{4})+|\\["\\/bfnrt]')
# What may stand between ids in a text that is no JSON any more, or not yet.
_WORD = re.compile(r"""[^\s"',:;{}\[\]()<>=\\]+""")

Pepper = Callable[[], str]


class PepperError(Exception):
    """Guests were erased, and the pepper by which the ledger knows them is missing: what is read now could bring them back."""


class LedgerChangedError(Exception):
    """Somebody was erased between the judgement of a chunk and its turn: it is judged again."""


def no_pepper() -> str:
    """Stand for a pepper where nobody has given one."""
    raise PepperError(
        "guests were erased, and the pepper of the ledger is not there: the Airflow connection erasure_ledger must hold it as "
        "its password (docs/personal-data.md). Nothing is read until it does"
    )


def subject_of(pepper: str, guest_id: str) -> bytes:
    """Return what the ledger calls a guest."""
    return hmac.digest(pepper.encode(), guest_id.encode("utf-8", "surrogatepass"), "sha256")


@dataclass(frozen=True, slots=True)
class Ledger:
    """The erased: HMAC of the id -> from when on orders are ordinary again. `mark` tells one state of it from another."""

    pepper: str = ""
    reopened: Mapping[bytes, datetime | None] = field(default_factory=dict)
    mark: tuple[Any, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether anybody was erased."""
        return bool(self.reopened)

    def has(self, guest_id: str, began: datetime | None = None) -> bool:
        """Tell whether a guest was erased; of one who has come back, whether that holds for an order that `began` then.

        Without a moment it is about the guest: one who has come back is no longer erased.
        """
        subject = subject_of(self.pepper, guest_id)
        if subject not in self.reopened:
            return False
        reopened = self.reopened[subject]
        return reopened is None or (began is not None and began < reopened)

    def is_named_in(self, content: bytes) -> bool:
        """Tell whether a text that could not be read as a message holds the id of somebody who is erased."""
        return any(self.has(word) for word in set(_WORD.findall(plain_text(content))))


def mark_of(session: Session) -> tuple[Any, ...]:
    """Return what the state of the ledger is known by, in the transaction that is open."""
    return session.look(ERASURES_MARK)[0]


def read_ledger(session: Session, pepper: Pepper) -> Ledger:
    """Return the ledger as it stands. `pepper` is asked only where somebody was erased; raises what it raises."""
    with session.transaction():
        mark = mark_of(session)  # before the rows: what comes in between is noticed later
        if not mark[0]:
            return Ledger(mark=mark)
        rows = session.look(ERASURES)
    return Ledger(pepper(), {bytes(subject): reopened for subject, reopened, _ in rows}, mark)


def scrubbed(value: bytes) -> bytes:
    """Return an order message with nothing of its guest but `ERASED_ID`; every other byte of its fields as it was."""
    try:
        message = _FIELDS.decode(value)
        payload = _FIELDS.decode(message["payload"])
    except (msgspec.DecodeError, KeyError):  # what the rules of Python's JSON take, and the decoder does not
        document = parse_object(value)
        document["payload"]["user"] = {"id": ERASED_ID}
        return json.dumps(document, ensure_ascii=False, default=str).encode()
    payload["user"] = _USER
    message["payload"] = msgspec.Raw(msgspec.json.encode(payload))
    return msgspec.json.encode(message)


def plain_text(content: bytes) -> str:
    """Return a text with the escapes of JSON decoded, wherever they stand: a broken message has them, too."""
    return _ESCAPE.sub(_unescaped, content.decode("utf-8", "replace"))


def _unescaped(match: re.Match[str]) -> str:
    try:
        return str(json.loads(f'"{match[0]}"'))
    except ValueError:
        return match[0]


def names_any(content: bytes, names: Collection[str]) -> bool:
    """Tell whether a text holds one of these names as a word, not as a part of another one."""
    text = plain_text(content)
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in names if name in text)

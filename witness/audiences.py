"""The reference model of audiences: who must be at a channel, by the contract alone, from scratch each time.

It shares no code with what it judges: normalising, hashing and drawing are written a second time, in plain Python.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

HASHED = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")


@dataclass(frozen=True)
class Person:
    """A guest: the tags they carry, and how they can be reached."""

    tags: frozenset[str] = frozenset()
    phone: str | None = None


@dataclass
class Channel:
    """What somebody holds who applies the files of all exports, remove before add."""

    held: set[str] = field(default_factory=set)
    ever: set[str] = field(default_factory=set)

    def apply(self, remove: Iterable[str], add: Iterable[str]) -> None:
        """Apply one export; it must not contradict itself, nor remove what was never added."""
        gone, come = set(remove), set(add)
        assert not gone & come  # noqa: S101  # a law
        assert gone <= self.ever  # noqa: S101
        self.held = (self.held - gone) | come
        self.ever |= come


@dataclass
class Audience:
    """An audience by phones, with all that decides who is in it."""

    include: frozenset[str]
    exclude: frozenset[str]
    salt: str
    control_percent: float
    requires_consent: bool
    people: dict[str, Person] = field(default_factory=dict)
    suppressed: set[str] = field(default_factory=set)
    consented: set[str] = field(default_factory=set)

    def wanted(self) -> set[str]:
        """Return the identifiers that must be at the channel."""
        barred = {
            self.identifier(guest) for guest in self.people if self.is_suppressed(guest) or self.is_control(guest)
        }
        free = {self.identifier(guest) for guest in self.eligible()}
        return {identifier for identifier in free - barred if identifier is not None}

    def control(self) -> set[str]:
        """Return the guests who would be there, and are held back."""
        return {guest for guest in self.eligible() if self.is_control(guest)}

    def eligible(self) -> set[str]:
        """Return the guests who may go, the control group among them."""
        return {
            guest
            for guest, person in self.people.items()
            if self.include <= person.tags
            and not self.exclude & person.tags
            and not self.is_suppressed(guest)
            and (guest in self.consented or not self.requires_consent)
            and self.identifier(guest) is not None
        }

    def identifier(self, guest: str) -> str | None:
        """Return what a guest is told by."""
        return phone_sha256(self.people[guest].phone)

    def is_suppressed(self, guest: str) -> bool:
        """Tell whether a guest must not go: by their id, or by what they would be told by."""
        return not self.suppressed.isdisjoint({guest, self.identifier(guest)})

    def is_control(self, guest: str) -> bool:
        """Tell whether a guest with the tags would be held back."""
        person = self.people[guest]
        may_go = guest in self.consented or not self.requires_consent
        carries = self.include <= person.tags and not self.exclude & person.tags
        return carries and may_go and draw(self.salt, guest) < self.control_percent * 100


def draw(salt: str, guest: str) -> int:
    """Return where a guest falls, 0 to 9999."""
    return int.from_bytes(hashlib.sha256(f"{salt}:{guest}".encode()).digest()[:4], "big") * 10_000 // 2**32


def phone_sha256(written: str | None) -> str | None:
    """Return the hash of a phone as the platforms want it, None where there is none."""
    if written is None or HASHED.fullmatch(written.strip()):
        return None
    digits = "".join(letter for letter in written if letter in "0123456789")
    if len(digits) == 11 and digits[0] == "8":
        digits = "7" + digits[1:]
    elif len(digits) == 10 and digits[0] == "9":
        digits = "7" + digits
    return hashlib.sha256(digits.encode()).hexdigest() if 11 <= len(digits) <= 15 else None

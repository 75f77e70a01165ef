"""Reference documents of Redis: from the bytes of a value to one row of `stg.reference_log`."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from warehouse.fields import (
    JsonObject,
    check_size,
    check_storable,
    key_text,
    objects,
    optional_number,
    optional_text,
    parse_object,
    required,
    required_id,
    required_time,
)
from warehouse.rejection import Reason, RejectedError

USER = "user"
RESTAURANT = "restaurant"


class ReferenceVersion(NamedTuple):
    """One version of a user or a restaurant. Dishes stand once, in the order of their first menu entries."""

    object_type: str
    object_id: str
    update_ts: datetime
    name: str | None
    login: str | None = None
    menu_ids: Sequence[str] = ()
    menu_names: Sequence[str | None] = ()
    menu_categories: Sequence[str | None] = ()
    phone: str | None = None
    email: str | None = None


def parse_reference(object_type: str, object_id: str, value: bytes, zone: tzinfo = UTC) -> ReferenceVersion:
    """Return the version in `value`, the document found under the id `object_id` when a `user` or `restaurant` was sought.

    `zone` is that of times written without one. Raises `RejectedError` where the document breaks a rule of docs/messages.md:
    users and restaurants share one key space, so the wrong kind under an id is one of the things that happen.
    """
    check_size(len(value))
    document = parse_object(value)
    check_storable(value, document)
    found_id = required_id(document, "_id")
    if found_id != object_id:
        raise RejectedError(Reason.WRONG_DOCUMENT, "the key {} holds the document {}", object_id, found_id)
    if ("menu" in document) != (object_type == RESTAURANT):
        raise RejectedError(
            Reason.WRONG_DOCUMENT,
            f"an order names {{}} as its {object_type}, but the document "
            + ("has a menu" if "menu" in document else "has no menu"),
            object_id,
        )
    update_ts = required_time(document, "update_ts_utc", zone)
    name = optional_text(document, "name")
    if object_type == USER:
        login, phone, email = (optional_text(document, field) for field in ("login", "phone", "email"))
        return ReferenceVersion(USER, object_id, update_ts, name, login=login, phone=phone, email=email)
    menu = _menu(document)
    return ReferenceVersion(
        RESTAURANT,
        object_id,
        update_ts,
        name,
        menu_ids=tuple(menu),
        menu_names=tuple(entry[0] for entry in menu.values()),
        menu_categories=tuple(entry[1] for entry in menu.values()),
    )


def _menu(document: JsonObject) -> dict[str, tuple[str | None, str | None]]:
    """Return the dishes as {id: (name, category)}; of two entries of one dish the first counts."""
    menu: dict[str, tuple[str | None, str | None]] = {}
    for entry in objects(required(document, "menu", ""), "menu"):
        product_id = required_id(entry, "_id", "menu[].")
        name = optional_text(entry, "name", "menu[].")
        optional_number(entry, "price", "menu[].")
        category = key_text(entry, "category", "menu[].") if entry.get("category") is not None else None
        # An empty category is none: it would be a tag rule's name that nobody can write.
        menu.setdefault(product_id, (name, category or None))
    return menu

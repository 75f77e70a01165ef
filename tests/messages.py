"""Messages and documents for tests, in the sources' format: everything has a default, a test names what it is about."""

import json
from typing import Any, NamedTuple

SENT = "2026-01-01 12:00:00"


class Attribute(NamedTuple):
    """A field of the payload that says something of the order alone: as usual, otherwise, and wrong, for which reason."""

    usual: Any
    others: tuple[Any, ...]
    wrong: Any
    reason: str


# Random streams move each of these, the table of bad messages tries each wrong value.
ATTRIBUTES = {
    "cost": Attribute(100, (200, None), True, "wrong_type"),
    "payment": Attribute(100, (200, None), [], "wrong_type"),
}


def order(
    order_id: int = 1,
    status: str = "CLOSED",
    *,
    user: str = "guest",
    restaurant: str = "diner",
    dishes: tuple[str, ...] = ("pizza",),
    update_ts: str = SENT,
    sent: str = SENT,
    **payload: Any,
) -> bytes:
    """Return the value of an order message. Dishes are ids, or `id=name`; other fields of the payload come by name."""
    lines = [dict(zip(("id", "name"), dish.split("=", 1), strict=False)) for dish in dishes]
    return json.dumps(
        {
            "object_id": order_id,
            "object_type": "order",
            "sent_dttm": sent,
            "payload": {
                "date": update_ts,
                "update_ts": update_ts,
                "user": {"id": user},
                "restaurant": {"id": restaurant},
                "order_items": [{"price": 100, "quantity": 1, **line} for line in lines],
                **{name: attribute.usual for name, attribute in ATTRIBUTES.items()},
                "statuses": [{"status": status, "dttm": update_ts}],
                "final_status": status,
                **payload,
            },
        }
    ).encode()


def changed(message: bytes, **changes: Any) -> bytes:
    """Return a message with fields of the envelope (`object_id`) or the payload (`payload__cost`) replaced; ... drops."""
    whole = json.loads(message)
    for path, value in changes.items():
        *parents, name = path.split("__")
        parent = whole
        for step in parents:
            parent = parent[step]
        if value is ...:
            del parent[name]
        else:
            parent[name] = value
    return json.dumps(whole).encode()


def restaurant(key: str = "diner", *, menu: dict[str, str], name: str = "Diner", update_ts: str = SENT) -> bytes:
    """Return a restaurant's document; `menu` is {dish id or `id=name`: category}."""
    entries = [
        {"category": category, "price": 100, **dict(zip(("_id", "name"), dish.split("=", 1), strict=False))}
        for dish, category in menu.items()
    ]
    return json.dumps({"_id": key, "name": name, "menu": entries, "update_ts_utc": update_ts}).encode()


def user(
    key: str = "guest", *, name: str = "Guest", login: str = "guest", update_ts: str = SENT, **contacts: Any
) -> bytes:
    """Return a guest's document; `contacts`: phone and email."""
    return json.dumps({"_id": key, "name": name, "login": login, "update_ts_utc": update_ts, **contacts}).encode()

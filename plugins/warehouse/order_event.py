"""An order message of the topic `order-service_orders`: from the bytes of a Kafka value to one row of `stg.order_event_log`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

from warehouse.fields import (
    JsonObject,
    check_storable,
    key_text,
    objects,
    optional_number,
    optional_text,
    optional_time,
    parse_object,
    required,
    required_bigint,
    required_id,
    required_object,
    required_text,
    required_time,
)
from warehouse.rejection import Reason, RejectedError

ORDER = "order"
OPTIONAL_NUMBERS = ("cost", "payment", "bonus_payment", "bonus_grant")


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One version of one order. Times are in UTC; dishes stand once, in the order of their first lines."""

    object_id: int
    update_ts: datetime
    sent_dttm: datetime
    order_dt: datetime
    user_id: str
    restaurant_id: str
    final_status: str
    cost: Decimal | None
    payment: Decimal | None
    item_ids: Sequence[str]
    item_names: Sequence[str | None]


def parse_order_event(value: bytes | None, zone: tzinfo = UTC) -> OrderEvent | None:
    """Return the order version in `value`, or None where the message is of another `object_type`.

    `zone` is that of times written without one. Raises `RejectedError` where the message breaks a rule of docs/messages.md.
    """
    if value is None:
        raise RejectedError(Reason.TOMBSTONE, "the message has no value; the source defines no retraction")
    message = parse_object(value)
    if required_text(message, "object_type") != ORDER:
        return None
    check_storable(value, message)
    payload = required_object(message, "payload")
    update_ts = required_time(payload, "update_ts", zone, "payload.")
    began = _status_times(payload, zone)
    date = optional_time(payload, "date", zone, "payload.")
    numbers = {name: optional_number(payload, name, "payload.") for name in OPTIONAL_NUMBERS}
    items = _items(payload)
    return OrderEvent(
        object_id=required_bigint(message, "object_id"),
        update_ts=update_ts,
        sent_dttm=required_time(message, "sent_dttm", zone),
        order_dt=min(began, default=date or update_ts),
        user_id=required_id(required_object(payload, "user", "payload."), "id", "payload.user."),
        restaurant_id=required_id(required_object(payload, "restaurant", "payload."), "id", "payload.restaurant."),
        final_status=key_text(payload, "final_status", "payload."),
        cost=numbers["cost"],
        payment=numbers["payment"],
        item_ids=tuple(items),
        item_names=tuple(items.values()),
    )


def _status_times(payload: JsonObject, zone: tzinfo) -> list[datetime]:
    if payload.get("statuses") is None:
        return []
    times = []
    for status in objects(payload["statuses"], "payload.statuses"):
        optional_text(status, "status", "payload.statuses[].")
        dttm = optional_time(status, "dttm", zone, "payload.statuses[].")
        if dttm is not None:
            times.append(dttm)
    return times


def _items(payload: JsonObject) -> dict[str, str | None]:
    """Return the dishes as {id: name}; of two lines of one dish the first that has a name names it."""
    items: dict[str, str | None] = {}
    for line in objects(required(payload, "order_items", "payload."), "payload.order_items"):
        path = "payload.order_items[]."
        item_id = required_id(line, "id", path)
        name = optional_text(line, "name", path)
        optional_number(line, "price", path)
        optional_number(line, "quantity", path)
        if items.get(item_id) is None:
            items[item_id] = name
    return items

"""An order message of the topic `order-service_orders`: from the bytes of a Kafka value to one row of `stg.order_event_log`."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from warehouse.fields import (
    JsonObject,
    Number,
    check_size,
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


class OrderEvent(NamedTuple):
    """One version of one order. Times are in UTC; dishes stand once, in the order of their first lines."""

    object_id: int
    update_ts: datetime
    sent_dttm: datetime
    order_dt: datetime
    user_id: str
    restaurant_id: str
    final_status: str
    cost: Number | None
    payment: Number | None
    item_ids: Sequence[str]
    item_names: Sequence[str | None]


def parse_order_event(value: bytes | None, zone: tzinfo = UTC) -> OrderEvent | None:
    """Return the order version in `value`, or None where the message is of another `object_type`.

    `zone` is that of times written without one. Raises `RejectedError` where the message breaks a rule of docs/messages.md.
    """
    if value is None:
        raise RejectedError(Reason.TOMBSTONE, "the message has no value; the source defines no retraction")
    check_size(len(value))
    message = parse_object(value)
    if required_text(message, "object_type") != ORDER:
        return None
    check_storable(value, message)
    payload = required_object(message, "payload")
    update_ts = required_time(payload, "update_ts", zone, "payload.")
    date = optional_time(payload, "date", zone, "payload.")
    optional_number(payload, "bonus_payment", "payload.")
    optional_number(payload, "bonus_grant", "payload.")
    items = _items(payload)
    return OrderEvent(
        required_bigint(message, "object_id"),
        update_ts,
        required_time(message, "sent_dttm", zone),
        _first_status_time(payload, zone) or date or update_ts,
        required_id(required_object(payload, "user", "payload."), "id", "payload.user."),
        required_id(required_object(payload, "restaurant", "payload."), "id", "payload.restaurant."),
        key_text(payload, "final_status", "payload."),
        optional_number(payload, "cost", "payload."),
        optional_number(payload, "payment", "payload."),
        tuple(items),
        tuple(items.values()),
    )


def _first_status_time(payload: JsonObject, zone: tzinfo) -> datetime | None:
    """Return the earliest `dttm` of the statuses."""
    statuses = payload.get("statuses")
    if statuses is None:
        return None
    first = None
    for status in objects(statuses, "payload.statuses"):
        optional_text(status, "status", "payload.statuses[].")
        dttm = optional_time(status, "dttm", zone, "payload.statuses[].")
        if dttm is not None and (first is None or dttm < first):
            first = dttm
    return first


def _items(payload: JsonObject) -> dict[str, str | None]:
    """Return the dishes as {id: name}; of two lines of one dish the first that has a name names it."""
    items: dict[str, str | None] = {}
    for line in objects(required(payload, "order_items", "payload."), "payload.order_items"):
        item_id = required_id(line, "id", "payload.order_items[].")
        name = optional_text(line, "name", "payload.order_items[].")
        optional_number(line, "price", "payload.order_items[].")
        optional_number(line, "quantity", "payload.order_items[].")
        if items.get(item_id) is None:
            items[item_id] = name
    return items

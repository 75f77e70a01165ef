"""An order message of the topic `order-service_orders`: from the bytes of a Kafka value to one row of `stg.order_event_log`."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from operator import itemgetter
from typing import NamedTuple, TypeAlias

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
CLOSED = "CLOSED"

Step: TypeAlias = tuple[datetime, str | None]
"""When an order came to a status, and to which."""


class OrderEvent(NamedTuple):
    """One version of one order, each field a column of `stg.order_event_log`: id, times, what else there is, dishes.

    Times are in UTC; dishes stand once, in the order of their first lines.
    """

    object_id: int
    update_ts: datetime
    sent_dttm: datetime
    order_dt: datetime
    closed_dttm: datetime | None
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
    object_id = required_bigint(message, "object_id")
    sent_dttm = required_time(message, "sent_dttm", zone)
    steps = _steps(payload, zone)
    user_id = required_id(required_object(payload, "user", "payload."), "id", "payload.user.")
    restaurant_id = required_id(required_object(payload, "restaurant", "payload."), "id", "payload.restaurant.")
    final_status = key_text(payload, "final_status", "payload.")
    began, closed_dttm = began_and_closed(steps, final_status)
    return OrderEvent(
        object_id,
        update_ts,
        sent_dttm,
        began or date or update_ts,
        closed_dttm,
        user_id,
        restaurant_id,
        final_status,
        optional_number(payload, "cost", "payload."),
        optional_number(payload, "payment", "payload."),
        tuple(items),
        tuple(items.values()),
    )


def _steps(payload: JsonObject, zone: tzinfo) -> list[Step]:
    """Return the statuses that have a time, in the order of the message."""
    steps: list[Step] = []
    statuses = payload.get("statuses")
    for entry in [] if statuses is None else objects(statuses, "payload.statuses"):
        status = optional_text(entry, "status", "payload.statuses[].")
        dttm = optional_time(entry, "dttm", zone, "payload.statuses[].")
        if dttm is not None:
            steps.append((dttm, status))
    return steps


def began_and_closed(steps: Sequence[Step], final_status: str) -> tuple[datetime | None, datetime | None]:
    """Return when an order began, its earliest step, and when one that is CLOSED became so: the first of its last CLOSED steps.

    None where no step says so. Steps follow each other by their times; of equal ones the first in the message is the newest, as
    the source writes them.
    """
    if not steps:
        return None, None
    newest_first = sorted(steps, key=itemgetter(0), reverse=True)
    closed_dttm = None
    if final_status == CLOSED:
        for dttm, status in newest_first:
            if status == CLOSED:
                closed_dttm = dttm
            elif closed_dttm and status is not None:
                break
    return newest_first[-1][0], closed_dttm


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

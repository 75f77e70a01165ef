"""The reference model: the whole warehouse as one naive recomputation in plain Python.

Tests feed the warehouse and the model the same messages, documents and rules, and compare. The model keeps everything
it has accepted and computes each answer from scratch, so that no cut, order or repetition could change it. It shares no
code with `plugins/`: the rules below are written a second time, from the data contract and docs/messages.md.

    model = Model()
    model.message(value)                      # or key=..., value=None for a tombstone
    model.document("restaurant", key, value)  # or model.refresh(redis), as a run of the pipeline does
    model.add_rule("pizza_lover", "Пицца", 5)
    assert model.user_tags() == ...

Everything is keyed by the sources' own ids, never by hub keys.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal, DecimalException
from functools import lru_cache
from itertools import dropwhile, takewhile
from typing import Any, NamedTuple

MAX_VALUE_BYTES = 1024 * 1024
MAX_DEPTH = 100
MAX_KEY_CHARACTERS = 200
MAX_DIGITS = 40
NEVER = datetime.max.replace(tzinfo=UTC)

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|([+-])(\d\d)(?::?([0-5]\d))?)?", re.ASCII
)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,6})?", re.ASCII)


class RefusedError(Exception):
    """A message or document is not acceptable; `reason` is the code of `stg.dead_letters`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# Whose the orders of erased guests are: it has no counters and no tags.
NOBODY = "erased"


class Age(NamedTuple):
    """Which of two versions of an order is the newer: the greater."""

    update_ts: datetime
    sent_dttm: datetime
    hash: bytes


@dataclass(frozen=True, slots=True)
class OrderVersion:
    """One accepted message. `dishes`: id -> the name of its first line that has one."""

    age: Age
    order_id: int
    order_dt: datetime
    user_id: str
    restaurant_id: str
    status: str
    closed_at: datetime | None
    cost: Decimal | None
    payment: Decimal | None
    dishes: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """One accepted reference document. `menu`: dish id -> (name, category) of its first entry."""

    update_ts: datetime
    hash: bytes
    kind: str
    key: str
    name: str | None
    login: str | None
    phone: str | None
    email: str | None
    menu: Mapping[str, tuple[str | None, str | None]]


class OrderState(NamedTuple):
    """An order as it is now."""

    user_id: str
    status: str
    products: frozenset[str]


class Stand(NamedTuple):
    """Of a guest who carries a tag: how many orders count, since when it is carried, when it ends if nothing more happens."""

    order_cnt: int
    since: datetime
    leaves: datetime | None


class TagRule(NamedTuple):
    """A rule in force."""

    category: str
    threshold: int
    window_days: int | None = None
    exit_threshold: int | None = None

    @property
    def is_timed(self) -> bool:
        """Whether the orders' times decide, and not the counter alone."""
        return self.window_days is not None or self.exit_threshold is not None

    def stand(self, spans: Iterable[tuple[datetime, datetime | None]], as_of: datetime) -> Stand | None:
        """Return how somebody stands whose orders were CLOSED in these spans; None: without the tag.

        Walks through the moments one by one, as somebody would who had watched.
        """
        until = self._counted(spans)
        keeps = self.threshold if self.exit_threshold is None else self.exit_threshold
        since, count = None, 0
        for moment in sorted({moment for span in until for moment in span if moment <= as_of}):
            count = _open_at(moment, until)
            if count > self.threshold and since is None:
                since = moment
            elif count <= keeps:
                since = None
        if since is None:
            return None
        leaves = None
        if self.window_days is not None:
            ends = sorted(
                begin + timedelta(hours=24 * self.window_days) for begin, end in until if begin <= as_of < end
            )
            leaves = ends[count - keeps - 1]
        return Stand(count, since, leaves)

    def counting(self, spans: Iterable[tuple[datetime, datetime | None]], moment: datetime) -> int:
        """Return how many orders count at a moment: were CLOSED then, and no older than the window."""
        return _open_at(moment, self._counted(spans))

    def _counted(self, spans: Iterable[tuple[datetime, datetime | None]]) -> list[tuple[datetime, datetime]]:
        """Return the spans, each as long as its order counts."""
        if self.window_days is None:
            return [(begin, end or NEVER) for begin, end in spans]
        window = timedelta(hours=24 * self.window_days)
        return [(begin, min(end or NEVER, begin + window)) for begin, end in spans]


def _open_at(moment: datetime, spans: Iterable[tuple[datetime, datetime]]) -> int:
    return sum(begin <= moment < end for begin, end in spans)


@dataclass
class Model:
    """Everything the warehouse was told, and what follows from it. `zone`: that of times written without one."""

    zone: tzinfo = UTC
    skipped: int = 0
    """messages of another object_type, each time they came"""
    rules: dict[str, TagRule] = field(default_factory=dict)
    """tag -> its rule in force"""
    _versions: dict[bytes, OrderVersion] = field(default_factory=dict)
    _documents: dict[bytes, DocumentVersion] = field(default_factory=dict)
    _dead: dict[tuple[str, bytes | None], str] = field(default_factory=dict)
    as_of: datetime = NEVER
    """the moment as of which tags with a window or an exit threshold stand"""
    _unasked: set[tuple[str, str]] = field(default_factory=set)
    _withdrawn: set[bytes] = field(default_factory=set)
    _erased: dict[str, datetime | None] = field(default_factory=dict)
    """who was erased -> orders that began from then on are theirs again"""

    # --- what it is told -----------------------------------------------------------------------------------------

    def message(self, value: bytes | None, key: bytes | None = None) -> str:
        """Take one Kafka record. Returns "accepted", "skipped" or the reason code it was refused with."""
        try:
            version = read_order(value, self.zone)
            if version is not None and version.age.hash in self._withdrawn:
                raise RefusedError("withdrawn")
        except RefusedError as error:
            # Identity is the content; a tombstone has none, and is known by its key.
            self._dead.setdefault(("tombstone", key) if value is None else ("value", value), error.reason)
            return error.reason
        if version is None:
            self.skipped += 1
            return "skipped"
        if version.age.hash not in self._versions:
            version = self._scrubbed(version)
            self._versions[version.age.hash] = version
            self._unasked |= {("user", version.user_id), ("restaurant", version.restaurant_id)}
        return "accepted"

    def messages(self, values: Iterable[bytes | None]) -> None:
        """Take Kafka records of which only the value matters."""
        for value in values:
            self.message(value)

    def document(self, kind: str, key: str, value: bytes) -> str:
        """Take what Redis holds under a key asked for as a `user` or `restaurant`. Returns "accepted", "erased" or the reason."""
        if kind == "user" and self.is_erased(key):
            return "erased"
        try:
            version = read_document(kind, key, value, self.zone)
        except RefusedError as error:
            self._dead.setdefault(("value", value), error.reason)
            return error.reason
        self._documents[version.hash] = version
        return "accepted"

    def refresh(self, redis: Mapping[str, bytes]) -> None:
        """Read Redis as a run does: who the new messages name, who is still missing, and every known restaurant."""
        found = {(d.kind, d.key) for d in self._documents.values()}
        asked = self._unasked | {
            (kind, key) for kind, key in self.named() if kind == "restaurant" or (kind, key) not in found
        }
        for kind, key in sorted(asked):
            if key in redis:
                self.document(kind, key, redis[key])
        self._unasked.clear()

    def withdraw(self, content: bytes) -> None:
        """Take a message back, by its hash, before it comes: it counts for nothing, however often it does."""
        self._withdrawn.add(content)

    def erase(self, guest: str) -> None:
        """Forget a guest, now and whenever something of theirs comes again: their orders are nobody's."""
        self._erased[guest] = None
        self._versions = {content: self._scrubbed(version) for content, version in self._versions.items()}
        self._documents = {
            content: known for content, known in self._documents.items() if (known.kind, known.key) != ("user", guest)
        }

    def reopen(self, guest: str, moment: datetime) -> None:
        """Take back a guest who was erased: what comes of orders from a moment on is theirs, what is nobody's stays so."""
        self._erased[guest] = moment

    def is_erased(self, guest: str) -> bool:
        """Tell whether a guest was erased and has not come back."""
        return guest in self._erased and self._erased[guest] is None

    def _scrubbed(self, version: OrderVersion) -> OrderVersion:
        if version.user_id not in self._erased:
            return version
        back = self._erased[version.user_id]
        return version if back is not None and version.order_dt >= back else replace(version, user_id=NOBODY)

    def add_rule(
        self, tag: str, category: str, threshold: int, window_days: int | None = None, exit_threshold: int | None = None
    ) -> None:
        """Put a rule into force; a tag has one rule at a time."""
        self.rules[tag] = TagRule(category, threshold, window_days, exit_threshold)

    def drop_rule(self, tag: str) -> None:
        """Take a rule out of force (`active = false`, or deleted)."""
        self.rules.pop(tag, None)

    # --- what follows --------------------------------------------------------------------------------------------

    def named(self) -> set[tuple[str, str]]:
        """(kind, key) of every guest and restaurant that an order has named."""
        named = {("user", version.user_id) for version in self._versions.values() if version.user_id != NOBODY}
        return named | {("restaurant", version.restaurant_id) for version in self._versions.values()}

    def current(self) -> dict[int, OrderVersion]:
        """The newest version of each order."""
        newest: dict[int, OrderVersion] = {}
        for version in sorted(self._versions.values(), key=lambda v: v.age):
            newest[version.order_id] = version
        return newest

    def orders(self) -> dict[int, OrderState]:
        """Order id -> guest, status and set of dishes as they are now."""
        return {
            order_id: OrderState(version.user_id, version.status, frozenset(version.dishes))
            for order_id, version in self.current().items()
        }

    def satellites(self) -> dict[str, dict[Any, dict[str, Any]]]:
        """Satellite of the vault -> business key -> what it says now: its columns, of a link's the other side that holds."""
        orders = self.current()
        return {
            "s_order_cost": {i: {"cost": order.cost, "payment": order.payment} for i, order in orders.items()},
            "s_order_status": {
                i: {"status": order.status, "closed_dttm": order.closed_at} for i, order in orders.items()
            },
            "s_user_names": {d.key: {"username": d.name, "userlogin": d.login} for d in self._by_age("user")},
            "s_user_contacts": self._contacts(),
            "s_restaurant_names": {d.key: {"name": d.name} for d in self._by_age("restaurant")},
            "s_product_names": {dish: {"name": name} for dish, name in self.product_names().items()},
            "es_order_user": {i: {"user_id": order.user_id} for i, order in orders.items()},
            "es_order_product": {i: {"product_ids": frozenset(o.dishes)} for i, o in orders.items() if o.dishes},
            "es_product_category": {dish: {"category_name": c} for dish, c in self.product_categories().items()},
        }

    def phones(self, guest: str) -> set[str]:
        """Every phone that a document of a guest has ever said."""
        return {d.phone for d in self._by_age("user") if d.key == guest and d.phone is not None}

    def _contacts(self) -> dict[str, dict[str, str | None]]:
        """Guest -> phone and e-mail now; who never had any is not in it."""
        contacts: dict[str, dict[str, str | None]] = {}
        for document in self._by_age("user"):
            told = {"phone": document.phone, "email": document.email}
            if document.key in contacts or any(value is not None for value in told.values()):
                contacts[document.key] = told
        return contacts

    def product_names(self) -> dict[str, str]:
        """Dish id -> name: the newest menu's; while no menu names the dish, the newest order's. No name: no entry."""
        in_lines: dict[str, str] = {}
        for version in sorted(self._versions.values(), key=lambda v: v.age):
            in_lines |= {dish: name for dish, name in version.dishes.items() if name is not None}
        in_menus = {dish: name for dish, (name, _) in self._menu_entries() if name is not None}
        return in_lines | in_menus

    def product_categories(self) -> dict[str, str]:
        """Dish id -> category by the newest menu that gives one; a dish gone from the menu keeps its last."""
        return {dish: category for dish, (_, category) in self._menu_entries() if category is not None}

    def user_product_counters(self) -> dict[tuple[str, str], tuple[str, int]]:
        """(user id, dish id) -> (dish name, number of the guest's CLOSED orders that hold the dish)."""
        names = self.product_names()
        orders = self._closed_orders(lambda dish: dish)
        return {(user, dish): (names.get(dish, ""), len(ids)) for (user, dish), ids in orders.items()}

    def user_category_counters(self) -> dict[tuple[str, str], int]:
        """(user id, category) -> number of the guest's CLOSED orders that hold a dish of the category."""
        orders = self._closed_orders(self.product_categories().get)
        return {pair: len(ids) for pair, ids in orders.items()}

    def user_tags(self) -> dict[tuple[str, str], tuple[str, int, int]]:
        """(user id, tag) -> (category, count, threshold): where the count exceeds the threshold, or as the orders' times say."""
        counters = self.user_category_counters()
        plain = {
            (user, tag): (rule.category, count, rule.threshold)
            for tag, rule in self.rules.items()
            for (user, counted), count in counters.items()
            if not rule.is_timed and counted == rule.category and count > rule.threshold
        }
        timed = {
            (user, tag): (self.rules[tag].category, stand.order_cnt, self.rules[tag].threshold)
            for (user, tag), stand in self._stands().items()
        }
        return plain | timed

    def timed_tags(self) -> dict[tuple[str, str], tuple[int | None, int | None, datetime | None, datetime]]:
        """(user id, tag) -> (window, exit threshold, when it ends if nothing more happens, since when)."""
        return {
            (user, tag): (self.rules[tag].window_days, self.rules[tag].exit_threshold, stand.leaves, stand.since)
            for (user, tag), stand in self._stands().items()
        }

    def marts(self) -> dict[str, dict[Any, Any]]:
        """Mart -> its rows, by the sources' ids."""
        return {
            "user_product_counters": self.user_product_counters(),
            "user_category_counters": self.user_category_counters(),
            "user_tags": self.user_tags(),
            "timed_tags": self.timed_tags(),
        }

    def closings(self) -> dict[int, list[tuple[datetime, datetime | None]]]:
        """Order id -> when it was CLOSED, as of the model's moment: [from, to), to None while it is."""
        spans: dict[int, list[tuple[datetime, datetime | None]]] = defaultdict(list)
        for version in sorted(self._versions.values(), key=lambda v: v.age):
            moment = version.age.update_ts
            if moment <= self.as_of:
                mine = spans[version.order_id]
                is_open = bool(mine) and mine[-1][1] is None
                if version.status == "CLOSED" and not is_open:
                    mine.append((moment, None))
                elif version.status != "CLOSED" and is_open:
                    mine[-1] = (mine[-1][0], moment)
        return spans

    def counting(self) -> dict[tuple[str, str], int]:
        """(user id, tag) -> orders that count for the tag of a timed rule, where any does."""
        counts = {
            (user, tag): self.rules[tag].counting(spans, self.as_of) for (user, tag), spans in self._spans().items()
        }
        return {pair: count for pair, count in counts.items() if count}

    def _stands(self) -> dict[tuple[str, str], Stand]:
        """(user id, tag) -> how those stand who carry a tag whose rule has a window or an exit threshold."""
        stands = {(user, tag): self.rules[tag].stand(spans, self.as_of) for (user, tag), spans in self._spans().items()}
        return {pair: stand for pair, stand in stands.items() if stand is not None}

    def _spans(self) -> dict[tuple[str, str], list[tuple[datetime, datetime | None]]]:
        """(user id, tag) -> when the guest's orders of a timed rule's category were CLOSED."""
        closings, categories = self.closings(), self.product_categories()
        spans: dict[tuple[str, str], list[tuple[datetime, datetime | None]]] = defaultdict(list)
        for order_id, order in self.orders().items():
            held = {categories.get(dish) for dish in order.products}
            for tag, rule in self.rules.items():
                if rule.is_timed and rule.category in held and order.user_id != NOBODY:
                    spans[order.user_id, tag] += closings.get(order_id, [])
        return spans

    def dead_letters(self) -> dict[tuple[str, bytes | None], str]:
        """("value", bytes) or ("tombstone", key) -> reason code, one for each content."""
        return dict(self._dead)

    def dead_letters_by_reason(self) -> Counter[str]:
        """Reason code -> dead letters."""
        return Counter(self._dead.values())

    def _by_age(self, kind: str) -> list[DocumentVersion]:
        """All versions of all documents of a kind; of one key, the newest last."""
        documents = (d for d in self._documents.values() if d.kind == kind)
        return sorted(documents, key=lambda d: (d.update_ts, d.key.encode(), d.hash))

    def _menu_entries(self) -> Iterator[tuple[str, tuple[str | None, str | None]]]:
        """Every (dish, (name, category)) of every menu ever seen; of one dish, the newest last."""
        for document in self._by_age("restaurant"):
            yield from document.menu.items()

    def _closed_orders(self, group: Callable[[str], str | None]) -> dict[tuple[str, str], set[int]]:
        """(user id, group) -> the CLOSED orders that hold a dish of the group; a dish without one does not count."""
        orders: dict[tuple[str, str], set[int]] = defaultdict(set)
        for order_id, order in self.orders().items():
            if order.status == "CLOSED" and order.user_id != NOBODY:
                for dish in order.products:
                    grouped = group(dish)
                    if grouped is not None:
                        orders[order.user_id, grouped].add(order_id)
        return dict(orders)


def tag_events(
    before: Mapping[tuple[str, str], object], after: Mapping[tuple[str, str], object]
) -> set[tuple[str, str, str]]:
    """(user id, tag, assigned | revoked) that a run must write which finds the tags `before` and leaves `after`."""
    assigned = {(user, tag, "assigned") for user, tag in after.keys() - before.keys()}
    return assigned | {(user, tag, "revoked") for user, tag in before.keys() - after.keys()}


# --- reading what came ---------------------------------------------------------------------------------------------


def content_hash(value: bytes) -> bytes:
    """The identity of a content, and what decides between versions of one age: compared as bytes."""
    return hashlib.sha256(value).digest()[:16]


def read_order(value: bytes | None, zone: tzinfo = UTC) -> OrderVersion | None:
    """Read the value of a Kafka record; None where it is of another type. Raises `RefusedError`."""
    if value is None:
        raise RefusedError("tombstone")
    message = _object(value)
    if _take(message, "object_type", _is_text) != "order":
        return None
    _check_storable(message)
    payload = _take(message, "payload", _is_object)
    for money in ("bonus_payment", "bonus_grant"):
        _maybe_number(payload, money)
    update_ts = _time(_present(payload, "update_ts"), zone)
    order_id = _take(message, "object_id", lambda v: isinstance(v, int) and not isinstance(v, bool))
    if not -(2**63) <= order_id < 2**63:
        raise RefusedError("bad_number")
    status: str = _take(payload, "final_status", _is_text)
    history = _history(payload, zone)
    date = None if payload.get("date") is None else _time(payload["date"], zone)
    return OrderVersion(
        age=Age(update_ts, _time(_present(message, "sent_dttm"), zone), content_hash(value)),
        order_id=order_id,
        order_dt=min((moment for moment, _ in history), default=date or update_ts),
        user_id=_id(_take(payload, "user", _is_object), "id"),
        restaurant_id=_id(_take(payload, "restaurant", _is_object), "id"),
        status=_key(status),
        closed_at=_last_closing(history) if status == "CLOSED" else None,
        cost=_maybe_number(payload, "cost"),
        payment=_maybe_number(payload, "payment"),
        dishes=_dishes(payload),
    )


def _dishes(payload: Mapping[str, Any]) -> dict[str, str | None]:
    """Dish id -> the name in its first line that has one."""
    dishes: dict[str, str | None] = {}
    for line in _objects(_present(payload, "order_items")):
        dish, name = _id(line, "id"), _maybe_text(line, "name")
        _maybe_number(line, "price")
        _maybe_number(line, "quantity")
        if dishes.get(dish) is None:
            dishes[dish] = name
    return dishes


def _history(payload: Mapping[str, Any], zone: tzinfo) -> list[tuple[datetime, str | None]]:
    """(time, status) of each entry of the statuses that has a time, the newest first; of equal times as they stand."""
    history = []
    for step in _objects(payload["statuses"]) if payload.get("statuses") is not None else []:
        status = _maybe_text(step, "status")
        if step.get("dttm") is not None:
            history.append((_time(step["dttm"], zone), status))
    return sorted(history, key=lambda step: step[0], reverse=True)


def _last_closing(history: list[tuple[datetime, str | None]]) -> datetime | None:
    """The time since when it has been CLOSED without a break, of the last such stretch; entries without a status say nothing."""
    named = [(moment, status) for moment, status in history if status is not None]
    from_closed = dropwhile(lambda step: step[1] != "CLOSED", named)
    stretch = [moment for moment, _ in takewhile(lambda step: step[1] == "CLOSED", from_closed)]
    return min(stretch, default=None)


def read_document(kind: str, key: str, value: bytes, zone: tzinfo = UTC) -> DocumentVersion:
    """Read what Redis holds under the key of a `user` or `restaurant`. Raises `RefusedError`."""
    document = _object(value)
    _check_storable(document)
    if _id(document, "_id") != key or ("menu" in document) != (kind == "restaurant"):
        raise RefusedError("wrong_document")
    menu: dict[str, tuple[str | None, str | None]] = {}
    for entry in _objects(_present(document, "menu")) if kind == "restaurant" else []:
        dish, name, category = _id(entry, "_id"), _maybe_text(entry, "name"), _maybe_text(entry, "category")
        _maybe_number(entry, "price")
        if dish not in menu:
            # An empty category is none.
            menu[dish] = (name, _key(category) or None if category is not None else None)
        elif category is not None:
            _key(category)
    return DocumentVersion(
        update_ts=_time(_present(document, "update_ts_utc"), zone),
        hash=content_hash(value),
        kind=kind,
        key=key,
        name=_maybe_text(document, "name"),
        login=_maybe_text(document, "login") if kind == "user" else None,
        phone=_maybe_text(document, "phone") if kind == "user" else None,
        email=_maybe_text(document, "email") if kind == "user" else None,
        menu=menu,
    )


def _object(value: bytes) -> dict[str, Any]:
    """The JSON object in the bytes: of equal keys the last counts, numbers stay exact."""
    if len(value) > MAX_VALUE_BYTES:
        raise RefusedError("oversized")
    try:
        parsed = json.loads(value.decode("utf-8"), parse_float=Decimal)
    except UnicodeDecodeError:
        raise RefusedError("invalid_utf8") from None
    except json.JSONDecodeError:
        raise RefusedError("broken_json") from None
    except RecursionError:
        raise RefusedError("too_deep") from None
    except (ValueError, DecimalException):
        raise RefusedError("bad_number") from None
    if not isinstance(parsed, dict):
        raise RefusedError("not_an_object")
    return parsed


def _check_storable(document: object) -> None:
    """What no field may hold, because the warehouse could not give it back."""
    # Looking at each field costs more than all the rest. What can be written as it was read, and is flat, needs no look.
    with suppress(ValueError):  # no JSON, no UTF-8
        written = json.dumps(document, ensure_ascii=False, allow_nan=False, default=str).encode()
        if written.count(b"{") + written.count(b"[") <= MAX_DEPTH and b"\\u0000" not in written:
            return
    level = [document]
    depth = 0
    while level:
        depth += any(isinstance(node, dict | list) for node in level)
        if depth > MAX_DEPTH:
            raise RefusedError("too_deep")
        below: list[object] = []
        for node in level:
            if isinstance(node, dict):
                below += [*node.keys(), *node.values()]
            elif isinstance(node, list):
                below += node
            elif isinstance(node, str) and ("\x00" in node or any("\ud800" <= letter <= "\udfff" for letter in node)):
                raise RefusedError("bad_text")
            elif isinstance(node, float):
                raise RefusedError("bad_number")  # NaN or Infinity: every other number was read as int or Decimal
        level = below


def _present(parent: Mapping[str, Any], name: str) -> Any:
    if parent.get(name) is None:
        raise RefusedError("missing_field")
    return parent[name]


def _take(parent: Mapping[str, Any], name: str, is_right: Callable[[object], bool]) -> Any:
    value = _present(parent, name)
    if not is_right(value):
        raise RefusedError("wrong_type")
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _objects(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise RefusedError("wrong_type")
    return value


def _id(parent: Mapping[str, Any], name: str) -> str:
    value: str = _take(parent, name, _is_text)
    if not value:
        raise RefusedError("missing_field")
    return _key(value)


def _key(value: str) -> str:
    if len(value) > MAX_KEY_CHARACTERS:
        raise RefusedError("too_long")
    return value


def _maybe_text(parent: Mapping[str, Any], name: str) -> str | None:
    value = parent.get(name)
    if value is not None and not isinstance(value, str):
        raise RefusedError("wrong_type")
    return value


def _maybe_number(parent: Mapping[str, Any], name: str) -> Decimal | None:
    """A number or a number as text, exact, with at most 40 digits on either side of the point."""
    value = parent.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise RefusedError("wrong_type")
    return _number(value)


@lru_cache(maxsize=4096, typed=True)  # few prices, often
def _number(value: int | Decimal | str) -> Decimal:
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise RefusedError("bad_number")
    number = Decimal(value)
    if number == 0:
        return Decimal(0)
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or len(digits) + exponent > MAX_DIGITS or exponent < -MAX_DIGITS:
        raise RefusedError("bad_number")
    return number


def _time(value: object, zone: tzinfo) -> datetime:
    """`YYYY-MM-DD HH:MM:SS`, also with T, a fraction (microseconds count), a zone; in UTC."""
    if not isinstance(value, str):
        raise RefusedError("wrong_type")
    return _moment(value, zone)


@lru_cache(maxsize=4096)  # the times of a message and of its neighbours repeat
def _moment(text: str, zone: tzinfo) -> datetime:
    match = _TIME.fullmatch(text)
    if not match:
        raise RefusedError("bad_time")
    *clock, fraction, written_zone, sign, hours, minutes = match.groups()
    try:
        if sign:
            offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
            zone = timezone(offset if sign == "+" else -offset)
        elif written_zone:
            zone = UTC
        year, month, day, hour, minute, second = map(int, clock)
        microsecond = int((fraction or "0")[:6].ljust(6, "0"))
        return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RefusedError("bad_time") from None

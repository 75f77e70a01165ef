"""A made-up food-delivery app: its catalogue, its guests and the stream of its order messages.

One seed is one set of bytes: the same arguments give the same messages and the same reference documents, on any
machine, so that a history can be produced twice and a test can name an order. The formats are those of the data
contract (sources, Kafka and Redis). Nothing is kept but the orders that are still under way, so that a history may
be of any length.

    generator = Generator(seed=42, orders=50_000)
    for key, value, timestamp_ms in generator.messages(): ...
    for key, document in generator.reference(): ...

For inspection: `python -m source.generate --orders 20 | less`
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import json
import random
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

DEFAULT_SEED = 42
DEFAULT_ORDERS = 50_000
DEFAULT_DAYS = 7
# A fixed moment, not "now": a history produced again tomorrow must be the same bytes. In the past, because brokers
# refuse records of the future.
DEFAULT_END = datetime(2025, 3, 31, tzinfo=UTC)

FIRST_ORDER_ID = 100_001
DISHES_A_RESTAURANT = 20
ORDERS_A_GUEST = 6.25
# Every order has come to its end this long after it was placed: a history leaves no order half told.
LONGEST_ORDER_S = 3 * 3600
MOSCOW_OFFSET_H = 3

OPEN, COOKING, DELIVERING, CLOSED, CANCELLED = "OPEN", "COOKING", "DELIVERING", "CLOSED", "CANCELLED"
STEPS = (OPEN, COOKING, DELIVERING, CLOSED)

# Orders placed in each hour of a Moscow day, as weights: a lunch hump and a higher one in the evening.
DAY_CURVE = (3, 2, 1, 1, 1, 1, 2, 5, 9, 12, 16, 26, 40, 42, 30, 22, 21, 26, 40, 54, 52, 38, 20, 9)
WEEKEND_FACTOR = 1.3
# Lines of an order: 1, 2, 3, 4, 5 (3.0 on average).
LINES_WEIGHTS = (13, 22, 30, 22, 13)
_LINES_UPTO = list(accumulate(LINES_WEIGHTS))
_SECONDS = tuple(f"{second:02}" for second in range(60))


class Message(NamedTuple):
    """One Kafka record. `value` is None only for a tombstone, which only `broken` messages hold."""

    key: bytes | None
    value: bytes | None
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Mix:
    """How often each kind of order or message occurs, as a share of the orders."""

    cancelled: float = 0.08
    """Orders that end CANCELLED."""
    stepwise: float = 0.06
    """Orders told in one message a status (OPEN, COOKING, ...), not only in the last one."""
    refunded: float = 0.01
    """CLOSED in one message, CANCELLED in a later one (these are part of `cancelled`)."""
    edited: float = 0.01
    """CLOSED in one message, CLOSED with another basket in a later one."""
    redelivered: float = 0.005
    """Messages that come twice, byte for byte."""
    resent: float = 0.002
    """Messages sent again up to three days later: the same version, another `sent_dttm`."""
    foreign: float = 0.003
    """Messages of another `object_type`, which are not the warehouse's."""
    keyless: float = 0.3
    """Messages without a record key."""
    repeated_dish: float = 0.04
    """Orders that name one dish in two lines."""


@dataclass(frozen=True, slots=True)
class Dish:
    """One dish of one restaurant. Price in roubles."""

    id: str
    name: str
    line_name: str
    category: str
    price: int
    on_menu: bool


@dataclass(frozen=True, slots=True)
class Restaurant:
    """One restaurant with what can be ordered there; `update_ts_utc` as in its Redis document."""

    id: str
    name: str
    dishes: tuple[Dish, ...]
    update_ts_utc: str


class _Order:
    """One order under way: what does not differ between its versions, and its current lines."""

    __slots__ = ("bonus_percent", "id", "lines", "money_as_text", "restaurant", "user_id")

    def __init__(self, order_id: int, user_id: str, restaurant: Restaurant, lines: list[tuple[Dish, int]]) -> None:
        self.id = order_id
        self.user_id = user_id
        self.restaurant = restaurant
        self.lines = lines
        self.bonus_percent = 0
        self.money_as_text = False


class _Version(NamedTuple):
    """One version of an order as it will be sent; statuses oldest first, as (status, second)."""

    order: _Order
    lines: list[tuple[Dish, int]]
    statuses: tuple[tuple[str, int], ...]


def utc_text(second: int) -> str:
    """A moment in the sources' notation, `YYYY-MM-DD HH:MM:SS` without a zone (UTC), from seconds since 1970."""
    minute, rest = divmod(second, 60)
    return _minute_text(minute) + _SECONDS[rest]


@lru_cache(maxsize=4096)
def _minute_text(minute: int) -> str:
    """`YYYY-MM-DD HH:MM:`; a stream stays within few minutes, and formatting is what costs."""
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%d %H:%M:")


def hex_id(*parts: object) -> str:
    """24 hex digits, as the app's own ids look, decided by the parts alone."""
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()[:24]


def _zipf(count: int, exponent: float, shift: float) -> Callable[[float], int]:
    """Turn a uniform number in [0, 1) into an index in [0, count); popularity falls as (index + shift) ** -exponent.

    The inverse of the continuous curve, so that a million guests need no table. `exponent` must not be 1.
    """
    power = 1.0 - exponent
    low, high = shift**power, (count + shift) ** power

    def pick(uniform: float) -> int:
        return min(int((low + uniform * (high - low)) ** (1.0 / power) - shift), count - 1)

    return pick


class Generator:
    """The app. Same arguments, same bytes.

    `orders`: how many orders its history holds, with ids from `FIRST_ORDER_ID` on; `days`: how long it is, in days,
    up to `end`; `guests`: how many people order (by default one for every 6.25 orders); `broken`: how many messages
    no warehouse can accept are strewn in (they change none of the others).
    """

    def __init__(
        self,
        seed: int = DEFAULT_SEED,
        *,
        orders: int = DEFAULT_ORDERS,
        days: float = DEFAULT_DAYS,
        end: datetime = DEFAULT_END,
        guests: int | None = None,
        broken: int = 0,
        mix: Mix | None = None,
    ) -> None:
        if orders < 0 or broken < 0:
            raise ValueError("orders and broken are counts: 0 or more")
        if days * 86_400 <= LONGEST_ORDER_S:
            raise ValueError(f"a history lasts longer than one order: days must exceed {LONGEST_ORDER_S / 86_400}")
        if end.tzinfo is None:
            raise ValueError("end needs a zone, or the history would depend on the machine's")
        self.seed = seed
        self.orders = orders
        self.broken = broken
        self.mix = mix or Mix()
        self.guests = guests or max(50, round(orders / ORDERS_A_GUEST))
        self.end_s = int(end.timestamp())
        self.start_s = int((end - timedelta(days=days)).timestamp())
        self.restaurants = _catalogue(seed)
        self._names = _menu_data()
        self._pick_guest = _zipf(self.guests, 0.9, 40.0)
        self._pick_restaurant = _zipf(len(self.restaurants), 0.8, 4.0)
        self._pick_dish = {r.id: _zipf(len(r.dishes), 0.7, 2.0) for r in self.restaurants}
        # One JSON fragment a dish, made once: most of a message is dish names.
        self._line_head = {
            d.id: json.dumps({"id": d.id, "name": d.line_name, "price": d.price})[:-1] + ', "quantity": '
            for r in self.restaurants
            for d in r.dishes
        }

    # --- reference -----------------------------------------------------------------------------------------------

    def user_id(self, index: int) -> str:
        """The id of a guest; the lower the index, the more they order."""
        return hex_id(self.seed, "user", index)

    def users(self) -> Iterator[tuple[str, str]]:
        """Redis documents of the guests, as (key, JSON text). One guest in 200 has none, as if evicted."""
        first, last = self._names["first_names"], self._names["last_names"]
        update_ts = utc_text(self.start_s - 86_400)
        for index in range(self.guests):
            if index % 200 == 199:
                continue
            key = self.user_id(index)
            mixed = int(key[:8], 16)
            name = f"{first[mixed % len(first)]} {last[mixed // len(first) % len(last)]}"
            login = f"guest{index + 1:06d}"
            document = {"_id": key, "name": name, "login": login, "update_ts_utc": update_ts}
            # People write a number in many ways, and some leave it out.
            digits = f"{mixed % 10**9:09d}"
            written = (f"+7 (9{digits[:2]}) {digits[2:5]}-{digits[5:7]}-{digits[7:]}", f"89{digits}", None)[index % 3]
            if written:
                document["phone"] = written
            if index % 4:
                document["email"] = f"{login}@example.com"
            yield key, json.dumps(document)

    def restaurant_documents(self) -> Iterator[tuple[str, str]]:
        """Redis documents of the restaurants, as (key, JSON text); a few dishes are sold but not on the menu."""
        for restaurant in self.restaurants:
            menu = [
                {"_id": d.id, "name": d.name, "price": d.price, "category": d.category}
                for d in restaurant.dishes
                if d.on_menu
            ]
            document = {
                "_id": restaurant.id,
                "name": restaurant.name,
                "menu": menu,
                "update_ts_utc": restaurant.update_ts_utc,
            }
            yield restaurant.id, json.dumps(document)

    def reference(self) -> Iterator[tuple[str, str]]:
        """Every Redis document: restaurants, then guests."""
        yield from self.restaurant_documents()
        yield from self.users()

    # --- the history ---------------------------------------------------------------------------------------------

    def messages(self) -> Iterator[Message]:
        """The whole history in the order of sending."""
        rng = random.Random(f"{self.seed}:history")  # noqa: S311 -- made-up data, not a secret
        broken = self._broken_messages()
        next_broken = next(broken, None)
        for message in self._sent(rng):
            while next_broken and next_broken.timestamp_ms <= message.timestamp_ms:
                yield next_broken
                next_broken = next(broken, None)
            yield message
        while next_broken:
            yield next_broken
            next_broken = next(broken, None)

    def live_order(self, order_id: int, placed_s: int, rng: random.Random, *, pace_s: int = 3) -> list[Message]:
        """One order told status by status, `pace_s` seconds apart; each message's timestamp is when to send it."""
        order = self._place(order_id, rng)
        steps = STEPS if rng.random() >= self.mix.cancelled else (OPEN, COOKING, CANCELLED)
        statuses = tuple((status, placed_s + n * pace_s) for n, status in enumerate(steps))
        return [
            self._message(_Version(order, order.lines, statuses[: n + 1]), sent_s, rng.random() < self.mix.keyless)
            for n, (_, sent_s) in enumerate(statuses)
        ]

    def _sent(self, rng: random.Random) -> Iterator[Message]:
        """Merge the orders, each with its own pace, into one stream by the moment of sending."""
        mix, rand = self.mix, rng.random
        under_way: list[tuple[int, int, bytes | _Version]] = []
        serial = 0
        for order_id, placed_s in self._placements(rng):
            while under_way and under_way[0][0] <= placed_s:
                at_s, _, what = heapq.heappop(under_way)
                yield self._send(what, at_s, rng)
            order = self._place(order_id, rng)
            for sent_s, version in self._versions(order, placed_s, rng):
                serial += 1
                heapq.heappush(under_way, (sent_s, serial, version))
                if rand() < mix.redelivered:
                    # Rendered now, for both: what is delivered twice must be the same bytes.
                    serial += 1
                    value = self._render(version, sent_s)
                    again_s = min(sent_s + int(rand() * 600), self.end_s - 1)
                    heapq.heappush(under_way, (again_s, serial, value))
                if rand() < mix.resent:
                    serial += 1
                    latest_s = min(sent_s + 3 * 86_400, self.end_s - 1)
                    heapq.heappush(under_way, (sent_s + int(rand() * (latest_s - sent_s)), serial, version))
            if rand() < mix.foreign:
                serial += 1
                heapq.heappush(under_way, (placed_s, serial, self._foreign(order, placed_s)))
        while under_way:
            at_s, _, what = heapq.heappop(under_way)
            yield self._send(what, at_s, rng)

    def _placements(self, rng: random.Random) -> Iterator[tuple[int, int]]:
        """(order id, second at which it was placed), in time order, along the day curve."""
        last_s = self.end_s - LONGEST_ORDER_S
        hours = range(self.start_s, last_s, 3600)
        weights = [_hour_weight(hour_s) * min(3600, last_s - hour_s) for hour_s in hours]
        total = sum(weights)
        upto = list(accumulate(weights))
        for n in range(self.orders):
            # One order in each of `orders` equal slices of the curve: sorted without being stored.
            mass = (n + rng.random()) / self.orders * total
            slot = min(bisect_right(upto, mass), len(weights) - 1)
            inside = 1 - (upto[slot] - mass) / weights[slot]
            yield FIRST_ORDER_ID + n, int(hours[slot] + inside * min(3600, last_s - hours[slot]))

    def _place(self, order_id: int, rng: random.Random) -> _Order:
        """Somebody orders something: guests keep to a few favourite restaurants."""
        rand = rng.random
        guest = self._pick_guest(rand())
        user_id = self.user_id(guest)
        restaurant = self.restaurants[self._pick_restaurant(rand())]
        if rand() < 0.75:
            # The user id's own digits choose three favourites, so that no table of tastes is needed.
            favourite = int(rand() * 3) * 6
            restaurant = self.restaurants[self._pick_restaurant(int(user_id[favourite : favourite + 6], 16) / 2**24)]
        lines = self._basket(restaurant, rng)
        order = _Order(order_id, user_id, restaurant, lines)
        odds = rand()
        if odds < 0.1:
            order.bonus_percent = 5 + int(odds * 200)
        order.money_as_text = odds > 0.99
        return order

    def _basket(self, restaurant: Restaurant, rng: random.Random) -> list[tuple[Dish, int]]:
        """(dish, quantity) of each line: different dishes, sometimes one of them twice."""
        rand, pick = rng.random, self._pick_dish[restaurant.id]
        wanted = 1 + bisect_right(_LINES_UPTO, rand() * _LINES_UPTO[-1])
        chosen: dict[int, int] = {}
        while len(chosen) < wanted:
            chosen[pick(rand())] = 1 if rand() < 0.85 else 2 + int(rand() * 2)
        lines = [(restaurant.dishes[index], quantity) for index, quantity in chosen.items()]
        if rand() < self.mix.repeated_dish:
            lines[-1 if wanted > 1 else wanted :] = [(lines[0][0], 1)]
        return lines

    def _versions(self, order: _Order, placed_s: int, rng: random.Random) -> list[tuple[int, _Version]]:
        """The messages that tell this order, as (second of sending, version)."""
        mix, rand = self.mix, rng.random
        cooking_s = placed_s + 60 + int(rand() * 420)
        delivering_s = cooking_s + 600 + int(rand() * 900)
        closed_s = delivering_s + 600 + int(rand() * 1800)
        kind = rand()
        statuses: tuple[tuple[str, int], ...]
        if mix.refunded <= kind < mix.cancelled:
            statuses = ((OPEN, placed_s), (COOKING, cooking_s), (CANCELLED, delivering_s))
        else:
            statuses = ((OPEN, placed_s), (COOKING, cooking_s), (DELIVERING, delivering_s), (CLOSED, closed_s))
        first = 0 if rand() < mix.stepwise else len(statuses) - 1
        versions = [
            (statuses[n][1] + int(rand() * 3), _Version(order, order.lines, statuses[: n + 1]))
            for n in range(first, len(statuses))
        ]
        later_s = closed_s + 300 + int(rand() * 4800)
        if kind < mix.refunded:
            versions.append((later_s, _Version(order, order.lines, (*statuses, (CANCELLED, later_s)))))
        elif mix.cancelled <= kind < mix.cancelled + mix.edited:
            # A complaint settled: a dish is taken off the bill, or the only one is changed.
            lines = order.lines[:-1] or self._basket(order.restaurant, rng)
            versions.append((later_s, _Version(order, lines, (*statuses, (CLOSED, later_s)))))
        return versions

    def _send(self, what: bytes | _Version, at_s: int, rng: random.Random) -> Message:
        keyless = rng.random() < self.mix.keyless
        if isinstance(what, bytes):
            return Message(None, what, at_s * 1000)
        return self._message(what, at_s, keyless)

    def _message(self, version: _Version, sent_s: int, keyless: bool) -> Message:
        key = None if keyless else str(version.order.id).encode()
        return Message(key, self._render(version, sent_s), sent_s * 1000)

    def _render(self, version: _Version, sent_s: int) -> bytes:
        """The bytes `json.dumps` would give for the message, put together from fragments: three times as fast."""
        order, lines, statuses = version
        items = ", ".join(f"{self._line_head[dish.id]}{quantity}}}" for dish, quantity in lines)
        cost = sum(dish.price * quantity for dish, quantity in lines)
        bonus = cost * order.bonus_percent // 100
        money = [cost, cost - bonus, bonus, round((cost - bonus) * 0.05, 2)]
        cost_json, payment_json, bonus_json, grant_json = (f'"{m:.2f}"' if order.money_as_text else m for m in money)
        history = ", ".join(f'{{"status": "{s}", "dttm": "{utc_text(at_s)}"}}' for s, at_s in reversed(statuses))
        status, updated_s = statuses[-1]
        updated = utc_text(updated_s)
        return (
            f'{{"object_id": {order.id}, "object_type": "order", "sent_dttm": "{utc_text(sent_s)}", "payload": '
            f'{{"restaurant": {{"id": "{order.restaurant.id}"}}, "date": "{updated}", '
            f'"user": {{"id": "{order.user_id}"}}, "order_items": [{items}], "bonus_payment": {bonus_json}, '
            f'"cost": {cost_json}, "payment": {payment_json}, "bonus_grant": {grant_json}, '
            f'"statuses": [{history}], "final_status": "{status}", "update_ts": "{updated}"}}}}'
        ).encode("ascii")

    def _foreign(self, order: _Order, at_s: int) -> bytes:
        """A message of the same topic that is not an order: a guest's profile was changed."""
        envelope = {
            "object_id": order.id,
            "object_type": "user",
            "sent_dttm": utc_text(at_s),
            "payload": {"user": {"id": order.user_id}},
        }
        return json.dumps(envelope).encode()

    # --- what no warehouse can accept -------------------------------------------------------------------------------

    def _broken_messages(self) -> Iterator[Message]:
        """`broken` unacceptable messages, evenly over the history, of every kind in turn."""
        rng = random.Random(f"{self.seed}:broken")  # noqa: S311 -- made-up data, not a secret
        for n in range(self.broken):
            at_s = self.start_s + (n + 1) * (self.end_s - LONGEST_ORDER_S - self.start_s) // (self.broken + 1)
            # Ids below the first order's: even a warehouse that took one of these in would count no order wrongly.
            order = self._place(n + 1, rng)
            statuses = ((OPEN, at_s - 1800), (CLOSED, at_s))
            good = self._render(_Version(order, order.lines, statuses), at_s)
            key = str(order.id).encode()
            yield Message(key, _BREAKAGES[n % len(_BREAKAGES)](good), at_s * 1000)


def _edited(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    """A breakage that changes the parsed message and writes it again."""

    def breakage(value: bytes) -> bytes:
        message: dict[str, Any] = json.loads(value)
        change(message)
        return json.dumps(message).encode()

    return breakage


_BREAKAGES: tuple[Callable[[bytes], bytes | None], ...] = (
    lambda value: value[: len(value) // 2],
    lambda _: None,
    _edited(lambda m: m["payload"].pop("user")),
    _edited(lambda m: m["payload"].update(update_ts="31.12.2026 25:61")),
    lambda value: value.replace(b'"name": "', b'"name": "\xcf\xe8\xf6\xf6\xe0 '),
    _edited(lambda m: m.update(object_id=str(m["object_id"]))),
    _edited(lambda m: m["payload"].update(order_items="нет")),
    _edited(lambda m: m["payload"].update(cost="дорого")),
    _edited(lambda m: m["payload"].update(cost=float("nan"))),
    lambda value: b"[" + value + b"]",
)


def _hour_weight(hour_s: int) -> float:
    local = datetime.fromtimestamp(hour_s, UTC) + timedelta(hours=MOSCOW_OFFSET_H)
    return DAY_CURVE[local.hour] * (WEEKEND_FACTOR if local.weekday() >= 5 else 1.0)


def _menu_data() -> dict[str, Any]:
    """Names and categories, as people who eat there write them."""
    data: dict[str, Any] = json.loads(Path(__file__).with_name("menu.json").read_text(encoding="utf-8"))
    return data


def _catalogue(seed: int) -> tuple[Restaurant, ...]:
    """The restaurants with their dishes. The last one is a branch of the first and sells some of its dishes."""
    data = _menu_data()
    rng = random.Random(f"{seed}:catalogue")  # noqa: S311 -- made-up data, not a secret
    restaurants: list[Restaurant] = []
    for index, (name, kind) in enumerate(data["restaurants"]):
        restaurant_id = hex_id(seed, "restaurant", index)
        offers = [(c, dish) for c in dict.fromkeys(data["kinds"][kind]) for dish in data["categories"][c]["dishes"]]
        # A kind that names a category twice is known for it: half of its dishes are of that category.
        known_for = data["kinds"][kind][0]
        weights = [2.5 if c == known_for else 1.0 for c, _ in offers]
        chosen = _sample(offers, weights, DISHES_A_RESTAURANT, rng)
        dishes = tuple(
            _dish(hex_id(seed, "dish", index, n), dish, category, data["categories"][category]["price"], rng)
            for n, (category, dish) in enumerate(chosen)
        )
        if index == len(data["restaurants"]) - 1:
            dishes = restaurants[0].dishes[:8] + dishes[8:]
        update_ts = utc_text(int(DEFAULT_END.timestamp()) - 86_400 * (30 + index))
        restaurants.append(Restaurant(restaurant_id, name, dishes, update_ts))
    return tuple(restaurants)


def _dish(dish_id: str, name: str, category: str, price: Sequence[int], rng: random.Random) -> Dish:
    """One dish. Of a thousand, 15 are sold but not on the menu, and 50 are sold under a longer name than the menu's."""
    low, high = price
    odds = rng.random()
    line_name = f"{name} (акция)" if 0.02 <= odds < 0.07 else name
    return Dish(dish_id, name, line_name, category, low + int(rng.random() * (high - low)) // 10 * 10, odds >= 0.015)


def _sample(
    population: Sequence[tuple[str, str]], weights: Sequence[float], count: int, rng: random.Random
) -> list[tuple[str, str]]:
    """`count` different members, the heavier the likelier (Efraimidis and Spirakis: the largest keys win)."""
    keyed = sorted(((rng.random() ** (1 / w), n) for n, w in enumerate(weights)), reverse=True)
    return [population[n] for _, n in keyed[:count]]


def moment(text: str) -> datetime:
    """An ISO 8601 moment from the command line; one without a zone is UTC."""
    parsed = datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that decide which history is meant; shared by the tools that produce or compare it."""
    parser.add_argument("--orders", type=int, default=DEFAULT_ORDERS, help="orders of history (default %(default)s)")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="same seed, same bytes (default %(default)s)")
    parser.add_argument("--days", type=float, default=DEFAULT_DAYS, help="length of the history (default %(default)s)")
    parser.add_argument("--end", type=moment, default=DEFAULT_END, help="when it ends, ISO 8601 (default %(default)s)")
    parser.add_argument("--broken", type=int, default=0, help="messages that cannot be accepted (default %(default)s)")


def from_arguments(args: argparse.Namespace) -> Generator:
    """The generator that the options of `add_arguments` describe."""
    return Generator(args.seed, orders=args.orders, days=args.days, end=args.end, broken=args.broken)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the messages, or the reference documents, one a line."""
    parser = argparse.ArgumentParser(prog="python -m source.generate", description=main.__doc__)
    add_arguments(parser)
    parser.add_argument("--out", default="-", help="file to write, - is the terminal (default %(default)s)")
    parser.add_argument("--reference", action="store_true", help="print the Redis documents, not the messages")
    args = parser.parse_args(argv)
    generator = from_arguments(args)
    values = (
        (document.encode() for _, document in generator.reference())
        if args.reference
        else (message.value or b"" for message in generator.messages())
    )
    # A reader that has seen enough (`| head`) is no error.
    with suppress(BrokenPipeError):
        if args.out == "-":
            for value in values:
                sys.stdout.buffer.write(value + b"\n")
            sys.stdout.buffer.flush()
        else:
            with Path(args.out).open("wb") as out:
                out.writelines(value + b"\n" for value in values)


if __name__ == "__main__":
    main()

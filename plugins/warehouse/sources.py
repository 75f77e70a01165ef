"""What the extra of a connection to a source says to us, beside what its client needs: settings with defaults, checked."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from warehouse.reference import RESTAURANT, USER

# In the extra of `kafka_orders`, whose other entries are settings of Kafka's client.
ORDERS_SETTINGS = ("zone",)
EVERY_RUNS = range(1, 100_001)


class BadSettingError(ValueError):
    """A setting is wrong; the text says which, and what is allowed."""


class ReferenceSettings(NamedTuple):
    """How Redis is read. Keys are `key_prefix` and the id; quiet restaurants are asked for in one of so many runs.

    Without `guests` only restaurants are: no name, login, phone or e-mail of anybody is loaded.
    """

    zone: ZoneInfo
    key_prefix: str
    restaurants_every_runs: int
    guests: bool = True

    @property
    def object_types(self) -> list[str]:
        """What is asked for."""
        return [USER, RESTAURANT] if self.guests else [RESTAURANT]


class Zones(NamedTuple):
    """The zones of the times that each source writes without one."""

    orders: ZoneInfo
    reference: ZoneInfo


def orders_zone(extra: Mapping[str, Any]) -> ZoneInfo:
    """Return the zone that the extra of `kafka_orders` names. Raises `BadSettingError`."""
    return _zone(extra)


def reference_settings(extra: Mapping[str, Any]) -> ReferenceSettings:
    """Return what the extra of `redis_reference` says. Raises `BadSettingError`."""
    prefix = extra.get("key_prefix", "")
    if not isinstance(prefix, str):
        raise BadSettingError(f"key_prefix must be a text, not {prefix!r}")
    every = extra.get("restaurants_every_runs", EVERY_RUNS[0])
    # A connection that is written as a URI has texts only.
    number = int(every) if isinstance(every, str) and every.isdecimal() else every
    if type(number) is not int or number not in EVERY_RUNS:
        raise BadSettingError(
            f"restaurants_every_runs must be a whole number from {EVERY_RUNS[0]} to {EVERY_RUNS[-1]}, not {every!r}"
        )
    guests = extra.get("guests", True)
    guests = {"true": True, "false": False}.get(guests, guests) if isinstance(guests, str) else guests
    if not isinstance(guests, bool):
        raise BadSettingError(f"guests must be true or false, not {guests!r}")
    return ReferenceSettings(_zone(extra), prefix, number, guests)


def _zone(extra: Mapping[str, Any]) -> ZoneInfo:
    name = extra.get("zone", "UTC")
    try:
        return ZoneInfo(name)
    except (TypeError, ValueError, KeyError, OSError) as error:
        raise BadSettingError(f"zone must be a name such as UTC or Europe/Moscow, not {name!r}") from error

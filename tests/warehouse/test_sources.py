"""What the extra of a source's connection may say to us."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from warehouse.sources import BadSettingError, ReferenceSettings, orders_zone, reference_settings

UTC, MOSCOW = ZoneInfo("UTC"), ZoneInfo("Europe/Moscow")


def test_what_is_not_said_is_as_it_always_was() -> None:
    assert orders_zone({"bootstrap.servers": "a:9092"}) == UTC
    assert reference_settings({"db": 0}) == ReferenceSettings(UTC, "", 1)


def test_each_source_has_its_own() -> None:
    assert orders_zone({"zone": "Europe/Moscow"}) == MOSCOW
    said = {"zone": "Europe/Moscow", "key_prefix": "ref:", "restaurants_every_runs": 60}
    assert reference_settings(said) == ReferenceSettings(MOSCOW, "ref:", 60)
    assert reference_settings({"restaurants_every_runs": "60"}).restaurants_every_runs == 60, "in a URI all is text"


@pytest.mark.parametrize("zone", ["Moscow", "", "Europe", "/etc/passwd", "../UTC", 3, None, ["UTC"]])
def test_a_zone_that_nobody_knows_is_refused(zone: Any) -> None:
    for read in (orders_zone, reference_settings):
        with pytest.raises(BadSettingError, match="zone must be a name such as UTC or Europe/Moscow, not "):
            read({"zone": zone})


@pytest.mark.parametrize("every", [0, -1, 100_001, 1.5, True, "", "often", "1.5", None, [1]])
def test_a_number_of_runs_that_is_none_is_refused(every: Any) -> None:
    with pytest.raises(BadSettingError, match="restaurants_every_runs must be a whole number from 1 to 100000, not "):
        reference_settings({"restaurants_every_runs": every})


def test_guests_are_loaded_unless_it_says_otherwise() -> None:
    assert reference_settings({}).object_types == ["user", "restaurant"]
    assert reference_settings({"guests": False}).object_types == ["restaurant"]
    assert reference_settings({"guests": "false"}).object_types == ["restaurant"], "in a URI all is text"


@pytest.mark.parametrize("said", [None, 0, "no", "False", []])
def test_neither_true_nor_false_is_refused(said: Any) -> None:
    with pytest.raises(BadSettingError, match="guests must be true or false, not "):
        reference_settings({"guests": said})


@pytest.mark.parametrize("prefix", [None, 7, ["ref:"]])
def test_a_prefix_that_is_no_text_is_refused(prefix: Any) -> None:
    with pytest.raises(BadSettingError, match="key_prefix must be a text, not "):
        reference_settings({"key_prefix": prefix})

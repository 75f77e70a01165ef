"""The sum that must not be exceeded, and the table that it comes from."""

from datetime import date

import pytest
import yaml

from deploy.budget import FOLDER, lines_of, monthly

PRICES = yaml.safe_load((FOLDER / "prices.yaml").read_text())
BOOK = yaml.safe_load((FOLDER / "bills.yaml").read_text())


def test_the_single_machine_costs_no_more_than_the_budget():
    assert 0 < monthly(BOOK["bills"]["single-vm"], PRICES) <= BOOK["limit"] == 5000


def test_alternatives_are_compared():
    assert {"single-vm, preemptible", "another cloud", "yandex-managed"} <= BOOK["bills"].keys()


@pytest.mark.parametrize("name", BOOK["bills"])
def test_each_unit_of_a_bill_has_a_price(name):
    assert lines_of(BOOK["bills"][name]).keys() <= PRICES["prices"].keys()


@pytest.mark.parametrize("unit", PRICES["prices"])
def test_each_price_has_a_source_that_says_when_it_was_read(unit):
    source = PRICES["sources"][PRICES["prices"][unit]["source"]]
    assert isinstance(source["checked"], date)
    assert source["what"]


def test_a_known_machine_comes_to_the_known_sum():
    machine = {"vcpu": 2, "share": 100, "ram_gib": 8, "disk_gib": 40}
    # 730 h x (2 x 1.24 + 8 x 0.33 + 40 x 0.0199) + 730 x 0.26352
    assert round(monthly({"machine": machine, "units": {"ipv4": 1}}, PRICES)) == 4511

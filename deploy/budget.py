"""What each deployment costs a month, from prices.yaml and bills.yaml beside it.

    make budget

Ends with 1 where `single-vm` costs more than the limit, or a deployment does not fit the machine that it is billed for.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.sizes import misfits

FOLDER = Path(__file__).resolve().parent
WITHIN_LIMIT = "single-vm"


def lines_of(bill: Mapping[str, Any]) -> dict[str, float]:
    """Return the units of a bill: those of its machine by their size, and the rest."""
    units: dict[str, float] = dict(bill.get("units", {}))
    if machine := bill.get("machine"):
        kind = "vm_preemptible" if machine.get("preemptible") else "vm"
        units |= {
            f"{kind}_vcpu_{machine['share']}": machine["vcpu"],
            f"{kind}_ram_gib": machine["ram_gib"],
            "disk_ssd_gib": machine["disk_gib"],
        }
    return units


def monthly(bill: Mapping[str, Any], prices: Mapping[str, Any]) -> float:
    """Return what a bill comes to, in the currency of the prices."""
    periods = {"hour": prices["hours_per_month"], "month": 1}
    total = 0.0
    for unit, count in lines_of(bill).items():
        entry = prices["prices"][unit]
        total += count * entry["price"] * periods[entry["per"]]
    return total


def main() -> int:
    """Print the table; return the exit code."""
    prices = yaml.safe_load((FOLDER / "prices.yaml").read_text())
    book = yaml.safe_load((FOLDER / "bills.yaml").read_text())
    limit, failures = book["limit"], []
    print(f"| deployment | RUB a month | left of {limit:,} | what |\n|---|---:|---:|---|")
    for name, bill in book["bills"].items():
        total = monthly(bill, prices)
        print(f"| {name} | {total:,.0f} | {limit - total:,.0f} | {bill['what']} |")
        if name == WITHIN_LIMIT and total > limit:
            failures.append(f"{name} costs {total:,.0f}, more than {limit:,}")
        if "place" in bill:
            machine = bill["machine"]
            failures += misfits(bill["place"], **{key: machine[key] for key in ("vcpu", "ram_gib", "disk_gib")})
    print(f"\nWith VAT; {prices['hours_per_month']} hours. Not found, in no sum:")
    print(*(f"- {text}" for text in prices["unknown"]), sep="\n")
    print(*failures, sep="\n", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

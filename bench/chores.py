"""What is done now and then on a loaded warehouse: rebuilds, checks, changed rules, many rules."""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.world import World, plain_orders
from harness.runs import run
from operators.check_laws import CheckLawsOperator
from operators.load_layer import LoadLayerOperator
from warehouse.layers import CDM, CDM_REBUILD, DDS_REBUILD, REBUILD_BATCH, Layer
from warehouse.requests import ALL_LAWS_WHOLE, WHAT_CHANGED

# The bench's last drain may be hours ago: no fault of what is measured.
DAY_S = 86_400.0
MANY_RULES = """
    insert into cdm.tag_rules (tag, category_name, threshold)
    select 'rule ' || number, category_name, number / 10
    from generate_series(1, 500) as number
    inner join (
        select category_name, row_number() over (order by category_name) as place, count(*) over () as categories
        from dds.h_category
    ) as category on number % category.categories = category.place - 1
"""


def chores(world: World, runs: int) -> dict[str, Any]:
    """Measure each on what is loaded; return seconds by name. Leaves 500 rules behind."""
    results = {
        "marts_rebuild, cdm": _seconds(lambda: _load(CDM_REBUILD)),
        "marts_rebuild, dds": _seconds(lambda: _load(DDS_REBUILD, **REBUILD_BATCH)),
        "cdm after it": _seconds(_marts),
        "data_checks, everything": _checks(ALL_LAWS_WHOLE),
        "data_checks, what changed and a 24th": _checks(WHAT_CHANGED),
    }
    world.owner.execute("update cdm.tag_rules set threshold = threshold + 1")
    results["a changed rule, all guests"] = _seconds(_marts)
    few = _minute(world, runs, datetime(2026, 12, 1, tzinfo=UTC))
    world.owner.execute(MANY_RULES)
    results["500 new rules, all guests"] = _seconds(_marts)
    many = _minute(world, runs, datetime(2026, 12, 2, tzinfo=UTC))
    return {"seconds": results, "minute_s": {"1 rule": few, "501 rules": many}, "rules_501_over_1": many / few}


def _load(layer: Layer, **parameters: Any) -> None:
    run(LoadLayerOperator(task_id="load", layer=layer, parameters=parameters, max_batches=1))


def _checks(scope: str) -> float:
    return _seconds(lambda: run(CheckLawsOperator(task_id="laws", scope=scope, max_lag_s=DAY_S)))


def _marts() -> None:
    _load(CDM)


def _minute(world: World, runs: int, start: datetime) -> float:
    """Return the median seconds of a minute's run with 5 orders."""
    topic = world.topic()
    generator = plain_orders(50_000, seed=42)
    totals = []
    for number in range(runs + 1):
        world.produce(topic, world.fresh_orders(generator, 5, start + timedelta(minutes=number)))
        totals.append(world.minute(topic).total)
    return statistics.median(totals[1:])


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

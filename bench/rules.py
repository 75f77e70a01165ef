"""What tag rules cost: 500 in a quiet minute, a turn of many, one switched on, one rehearsed, 1,000 guests who leave by time."""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, LiteralString

from bench.measure import say
from bench.world import World
from harness.runs import run
from operators.load_layer import LoadLayerOperator
from operators.rehearse_tag_rule import RehearseTagRuleOperator
from source.generate import Generator
from warehouse.layers import CDM, MINUTE_RULES
from warehouse.requests import FORMS

WINDOW_DAYS, THRESHOLD = 90, 2
LEAVE = 1_000
# What a minute may bring.
QUIET = {"nothing": 0, "5 orders": 5}
FEW = 12
# Plain ones, a category each; then so many that there are 500, half with a window, a fourth of these with an exit threshold.
FEW_RULES = f"""
    delete from cdm.tag_rules;
    insert into cdm.tag_rules (tag, category_name, threshold)
    select 'plain ' || row_number() over (order by category_name), category_name, 5
    from dds.h_category
    order by category_name
    limit {FEW}
"""
MANY_RULES = """
    insert into cdm.tag_rules (tag, category_name, threshold, window_days, exit_threshold)
    select
        'rule ' || number,
        category_name,
        3 + number / 50 % 10,
        case when number % 2 = 0 then 7 + number % 359 end,
        case when number % 8 = 0 then number / 100 % 3 end
    from generate_series(13, 500) as number
    inner join (
        select category_name, row_number() over (order by category_name) as place, count(*) over () as categories
        from dds.h_category
    ) as category on number % category.categories = category.place - 1
"""
ONE_MORE_TAG = "one more"
ONE_MORE = f"""
    insert into cdm.tag_rules (tag, category_name, threshold, window_days)
    select '{ONE_MORE_TAG}', category_name, {THRESHOLD}, {WINDOW_DAYS}
    from cdm.user_category_counters group by category_name order by count(*) desc, category_name limit 1
"""
DUE = "select due_dt from cdm.guest_due order by due_dt offset %s limit 1"
IN_FORCE = """
    select count(*)
    from cdm.tag_rules as rule
    where rule.active and rule.tag not in (select queue.tag from cdm.rule_queue as queue)
"""
FORGET_THE_REST = "delete from cdm.rule_queue"
SETTLE = "vacuum analyze"


def rules(world: World, generator: Generator, runs: int) -> dict[str, Any]:
    """Measure on what is loaded, which must end close to now; return seconds by name and how much was done in them."""
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> None:
        started = time.perf_counter()
        work()
        seconds[name] = time.perf_counter() - started
        say(f"  {name}: {seconds[name]:.2f} s")

    world.owner.execute(FEW_RULES)
    _marts()
    few = _minutes(world, generator, runs, 1)
    world.owner.execute(MANY_RULES)
    timed("the first turn of 488 rules, half with a window, judged of all guests", lambda: _marts(max_batches=1))
    turn = _in_force(world)
    # The rest would take their turns for as long as the history is; by all of them who comes is judged without that.
    world.owner.execute(FORGET_THE_REST)
    world.owner.execute(SETTLE)
    many = _minutes(world, generator, runs, 2)
    world.owner.execute(ONE_MORE)
    timed(f"one of {WINDOW_DAYS} days switched on", _marts)
    timed("it rehearsed over a year", _rehearse)
    row = world.owner.execute(DUE, [LEAVE - 1]).fetchone()
    assert row is not None  # a thousand guests have a tag that ends
    before = _revoked(world)
    timed(f"{LEAVE:,} guests of whom an order becomes too old", lambda: _marts(as_of=row[0]))
    return {
        "quiet_12": few,
        "quiet_500": many,
        "quiet_500_over_12": {name: many[name] / few[name] for name in QUIET},
        "seconds": seconds,
        "rules_in_the_turn": turn - FEW,
        "revoked": _revoked(world) - before,
    }


def _minutes(world: World, generator: Generator, runs: int, salt: int) -> dict[str, float]:
    """Return the median seconds of a minute's run that meets nothing new, and one with 5 orders."""
    topic = world.topic()
    found = {}
    for name, orders in QUIET.items():
        totals = []
        for number in range(runs + 1):
            if orders:
                moment = datetime.now(UTC) - timedelta(hours=salt, minutes=runs + 1 - number)
                world.produce(topic, world.fresh_orders(generator, orders, moment))
            totals.append(world.minute(topic).total)
        found[name] = statistics.median(totals[1:])
        say(f"  {name}: {found[name] * 1000:.0f} ms")
    return found


def _marts(max_batches: int | None = None, **parameters: Any) -> None:
    """Judge what waits, a turn after the other as minutes would."""
    run(LoadLayerOperator(task_id="cdm", layer=CDM, parameters=MINUTE_RULES | parameters, max_batches=max_batches))


def _rehearse() -> None:
    """Rehearse the rule that was added last, over a year of Mondays in Moscow."""
    params = {name: field.default for name, field in FORMS["tag_rule_rehearse"].items()} | {"tag": ONE_MORE_TAG}
    run_of = SimpleNamespace(run_id="run", conf={}, triggering_user_name=None)
    dag = SimpleNamespace(dag_id="tag_rule_rehearse")
    run(RehearseTagRuleOperator(task_id="rehearse"), dag=dag, dag_run=run_of, params=params)


def _in_force(world: World) -> int:
    return _number(world, IN_FORCE)


def _revoked(world: World) -> int:
    return _number(world, "select count(*) from cdm.tag_events where event = 'revoked'")


def _number(world: World, question: LiteralString) -> int:
    row = world.owner.execute(question).fetchone()
    assert row is not None  # an aggregate
    return int(row[0])

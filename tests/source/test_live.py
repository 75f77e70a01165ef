"""Laws of the flow of live orders, on a clock that the test turns."""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path

import pytest

from source.generate import FIRST_ORDER_ID, Generator, Message
from source.live import AlreadyRunningError, flow, only_one, order_ids

NOON = 1_795_600_800.0


class Clock:
    """Seconds since 1970 that pass only by sleeping; says stop after `run_s` of them."""

    def __init__(self, run_s: float, begin: float = NOON) -> None:
        self.now = begin
        self.end = begin + run_s

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> bool:
        self.now += max(seconds, 0.001)
        return self.now < self.end


def run(run_s: float, *, rate: float = 5, begin: float = NOON) -> list[tuple[float, Message]]:
    """What was sent, each with the second at which it was."""
    clock = Clock(run_s, begin)
    sent: list[tuple[float, Message]] = []
    flow(Generator(), lambda m: sent.append((clock.now, m)), rate=rate, goes_on=clock.sleep, clock=clock)
    return sent


def told(sent: list[tuple[float, Message]]) -> list[tuple[int, str]]:
    """(order id, status) of each message."""
    orders = [json.loads(message.value or b"") for _, message in sent]
    return [(order["object_id"], order["payload"]["final_status"]) for order in orders]


def test_as_many_orders_a_minute_as_asked() -> None:
    statuses = Counter(status for _, status in told(run(600)))
    assert statuses["OPEN"] == 50


def test_every_order_is_told_from_open_to_its_end_within_ten_seconds() -> None:
    sent = run(300)
    begun = {order_id for order_id, status in told(sent) if status == "OPEN"}
    ended = {order_id for order_id, status in told(sent) if status in {"CLOSED", "CANCELLED"}}
    assert len(begun - ended) <= 1
    assert all(at - message.timestamp_ms / 1000 < 1 for at, message in sent)


def test_ids_are_none_of_the_history_and_none_of_an_earlier_flow() -> None:
    first = {order_id for order_id, _ in told(run(300))}
    second = {order_id for order_id, _ in told(run(300, begin=NOON + 300))}
    assert first.isdisjoint(second)
    assert min(first) > FIRST_ORDER_ID + 1_000_000_000


def test_ids_grow_even_if_the_clock_stands_or_goes_back() -> None:
    times = iter([5, 5, 3, 9])
    ids = list(islice(order_ids(lambda: next(times)), 4))
    assert ids == [5, 6, 7, 9]
    assert all(a < b for a, b in pairwise(ids))


def test_a_second_flow_leaves_the_first_alone(tmp_path: Path) -> None:
    with only_one(tmp_path), pytest.raises(AlreadyRunningError, match=r"process \d+"), only_one(tmp_path):
        pass


def test_a_flow_that_has_ended_makes_room(tmp_path: Path) -> None:
    for _ in range(2):
        with only_one(tmp_path):
            assert (tmp_path / "live.pid").read_text().strip().isdigit()

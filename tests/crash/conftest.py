"""A small world for the crash tests: what was loaded before, what is to be loaded by the run that is disturbed."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from harness.pipeline import Pipeline
from local.stack import Stack
from tests.crash.child import Children
from tests.messages import order, restaurant, user
from witness.model import Model

GROUP = "dwh-orders"
BEFORE = [
    order(1, "CLOSED", dishes=("pizza", "tea"), update_ts="2026-01-01 10:00:00"),
    order(2, "CLOSED", dishes=("pizza",), update_ts="2026-01-01 10:00:00"),
    order(3, "OPEN", user="other", dishes=("tea=Tea as ordered",), update_ts="2026-01-01 10:00:00"),
]
# Corrections of what is loaded, new things, a repetition, something of another type and something broken.
DURING = [
    order(1, "CANCELLED", dishes=("pizza", "tea"), update_ts="2026-01-01 11:00:00"),
    order(2, "CLOSED", dishes=("tea",), update_ts="2026-01-01 11:00:00"),
    order(3, "CLOSED", user="other", dishes=("tea", "cake=Cake"), update_ts="2026-01-01 11:00:00"),
    order(4, "CLOSED", user="newcomer", restaurant="late", update_ts="2026-01-01 11:00:00"),
    order(4, "CLOSED", user="newcomer", restaurant="late", update_ts="2026-01-01 11:00:00"),
    b'{"object_type": "courier"}',
    b"broken",
]
MENU = {"pizza=Pizza": "Pizza", "tea=Tea": "Drinks"}
# Ids burn in a transaction that is rolled back, times of loading differ, and of two copies of a message either may come first.
HIDDEN = (
    "id",
    "load_dt",
    "attempt_dt",
    "assigned_dt",
    "event_dt",
    "changed_dt",
    "partition",
    "offset",
    "as_of",
    "checked_dt",
)
RULES = [
    ("pizza_fan", "Pizza", 0, None, None),
    ("tea_lover", "Drinks", 0, None, None),
    ("pizza_regular", "Pizza", 1, 3660, 0),
]


@dataclass
class World:
    """The test's warehouse and topic, and what they must come to."""

    pipeline: Pipeline
    admin: AdminClient
    topic: str

    def begin_again(self) -> None:
        """Bring everything to the state before the disturbed run."""
        self.admin.delete_consumer_groups([GROUP])[GROUP].exception()
        self.pipeline.clear()
        for rule in RULES:
            self.pipeline.owner.execute(
                "insert into cdm.tag_rules (tag, category_name, threshold, window_days, exit_threshold)"
                " values (%s, %s, %s, %s, %s)",
                rule,
            )
        # By the rules first: tags that come now come by orders, at times of theirs.
        self.pipeline.load()
        self.pipeline.redis.mset({"guest": user(), "other": user("other"), "diner": restaurant(menu=MENU)})
        self.pipeline.stage(BEFORE)
        self.pipeline.refer([("restaurant", "diner", restaurant(menu=MENU)), ("user", "guest", user())])
        self.pipeline.load()

    def content(self) -> dict[str, list[Any]]:
        """Return every row without what a repeated run may change."""
        return self.pipeline.snapshot(hide=HIDDEN)

    def model(self) -> Model:
        """Return what the contract says of all this."""
        model = Model(as_of=datetime.now(UTC))
        for rule in RULES:
            model.add_rule(*rule)
        model.messages([*BEFORE, *DURING])
        model.refresh({"guest": user(), "other": user("other"), "diner": restaurant(menu=MENU)})
        return model

    def assert_right(self) -> None:
        """Compare the marts with the model, and see that nothing is left to do."""
        model = self.model()
        assert self.pipeline.marts() == model.marts()
        for queue in ("stg.load_queue", "dds.counter_queue", "cdm.rule_queue"):
            assert self.pipeline.value(f"select count(*) from {queue}") == 0


@pytest.fixture(scope="module")
def children(stack: Stack) -> Children:
    """Processes for jobs; after `stack`, for they inherit the environment that it sets."""
    return Children()


@pytest.fixture
def world(pipeline: Pipeline) -> Iterator[World]:
    """A world whose topic holds the messages of the disturbed run."""
    topic = pipeline.topic()
    admin = AdminClient({"bootstrap.servers": pipeline.env["KAFKA_BOOTSTRAP_SERVERS"]})
    pipeline.produce(topic, DURING)
    world = World(pipeline, admin, topic)
    world.begin_again()
    yield world
    admin.delete_topics([topic])[topic].result(30)

"""Dead letters on their second way through the door, on real servers."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from harness.pipeline import Pipeline
from harness.runs import drain, run
from operators.refresh_reference import RefreshReferenceOperator
from operators.replay_dead_letters import ReplayDeadLettersOperator
from tests.messages import order, restaurant, user
from warehouse import fields, staging

LONG_ID = "x" * 300
TOO_LONG = [order(n, user=LONG_ID) for n in range(1, 4)]


@pytest.fixture
def wider(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call it to widen a rule: ids may be longer."""
    return lambda: monkeypatch.setattr(fields, "MAX_KEY_CHARACTERS", 400)


def replay(conf: dict[str, Any] | None = None, *, begun_at: datetime | None = None, **arguments: Any) -> dict[str, int]:
    """Run the operator as a run with these parameters."""
    declared = {"reason": "any", "ids": [], "limit": 10_000}
    params = {name: (conf or {}).get(name, default) for name, default in declared.items()}
    dag_run = SimpleNamespace(run_id="run", conf=conf or {}, start_date=begun_at or datetime.now(UTC))
    dag = SimpleNamespace(dag_id="dead_letters_replay")
    return run(ReplayDeadLettersOperator(task_id="replay", **arguments), dag=dag, dag_run=dag_run, params=params)


def letters(pipeline: Pipeline) -> list[tuple[int, str, int, bool]]:
    """Return (id, reason, attempts, is solved)."""
    return pipeline.rows("select id, reason, attempts, solved_dt is not null from stg.dead_letters order by id")


def test_what_a_widened_rule_accepts_is_solved_and_counts_in_the_marts(pipeline: Pipeline, wider: Any) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, [*TOO_LONG, b"{", None], [None, None, None, b"key", b"key"])
    assert drain(topic)["refused:too_long"] == 3
    wider()
    counts = replay()
    assert (counts["tried"], counts["solved"], counts["refused"]) == (5, 3, 2)
    assert (counts["refused:broken_json"], counts["refused:tombstone"]) == (1, 1)
    assert letters(pipeline) == [
        (1, "too_long", 2, True),
        (2, "too_long", 2, True),
        (3, "too_long", 2, True),
        (4, "broken_json", 2, False),
        (5, "tombstone", 2, False),
    ]
    pipeline.load()
    assert pipeline.user_product_counters() == {(LONG_ID, "pizza"): ("", 3)}
    found = pipeline.rows('select topic, "partition", "offset" from stg.order_event_log order by 3')
    assert found == [(topic, 0, 0), (topic, 0, 1), (topic, 0, 2)], "a message keeps where it came from"


def test_a_second_replay_changes_nothing_but_attempts(pipeline: Pipeline, wider: Any) -> None:
    pipeline.stage([*TOO_LONG, b"{"])
    wider()
    replay()
    pipeline.load()
    before = pipeline.snapshot()
    counts = replay()
    assert (counts["tried"], counts["solved"], counts["refused"]) == (1, 0, 1)
    pipeline.owner.execute("update stg.dead_letters set attempts = attempts - 1 where solved_dt is null")
    assert pipeline.snapshot() == before


def test_a_solved_letter_that_arrives_again_stays_solved(
    pipeline: Pipeline, wider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = pipeline.topic(partitions=1)
    pipeline.produce(topic, TOO_LONG)
    drain(topic)
    wider()
    replay()
    before = pipeline.snapshot()
    pipeline.produce(topic, TOO_LONG)
    drain(topic)
    monkeypatch.undo()  # the rule is narrow again
    pipeline.produce(topic, TOO_LONG)
    assert drain(topic)["refused"] == 3
    assert pipeline.snapshot() == before


def test_a_letter_whose_content_kafka_brings_again_under_wider_rules_is_solved_by_that(
    pipeline: Pipeline, wider: Any
) -> None:
    pipeline.stage(TOO_LONG)
    wider()
    pipeline.stage(TOO_LONG[:1])
    assert letters(pipeline) == [(1, "too_long", 1, True), (2, "too_long", 1, False), (3, "too_long", 1, False)]
    assert replay()["tried"] == 2


def test_a_letter_refused_again_has_the_reason_of_today(pipeline: Pipeline, wider: Any) -> None:
    pipeline.stage([order(1, user=LONG_ID, cost="dear")])
    assert letters(pipeline) == [(1, "too_long", 1, False)]
    wider()
    assert replay()["refused:bad_number"] == 1
    assert letters(pipeline) == [(1, "bad_number", 2, False)]
    assert "payload.cost" in pipeline.value("select detail from stg.dead_letters")


def test_letters_are_chosen_by_reason_ids_and_limit(pipeline: Pipeline) -> None:
    pipeline.stage([b"{", b"[]", b"}", b"{]", None])

    def tried(**conf: Any) -> set[int]:
        before = {row[0]: row[2] for row in letters(pipeline)}
        replay(conf)
        return {row[0] for row in letters(pipeline) if row[2] > before[row[0]]}

    assert tried(reason="not_an_object") == {2}
    assert tried(ids=[1, 4, 4, 99]) == {1, 4}
    assert tried(reason="broken_json", ids=[1, 2]) == {1}
    assert tried(limit=2) == {1, 2}
    assert tried() == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("conf", "says"),
    [
        ({"reson": "bad_time"}, "unknown parameter 'reson'; did you mean 'reason'"),
        ({"reason": "bad_tim"}, "'reason' must be one of any, tombstone"),
        ({"ids": "1"}, "'ids' must be a list of whole numbers"),
        ({"ids": [True]}, "'ids' must be a list of whole numbers"),
        ({"limit": 0}, "'limit' must be a whole number from 1"),
        ({"limit": "10"}, "'limit' must be a whole number from 1"),
    ],
)
def test_a_wrong_parameter_fails_at_once_with_what_is_allowed(conf: dict[str, Any], says: str) -> None:
    with pytest.raises(AirflowFailException, match=says):
        replay(conf)


@pytest.mark.parametrize("arguments", [{"batch_letters": 2}, {"batch_bytes": 1}])
def test_batches_are_bounded_and_each_letter_is_tried_once(
    pipeline: Pipeline, wider: Any, arguments: dict[str, int]
) -> None:
    pipeline.stage([b"{", *TOO_LONG, None])
    wider()
    counts = replay(**arguments)
    assert (counts["tried"], counts["solved"]) == (5, 3)
    assert [attempts for _, _, attempts, _ in letters(pipeline)] == [2] * 5
    assert pipeline.value("select count(distinct attempt_dt) from stg.dead_letters") > 2


def test_a_run_that_was_interrupted_goes_on_with_what_it_has_not_tried(
    pipeline: Pipeline, wider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.stage([b"{", *TOO_LONG])
    wider()
    begun_at = datetime.now(UTC)
    stage = ReplayDeadLettersOperator._try
    batches = []

    def fail_at_the_second_batch(self: ReplayDeadLettersOperator, *args: Any) -> dict[str, int]:
        batches.append(args)
        if len(batches) == 2:
            raise ConnectionError("killed")
        return stage(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(ReplayDeadLettersOperator, "_try", fail_at_the_second_batch)
        with pytest.raises(ConnectionError):
            replay(begun_at=begun_at, batch_letters=2)
    assert [attempts for _, _, attempts, _ in letters(pipeline)] == [2, 2, 1, 1]
    assert replay(begun_at=begun_at, batch_letters=2)["tried"] == 2
    assert [attempts for _, _, attempts, _ in letters(pipeline)] == [2] * 4


def test_letters_refused_while_a_run_is_on_wait_for_the_next(pipeline: Pipeline) -> None:
    pipeline.stage([b"{", b"[]"])
    operator = ReplayDeadLettersOperator
    stage = operator._try

    def beside_a_drain(self: ReplayDeadLettersOperator, *args: Any) -> dict[str, int]:
        pipeline.stage([b"}"])
        return stage(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operator, "_try", beside_a_drain)
        assert replay(batch_letters=1)["tried"] == 2


@pytest.mark.parametrize("skew", [timedelta(hours=-3), timedelta(hours=3)])
def test_a_letter_is_tried_whatever_the_clocks_of_scheduler_and_workers_say(
    pipeline: Pipeline, skew: timedelta
) -> None:
    """The scheduler stamps the run, whoever drains the letter: a letter of a worker ahead of it was never tried."""
    pipeline.stage([b"{"])
    begun_at = datetime.now(UTC) + skew
    assert replay(begun_at=begun_at)["tried"] == 1
    assert replay(begun_at=begun_at)["tried"] == 0, "its retry goes on with those that it has not tried"
    assert replay(begun_at=begun_at + timedelta(seconds=1))["tried"] == 1, (
        "another run, or this one cleared, tries again"
    )


def test_a_replay_beside_a_drain_loses_and_doubles_nothing(pipeline: Pipeline, wider: Any) -> None:
    """The drain stores a letter's content between the replay's question and its answer."""
    pipeline.stage(TOO_LONG)
    wider()
    operator = ReplayDeadLettersOperator
    stage = operator._try

    def after_a_drain(self: ReplayDeadLettersOperator, *args: Any) -> dict[str, int]:
        pipeline.stage(TOO_LONG)
        return stage(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operator, "_try", after_a_drain)
        replay()
    assert letters(pipeline) == [(n, "too_long", 1, True) for n in (1, 2, 3)]
    pipeline.load()
    assert pipeline.user_product_counters() == {(LONG_ID, "pizza"): ("", 3)}


def test_documents_of_redis_are_replayed_as_what_they_were_sought_for(pipeline: Pipeline, wider: Any) -> None:
    guest, diner = "g" * 300, "d" * 300
    pipeline.refer(
        [
            ("user", guest, user(guest)),
            ("restaurant", diner, restaurant(diner, menu={"pizza=Pizza": "Pizza"})),
            ("restaurant", "guest", user("guest")),
            ("user", "broken", b"{"),
        ]
    )
    assert {reason for _, reason, _, _ in letters(pipeline)} == {"too_long", "wrong_document", "broken_json"}
    wider()
    pipeline.stage([order(1, user=guest, restaurant=diner)])
    counts = replay()
    assert (counts["tried"], counts["solved"], counts["refused"], counts["not_whole"]) == (3, 2, 1, 1)
    assert {(reason, is_solved) for _, reason, _, is_solved in letters(pipeline)} == {
        ("too_long", True),
        ("wrong_document", False),
        ("broken_json", False),
    }
    pipeline.load()
    assert pipeline.user_category_counters() == {(guest, "Pizza"): 1}
    assert pipeline.value("select bool_and(is_found) from stg.reference_keys"), "they are no longer missing"


def test_a_letter_that_postgresql_refused_is_replayed_too(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fields, "check_storable", lambda *args: None)
    monkeypatch.setattr("warehouse.order_event.check_storable", lambda *args: None)
    pipeline.stage([order(1, user="\x00"), order(2)])
    monkeypatch.undo()
    assert letters(pipeline) == [(1, "refused_by_database", 1, False)]
    assert replay()["refused:bad_text"] == 1
    assert letters(pipeline) == [(1, "bad_text", 2, False)]


def test_letters_that_do_not_hold_all_that_was_refused_are_left_alone(
    pipeline: Pipeline, wider: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "MAX_KEPT_BYTES", 2_000)
    monkeypatch.setattr(staging, "KEPT_OF_LARGER", 500)
    pipeline.redis.lpush("guest", "no string")
    longer = order(9, user=LONG_ID) + b" " * 2_000  # of which the beginning alone would be an order
    pipeline.stage([longer, TOO_LONG[0], order(10)])
    monkeypatch.setattr(staging, "KEPT_OF_LARGER", len(longer) - 1)
    pipeline.stage([longer + b" "])
    run(RefreshReferenceOperator(task_id="reference"))
    wider()
    counts = replay()
    assert (counts["tried"], counts["solved"], counts["not_whole"]) == (1, 1, 3)
    assert letters(pipeline) == [
        (1, "too_long", 1, False),
        (2, "too_long", 2, True),
        (3, "too_long", 1, False),
        (4, "not_a_string", 1, False),
    ]
    assert pipeline.rows("select object_id from stg.order_event_log order by 1") == [(1,), (10,)]

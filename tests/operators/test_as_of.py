"""The moment as of which a run judges, as its form gives it: not before the clock, not ahead of the wall unless it insists."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from harness.pipeline import Pipeline
from harness.runs import run
from operators.load_layer import LoadLayerOperator
from warehouse.layers import CDM

CLOCK = "select as_of from cdm.tag_clock"


def judge(**conf: Any) -> dict[str, Any]:
    context = {
        "dag": SimpleNamespace(dag_id="orders_micro_batch"),
        "dag_run": SimpleNamespace(conf=conf),
        "params": {"as_of": None, "as_of_ahead": False},
    }
    return run(LoadLayerOperator(task_id="cdm", layer=CDM, asks_as_of=True), **context)


def test_the_clock_moves_to_what_the_form_says(pipeline: Pipeline) -> None:
    judge(as_of="2026-03-31T12:00:00Z")
    assert pipeline.value(CLOCK) == datetime(2026, 3, 31, 12, tzinfo=UTC)
    judge(as_of="2026-03-31T15:30:00+03:00")
    assert pipeline.value(CLOCK) == datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
    judge()
    assert pipeline.value(CLOCK) > datetime.now(UTC) - timedelta(minutes=5)


def test_what_must_not_be_is_refused_with_what_is_allowed(pipeline: Pipeline) -> None:
    judge(as_of="2026-03-31T12:00:00Z")
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds")
    refused = {
        "2026-03-31T11:59:59Z": "must not be before 2026-03-31T12:00:00",
        ahead: "unless 'as_of_ahead' is true",
        "2026-03-31 12:00": "ISO 8601 time with a zone",
        "tomorrow": "ISO 8601 time with a zone",
    }
    for wanted, words in refused.items():
        with pytest.raises(AirflowFailException, match=words):
            judge(as_of=wanted)
    assert pipeline.value(CLOCK) == datetime(2026, 3, 31, 12, tzinfo=UTC)
    judge(as_of=ahead, as_of_ahead=True)
    assert pipeline.value(CLOCK) == datetime.fromisoformat(ahead)

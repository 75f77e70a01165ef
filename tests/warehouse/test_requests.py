"""What a run may be asked for: values that somebody else would read otherwise are refused, in words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from warehouse.rejection import Reason
from warehouse.requests import FORMS, BadRequestError, judged

DEFAULTS = {dag_id: {name: field.default for name, field in form.items()} for dag_id, form in FORMS.items()}


def ask(dag_id: str, **conf: Any) -> dict[str, Any]:
    """Judge a run with this conf; Airflow puts every key of it among the parameters."""
    return judged(dag_id, conf, {**DEFAULTS[dag_id], **conf})


def test_values_come_as_what_they_mean() -> None:
    assert ask("orders_backfill") == {"from": None, "chunk_messages": 10_000, "workers": 1}
    moment = ask("orders_backfill", **{"from": "2026-11-01T03:00:00+03:00"})["from"]
    assert moment == datetime(2026, 11, 1, tzinfo=UTC)
    assert ask("dead_letters_replay", reason="bad_time", ids=[3]) == {
        "reason": Reason.BAD_TIME,
        "ids": [3],
        "limit": 10_000,
    }
    assert ask("dead_letters_replay")["ids"] is None


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-01T00:00:00Z",
        "2026-11-01 00:00:00Z",
        "2026-11-01T00:00Z",
        "2026-11-01T00:00:00.5+0300",
        "1970-01-01T00:00:00Z",
    ],
)
def test_a_time_is_taken_in_these_forms(text: str) -> None:
    assert ask("orders_backfill", **{"from": text})["from"].tzinfo is not None


@pytest.mark.parametrize(
    "value",
    [
        *("yesterday", "now", "epoch", "", " ", "Beginning", "beginning "),
        *("2026-11-01", "2026-11-01T00:00:00", "20261101T000000Z", "2026-W45-1T00:00:00Z", "2026-305T00:00:00Z"),
        *(" 2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z ", "2026-11-01x00:00:00Z", "2026-11-01T00:00:00z"),
        *("2026-11-01T24:00:00Z", "2026-11-01T23:59:60Z", "2026-11-31T00:00:00Z", "2026-11-01T00:00:00+23:59"),
        *("2026-11-01T00:00:00 Europe/Moscow", "2026-11-01T00:00:00MSK", "01.11.2026 00:00:00+03:00"),
        *("٢٠٢٦-11-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+03:00", "0001-01-01T00:00:00+14:00"),
        *(-1, 0, 1793491200, 1.5, True, None, ["2026-11-01T00:00:00Z"], {"from": "beginning"}),
        pytest.param((datetime.now(UTC) + timedelta(days=1)).isoformat(), id="tomorrow"),
    ],
)
def test_a_time_that_somebody_would_read_otherwise_is_refused(value: object) -> None:
    with pytest.raises(BadRequestError, match="'from' must be 'beginning' or an ISO 8601 time with a zone"):
        ask("orders_backfill", **{"from": value})


@pytest.mark.parametrize("value", ["10000", 10_000.0, True, None, [10_000], 99, 500_001, float("nan")])
def test_a_number_is_a_whole_number_within_its_limits(value: object) -> None:
    with pytest.raises(BadRequestError, match="'chunk_messages' must be a whole number from 100 to 500000"):
        ask("orders_backfill", chunk_messages=value)


@pytest.mark.parametrize("value", ["1", [True], ["1"], [1.0], [0], [-1], [2**63], [[1]], {"1": 1}, None, 1])
def test_ids_are_a_list_of_what_an_id_can_be(value: object) -> None:
    with pytest.raises(BadRequestError, match="'ids' must be a list of whole numbers"):
        ask("dead_letters_replay", ids=value)


@pytest.mark.parametrize("value", ["true", "yes", 1, 0, None, []])
def test_a_flag_is_true_or_false(value: object) -> None:
    with pytest.raises(BadRequestError, match="'category_is_new' must be true or false"):
        ask("tag_rules", category_is_new=value)


@pytest.mark.parametrize("value", ["CDM", "cdm ", "dds", "", None, 1, ["cdm"]])
def test_one_of_some_texts_is_written_like_it(value: object) -> None:
    with pytest.raises(BadRequestError, match="'layers' must be one of cdm, dds and cdm"):
        ask("marts_rebuild", layers=value)


@pytest.mark.parametrize(
    ("dag_id", "key", "hint"),
    [
        ("marts_rebuild", "layer", "did you mean 'layers'"),
        ("orders_backfill", "form", "did you mean 'from'"),
        ("orders_backfill", "Chunk-Messages", "did you mean 'chunk_messages'"),
        ("orders_backfill", "zzz", "known: from, chunk_messages"),
        ("tag_rules", "treshold", "did you mean 'threshold'"),
        ("orders_micro_batch", "from", "known: as_of, as_of_ahead"),
    ],
)
def test_an_unknown_key_is_refused_though_airflow_puts_it_among_the_parameters(
    dag_id: str, key: str, hint: str
) -> None:
    with pytest.raises(BadRequestError, match=f"unknown parameter '{key}'.*{hint}"):
        ask(dag_id, **{key: "beginning"})


def test_a_value_is_judged_as_it_was_given_also_where_airflow_keeps_it_from_the_parameters() -> None:
    """With core.dag_run_conf_overrides_params switched off the parameters keep their defaults."""
    with pytest.raises(BadRequestError, match="'layers' must be"):
        judged("marts_rebuild", {"layers": "dds"}, DEFAULTS["marts_rebuild"])
    assert judged("marts_rebuild", {"layers": "dds and cdm"}, DEFAULTS["marts_rebuild"])["layers"] == "dds and cdm"

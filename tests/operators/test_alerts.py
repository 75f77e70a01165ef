"""What a message says, and that it arrives: by the real apprise, at a small server that stands for the service."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.log import mask_secret

from harness.pipeline import Pipeline
from operators.alerts import ERROR_KEY, Failure, failure_of, leave_error, message, send, sentence
from operators.check_laws import BrokenLawError
from operators.connections import UnreachableError
from tests.alerts_service import PASSWORD, Service
from warehouse.drain import DrainError
from warehouse.states import STATES_FILE, said

DUE = datetime(2026, 11, 29, 11, 2, tzinfo=UTC)
RUN = SimpleNamespace(run_id="scheduled__11:02+00", run_after=DUE, start_date=DUE, end_date=DUE + timedelta(minutes=6))


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        yield service


def alerts(extra: dict[str, Any]) -> Connection:
    return Connection(conn_id="alerts", conn_type="apprise", extra=json.dumps(extra))


def context(**more: Any) -> Any:
    dag = SimpleNamespace(dag_id="orders_micro_batch", task_ids=["drain", "reference", "dds", "cdm", "complete"])
    return {"dag": dag, "run_id": RUN.run_id, "dag_run": RUN, **more}


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_message_says_the_states_own_sentences_and_where_to_look(language: str) -> None:
    failure = Failure(state="failing", task="drain", error="DrainError: no broker answers", also=("cdm",))
    title, text = message(context(), DUE.isoformat(), failure, language=language)
    states = json.loads(STATES_FILE.read_text(encoding="utf-8"))
    failed_at, error, _ = next(state[language] for state in states if state["state"] == "failing")
    what, also, address, advice = text.splitlines()
    assert title.startswith("orders_micro_batch: ")
    assert what == f"{failed_at.format(task='drain', time='2026-11-29 11:08 UTC')} {failure.error}"
    assert error == "{error}"
    assert also.endswith(": cdm.")
    assert address.endswith("/dags/orders_micro_batch/runs/scheduled__11%3A02%2B00/tasks/drain")
    assert advice.endswith("docs/runbook.md, orders_micro_batch")


def test_a_run_that_was_given_up_says_since_when_it_was_in_which_task() -> None:
    ti = SimpleNamespace(task_id="cdm")
    failure = failure_of(context(ti=ti, reason="timed_out"))
    _, text = message(context(), DUE.isoformat(), failure, language="en")
    assert text.startswith("The run of 2026-11-29 11:02 UTC has been in «cdm» for 6 min.\n")


def test_the_first_task_that_failed_names_the_cause() -> None:
    left = {("drain", ERROR_KEY): None, ("reference", ERROR_KEY): {"text": "x", "state": "laws", "names": ["a"]}}
    states = {RUN.run_id: {"cdm": "failed", "dds": "success", "reference": "failed", "complete": "upstream_failed"}}
    ti = SimpleNamespace(
        task_id="cdm",
        dag_id="orders_micro_batch",
        run_id=RUN.run_id,
        get_task_states=lambda dag_id, run_ids: states,
        xcom_pull=lambda task_ids, key, map_indexes: left[task_ids, key],
    )
    failure = failure_of(context(ti=ti, reason="task_failure"))
    assert failure == Failure(state="laws", task="reference", error="x", names=("a",), also=("cdm",))


def test_a_task_that_left_no_word_is_told_as_such() -> None:
    _, text = message(context(), DUE.isoformat(), Failure(state="failing", task="dds"), language="en")
    assert "It ended without a word: killed, or out of memory?" in text


def test_a_run_of_which_airflow_says_nothing_is_told_all_the_same() -> None:
    bare = {"dag": context()["dag"], "run_id": RUN.run_id, "reason": "task_failure"}
    title, text = message(bare, DUE.isoformat(), failure_of(bare), language="en")
    assert title == "orders_micro_batch: broken"
    assert "/dags/orders_micro_batch\n" in text


def test_an_error_is_one_line_of_what_speaks_of_servers_and_requests(pipeline: Pipeline) -> None:
    assert sentence(DrainError("no broker answers:\n  is it up?")) == "DrainError: no broker answers: is it up?"
    assert sentence(UnreachableError("x" * 1000)) == ("UnreachableError: " + "x" * 1000)[:500]
    # What a row may stand in.
    assert sentence(KeyError("64f1c0de")) == "KeyError"
    for statement, told in [
        ("select '64f1c0de'::numeric", "InvalidTextRepresentation: a value was refused, SQLSTATE 22P02"),
        (
            """
            insert into dds.h_user (h_user_pk, user_id, load_dt, load_src)
            select gen_random_uuid(), '64f1c0de', now(), 'x' from generate_series(1, 2)
            """,
            'UniqueViolation: duplicate key value violates unique constraint "h_user_user_id_key"',
        ),
    ]:
        with pytest.raises(psycopg.Error) as refused:
            pipeline.owner.execute(statement)
        assert "64f1c0de" in str(refused.value)
        assert sentence(refused.value) == told


def test_an_error_holds_no_password_that_airflow_knows() -> None:
    mask_secret("hush-hush-hush")
    assert sentence(AirflowFailException("refused with hush-hush-hush")) == "AirflowFailException: refused with ***"


def test_broken_laws_are_left_by_their_names() -> None:
    left: dict[str, Any] = {}
    ti = SimpleNamespace(xcom_push=lambda key, value: left.update({key: value}))
    leave_error({"ti": ti, "exception": BrokenLawError("1 of 52 laws are broken", ["stg.lost_messages"])})  # type: ignore[typeddict-item]
    text = "BrokenLawError: 1 of 52 laws are broken"
    assert left == {ERROR_KEY: {"text": text, "state": "laws", "names": ["stg.lost_messages"]}}
    # Killed from outside: there is none.
    leave_error({"ti": ti})  # type: ignore[typeddict-item]


def test_every_service_of_the_connection_is_told(service: Service) -> None:
    path = service.extra["config"]["path"]
    both = alerts({"config": [{"path": path, "tag": "night"}, {"path": path}]})
    assert send(both, "title", "text {{ 7 * 7 }} *not markup*", is_broken=True)
    assert service.messages == [("failure", "title", "text {{ 7 * 7 }} *not markup*")] * 2
    assert send(alerts({"config": json.dumps({"path": path})}), "title", "text", is_broken=False)
    assert service.messages[2:] == [("success", "title", "text")]


@pytest.mark.parametrize("fault", ["refuses", "is away", "is none that apprise knows"])
def test_what_nobody_took_is_known_and_the_log_holds_no_password(
    fault: str, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.takes = False
    path = {
        "refuses": service.extra["config"]["path"],
        "is away": f"json://somebody:{PASSWORD}@127.0.0.1:1/",
        "is none that apprise knows": f"tgramm://{PASSWORD}/1",
    }[fault]
    with caplog.at_level(logging.INFO):
        assert not send(alerts({"config": {"path": path}}), "title", "text", is_broken=True)
    assert service.refused == (fault == "refuses")
    assert caplog.records
    assert PASSWORD not in caplog.text


def test_a_sentence_that_wants_an_unknown_fact_is_left_out() -> None:
    assert said("off", "en", {"dag": "x"}) == "x is switched off. Nothing is lost: messages wait in Kafka."
    assert said("well", "en", {}) == "All well."

"""Laws over all DAGs, as Airflow itself parses them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.cncf.kubernetes.executors.kubernetes_executor import KubernetesExecutor
from airflow.sdk import DAG
from airflow.sdk.definitions.param import process_params
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError

from operators.alerts import ALERTS, leave_error
from operators.base import PipelineOperator
from warehouse.constants import OWNER, SQL_FOLDER
from warehouse.layers import BACKUPS, GUEST_LOOKS_NOTED, WHY, WHY_PROGRESS
from warehouse.requests import FORMS, BadRequestError

REPO = Path(__file__).resolve().parents[2]
MAX_LINES = 80
# Runbooks, alerts and people's scripts know them by these names.
DAG_IDS = {
    *("orders_micro_batch", "orders_backfill", "marts_rebuild", "dead_letters_replay", "data_checks"),
    *("tag_rules", "tag_rule_rehearse", "audience_export", "audience_approve", "suppressions_load"),
    *("guest_erase", "retention"),
}


@pytest.fixture(scope="module")
def dag_bag() -> DagBag:
    return DagBag(str(REPO / "dags"))


@pytest.fixture(params=sorted(path.stem for path in (REPO / "dags").glob("*.py")))
def dag(request: pytest.FixtureRequest, dag_bag: DagBag) -> DAG:
    """One DAG; by the house rule its file bears its id."""
    dag = dag_bag.dags.get(request.param)
    assert dag is not None, f"dags/{request.param}.py defines no DAG of that id"
    return dag


def tasks(dag: DAG) -> list[Any]:
    """The tasks as they run: of those that are mapped over workers the first worker's."""
    return [task.unmap({"worker": 0}) if task.is_mapped else task for task in dag.tasks]


def working(dag: DAG) -> list[Any]:
    """The tasks that do something; the others only stand for the state of a run."""
    return [task for task in tasks(dag) if not task.inherits_from_empty_operator]


def rendered_texts(dag: DAG) -> Iterator[tuple[str, str]]:
    """Yield (task id, text) of every SQL text that a task of the DAG will run, as Airflow resolves it."""
    for task in tasks(dag):
        task.resolve_template_files()
        for field in task.template_fields:
            value = getattr(task, field)
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    yield task.task_id, text


def test_all_dags_import_and_are_the_expected_ones(dag_bag: DagBag) -> None:
    assert dag_bag.import_errors == {}
    assert set(dag_bag.dags) == DAG_IDS == {path.stem for path in (REPO / "dags").glob("*.py")}


def test_a_dag_tells_a_person_what_it_does(dag: DAG) -> None:
    assert dag.doc_md, "its docstring becomes the documentation in the UI"
    for word in ("Rerun", "If it fails", "docs/runbook.md"):
        assert word in dag.doc_md
    runbook = (REPO / "docs/runbook.md").read_text(encoding="utf-8")
    assert f"## {dag.dag_id}\n" in runbook, "the runbook has a heading for each DAG"


def test_lists_of_dags_say_what_each_is_for_and_who_is_called(dag: DAG) -> None:
    assert dag.description, "one line: list and search show it"
    assert "\n" not in dag.description
    assert "`" not in dag.description
    assert {task.owner for task in working(dag)} == {OWNER}


def test_a_dag_file_is_short(dag: DAG) -> None:
    assert len(Path(dag.fileloc).read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_a_dag_never_catches_up_and_runs_one_at_a_time(dag: DAG) -> None:
    assert dag.catchup is False
    assert dag.max_active_runs == 1


def test_every_task_ends_in_time_and_is_tried_again(dag: DAG) -> None:
    assert isinstance(dag.dagrun_timeout, timedelta)
    for task in tasks(dag):
        assert isinstance(task.execution_timeout, timedelta), task.task_id
        assert task.execution_timeout <= dag.dagrun_timeout, task.task_id
        assert (task.retries or 0) >= 1, task.task_id


def test_a_task_that_only_stands_for_the_state_of_a_run_takes_no_process(dag: DAG) -> None:
    for task in tasks(dag):
        if task not in working(dag):
            assert not any((task.on_execute_callback, task.on_success_callback, task.inlets, task.outlets))
            assert task.upstream_task_ids == {other.task_id for other in working(dag)}


def test_somebody_is_called_when_a_dag_breaks_and_when_it_is_well_again(dag: DAG) -> None:
    assert dag.on_failure_callback is ALERTS["on_failure_callback"]
    assert dag.on_success_callback is ALERTS["on_success_callback"]
    # One message a run: a task only leaves what it has to say.
    for task in tasks(dag):
        assert task.on_failure_callback == ([leave_error] if task in working(dag) else []), task.task_id


def test_no_dag_has_a_deadline_while_nothing_would_tell_that_it_is_missed(dag: DAG) -> None:
    # An upgrade that ends this is the moment for deadline alerts: docs/alerts.md, "Deadlines".
    assert KubernetesExecutor.supports_callbacks is False
    assert not dag.deadline


def test_airflow_finds_every_sql_file_of_a_task(dag: DAG) -> None:
    texts = list(rendered_texts(dag))
    assert texts
    assert [task_id for task_id, text in texts if text.endswith(".sql")] == []


def test_every_file_of_a_load_is_run_by_a_task(dag_bag: DagBag) -> None:
    run = {file for dag in dag_bag.dags.values() for task in working(dag) for file in task.files}
    rooms = ("stg", "dds", "cdm", "batch", "turn", "rebuild", "ask", "settle")
    there = {
        path.relative_to(SQL_FOLDER).as_posix() for room in rooms for path in Path(SQL_FOLDER, room).glob("**/*.sql")
    }
    assert {name for name in there if "/backup/" not in name} - run == {BACKUPS, GUEST_LOOKS_NOTED, WHY, WHY_PROGRESS}


def test_the_minute_run_is_every_minute_and_the_others_wait_for_a_person(dag_bag: DagBag) -> None:
    schedules: dict[str, Any] = {dag_id: dag.schedule for dag_id, dag in dag_bag.dags.items()}
    assert schedules["orders_micro_batch"] == "* * * * *"
    assert schedules["orders_backfill"] is None
    assert schedules["marts_rebuild"] is None


def test_every_parameter_of_a_form_explains_itself(dag: DAG) -> None:
    for name in dag.params:
        param = dag.params.get_param(name)
        assert bool(param.description) != bool(param.schema.get("description_md")), name
        assert "`" not in (param.description or ""), f"{name}: only description_md reads Markdown"
        assert param.schema.get("title"), name
        assert param.schema.get("type"), name


def test_a_form_can_be_sent_as_it_opens(dag: DAG) -> None:
    # Airflow's button stays grey while a field is empty whose type allows no null.
    for name in dag.params:
        param = dag.params.get_param(name)
        assert dag.params[name] not in ("", None) or "null" in param.schema["type"], name


def test_form_and_code_have_the_same_limits(dag: DAG) -> None:
    for name, field in FORMS[dag.dag_id].items():
        param, limits = dag.params.get_param(name), field.schema
        for value in (field.default, *limits.get("enum", ()), limits.get("minimum"), limits.get("maximum")):
            if value is not None:
                assert param.resolve(value) == value
                field.check(name, value)
        beyond = [limits[end] + step for end, step in (("minimum", -1), ("maximum", 1)) if end in limits]
        for value in (*beyond, *(["something else"] if "enum" in limits else [])):
            with pytest.raises(ParamValidationError):
                param.resolve(value)
            with pytest.raises(BadRequestError):
                field.check(name, value)


def begin(dag: DAG, conf: dict[str, Any] | None) -> None:
    """Let every task of a run begin with this conf, with the parameters as Airflow makes them of it."""
    for task in tasks(dag):
        params = process_params(dag, task, conf, suppress_exception=False)
        task.pre_execute({"dag": dag, "dag_run": SimpleNamespace(conf=conf), "params": params})


def test_a_dag_judges_every_parameter_of_its_form_and_no_other(dag: DAG) -> None:
    assert set(dag.params) == set(FORMS[dag.dag_id])
    assert all(isinstance(task, PipelineOperator) for task in working(dag))


@pytest.mark.parametrize("conf", [None, {}])
def test_a_run_without_a_conf_begins(dag: DAG, conf: dict[str, Any] | None) -> None:
    begin(dag, conf)


def test_a_run_with_what_its_form_sends_begins(dag: DAG) -> None:
    begin(dag, {name: dag.params[name] for name in dag.params})


def test_a_dag_refuses_a_key_that_it_does_not_know_and_names_the_nearest(dag: DAG) -> None:
    with pytest.raises(AirflowFailException, match="unknown parameter 'frm'"):
        begin(dag, {"frm": "beginning"})
    for name in dag.params:
        for misspelt in (f"{name}x", name.upper(), f" {name}"):
            with pytest.raises(AirflowFailException, match=f"unknown parameter '{misspelt}'; did you mean '{name}'"):
                begin(dag, {misspelt: dag.params[name]})

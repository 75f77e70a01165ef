"""Calls somebody when the runs of a DAG begin to fail, and when they are well again: `**ALERTS` among the arguments of a DAG.

Airflow asks for the callbacks of a DAG once a run, however many of its tasks failed, and runs them in its DAG processor. What
was told is remembered in an Airflow Variable, one a DAG, which is there while the DAG is broken: a DAG that fails every minute
is told once. What nobody took is sent again by the next run that fails.

A message goes where the Airflow connection `alerts` says, which is of the type `apprise`: mail, Telegram, Slack and many others.
Without that connection nobody is called; the log says so, once each time that a DAG breaks.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import psycopg
from airflow.sdk import BaseHook, BaseNotifier, Connection, Context, Variable
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowTaskTimeout
from airflow.sdk.log import mask_secret, redact
from confluent_kafka import KafkaException
from redis import RedisError

from warehouse.drain import DrainError
from warehouse.errors import without_rows
from warehouse.states import LANGUAGES, age, moment, said

ALERTS_CONN_ID = "alerts"
VARIABLE_PREFIX = "alert_"
VARIABLE_DESCRIPTION = (
    "This DAG is broken: since when, and what of it has been told. Delete it to be told again (docs/alerts.md)"
)
ERROR_KEY = "error"
MAX_ERROR_LENGTH = 500
# Errors that speak of servers, settings and requests; what any other says may quote a row.
SPEAKING = (AirflowException, AirflowTaskTimeout, DrainError, KafkaException, RedisError, psycopg.Error)
# What only a message says; all else is the states' (`warehouse.states`), as on the page.
WORDS = {
    "en": {
        "broken": "{dag}: broken",
        "well": "{dag}: well again",
        "since": "It had been broken since {since}.",
        "also": "Failed in the same run: {tasks}.",
        "silent": "It ended without a word: killed, or out of memory?",
        "advice": "What to do: docs/runbook.md, {dag}",
    },
    "ru": {
        "broken": "{dag}: сбой",
        "well": "{dag}: снова в порядке",
        "since": "Сбой длился с {since}.",
        "also": "В том же запуске упали: {tasks}.",
        "silent": "Задача кончилась молча: убита или не хватило памяти?",
        "advice": "Что делать: docs/runbook.md, {dag}",
    },
}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What is wrong with a run: its state (`states.json`), the task, its error, the broken things that have names."""

    state: str
    task: str | None = None
    error: str | None = None
    names: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


class AlertNotifier(BaseNotifier):
    """Tell that a DAG is broken, or (`well`) that it is well again, where that is news.

    The run is over by then: what fails here is logged by Airflow and changes nothing of it.
    """

    def __init__(self, *, well: bool = False) -> None:
        super().__init__()
        self.well = well

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """Leave out what the base does for templates: there is none here, and an error's text may look like one."""

    def notify(self, context: Context) -> None:
        """Compare with what was told, send, and remember it."""
        dag_id = context["dag"].dag_id
        variable = f"{VARIABLE_PREFIX}{dag_id}"
        known = Variable.get(variable, default=None, deserialize_json=True)
        run = context.get("dag_run")
        due = run.run_after if run else datetime.now(UTC)
        if self.well:
            # An old run that was cleared and is green now says nothing of the newer ones.
            if known and due >= datetime.fromisoformat(known["since"]) and self._is_done(context, known=known):
                Variable.delete(variable)
            return
        failure = failure_of(context)
        if known and known["told"] and set(failure.names) <= set(known["names"]):
            return
        told = {
            "since": known["since"] if known else due.isoformat(),
            "names": sorted({*failure.names, *(known["names"] if known else ())}),
        }
        told["told"] = self._is_done(context, known=told, failure=failure, is_news=known is None)
        if told != known:
            Variable.set(variable, told, description=VARIABLE_DESCRIPTION, serialize_json=True)

    def _is_done(
        self, context: Context, *, known: dict[str, Any], failure: Failure | None = None, is_news: bool = False
    ) -> bool:
        """Send what is to be said; return whether nothing is left to be done about it."""
        dag_id = context["dag"].dag_id
        try:
            connection = BaseHook.get_connection(ALERTS_CONN_ID)
        except AirflowNotFoundException:
            if failure and is_news:
                self.log.warning("%s is broken, and nobody is called: no connection %r", dag_id, ALERTS_CONN_ID)
            return failure is None
        language = connection.extra_dejson.get("language")
        title, text = message(
            context, known["since"], failure, language=language if language in LANGUAGES else LANGUAGES[0]
        )
        is_taken = send(connection, title, text, is_broken=failure is not None)
        if not is_taken:
            self.log.error("%r was not taken where the connection %r points", title, ALERTS_CONN_ID)
        return is_taken


ALERTS: dict[str, Any] = {"on_failure_callback": AlertNotifier(), "on_success_callback": AlertNotifier(well=True)}


def leave_error(context: Context) -> None:
    """Leave the sentence of the error for the message about the run: the callback of a task that has failed for good."""
    error = context.get("exception")
    if isinstance(error, BaseException):
        left = {"state": getattr(error, "state", "failing"), "names": list(getattr(error, "names", ()))}
        context["ti"].xcom_push(key=ERROR_KEY, value={"text": sentence(error), **left})


def sentence(error: BaseException) -> str:
    """Return an error in one line, with nothing of a row in it and no password."""
    name = type(error).__name__
    if not isinstance(error, SPEAKING):
        return name
    text = without_rows(error) if isinstance(error, psycopg.Error) else " ".join(str(error).split())
    return str(redact(f"{name}: {text}"))[:MAX_ERROR_LENGTH]


def failure_of(context: Context) -> Failure:
    """Ask Airflow what failed in a run: the first of its tasks that did, in the order of the DAG's file, names the cause."""
    ti = context.get("ti")
    if ti is None:
        return Failure(state="failing")
    if context.get("reason") == "timed_out":
        return Failure(state="stuck", task=ti.task_id)
    states = ti.get_task_states(ti.dag_id, run_ids=[ti.run_id]).get(ti.run_id, {})
    failed = [task_id for task_id in context["dag"].task_ids if states.get(task_id) == "failed"]
    first, *others = failed or [ti.task_id]
    left = ti.xcom_pull(task_ids=first, key=ERROR_KEY, map_indexes=-1) or {}
    return Failure(
        state=left.get("state", "failing"),
        task=first,
        error=left.get("text"),
        names=tuple(left.get("names", ())),
        also=tuple(others),
    )


def message(context: Context, since: str, failure: Failure | None, *, language: str) -> tuple[str, str]:
    """Return title and text: what is wrong, or that nothing is any more (no `failure`), and where to look."""
    words = WORDS[language]
    dag_id, run = context["dag"].dag_id, context.get("dag_run")
    facts = {"dag": dag_id, "since": moment(datetime.fromisoformat(since))}
    address = f"{conf.get('api', 'base_url', fallback='http://localhost:8080').rstrip('/')}/dags/{dag_id}"
    if run:
        address += f"/runs/{quote(run.run_id)}"
    if failure is None:
        return words["well"].format_map(facts), "\n".join([words["since"].format_map(facts), address])
    ended = run.end_date if run and run.end_date else datetime.now(UTC)
    facts |= {"error": failure.error or words["silent"], "time": moment(ended)}
    if failure.state == "stuck" and run:
        facts |= {"time": moment(run.run_after), "age": age(ended - (run.start_date or run.run_after), language)}
    if failure.task:
        facts["task"] = failure.task
        address += f"/tasks/{failure.task}"
    lines = [
        said(failure.state, language, facts),
        words["also"].format(tasks=", ".join(failure.also)) if failure.also else "",
        address,
        words["advice"].format_map(facts),
    ]
    return words["broken"].format_map(facts), "\n".join(filter(None, lines))


def send(connection: Connection, title: str, text: str, *, is_broken: bool) -> bool:
    """Send to all services that the connection names; return whether each of them took it."""
    # Here and not above: it is a hundred services, and every DAG reads this file.
    from airflow.providers.apprise.hooks.apprise import AppriseHook
    from apprise import Apprise, NotifyFormat, NotifyType

    hook = AppriseHook(ALERTS_CONN_ID)
    addresses = hook.get_config_from_conn(connection)
    for address in addresses if isinstance(addresses, list) else [addresses]:
        mask_secret(address["path"])
    services = Apprise()
    # Not the hook's own `notify`: that does not say whether anybody took the message.
    hook.set_config_from_conn(connection, services)
    kind = NotifyType.FAILURE if is_broken else NotifyType.SUCCESS
    return bool(services.notify(title=title, body=text, notify_type=kind, body_format=NotifyFormat.TEXT, tag="all"))

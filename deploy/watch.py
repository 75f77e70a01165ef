"""Looks at Airflow and the warehouse from outside, and tells a heartbeat service (a dead man's switch) what it sees.

The service rings when it hears `/fail`, and when it hears nothing: then the watcher itself, or the machine, is gone. It keeps
what was told, so people get one message when something breaks and one when it is well; this program remembers nothing. Any
service that speaks the protocol of healthchecks.io does. Meant for every three minutes, by cron or the chart's CronJob.

Reads HEARTBEAT_URL, AIRFLOW_URL, AIRFLOW_CONN_POSTGRES_DWH_BI, and the limits MAX_LAG_S, MAX_DEAD_LETTERS, MAX_KAFKA_LAG and
MAX_DUMP_AGE_HOURS. Where page and alerts say the same, it is in their sentences (`warehouse.states`).

    python -m deploy.watch
"""

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import psycopg
from psycopg.rows import dict_row

from warehouse.sql_files import read_sql
from warehouse.states import age, moment, said

BACKUPS = read_sql(["ask/backup/state.sql"])[0].text.encode()
NOW = """
select
    lag_s,
    dead_letters,
    kafka_lag,
    (select extract(epoch from now() - max(checked_dt)) / 3600 from cdm.v_laws) as laws_asked_h
from cdm.v_freshness
"""
# Parts of Airflow without which no run starts. Nothing here defers, so the triggerer may be away.
NEEDED = ("metadatabase", "scheduler", "dag_processor")
TIMEOUT_S = 10
MAX_LAG_S = 300.0
MAX_DEAD_LETTERS = 1000
# A run takes up to 50,000 messages; what it leaves in Kafka comes faster than it is read.
MAX_KAFKA_LAG = 10_000
# A night, and two hours for the dump of the next one; a week, and a day.
MAX_DUMP_AGE_H = 26.0
MAX_RESTORE_AGE_H = 8 * 24.0
# data_checks asks every hour, and is skipped beside a rebuild of the vault.
MAX_LAWS_ASKED_H = 3.0
# The services cut longer bodies.
MAX_TEXT_BYTES = 10_000


def airflow_complaints(url: str) -> list[str]:
    """Return a sentence for each part of Airflow that is not well, by its own health check."""
    try:
        with _open(f"{url.rstrip('/')}/api/v2/monitor/health") as answer:
            health = json.load(answer)
    except (OSError, ValueError) as error:
        return [f"Airflow does not answer: {error}. Is the API server up?"]
    ill = [part for part in NEEDED if (health.get(part) or {}).get("status") != "healthy"]
    return [f"Airflow says that its {part} is not healthy: no run starts" for part in ill]


def warehouse_complaints(
    conninfo: Mapping[str, Any],
    *,
    max_lag_s: float,
    max_dead_letters: int,
    max_kafka_lag: int,
    max_dump_age_h: float | None,
) -> list[str]:
    """Return a sentence for each limit that the warehouse exceeds, as the views for analysts tell it."""
    try:
        with psycopg.connect(**conninfo, row_factory=dict_row) as connection:
            now = connection.execute(NOW).fetchone() or {}
            backups = connection.execute(BACKUPS).fetchone() or {}
    except psycopg.Error as error:
        return [said("unknown", "en", {"error": f"The warehouse does not answer: {str(error).strip()}"})]
    complaints = []
    if now["lag_s"] > max_lag_s:
        late = timedelta(seconds=now["lag_s"])
        complaints.append(said("late", "en", {"as_of": moment(datetime.now(UTC) - late), "age": age(late, "en")}))
    if now["dead_letters"] > max_dead_letters:
        complaints.append(f"{now['dead_letters']} messages are refused and not solved (allowed: {max_dead_letters})")
    if (now["kafka_lag"] or 0) > max_kafka_lag:
        complaints.append(f"{now['kafka_lag']} messages wait in Kafka after a run (allowed: {max_kafka_lag})")
    if (now["laws_asked_h"] or 0) > MAX_LAWS_ASKED_H:
        complaints.append(
            f"The laws of the data were last asked {now['laws_asked_h']:.0f} hours ago: is data_checks off?"
        )
    return complaints + backup_complaints(backups, max_dump_age_h)


def backup_complaints(backups: Mapping[str, Any], max_dump_age_h: float | None) -> list[str]:
    """Return a sentence where the last good dump or test restore is too old, or the newest test restore has failed.

    That there was none yet is said where somebody has set a limit, or a try has failed.
    """
    complaints = []
    dump_age_h, allowed_h = (backups["dump_age_s"] or 0) / 3600, max_dump_age_h or MAX_DUMP_AGE_H
    why = f". The newest try: {failure}" if (failure := backups["dump_failure"]) else ""
    if dump_age_h > allowed_h:
        complaints.append(f"The last good backup is {dump_age_h:.0f} hours old (allowed: {allowed_h:.0f}){why}")
    elif backups["dump_dt"] is None and (why or max_dump_age_h):
        complaints.append(f"There is no good backup yet{why}")
    restore_age_h = (backups["restore_age_s"] or 0) / 3600
    if backups["restore_failure"]:
        complaints.append(f"The newest backup failed its test restore: {backups['restore_failure']}")
    elif restore_age_h > MAX_RESTORE_AGE_H:
        complaints.append(f"The last test restore of a backup was {restore_age_h / 24:.0f} days ago (a week is usual)")
    return complaints


def conninfo(connection: str) -> dict[str, Any]:
    """Return psycopg's parameters of an Airflow connection: JSON, as `make_secrets` writes it, or a URI."""
    limits = {"connect_timeout": TIMEOUT_S, "options": f"-c statement_timeout={TIMEOUT_S}s"}
    if not connection.startswith("{"):
        return {"conninfo": connection, **limits}
    known = json.loads(connection)
    extra = known.get("extra") or {}
    names = {"host": "host", "port": "port", "user": "login", "password": "password", "dbname": "schema"}
    given = {name: known[key] for name, key in names.items() if known.get(key)}
    return {**given, **(json.loads(extra) if isinstance(extra, str) else extra), **limits}


def tell(url: str, complaints: list[str]) -> None:
    """Tell the service that all is well, or what is not. Raises `URLError` where it does not take it."""
    text = "\n".join(complaints).encode()[:MAX_TEXT_BYTES]
    with _open(Request(url.rstrip("/") + ("/fail" if complaints else ""), data=text, method="POST")):  # noqa: S310  # ours
        pass


def main(env: Mapping[str, str] = os.environ) -> int:
    """Look once, print and tell what was seen; return 0 where it was told, whatever it was."""
    complaints = [
        *airflow_complaints(env["AIRFLOW_URL"]),
        *warehouse_complaints(
            conninfo(env["AIRFLOW_CONN_POSTGRES_DWH_BI"]),
            max_lag_s=float(env.get("MAX_LAG_S") or MAX_LAG_S),
            max_dead_letters=int(env.get("MAX_DEAD_LETTERS") or MAX_DEAD_LETTERS),
            max_kafka_lag=int(env.get("MAX_KAFKA_LAG") or MAX_KAFKA_LAG),
            max_dump_age_h=float(env["MAX_DUMP_AGE_HOURS"]) if env.get("MAX_DUMP_AGE_HOURS") else None,
        ),
    ]
    print("\n".join(complaints) or "all is well")
    try:
        tell(env["HEARTBEAT_URL"], complaints)
    except (HTTPError, URLError, OSError) as error:
        # Without the address: it is what lets others ring, or keep silent.
        print(f"the heartbeat service does not take it: {getattr(error, 'reason', error)}", file=sys.stderr)
        return 1
    return 0


def _open(request: str | Request) -> Any:
    return urlopen(request, timeout=TIMEOUT_S)  # noqa: S310  # addresses come from whoever installs it


if __name__ == "__main__":
    sys.exit(main())

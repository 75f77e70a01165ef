"""Metrics, alerts and the dashboard: real programs of Prometheus over a real warehouse, and names that agree everywhere."""

import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest
import yaml
from airflow._shared.observability.metrics import stats
from airflow._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.observability.metrics.statsd_logger import get_statsd_logger

from deploy import watch
from deploy.sizes import CHART
from harness.pipeline import Pipeline
from local.state import HOST
from operators.check_laws import CheckLawsOperator
from tests.deploy.charts import render_airflow
from tests.messages import order, restaurant, user
from tests.metrics.airflow_names import TOLD_BY_AIRFLOW
from tests.programs import fetched, free_port, program, running
from tests.waiting import wait_for

REPO = Path(__file__).resolve().parents[2]
METRICS = CHART / "metrics"
UNIT_TESTS = REPO / "tests" / "metrics" / "alerts.yaml"
RULES = [
    rule
    for file in sorted(METRICS.glob("*.rules.yaml"))
    for group in yaml.safe_load(file.read_text())["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES}
DASHBOARD = json.loads((METRICS / "dashboard.json").read_text())
SHOWN = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
DECLARED = [
    metric
    for file in sorted(METRICS.glob("*.collector.yaml"))
    for metric in yaml.safe_load(file.read_text())["metrics"]
]


def names(expr: str) -> set[str]:
    """Return the names of the series that an expression reads."""
    without_labels = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without)\s*\([^)]*\)", " ", expr)
    words = re.findall(r"\b[a-z_][a-z0-9_]*\b(?!\s*\()", without_labels)
    return set(words) - {"or", "and", "unless", "offset", "bool", "by"} - set(re.findall(r"\b\d+[smhd]\b", expr))


def series(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Read what an exporter answers: name -> its (labels, value)."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            found.setdefault(name, []).append((dict(re.findall(r'(\w+)="([^"]*)"', labels or "")), float(value)))
    return found


# --- the files, read as they are -------------------------------------------------------------------------------------


def test_each_series_of_rules_and_dashboard_is_one_that_is_exported() -> None:
    read = {name for expr in [*SHOWN, *(rule["expr"] for rule in RULES)] for name in names(expr)}
    ours = {name for name in read if not name.startswith("airflow_")}
    assert ours <= {metric["metric_name"] for metric in DECLARED}
    assert {"guest_tags_lag_seconds", "airflow_dagrun_failed_count"} <= read


def test_each_figure_of_the_warehouse_is_on_the_dashboard() -> None:
    assert {metric["metric_name"] for metric in DECLARED} <= {name for expr in SHOWN for name in names(expr)}


def test_the_dashboard_s_panels_have_places_and_numbers_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        place = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in place) < 24, panel["title"]
        assert not taken & place, panel["title"]
        taken |= place


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_says_what_to_do(alert: str) -> None:
    rows = [line for line in (REPO / "docs" / "runbook.md").read_text().splitlines() if line.startswith(f"| `{alert}`")]
    assert len(rows) == 1, f"docs/runbook.md has no row for {alert}"
    assert ALERTS[alert]["labels"]["severity"] in {"critical", "warning"}


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_seen_silent_and_seen_ringing(alert: str) -> None:
    told = [
        bool(case["exp_alerts"])
        for test in yaml.safe_load(UNIT_TESTS.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == alert
    ]
    assert set(told) == {True, False}


def test_the_limits_are_those_of_the_laws_and_of_the_watcher() -> None:
    law = CheckLawsOperator(task_id="laws")
    assert limit("GuestTagsLate") == law.max_lag_s
    assert limit("GuestTagsDeadLetters") == watch.MAX_DEAD_LETTERS
    assert limit("GuestTagsOldTransaction") == law.max_transaction_age_hours * 3600
    assert limit("GuestTagsBackupOld") == law.max_dump_age_hours * 3600 == watch.MAX_DUMP_AGE_H * 3600
    assert f"> {watch.MAX_RESTORE_AGE_H * 3600:.0f}" in ALERTS["GuestTagsRestoreTest"]["expr"]
    assert law.max_restore_age_days * 24 == watch.MAX_RESTORE_AGE_H


def limit(alert: str) -> float:
    """Return the number that an alert compares with."""
    (number,) = re.findall(r"[<>]=? (\d+)", ALERTS[alert]["expr"])
    return float(number)


# --- promtool ----------------------------------------------------------------------------------------------------------


def test_promtool_takes_the_rules() -> None:
    done = subprocess.run(
        [program("promtool"), "check", "rules", *sorted(METRICS.glob("*.rules.yaml"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_rings_when_it_should_and_only_then() -> None:
    done = subprocess.run(
        [program("promtool"), "test", "rules", UNIT_TESTS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --- the exporter over a warehouse -------------------------------------------------------------------------------------


@pytest.fixture
def warehouse(pipeline: Pipeline) -> Pipeline:
    """A warehouse in which each figure has a value."""
    pipeline.owner.execute("insert into cdm.tag_rules (tag, category_name, threshold) values ('fan', 'Pizza', 0)")
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"})), ("user", "guest", user())])
    pipeline.stage([order(1), b"broken", b"broken too"])
    pipeline.load()
    pipeline.stage([order(1, "CANCELLED", update_ts="2026-01-03 00:00:00")])
    pipeline.load()
    pipeline.stage([order(2), order(3)])
    pipeline.owner.execute(
        """
        insert into stg.drain_ends values ('orders', now() - interval '200 s', now() - interval '200 s');
        insert into stg.drain_progress values ('orders', 'orders', 0, 'id', 5, null, null, 12, now());
        insert into stg.lost_messages (topic, topic_id, "partition", from_offset, to_offset, noticed_dt)
        values ('orders', 'id', 0, 3, 8, now());
        insert into stg.law_checks values
            ('stg.lost_messages', 1, now()), ('stg.order_events', 0, now() - interval '2 h');
        insert into stg.backups (kind, stamp, seconds, is_good, detail, finished_dt)
        values ('dump', 'x', 1, true, '', now() - interval '300 s'), ('restore', 'x', 1, true, '', now()),
            ('restore', 'x', 1, false, 'broken', now());
        """
    )
    pipeline.owner.execute("vacuum analyze stg.order_events")
    return pipeline


@pytest.fixture
def exporter(warehouse: Pipeline, tmp_path: Path) -> Iterator[str]:
    """The address of the exporter, as the chart starts it."""
    address = f"{HOST}:{free_port()}"
    command = [
        program("sql_exporter"),
        f"--config.file={METRICS / 'exporter.yaml'}",
        f"--web.listen-address={address}",
    ]
    env = {"SQLEXPORTER_TARGET_DSN": warehouse.env["DWH_BI_URL"]}
    with running(command, f"http://{address}/healthz", tmp_path / "exporter.log", env):
        yield address


def test_the_exporter_tells_what_the_views_tell(warehouse: Pipeline, exporter: str) -> None:
    told = series(fetched(f"http://{exporter}/metrics"))
    assert told.keys() == {metric["metric_name"] for metric in DECLARED}
    ((_, lag),) = told["guest_tags_lag_seconds"]
    ((_, checked),) = told["guest_tags_checked_age_seconds"]
    assert lag == checked >= 200
    assert told["guest_tags_kafka_lag_messages"] == [({}, 7)]
    assert ({"kind": "messages_waiting"}, 2) in told["guest_tags_waiting"]
    assert told["guest_tags_dead_letters"] == [({"topic": "test", "reason": "broken_json"}, 2)]
    assert told["guest_tags_lost_messages"] == [({}, 5)]
    laws = {labels["law"]: rows for labels, rows in told["guest_tags_law_broken_rows"]}
    assert laws == {"stg.lost_messages": 1, "stg.order_events": 0}
    ((_, asked_s),) = told["guest_tags_laws_checked_age_seconds"]
    assert 7200 <= asked_s < 10_800
    ((kind, age_s),) = told["guest_tags_oldest_transaction_seconds"]
    assert kind == {"kind": "session"}
    assert age_s >= 0
    assert told["guest_tags_given_total"] == [({"tag": "fan"}, 1)]
    assert told["guest_tags_taken_total"] == [({"tag": "fan"}, 1)]
    assert told["guest_tags_audience"] == [({"tag": "fan"}, 0)]
    ages = {labels["kind"]: age for labels, age in told["guest_tags_backup_age_seconds"]}
    assert ages["dump"] >= 300 > ages["restore"]
    assert sorted((labels["kind"], failed) for labels, failed in told["guest_tags_backup_failed"]) == [
        ("dump", 0),
        ("restore", 1),
    ]
    ((_, size),) = told["guest_tags_database_bytes"]
    assert size > 1_000_000
    tables = {labels["table"]: value for labels, value in told["guest_tags_table_bytes"]}
    # The catalog forgets a page or two (of free space, of an index that is empty), and no more.
    assert warehouse.value("select pg_table_size('stg.order_events')") <= tables["stg.order_events"] + 32_768
    assert 0 < tables["stg.order_events"] <= warehouse.value("select pg_total_relation_size('stg.order_events')")
    assert len(tables) == warehouse.value("select count(*) from pg_tables where schemaname in ('stg', 'dds', 'cdm')")


def test_a_rebuild_of_the_vault_keeps_no_figure_from_being_told(warehouse: Pipeline, exporter: str) -> None:
    with warehouse.owner.transaction():
        warehouse.owner.execute("lock table dds.h_order, dds.h_user, dds.s_order_status in access exclusive mode")
        assert series(fetched(f"http://{exporter}/metrics")).keys() == {metric["metric_name"] for metric in DECLARED}


def test_a_warehouse_that_is_away_is_an_error_and_no_number(tmp_path: Path) -> None:
    address = f"{HOST}:{free_port()}"
    command = [
        program("sql_exporter"),
        f"--config.file={METRICS / 'exporter.yaml'}",
        f"--web.listen-address={address}",
    ]
    env = {"SQLEXPORTER_TARGET_DSN": "postgres://dwh_bi:hush@127.0.0.1:1/dwh"}
    with running(command, f"http://{address}/healthz", tmp_path / "exporter.log", env):
        with pytest.raises(HTTPError) as error:
            fetched(f"http://{address}/metrics")
        assert error.value.code == 500
        assert "hush" not in error.value.read().decode() + fetched(f"http://{address}/config")
    assert "hush" not in (tmp_path / "exporter.log").read_text()


def test_a_real_prometheus_shows_every_panel_and_rings(warehouse: Pipeline, exporter: str, tmp_path: Path) -> None:
    port = free_port()
    config = {
        "global": {"scrape_interval": "3s", "evaluation_interval": "1s"},
        "rule_files": [str(METRICS / "*.rules.yaml")],
        "scrape_configs": [{"job_name": "guest-tags", "static_configs": [{"targets": [exporter]}]}],
    }
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(config))
    command = [
        program("prometheus"),
        f"--config.file={tmp_path / 'prometheus.yaml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={HOST}:{port}",
    ]
    url = f"http://{HOST}:{port}"
    with running(command, f"{url}/-/ready", tmp_path / "prometheus.log"):
        wait_until_known(url, "guest_tags_lag_seconds")
        for expr in SHOWN:
            asked(url, expr)
            if not any(name.startswith("airflow_") for name in names(expr)) and "increase(" not in expr:
                wait_until_known(url, expr)
        for alert in ("GuestTagsLostMessages", "GuestTagsLawBroken", "GuestTagsRestoreTest"):
            wait_until_known(url, f'ALERTS{{alertname="{alert}", alertstate="firing"}}')
        # What is two minutes late is pending for another one; what has no patience rings.
        wait_until_known(url, 'ALERTS{alertname="GuestTagsLate", alertstate="pending"}')
        warehouse.owner.execute(
            """
            insert into stg.dead_letters
                (value_hash, topic, "partition", "offset", reason, detail, attempts, load_dt, attempt_dt)
            select gen_random_uuid(), 'orders', 0, n, 'bad_time', '', 1, now(), now() from generate_series(1, 1000) as n
            """
        )
        wait_until_known(url, 'ALERTS{alertname="GuestTagsDeadLetters", alertstate="firing"}')


def asked(url: str, expr: str) -> list[dict[str, Any]]:
    """Return what Prometheus knows of an expression now; fails where it does not understand it."""
    answer = json.loads(fetched(f"{url}/api/v1/query?{urlencode({'query': expr})}"))
    assert answer["status"] == "success"
    return list(answer["data"]["result"])


def wait_until_known(url: str, expr: str) -> None:
    """Wait until Prometheus knows something of an expression."""
    wait_for(lambda: asked(url, expr), f"answer of Prometheus to {expr}")


# --- Airflow's own -----------------------------------------------------------------------------------------------------


@pytest.fixture
def airflow_tells() -> Iterator[None]:
    """Airflow's statistics, back to silence afterwards."""
    yield
    stats.initialize(factory=NoStatsLogger, export_legacy_names=True)


def test_what_airflow_tells_becomes_the_series_that_rules_and_dashboard_read(
    airflow_tells: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    objects = render_airflow("single-vm", "metrics.yaml")
    (mapping,) = [item["data"]["mappings.yml"] for item in objects if "mappings.yml" in (item.get("data") or {})]
    (tmp_path / "mappings.yaml").write_text(mapping)
    web, udp = free_port(), free_port()
    command = [
        program("statsd_exporter"),
        f"--statsd.mapping-config={tmp_path / 'mappings.yaml'}",
        f"--web.listen-address={HOST}:{web}",
        f"--statsd.listen-udp={HOST}:{udp}",
        "--statsd.listen-tcp=",
    ]
    for name, value in _metrics_section(objects).items():
        monkeypatch.setenv(f"AIRFLOW__METRICS__{name.upper()}", value)
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", HOST)
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(udp))
    with running(command, f"http://{HOST}:{web}/metrics", tmp_path / "statsd.log"):
        stats.initialize(factory=get_statsd_logger, export_legacy_names=True)
        for kind, name, value, tags in TOLD_BY_AIRFLOW:
            getattr(stats, kind)(name, value, tags=tags)
        read = {name for expr in [*SHOWN, *(rule["expr"] for rule in RULES)] for name in names(expr)}
        wanted = {name for name in read if name.startswith("airflow_")}
        give_up = time.monotonic() + 30
        while not wanted <= (told := series(fetched(f"http://{HOST}:{web}/metrics"))).keys():
            assert time.monotonic() < give_up, f"nobody tells {sorted(wanted - told.keys())}"
            time.sleep(0.1)
    assert told["airflow_dagrun_failed_count"] == [({"dag_id": "data_checks"}, 1)]
    assert ({"dag_id": "orders_micro_batch", "quantile": "0.9"}, 8) in told["airflow_dagrun_duration"]
    task = {"dag_id": "orders_micro_batch", "task_id": "drain", "state": "failed"}
    assert told["airflow_task_finished"] == [(task, 1)]


def _metrics_section(objects: list[dict[str, Any]]) -> Mapping[str, str]:
    """Return what the chart's airflow.cfg says about metrics."""
    from configparser import ConfigParser

    (text,) = [item["data"]["airflow.cfg"] for item in objects if "airflow.cfg" in (item.get("data") or {})]
    config = ConfigParser(interpolation=None)
    config.read_string(text)
    return dict(config["metrics"])

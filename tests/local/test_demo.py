"""Laws of what the demo says when a step fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.pipeline import Pipeline
from harness.runs import drain
from local.demo import Screen, failure_text, failures, kafka_lag, log_lines
from tests.messages import order

TASK = {"dag_id": "orders_backfill", "dag_run_id": "manual__1", "try_number": 2}


def test_a_failed_task_is_named_with_the_end_of_its_last_log(tmp_path: Path) -> None:
    folder = tmp_path / "dag_id=orders_backfill" / "run_id=manual__1" / "task_id=dds"
    folder.mkdir(parents=True)
    lines = [json.dumps({"level": "info", "event": f"line {n}"}) for n in range(50)]
    error = {"exc_type": "DiskFull", "exc_value": "no space left"}
    lines.append(json.dumps({"level": "error", "event": "Task failed", "error_detail": [error]}))
    (folder / "attempt=2.log").write_text("\n".join(lines))
    tasks = [TASK | {"task_id": "drain", "state": "success"}, TASK | {"task_id": "dds", "state": "failed"}]
    said = failure_text("orders_backfill", failures(tasks, tmp_path))
    assert "task dds" in said
    assert "drain" not in said
    assert str(folder / "attempt=2.log") in said
    assert "error: Task failed\n    DiskFull: no space left" in said
    assert "line 49" in said
    assert "line 10" not in said


def test_a_task_without_a_log_is_named_all_the_same(tmp_path: Path) -> None:
    said = failure_text("orders_backfill", failures([TASK | {"task_id": "dds", "state": "failed"}], tmp_path))
    assert "task dds" in said
    assert "(no log)" in said


def test_a_line_that_is_no_json_is_shown_as_it_is(tmp_path: Path) -> None:
    log = tmp_path / "attempt=1.log"
    log.write_text('Traceback\n[1]\n{"event": "x"}\n')
    assert log_lines(log) == ["Traceback", "[1]", '{"event": "x"}']


def test_steps_are_numbered_and_timed_and_repeated_progress_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(steps=2)
    with screen.step("Begin"):
        screen.progress("half way")
        screen.progress("half way")
    said = capsys.readouterr().out
    assert said.startswith("[1/2] Begin\n")
    assert said.count("half way") == 1
    assert "done in 0.0 s" in said


def test_the_messages_behind_are_those_that_the_warehouse_has_not_whatever_the_group_says(pipeline: Pipeline) -> None:
    servers, topic = pipeline.env["KAFKA_BOOTSTRAP_SERVERS"], pipeline.topic()
    pipeline.produce(topic, [order(n) for n in range(20)])
    assert kafka_lag(servers, {}, topic) == 20
    drain(topic)
    pipeline.produce(topic, [order(n) for n in range(20, 23)])
    read = pipeline.rows('select "partition", next_offset from stg.drain_progress where topic = %s', [topic])
    assert kafka_lag(servers, dict(read), topic) == 3
    pipeline.clear()
    assert kafka_lag(servers, {}, topic) == 23

"""What Airflow tells of itself, as far as rules and dashboard are made of it. Held to a real Airflow by tests/e2e."""

from typing import Any

# (kind, name, value, tags), in its own words.
TOLD_BY_AIRFLOW: list[tuple[str, str, Any, dict[str, str]]] = [
    ("incr", "scheduler_heartbeat", 1, {}),
    ("incr", "dag_processor_heartbeat", 1, {}),
    ("gauge", "dag_processing.import_errors", 0, {}),
    ("timing", "dagrun.duration.success", 8000.0, {"dag_id": "orders_micro_batch", "run_type": "scheduled"}),
    ("timing", "dagrun.duration.failed", 9000.0, {"dag_id": "data_checks", "run_type": "scheduled"}),
    ("timing", "dagrun.schedule_delay", 500.0, {"dag_id": "orders_micro_batch"}),
    ("incr", "ti.finish", 1, {"dag_id": "orders_micro_batch", "task_id": "drain", "state": "failed"}),
]

# The letters of these kinds in StatsD's protocol.
LETTERS = {"incr": "c", "gauge": "g", "timing": "ms"}

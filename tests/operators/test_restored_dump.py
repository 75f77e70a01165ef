"""A warehouse that is restored from a dump is made whole by its next run; Kafka needs no step."""

import subprocess
from pathlib import Path

from tests.messages import order, restaurant, user
from tests.operators.drain_case import drain
from tests.pipeline import Pipeline
from tests.sql.test_access import find_programs


def test_a_restored_dump_is_made_whole_by_the_next_run(pipeline: Pipeline, tmp_path: Path) -> None:
    topic = pipeline.topic()
    url, dump = pipeline.env["DWH_URL"], tmp_path / "dwh.dump"
    pipeline.refer([("restaurant", "diner", restaurant(menu={"pizza": "Pizza"})), ("user", "guest", user())])
    pipeline.produce(topic, [order(n, "CLOSED", dishes=("pizza",)) for n in range(20)])
    drain(topic)
    pipeline.load()
    programs = find_programs()
    subprocess.run([programs / "pg_dump", "--format=custom", f"--file={dump}", url], check=True, capture_output=True)
    pipeline.produce(topic, [order(n, "CLOSED", dishes=("pizza",)) for n in range(20, 50)])
    drain(topic)  # the group is now ahead of the dump
    pipeline.load()
    counters = pipeline.user_product_counters()
    restore = [
        programs / "pg_restore",
        "--clean",
        "--if-exists",
        "--no-owner",
        "--exit-on-error",
        "--single-transaction",
    ]
    subprocess.run([*restore, f"--dbname={url}", dump], check=True, capture_output=True)
    assert pipeline.value("select count(*) from stg.order_event_log") == 20
    assert drain(topic)["messages"] == 30
    pipeline.load()
    assert pipeline.user_product_counters() == counters
    assert pipeline.value("select count(*) from stg.order_event_log") == 50

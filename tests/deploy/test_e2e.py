"""What `make e2e-k8s` makes of the figures that it was told; that it runs is for a cluster to show."""

from deploy.e2e import Usage, report


def test_a_task_that_the_scheduler_marks_by_itself_costs_no_pod() -> None:
    usage = Usage(began=0)
    for pods_s in (0.0, 9.0):
        usage.add({}, {"pods": pods_s})
    tasks = [{"task": name, "queued": 2.0, "running": 0.5, "attempt": 1} for name in ("drain", "reference", "cdm")]
    run = {"state": "success", "seconds": 12.0, "tasks": [*tasks, {**tasks[0], "task": "complete", "queued": None}]}
    text = report({"messages": 1, "seconds": 30.0}, {"orders": 1, "latencies": [40.0]}, [run], usage, restarts=0)
    assert "3.0 pods a run" in text
    assert "A task pod costs 3.0 CPU seconds." in text
    assert "| complete |" not in text

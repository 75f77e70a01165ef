"""Why a test may be skipped: in CI every other skip is a failure, so that nothing stops being tested in silence."""

import os
import re
from collections.abc import Generator
from typing import TypeVar, cast

import pytest

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# What a skipped test says, as a regular expression -> why CI passes without it.
ALLOWED = {
    "helm is not on PATH": "no package registry has it, and it is built where there is a Go only (local/install.sh)",
    "AIRFLOW_CHART does not name": "the official chart lies on a site of its own; its values' schema is looked for by itself",
    "(sql_exporter|statsd_exporter) is not on PATH": "no package registry has it, and it takes longer to build than all tests",
    "checkov is not on PATH": "it wants other versions of our own packages, so it lives in a venv of its own",
    "CITUS_COORDINATOR_URL does not name": "no package registry has Citus, and it takes longer to build than all tests",
    "this machine lets us make no volume": "only root may mount, and not in every container",
}


def judged(report: Report) -> Report:
    """Return the report of a test or a file; a skip whose reason is not on the list has failed."""
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        *_, reason = cast("tuple[str, int, str]", report.longrepr)
        if not any(re.search(pattern, reason) for pattern in ALLOWED):
            report.outcome, report.longrepr = "failed", f"{reason}: not among the reasons in tests/skips.py"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge the skip of a test."""
    return judged((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judge the skip of a whole file."""
    return judged((yield))

"""What was cheap stays cheap: pages and rows of small loads, against what was recorded."""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import guard


@pytest.fixture
def unchanged_process() -> Iterator[None]:
    """A world quiets all logs, and points the environment at its own servers."""
    kept = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(kept)
    logging.disable(logging.NOTSET)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("unchanged_process")
def test_loads_look_at_no_more_than_was_recorded(tmp_path: Path) -> None:
    recorded = json.loads(guard.RECORDED.read_text())
    measured = guard.measure(tmp_path / "stack")
    dearer = {
        name: (count, recorded[name]) for name, count in measured.items() if count > guard.TOLERANCE * recorded[name]
    }
    assert set(measured) == set(recorded)
    assert dearer == {}, "figure: (counted, recorded); see bench/guard.py"
    changed = "check_of_what_changed_pages"
    # Seen: 0.74 times, and 1.84 after the marts' baskets had come, it is not known why; read whole it would be ten.
    assert measured[f"{changed}_ten_times_the_history"] <= 2.5 * measured[changed]

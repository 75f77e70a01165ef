"""What was fast stays fast: a small bench, in ratios, against what was recorded."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import guard


@pytest.fixture
def unchanged_logging() -> Iterator[None]:
    """A world quiets all logs."""
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("unchanged_logging")
def test_no_ratio_has_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = json.loads(guard.RECORDED.read_text())
    measured = guard.measure(tmp_path / "stack")
    slower = {
        name: (measured[name], limit) for name, limit in recorded.items() if measured[name] > guard.TOLERANCE * limit
    }
    assert set(measured) == set(recorded)
    assert slower == {}, "ratio: (measured, recorded); see bench/guard.py"
